"""Optuna's tree-structured Parzen estimator, through Optuna's own ask and tell."""

from __future__ import annotations

from typing import ClassVar

from ConfigSpace import ConfigurationSpace
from optuna.samplers import TPESampler

from hemobench.strategies.base import Count, Supports
from hemobench.strategies.optuna_study import OptunaStudy
from hemobench.strategies.space import library_seed


class OptunaTPE(OptunaStudy):
    """`optuna.samplers.TPESampler` on a study in memory.

    What shapes the search is written out, since Optuna 5 changed two of its defaults (`multivariate`,
    `constant_liar`). `gamma`, `weights` and the rest of the original knobs are deprecated there and stay at
    their defaults. Conditional hyperparameters are suggested only where they are active, as Optuna means them
    to be; in a multivariate search they are then sampled independently unless `group` is set.

    Pending trials are counted among the bad ones by Optuna's own constant liar.
    """

    supports: ClassVar[Supports] = Supports()

    def __init__(
        self,
        space: ConfigurationSpace,
        *,
        seed: int,
        horizon: int,
        startup_trials: Count = 10,
        n_ei_candidates: Count = 24,
        multivariate: bool = True,
        group: bool = False,
        constant_liar: bool = True,
    ) -> None:
        """Create the study.

        Args:
            space: The search space.
            seed: Spread by `numpy.random.SeedSequence` to Optuna's own.
            horizon: Not used; TPE does not plan.
            startup_trials: Random trials before the model is used.
            n_ei_candidates: Candidates of which the best expected improvement is taken.
            multivariate: Model hyperparameters jointly.
            group: Model each group of hyperparameters that are active together jointly.
            constant_liar: Count pending trials among the bad ones.
        """
        sampler = TPESampler(
            n_startup_trials=startup_trials,
            n_ei_candidates=n_ei_candidates,
            multivariate=multivariate,
            group=group,
            constant_liar=constant_liar,
            seed=library_seed(seed),
        )
        super().__init__(space, sampler)
