"""A benchmark for anybody's own loop: its search space, its answers, and what a configuration is really worth."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ConfigSpace import ConfigurationSpace
from ConfigSpace.hyperparameters import UniformFloatHyperparameter

from hemobench.benchmarks import benchmark as rows
from hemobench.benchmarks.evaluator import Cost, Evaluator, Truth
from hemobench.errors import BenchmarkError
from hemobench.strategies.base import Proposal, Status
from hemobench.strategies.space import builtin, legality


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What came of a configuration.

    Attributes:
        loss: The task's loss on validation, lower is better; infinite if training failed.
        validation: Validation metrics by name, fractions in [0, 1]; empty if training failed.
        test: Test metrics, likewise: for reporting, never for tuning.
        curve: Headline validation metric after each epoch.
        cost: Device-seconds of the whole training, and on which device.
        status: How it ended; `ok` if well.
        error: What went wrong.
    """

    loss: float
    validation: Mapping[str, float]
    test: Mapping[str, float]
    curve: tuple[float, ...]
    cost: Cost
    status: Status
    error: str | None = None


class Problem:
    """A benchmark as a function of a configuration.

    Args:
        benchmark: The benchmark's row.
        settings: Of its evaluator (`data=`, `table=`, …).
    """

    def __init__(self, benchmark: rows.Benchmark, settings: Mapping[str, Any]) -> None:
        self._benchmark = benchmark
        self._settings = settings
        self._task = benchmark.task
        self._require_legal = legality(self._task.space())

    def __repr__(self) -> str:
        return f"<{self.name} version {self.version}: {self._benchmark.about}>"

    @property
    def name(self) -> str:
        """As in `c-nmc@recorded`."""
        return self._benchmark.name

    @property
    def version(self) -> int:
        """Results of different versions are not to be compared."""
        return self._benchmark.version

    @property
    def space(self) -> ConfigurationSpace:
        """The search space; a new object each time, since optimizers seed it."""
        return self._task.space()

    @property
    def epochs(self) -> int:
        """Full training length."""
        return self._task.epochs

    @property
    def metric(self) -> str:
        """The metric that the paper reports."""
        return self._task.headline

    @property
    def reference(self) -> rows.Reference | None:
        """What regret is normalised by; `None` where nothing is known beforehand."""
        return self._benchmark.reference()

    def evaluate(self, config: Mapping[str, Any], epochs: int | None = None, seed: int = 0) -> Evaluation:
        """Train, or look up, one configuration from the start.

        Args:
            config: A value for every active hyperparameter and no other; a ConfigSpace
                `Configuration` will do.
            epochs: Training length; by default the full one.
            seed: Decides, with the configuration, all noise.

        Raises:
            BenchmarkError: If the configuration or the length is not of this benchmark.
        """
        length = self.epochs if epochs is None else epochs
        if type(length) is not int or not 1 <= length <= self.epochs:
            hint = f"give a whole number from 1 to {self.epochs}"
            raise BenchmarkError(f"{self.name}: cannot train {epochs!r} epochs", hint)
        proposal = Proposal(self._checked(config), length)
        outcome = self._evaluator.evaluate(proposal, seed)
        ok = outcome.status is Status.OK
        return Evaluation(
            loss=self._task.objective.loss(outcome.validation) if ok else math.inf,
            validation=outcome.validation,
            test=outcome.test,
            curve=outcome.curve,
            cost=outcome.cost,
            status=outcome.status,
            error=outcome.error,
        )

    def truth(self, config: Mapping[str, Any], seed: int | None = None) -> Truth | None:
        """What a configuration is worth at full length, without noise: what rankings go by.

        Args:
            config: As for `evaluate`.
            seed: Of the run that found it: where the source is not sure of its surface (a surrogate), seeds meet
                different ones, and a run is judged by its own. By default the mean of all.

        Returns:
            Loss, validation and test metrics; `None` where the source does not know them.

        Raises:
            BenchmarkError: If the configuration is not one of this benchmark.
        """
        return self._evaluator.truth(self._checked(config), seed)

    @cached_property
    def _evaluator(self) -> Evaluator:
        return self._benchmark.evaluator(**self._settings)

    def _checked(self, config: Mapping[str, Any]) -> dict[str, Any]:
        """The configuration with built-in values, integers as floats where floats are asked for."""
        values = {name: self._value(name, value) for name, value in dict(config).items()}
        try:
            self._require_legal(values)
        except (ValueError, TypeError) as problem:
            raise BenchmarkError(f"{self.name}: {problem}", "see its .space") from None
        return values

    def _value(self, name: str, value: Any) -> Any:
        plain = builtin(value)
        is_float = isinstance(self._space.get(name), UniformFloatHyperparameter)
        return float(plain) if is_float and type(plain) is int else plain

    @cached_property
    def _space(self) -> ConfigurationSpace:
        return self._task.space()


def load_benchmark(name: str, **settings: Any) -> Problem:
    """A benchmark to tune on.

    Args:
        name: As in `c-nmc@recorded`; `hemobench list benchmarks` shows all.
        **settings: Of its source: `data=FOLDER` for live training, `table=FILE`, `surrogate=FILE`.

    Raises:
        BenchmarkError: If there is none of that name.
    """
    return Problem(rows.load_benchmark(name), settings)
