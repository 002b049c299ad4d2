"""SMAC's random-forest facade for hyperparameter optimization, through SMAC's own ask and tell."""

from __future__ import annotations

import logging
import tempfile
from pathlib import Path
from typing import Any, ClassVar

from ConfigSpace import Configuration, ConfigurationSpace
from ConfigSpace.exceptions import ActiveHyperparameterNotSetError
from smac import HyperparameterOptimizationFacade, Scenario
from smac.initial_design import SobolInitialDesign
from smac.intensifier.abstract_intensifier import AbstractIntensifier
from smac.main.exceptions import ConfigurationSpaceExhaustedException
from smac.model.random_forest.random_forest import RandomForest
from smac.runhistory.dataclasses import TrialInfo, TrialValue
from smac.runhistory.enumerations import StatusType

from hemobench.strategies.base import (
    Count,
    NotNegative,
    Probability,
    Proposal,
    Share,
    Status,
    Supports,
    Trial,
    worst_loss,
)
from hemobench.strategies.space import active, default, library_seed, require_known


class SobolOrRandom(SobolInitialDesign):  # type: ignore[misc]
    """SMAC's initial design; random where a point of it cannot be told.

    ConfigSpace rounds values but not what its conditions are judged by: it refuses a point beside a condition's
    threshold, and the whole design with it.
    """

    def _select_configurations(self) -> list[Configuration]:
        try:
            return list(super()._select_configurations())
        except ActiveHyperparameterNotSetError:
            return [self._configspace.sample_configuration() for _ in range(self._n_configs)]


class Facade(HyperparameterOptimizationFacade):  # type: ignore[misc]
    """SMAC's, with that design."""

    @staticmethod
    def get_initial_design(scenario: Scenario, **how: Any) -> SobolOrRandom:
        """See `HyperparameterOptimizationFacade`."""
        return SobolOrRandom(scenario=scenario, **how)


class SMAC:
    """`smac.HyperparameterOptimizationFacade`, its parts written out as the facade has them.

    Settings for speed alone, with which the same configurations come out: the forest is fitted on one job (by
    default threads are started for ten small trees); `max_leaf_nodes` is far above what trees of so few trials
    reach, where the default of 2**20 has every tree allocate for that many; nothing is saved on a tell, and what
    SMAC insists on writing goes to a temporary folder. `deterministic=True` and `max_config_calls=1` keep it
    from evaluating a configuration twice: noise is the benchmark's matter.

    SMAC turns a set into a list in its local search: the same proposals come only with a fixed
    `PYTHONHASHSEED`, which the suite's processes have. A crashed trial is told as such, with the worst loss seen,
    since an infinite one breaks the next fit.

    Pending trials are not in SMAC's model, and no lie stands for them: proposals differ because SMAC proposes no
    configuration twice, takes eight from one fit, and some at random.
    """

    supports: ClassVar[Supports] = Supports()
    _kind: ClassVar[type[Facade]] = Facade

    def __init__(
        self,
        space: ConfigurationSpace,
        *,
        seed: int,
        horizon: int,
        startup_trials: Count | None = None,
        startup_per_hyperparameter: Count = 10,
        startup_max_ratio: Share = 0.25,
        n_trees: Count = 10,
        retrain_after: Count = 8,
        challengers: Count = 10_000,
        local_search_iterations: Count = 10,
        random_probability: Probability = 0.2,
        xi: NotNegative = 0.0,
    ) -> None:
        """Create the facade.

        Args:
            space: The search space.
            seed: Spread by `numpy.random.SeedSequence` to SMAC's own.
            horizon: SMAC's `n_trials`; it sizes the initial design and nothing else here.
            startup_trials: Size of the Sobol design; `None` is SMAC's own rule of the next two.
            startup_per_hyperparameter: Sobol points a hyperparameter, up to …
            startup_max_ratio: … this share of the horizon.
            n_trees: Of the forest.
            retrain_after: Proposals between two fits.
            challengers: Random configurations of which the most promising start the local search.
            local_search_iterations: Starts of the local search.
            random_probability: Of proposing a random configuration.
            xi: Exploration of expected improvement.
        """
        require_known(space)
        logging.getLogger("smac").addHandler(logging.NullHandler())  # small spaces make it chatter
        self._space = space
        self._folder = tempfile.TemporaryDirectory(prefix="hemobench-smac-")
        scenario = self._scenario(library_seed(seed), max(horizon, startup_trials or 0, 1))
        self._facade = assembled(
            self._kind,
            scenario,
            intensifier=self._intensifier(scenario),
            design=(startup_trials, startup_per_hyperparameter, startup_max_ratio),
            n_trees=n_trees,
            retrain_after=retrain_after,
            challengers=challengers,
            local_search_iterations=local_search_iterations,
            random_probability=random_probability,
            xi=xi,
        )
        self._asked: list[TrialInfo] = []
        self._losses: list[float] = []

    def _scenario(self, seed: int, n_trials: int, **budgets: float) -> Scenario:
        return Scenario(
            self._space,
            name="run",
            output_directory=Path(self._folder.name),
            deterministic=True,
            n_trials=n_trials,
            use_default_config=False,
            seed=seed,
            n_workers=1,
            **budgets,
        )

    def _intensifier(self, scenario: Scenario) -> AbstractIntensifier:
        return Facade.get_intensifier(scenario, max_config_calls=1)

    def ask(self) -> Proposal | None:
        info = self._next()
        if info is None:
            return None
        self._asked.append(info)
        return Proposal(self._config(info))

    def _config(self, info: TrialInfo) -> dict[str, Any]:
        """The configuration in our words.

        ConfigSpace rounds values but not what its conditions are judged by: beside a condition's threshold a
        hyperparameter can be missing that the rounded value makes active. It then has its default.
        """
        return active(self._space, {**default(self._space), **dict(info.config)})

    def _next(self) -> TrialInfo | None:
        """What SMAC asks for; `None` once it has run out of new configurations, as in a small space."""
        try:
            return self._facade.ask()
        except (StopIteration, ConfigurationSpaceExhaustedException):
            return None

    def tell(self, trial: Trial) -> None:
        if trial.status is Status.OK and trial.loss is not None:
            self._losses.append(trial.loss)
        self._facade.tell(self._asked[trial.number], outcome(trial, self._losses), save=False)

    def learn(self, trial: Trial) -> None:
        """Take the result of a trial that was not asked for; a failed one has no loss to learn from."""
        if trial.status is not Status.OK or trial.loss is None:
            return
        self._losses.append(trial.loss)
        config = Configuration(self._space, values=dict(trial.proposal.config))
        self._facade.tell(TrialInfo(config, seed=0), outcome(trial, self._losses), save=False)


def assembled(
    facade: type[Facade],
    scenario: Scenario,
    *,
    intensifier: AbstractIntensifier,
    design: tuple[int | None, int, float],
    n_trees: int,
    retrain_after: int,
    challengers: int,
    local_search_iterations: int,
    random_probability: float,
    xi: float,
) -> Facade:
    """A random-forest facade with all of its parts written out, for one job and without anything saved.

    `design` is the initial one: the number of its trials, or `None` for so many a hyperparameter, the second, up to
    a share of the scenario's trials, the third.
    """
    trials, per_hyperparameter, most = design
    return facade(
        scenario,
        model=forest(scenario, n_trees),
        acquisition_function=facade.get_acquisition_function(scenario, xi=xi),
        acquisition_maximizer=facade.get_acquisition_maximizer(
            scenario, challengers=challengers, local_search_iterations=local_search_iterations
        ),
        initial_design=facade.get_initial_design(
            scenario,
            n_configs=trials,
            n_configs_per_hyperparameter=per_hyperparameter,
            max_ratio=most if trials is None else 1.0,
        ),
        random_design=facade.get_random_design(scenario, probability=random_probability),
        intensifier=intensifier,
        config_selector=facade.get_config_selector(scenario, retrain_after=retrain_after),
        logging_level=False,
        overwrite=True,
    )


def forest(scenario: Scenario, n_trees: int) -> RandomForest:
    """The facades' random forest, fitted on one job, of trees that have room for sixteen leaves a trial."""
    return RandomForest(
        scenario.configspace,
        n_trees=n_trees,
        ratio_features=1.0,
        min_samples_split=2,
        min_samples_leaf=1,
        max_depth=2**20,
        max_leaf_nodes=max(2048, 16 * scenario.n_trials),
        bootstrapping=True,
        log_y=True,
        seed=scenario.seed,
        n_jobs=1,
    )


def outcome(trial: Trial, losses: list[float]) -> TrialValue:
    """A trial's outcome as SMAC takes it; a failed one is a crash with the worst of the losses."""
    if trial.status is Status.OK and trial.loss is not None:
        return TrialValue(cost=trial.loss, time=trial.cost, status=StatusType.SUCCESS)
    return TrialValue(cost=worst_loss(losses), time=trial.cost, status=StatusType.CRASHED)
