"""SMAC's multi-fidelity facade, through SMAC's own ask and tell (Lindauer et al., 2022, "SMAC3", JMLR).

Hyperband's brackets, whose new configurations a random forest proposes that is fitted on the highest budget which
has a result. The code is SMAC's. What differs from its own loop:

- SMAC counts budgets down from the full length in fractions (1.11, 3.33 and 10 epochs); they are trained rounded.
- SMAC does not know that a training can be resumed. Where a configuration has been trained to a lower budget
  before, the proposal says so, and the ledger charges the increment.
- SMAC promotes failed trials if too few others are left. It is then told at once that the longer one failed too.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import ClassVar

from ConfigSpace import ConfigurationSpace
from smac import MultiFidelityFacade as Facade
from smac import Scenario
from smac.intensifier.hyperband_utils import get_n_trials_for_hyperband_multifidelity
from smac.runhistory.dataclasses import TrialInfo

from hemobench.strategies.base import Proposal, Status, Supports, Trial
from hemobench.strategies.rungs import rungs
from hemobench.strategies.smac import assembled, outcome
from hemobench.strategies.space import active, library_seed


class SMACHyperband:
    """`smac.MultiFidelityFacade`, its parts written out as the facade has them.

    Settings for speed alone, the fixed `PYTHONHASHSEED` and failed trials: as `smac`. SMAC's Hyperband waits for
    nothing: while all rungs have pending trials, it opens the next bracket. Pending trials are not in its model.
    """

    supports: ClassVar[Supports] = Supports(fidelity=True)

    def __init__(
        self,
        space: ConfigurationSpace,
        *,
        seed: int,
        horizon: int,
        epochs: int,
        eta: int = 3,
        min_epochs: int = 1,
        startup_trials: int | None = None,
        startup_per_hyperparameter: int = 10,
        startup_max_ratio: float = 0.25,
        n_trees: int = 10,
        retrain_after: int = 8,
        challengers: int = 10_000,
        local_search_iterations: int = 10,
        random_probability: float = 0.2,
        xi: float = 0.0,
    ) -> None:
        """Create the facade.

        Args:
            space: The search space.
            seed: Spread by `numpy.random.SeedSequence` to SMAC's own.
            horizon: Expected number of trials at full length. SMAC's `n_trials` is how many trials at its budgets
                as many epochs make, by SMAC's own count; it sizes the initial design and nothing else here.
            epochs: The task's full length, SMAC's `max_budget`.
            eta: One trial in so many goes on, to so many times the epochs.
            min_epochs: SMAC's `min_budget`: the shortest rung is at least so long.
            startup_trials: Size of the random design; `None` is SMAC's own rule of the next two.
            startup_per_hyperparameter: Random points a hyperparameter, up to …
            startup_max_ratio: … this share of SMAC's `n_trials`.
            n_trees: Of the forest.
            retrain_after: Proposals between two fits.
            challengers: Random configurations of which the most promising start the local search.
            local_search_iterations: Starts of the local search.
            random_probability: Of proposing a random configuration.
            xi: Exploration of expected improvement.
        """
        rungs(epochs, min_epochs, eta)  # refuses what makes none
        self._space = space
        self._folder = tempfile.TemporaryDirectory(prefix="hemobench-smac-")
        n_trials = get_n_trials_for_hyperband_multifidelity(
            horizon * epochs, min_epochs, epochs, eta, print_summary=False
        )
        scenario = Scenario(
            space,
            name="run",
            output_directory=Path(self._folder.name),
            deterministic=True,
            n_trials=max(n_trials, startup_trials or 0, 1),
            min_budget=min_epochs,
            max_budget=epochs,
            use_default_config=False,
            seed=library_seed(seed),
            n_workers=1,
        )
        self._facade = assembled(
            Facade,
            scenario,
            intensifier=Facade.get_intensifier(
                scenario, eta=eta, n_seeds=1, incumbent_selection="highest_observed_budget"
            ),
            initial_design=Facade.get_initial_design(
                scenario,
                n_configs=startup_trials,
                n_configs_per_hyperparameter=startup_per_hyperparameter,
                max_ratio=1.0 if startup_trials is not None else startup_max_ratio,
            ),
            max_leaf_nodes=max(2048, 16 * n_trials),
            n_trees=n_trees,
            retrain_after=retrain_after,
            challengers=challengers,
            local_search_iterations=local_search_iterations,
            random_probability=random_probability,
            xi=xi,
        )
        self._asked: list[TrialInfo] = []
        self._losses: list[float] = []
        self._told: dict[tuple[object, ...], Trial] = {}

    def ask(self) -> Proposal | None:
        while True:
            try:
                info = self._facade.ask()
            except StopIteration:  # SMAC has run out of new configurations
                return None
            config = active(self._space, dict(info.config))
            earlier = self._told.get(tuple(config.items()))
            if earlier is None or earlier.status is Status.OK:
                self._asked.append(info)
                return Proposal(config, round(info.budget), None if earlier is None else earlier.number)
            self._facade.tell(info, outcome(earlier, self._losses), save=False)

    def tell(self, trial: Trial) -> None:
        if trial.status is Status.OK and trial.loss is not None:
            self._losses.append(trial.loss)
        self._told[tuple(trial.proposal.config.items())] = trial
        self._facade.tell(self._asked[trial.number], outcome(trial, self._losses), save=False)
