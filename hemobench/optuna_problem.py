"""A benchmark as an objective of Optuna, and by OptunaHub's protocol for benchmark problems."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from optuna import Trial
from optuna.distributions import BaseDistribution
from optuna.study import StudyDirection

from hemobench.errors import BenchmarkError
from hemobench.problem import Evaluation, Problem
from hemobench.strategies.optuna_study import distribution, suggestions
from hemobench.strategies.space import active


class OptunaProblem:
    """An objective to minimise: `study.optimize(OptunaProblem(load_benchmark(…)), n_trials=50)`.

    It has all that OptunaHub's `BaseProblem` asks for, and needs no OptunaHub: `search_space`,
    `directions`, `evaluate` and the call with a trial. The call suggests the active
    hyperparameters one by one, parents before children; `search_space` holds all of them, and
    `evaluate` leaves out those that are not active.

    A training that fails gives no number (NaN), which Optuna takes for a failed trial. User
    attributes of a trial hold `gpu_seconds`, `status` and the test metrics as `test.<metric>`.

    Args:
        problem: The benchmark.
        epochs: Length of every trial; `None` for the full one.
        seed: Decides, with the configuration, all noise.
    """

    def __init__(self, problem: Problem, *, epochs: int | None = None, seed: int = 0) -> None:
        self.problem = problem
        self._epochs = epochs
        self._seed = seed
        self._space = problem.space
        self._suggest = suggestions(problem.space)

    @property
    def search_space(self) -> dict[str, BaseDistribution]:
        """Every hyperparameter's bounds, scale or choices; conditions are left out."""
        return {name: distribution(hp) for name, hp in self._space.items()}

    @property
    def directions(self) -> list[StudyDirection]:
        """One objective, minimised."""
        return [StudyDirection.MINIMIZE]

    def evaluate(self, params: Mapping[str, Any]) -> float:
        """The loss of a value for every active hyperparameter; NaN if training fails.

        Raises:
            BenchmarkError: If one is missing or has a value that it cannot have.
        """
        try:
            config = active(self._space, params)
        except KeyError as missing:
            raise BenchmarkError(f"{self.problem.name}: {missing} is missing", "see .search_space") from None
        return _loss(self._evaluated(config))

    def evaluate_constraints(self, params: Mapping[str, Any]) -> dict[str, float]:
        """There are none."""
        return {}

    def __call__(self, trial: Trial) -> float:
        """Suggest a configuration and evaluate it."""
        evaluation = self._evaluated(self._suggest(trial))
        trial.set_user_attr("gpu_seconds", evaluation.cost.gpu_seconds)
        trial.set_user_attr("status", str(evaluation.status))
        for name, value in evaluation.test.items():
            trial.set_user_attr(f"test.{name}", value)
        return _loss(evaluation)

    def _evaluated(self, config: Mapping[str, Any]) -> Evaluation:
        return self.problem.evaluate(config, epochs=self._epochs, seed=self._seed)


def _loss(evaluation: Evaluation) -> float:
    return evaluation.loss if math.isfinite(evaluation.loss) else math.nan
