"""SMAC's multi-fidelity facade, through SMAC's own ask and tell (Lindauer et al., 2022, "SMAC3", JMLR).

Hyperband's brackets, whose new configurations a random forest proposes that is fitted on the highest budget which
has a result. The code is SMAC's. What differs from its own loop:

- SMAC counts budgets down from the full length in fractions (1.11, 3.33 and 10 epochs); they are trained rounded.
- SMAC does not know that a training can be resumed. Where a configuration has been trained to a lower budget
  before, the proposal says so, and the ledger charges the increment.
- SMAC promotes failed trials if too few others are left. It is then told at once that the longer one failed too.
"""

from __future__ import annotations

from typing import ClassVar

from ConfigSpace import ConfigurationSpace
from smac import MultiFidelityFacade as Facade
from smac import Scenario
from smac.intensifier.abstract_intensifier import AbstractIntensifier
from smac.intensifier.hyperband_utils import get_n_trials_for_hyperband_multifidelity

from hemobench.strategies.base import Count, Factor, NotNegative, Probability, Proposal, Share, Status, Supports, Trial
from hemobench.strategies.fidelity.rungs import rungs
from hemobench.strategies.smac import SMAC, outcome


class SMACHyperband(SMAC):
    """`smac.MultiFidelityFacade`, its parts written out as the facade has them.

    Settings for speed alone, the fixed `PYTHONHASHSEED` and failed trials: as `smac`. SMAC's Hyperband waits for
    nothing: while all rungs have pending trials, it opens the next bracket. Pending trials are not in its model.

    `epochs`, the task's full length, and `min_epochs` are SMAC's `max_budget` and `min_budget`: the shortest rung is
    at least so long. One trial in `eta` goes on, to so many times the epochs. `horizon` is the expected number of
    trials at full length; SMAC's `n_trials` is how many trials at its budgets as many epochs make, by SMAC's own
    count, and sizes the initial design, which is random here, and nothing else.
    """

    supports: ClassVar[Supports] = Supports(fidelity=True)
    _kind = Facade

    def __init__(
        self,
        space: ConfigurationSpace,
        *,
        seed: int,
        horizon: int,
        epochs: int,
        eta: Factor = 3,
        min_epochs: Count = 1,
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
        """Create the facade; the settings are told above, and in `SMAC`."""
        rungs(epochs, min_epochs, eta)  # refuses what makes none
        self._epochs, self._eta, self._min_epochs = epochs, eta, min_epochs
        self._told: dict[tuple[object, ...], Trial] = {}
        super().__init__(
            space,
            seed=seed,
            horizon=get_n_trials_for_hyperband_multifidelity(
                horizon * epochs, min_epochs, epochs, eta, print_summary=False
            ),
            startup_trials=startup_trials,
            startup_per_hyperparameter=startup_per_hyperparameter,
            startup_max_ratio=startup_max_ratio,
            n_trees=n_trees,
            retrain_after=retrain_after,
            challengers=challengers,
            local_search_iterations=local_search_iterations,
            random_probability=random_probability,
            xi=xi,
        )

    def _scenario(self, seed: int, n_trials: int, **budgets: float) -> Scenario:
        return super()._scenario(seed, n_trials, min_budget=self._min_epochs, max_budget=self._epochs, **budgets)

    def _intensifier(self, scenario: Scenario) -> AbstractIntensifier:
        return Facade.get_intensifier(scenario, eta=self._eta, n_seeds=1, incumbent_selection="highest_observed_budget")

    def ask(self) -> Proposal | None:
        while True:
            info = self._next()
            if info is None:
                return None
            config = self._config(info)
            earlier = self._told.get(tuple(config.items()))
            if earlier is None or earlier.status is Status.OK:
                self._asked.append(info)
                return Proposal(config, round(info.budget), None if earlier is None else earlier.number)
            self._facade.tell(info, outcome(earlier, self._losses), save=False)

    def learn(self, trial: Trial) -> None:
        """Leave it: SMAC's Hyperband knows the trials of its own brackets only."""

    def tell(self, trial: Trial) -> None:
        self._told[tuple(trial.proposal.config.items())] = trial
        super().tell(trial)
