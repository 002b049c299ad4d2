"""Answers proposals from a response surface that is fitted to a paper's published statistics."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from hemobench.benchmarks import noise
from hemobench.benchmarks.benchmark import Benchmark
from hemobench.benchmarks.evaluator import NO_RESULT, Cost, Outcome, Truth
from hemobench.benchmarks.published import notes, stored
from hemobench.benchmarks.tasks.base import Task
from hemobench.errors import BenchmarkError
from hemobench.strategies.base import Config, Proposal, Status

EVALUATION_SHARE = 0.1  # of a trial's cost; ours, neither paper times it
LEAST_SECONDS = 0.001  # what asking again for a training that has already diverged costs


class Published:
    """An `Evaluator` that costs microseconds and answers with metrics, noise and GPU-hours like the paper's.

    Args:
        task: The task; it must have a surface.
        benchmark: The benchmark's name; with the version, the seed and the configuration it decides all noise.
        version: Its version.

    Raises:
        BenchmarkError: If the task has no surface, or its file is damaged.
    """

    def __init__(self, task: Task, benchmark: str, version: int) -> None:
        self._task, self._benchmark, self._version = task, benchmark, version
        self._stored = stored(task.name)

    @property
    def provenance(self) -> Mapping[str, str]:
        """The source, and the surface file's SHA-256."""
        return {"source": "published", "surface": f"{self._task.name}.json", "sha256": self._stored.checksum}

    def evaluate(self, proposal: Proposal, seed: int, *, trained: int = 0, limit: float = math.inf) -> Outcome:
        """Look up one proposal; see `Evaluator`. The whole curve is given, the epochs already trained too."""
        epochs = self._task.epochs if proposal.epochs is None else proposal.epochs
        if not 0 <= trained < epochs:
            raise BenchmarkError(f"{epochs} epochs asked for, {trained} trained", "ask for more than is trained")
        config, parameters = proposal.config, self._stored.parameters
        drawn = noise.draw(self._benchmark, self._version, seed, config, epochs)
        response = self._stored.surface.respond(config, parameters, epochs, drawn)
        died = response.diverged
        return Outcome(
            status=Status.OK if died is None else Status.DIVERGED,
            validation=response.validation,
            test=response.test,
            curve=response.curve,
            cost=self._cost(proposal, trained, epochs if died is None else died),
            error=None if died is None else f"the loss was no longer finite in epoch {died}",
        )

    def truth(self, config: Config, seed: int | None = None) -> Truth:
        """The mean surface; `NO_RESULT` where training diverges before its full length."""
        epochs = self._task.epochs
        response = self._stored.surface.respond(config, self._stored.parameters, epochs, noise.silence(epochs))
        if response.diverged is not None:
            return NO_RESULT
        return Truth(self._task.objective.loss(response.validation), response.validation, response.test)

    def _cost(self, proposal: Proposal, trained: int, end: int) -> Cost:
        spent = self._stored.surface.gpu_seconds
        parameters = self._stored.parameters
        before = spent(proposal.config, parameters, min(trained, end)) if trained else 0.0
        seconds = max(round(spent(proposal.config, parameters, end) - before, 3), LEAST_SECONDS)
        return Cost(seconds, "predicted", self._task.reference_device, round(EVALUATION_SHARE * seconds, 3))


def published(benchmark: Benchmark) -> Published:
    """The evaluator of a benchmark `task@published`; it takes no settings."""
    return Published(benchmark.task, benchmark.name, benchmark.version)


def card(task: str) -> Mapping[str, Any]:
    """A surface's card as plain data: each target beside what the surface gives, and what is ours."""
    targets = [{**asdict(target), "met": target.met} for target in stored(task).targets]
    return {"targets": targets, "notes": list(notes(task))}
