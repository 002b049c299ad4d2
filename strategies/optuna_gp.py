"""Optuna's Gaussian process, through Optuna's own ask and tell.

A Matérn kernel (nu = 2.5) with a length scale for each hyperparameter, priors on all of its parameters, and the
logarithm of expected improvement (Ament et al., 2023, "Unexpected improvements to expected improvement"). The code
is Optuna's; nothing differs. It computes on torch, which comes with the extra `train`.
"""

from __future__ import annotations

from typing import ClassVar

from ConfigSpace import ConfigurationSpace
from optuna.samplers import GPSampler, RandomSampler

from hemobench.strategies.base import Count, Supports
from hemobench.strategies.optuna_study import OptunaStudy
from hemobench.strategies.space import library_seed


class OptunaGP(OptunaStudy):
    """`optuna.samplers.GPSampler` on a study in memory.

    Categorical hyperparameters are in the model, all of their values equally far apart. Conditional ones are not:
    Optuna models what all finished trials have in common and draws the rest at random.

    While trials are pending, the expected improvement is that of the next one beside them, averaged over what they
    may turn out to be (128 quasi-random draws): Optuna's own way, without a lie.

    The kernel's parameters are fitted from where the last fit ended. So the same asks come from the same sequence
    of asks and tells, which replay gives, and not from the same history alone. Where the package `greenlet` is
    installed, Optuna maximises the acquisition from all starts at once: two to three times as fast, and different
    in the last bits, so a run is resumed bit for bit only where it is installed as before.
    """

    supports: ClassVar[Supports] = Supports()

    def __init__(
        self,
        space: ConfigurationSpace,
        *,
        seed: int,
        horizon: int,
        startup_trials: Count = 10,
        deterministic_objective: bool = False,
    ) -> None:
        """Create the study.

        Args:
            space: The search space.
            seed: Spread by `numpy.random.SeedSequence` to Optuna's own.
            horizon: Not used.
            startup_trials: Random trials before the model is used.
            deterministic_objective: Fix the noise at its minimum instead of fitting it.
        """
        own = library_seed(seed)
        sampler = GPSampler(
            seed=own,
            independent_sampler=RandomSampler(seed=own),
            n_startup_trials=startup_trials,
            deterministic_objective=deterministic_objective,
            warn_independent_sampling=False,
        )
        super().__init__(space, sampler)
