"""Which hyperparameters matter: functional ANOVA (Hutter, Hoos and Leyton-Brown, 2014) of random search's trials.

Only uniformly drawn trials are used: those of an optimizer crowd where it thinks the optimum is, and tell little of
the rest of the space.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from hemobench.benchmarks.results import Results
from hemobench.reports.anytime import RANDOM, Race
from hemobench.reports.export import distributions, frozen_trials
from hemobench.reports.statistics import Array, interval

DRAWS = 12
MOST_TRIALS = 400
TREES = 24


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


def importances(race: Race, results: Results, draws: int = DRAWS, seed: int = 0) -> list[Importance]:
    """Main-effect importances, the greatest first; empty if random search has fewer than ten `ok` trials.

    Hyperparameters with conditions are left out: fANOVA wants values for all trials.

    Args:
        race: Says which runs.
        results: Their trials.
        draws: Resamples of seeds.
        seed: Decides the resamples and the forests.
    """
    if RANDOM not in race.strategies:
        return []
    of_seed = _trials_by_seed(race, results)
    if sum(map(len, of_seed)) < 10:
        return []
    generator = np.random.default_rng(np.random.SeedSequence(seed))
    shares = [_shares(_resampled(of_seed, generator), race.task.name, seed + draw) for draw in range(draws)]
    names = list(shares[0])
    table = np.array([[share[name] for name in names] for share in shares])
    return _sorted(names, table)


def _sorted(names: list[str], table: Array) -> list[Importance]:
    low, high = interval(table, 0.9)
    found = [
        Importance(name, float(table[:, k].mean()), float(low[k]), float(high[k])) for k, name in enumerate(names)
    ]
    return sorted(found, key=lambda importance: -importance.share)


def _trials_by_seed(race: Race, results: Results) -> list[pd.DataFrame]:
    runs = race.table[:, race.strategies.index(RANDOM)]
    ok = results.trials[results.trials["run"].isin(runs) & (results.trials["status"] == "ok")]
    return [trials for _, trials in ok.groupby("run")]


def _resampled(of_seed: list[pd.DataFrame], generator: np.random.Generator) -> pd.DataFrame:
    chosen = generator.integers(0, len(of_seed), len(of_seed))
    pooled = pd.concat([of_seed[k] for k in chosen])
    return pooled.iloc[generator.permutation(len(pooled))[:MOST_TRIALS]]


def _shares(trials: pd.DataFrame, task: str, seed: int) -> Mapping[str, float]:
    import optuna

    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        study = optuna.create_study()
        study.add_trials(frozen_trials(trials.to_dict("records"), distributions(task), 0))
        evaluator = optuna.importance.FanovaImportanceEvaluator(n_trees=TREES, max_depth=16, seed=seed)
        return optuna.importance.get_param_importances(study, evaluator=evaluator)
    finally:
        optuna.logging.set_verbosity(before)
