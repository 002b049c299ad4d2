"""How many trials end before a strategy learns, of its settings; the rows of the table name these rules."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def as_set(settings: Mapping[str, Any], horizon: int, hyperparameters: int) -> int | None:
    """The setting `startup_trials`; `None` where the strategy finds that out by itself."""
    trials = settings["startup_trials"]
    return None if trials is None else int(trials)


def share_of_the_horizon(settings: Mapping[str, Any], horizon: int, hyperparameters: int) -> int:
    """SMAC's design: so many a hyperparameter, at most a share of the trials; or as set."""
    if settings["startup_trials"] is not None:
        return int(settings["startup_trials"])
    most = settings["startup_per_hyperparameter"] * hyperparameters
    return max(1, int(min(most, settings["startup_max_ratio"] * horizon)))


def first_round(settings: Mapping[str, Any], horizon: int, hyperparameters: int) -> int:
    """SSSR's first round of random trials, as it is scaled to the horizon."""
    from hemobench.strategies.sssr import scaled

    return int(scaled(settings["rounds"], horizon, settings["scaling"])[0])
