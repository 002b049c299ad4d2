"""Optuna's CMA-ES, through Optuna's own ask and tell.

The evolution strategy with covariance matrix adaptation (Hansen, 2016, "The CMA evolution strategy: a tutorial") of
the package `cmaes`. The code is Optuna's and that package's; nothing differs.
"""

from __future__ import annotations

from typing import Annotated, ClassVar

from annotated_types import Ge
from ConfigSpace import ConfigurationSpace
from optuna.samplers import CmaEsSampler, RandomSampler

from hemobench.strategies.base import Count, Supports
from hemobench.strategies.optuna_study import OptunaStudy
from hemobench.strategies.space import library_seed


class OptunaCMAES(OptunaStudy):
    """`optuna.samplers.CmaEsSampler` on a study in memory.

    CMA-ES moves a normal distribution, so it knows numeric hyperparameters only: on a log scale where the space
    has one, integers rounded. **Categorical hyperparameters are drawn at random in every trial**, and so are those
    that are not active in all trials: Optuna leaves both to its independent sampler. So two of six are never tuned
    on C-NMC, and three of seven on bone marrow; their effect is noise to the others.

    The distribution moves when a generation (4 + 3 ln d trials) has finished. While trials are pending, further
    ones are drawn from the same distribution, which needs no lie; those of a generation that finish after it was
    full are never learned from, and with many more workers than a generation has trials most are not. Failed
    trials count for no generation.

    Optuna keeps the state of `cmaes` as a pickle among the attributes of its study, which here never leaves the
    memory of the process.
    """

    supports: ClassVar[Supports] = Supports()

    def __init__(
        self,
        space: ConfigurationSpace,
        *,
        seed: int,
        horizon: int,
        startup_trials: Count = 1,
        popsize: Annotated[int, Ge(3)] | None = None,
        use_separable_cma: bool = False,
        with_margin: bool = False,
        lr_adapt: bool = False,
    ) -> None:
        """Create the study.

        It starts at the middle of the space with a sixth of its width as deviation, and never restarts: Optuna
        deprecates settings for these.

        Args:
            space: The search space.
            seed: Spread by `numpy.random.SeedSequence` to Optuna's own.
            horizon: Not used.
            startup_trials: Random trials before the first generation.
            popsize: Trials of a generation; `None` is `4 + floor(3 ln d)` of d numeric hyperparameters.
            use_separable_cma: Keep the covariance matrix diagonal.
            with_margin: Keep integers from getting stuck at one value.
            lr_adapt: Adapt the learning rate to noise.
        """
        own = library_seed(seed)
        sampler = CmaEsSampler(
            x0=None,
            sigma0=None,
            n_startup_trials=startup_trials,
            independent_sampler=RandomSampler(seed=own),
            warn_independent_sampling=False,
            seed=own,
            consider_pruned_trials=False,
            restart_strategy=None,
            popsize=popsize,
            use_separable_cma=use_separable_cma,
            with_margin=with_margin,
            lr_adapt=lr_adapt,
            source_trials=None,
        )
        super().__init__(space, sampler)
