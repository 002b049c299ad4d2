"""Which hyperparameters matter: functional ANOVA (Hutter, Hoos and Leyton-Brown, 2014) of random search's trials.

Only uniformly drawn trials are used: those of an optimizer crowd where it thinks the optimum is, and tell little of
the rest of the space.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from ConfigSpace import ConfigurationSpace
from numpy.typing import NDArray

from hemobench.benchmarks.storage.results import Results
from hemobench.reports.comparison.comparison import RANDOM, Comparison
from hemobench.reports.importance.fanova import explained, main_effects
from hemobench.reports.statistics.bootstrap import Array, interval
from hemobench.strategies.space import Numeric, choices, numeric

DRAWS = 12
MOST_TRIALS = 400
LEAST_TRIALS = 30
"""Of fewer, a forest explains pure noise too often."""


@dataclass(frozen=True, slots=True)
class Importance:
    """A hyperparameter's share of the variance of the loss.

    Attributes:
        name: Of the hyperparameter.
        share: Mean over resamples of seeds; the shares add up to 1.
        low: Lower end of the 90 % interval over resamples of seeds, each with a forest of its own.
        high: Upper end.
    """

    name: str
    share: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Importances:
    """What random search's trials say of the hyperparameters.

    Attributes:
        trials: That were used.
        explained: Share of the variance that the forest explains of trials which it has not seen (R2 out of bag);
            `None` where there are too few trials.
        shares: The greatest first; withheld, so empty, unless `explained` is above 0.
    """

    trials: int
    explained: float | None
    shares: tuple[Importance, ...]


NONE = Importances(0, None, ())


def importances(comparison: Comparison, results: Results, draws: int = DRAWS, seed: int = 0) -> Importances:
    """Main-effect importances; withheld where the forest does not predict trials that it has not seen.

    Hyperparameters with conditions are left out, since not every trial has a value.

    Args:
        comparison: Says which runs.
        results: Their trials.
        draws: Resamples of seeds.
        seed: Decides the resamples and the forests.
    """
    if RANDOM not in comparison.strategies:
        return NONE
    runs = comparison.table[:, comparison.strategies.index(RANDOM)]
    trials = results.trials[results.trials["run"].isin(runs) & (results.trials["status"] == "ok")]
    names, points, levels = encoded(trials, comparison.task.space())
    if len(trials) < LEAST_TRIALS or not names:
        return Importances(len(trials), None, ())
    losses, run_of = trials["loss"].to_numpy(dtype=float), trials["run"].to_numpy()
    some = np.random.default_rng(np.random.SeedSequence(seed)).permutation(len(trials))[:MOST_TRIALS]
    predicted = explained(points[some], losses[some], levels, seed)
    if predicted <= 0:
        return Importances(len(trials), predicted, ())
    rows_of = pd.Series(run_of).groupby(run_of).indices
    none = np.empty(0, dtype=np.int64)
    generator = np.random.default_rng(np.random.SeedSequence(seed))
    shares = []
    for draw in range(draws):
        chosen = np.concatenate([rows_of.get(run, none) for run in generator.choice(runs, len(runs))])
        chosen = generator.permutation(chosen)[:MOST_TRIALS]
        shares.append(main_effects(points[chosen], losses[chosen], levels, seed + draw))
    return Importances(len(trials), predicted, tuple(_sorted(names, np.array(shares))))


def encoded(trials: pd.DataFrame, space: ConfigurationSpace) -> tuple[list[str], Array, NDArray[np.int64]]:
    """Configurations in the unit cube, as `main_effects` wants them: uniform under random search.

    Returns:
        Names of the hyperparameters that all trials have, `(trials, names)`, and the numbers of levels.
    """
    names, columns, levels = [], [], []
    for name, hyperparameter in space.items():
        column = trials.get(f"config.{name}")
        if column is None or column.isna().any():
            continue
        values = choices(hyperparameter)
        names.append(name)
        levels.append(len(values) if values is not None else 0)
        if values is not None:
            places = {value: (k + 0.5) / len(values) for k, value in enumerate(values)}
            columns.append(column.map(places).to_numpy(dtype=float))
        else:
            columns.append(_position(column.to_numpy(dtype=float), numeric(hyperparameter)))
    points = np.stack(columns, axis=1) if columns else np.empty((len(trials), 0))
    return names, points, np.array(levels, dtype=np.int64)


def _position(values: Array, hyperparameter: Numeric) -> Array:
    low, high = float(hyperparameter.lower), float(hyperparameter.upper)
    if hyperparameter.log:
        return np.asarray(np.log(values / low) / np.log(high / low))
    return np.asarray((values - low) / (high - low))


def _sorted(names: list[str], table: Array) -> list[Importance]:
    low, high = interval(table, 0.9)
    found = [Importance(name, float(table[:, k].mean()), float(low[k]), float(high[k])) for k, name in enumerate(names)]
    return sorted(found, key=lambda importance: -importance.share)
