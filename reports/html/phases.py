"""How many trials a strategy explores before it learns, from what a run says of itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hemobench.benchmarks.tasks.base import Task
from hemobench.errors import BenchmarkError
from hemobench.strategies import load_strategy
from hemobench.strategies.sssr import scaled


def startup_trials(header: Mapping[str, Any], task: Task) -> int | None:
    """Trials before a strategy learns; `None` if it never does, or is not known here.

    Args:
        header: A `run.json`.
        task: For the number of hyperparameters, by which SMAC's design is sized.
    """
    strategy = header.get("strategy", {})
    try:
        defaults = getattr(load_strategy(str(strategy.get("name"))).__init__, "__kwdefaults__", None) or {}
    except BenchmarkError:
        return None
    settings = {**defaults, **strategy.get("settings", {})}
    horizon = int(header.get("horizon") or 1)
    if {"rounds", "scaling"} <= settings.keys():
        return int(scaled(settings["rounds"], horizon, settings["scaling"])[0])
    if settings.get("startup_trials") is not None:
        return int(settings["startup_trials"])
    if "startup_max_ratio" in settings:
        most = settings["startup_per_hyperparameter"] * len(task.space())
        return max(1, int(min(most, settings["startup_max_ratio"] * horizon)))
    return None
