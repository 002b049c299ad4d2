"""What answers a proposal: an `Evaluator`, and the `Outcome` and `Cost` that it returns."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

from hemobench.strategies.base import Config, Proposal, Status

if TYPE_CHECKING:
    from hemobench.benchmarks.tables.schema import Row

WORKER = "HEMOBENCH_WORKER"
"""Environment variable with the number of a worker process, from 0; live training takes the GPU of that number."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What a trial takes of the budget.

    Attributes:
        gpu_seconds: Device-seconds in all (of the increment only, when a trial is resumed).
        kind: `measured` on a device just now, `recorded` in a table, or `predicted` by a model.
        device: The device's name.
        evaluation_seconds: The part of `gpu_seconds` that went into validation and test.
    """

    gpu_seconds: float
    kind: Literal["measured", "recorded", "predicted"]
    device: str
    evaluation_seconds: float = 0.0

    def __post_init__(self) -> None:
        if not (math.isfinite(self.gpu_seconds) and self.gpu_seconds > 0):
            raise ValueError(f"a cost must be a positive, finite number of GPU-seconds, not {self.gpu_seconds}")
        if not 0 <= self.evaluation_seconds <= self.gpu_seconds:
            raise ValueError(f"evaluation took {self.evaluation_seconds} of {self.gpu_seconds} GPU-seconds")


@dataclass(frozen=True, slots=True)
class Truth:
    """What a configuration is worth at full length, without the noise of any one training.

    What is ranked. A strategy never sees it: like test metrics, it lives on the record.

    Attributes:
        loss: The task's loss of `validation`; 1, that of no result, where training is known to fail.
        validation: Noise-free validation metrics by name, fractions; empty where training fails.
        test: Test metrics, likewise.
    """

    loss: float
    validation: Mapping[str, float]
    test: Mapping[str, float]


NO_RESULT = Truth(1.0, {}, {})
"""The truth of a configuration whose training is known to fail: as bad as can be."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a proposal.

    Attributes:
        status: How it ended.
        validation: Validation metrics by name, fractions in [0, 1]; empty unless `status` is `ok`.
        test: Test metrics, likewise. Strategies never see them.
        curve: Headline validation metric after each epoch; never longer than the epochs trained.
        cost: What it took.
        error: What went wrong, if anything.
        extra: Figures that are stored beside and judged by nobody (peak memory, loading seconds).
        truth: What the configuration is worth at full length; `None` where nobody knows, or nobody asked.
    """

    status: Status
    validation: Mapping[str, float]
    test: Mapping[str, float]
    curve: tuple[float, ...]
    cost: Cost
    error: str | None = None
    extra: Mapping[str, float] = field(default_factory=dict)
    truth: Truth | None = None

    def with_truth(self, truth: Truth) -> Outcome:
        """The same, with what its configuration is worth beside it; `dataclasses.replace` takes twice as long."""
        parts = self.validation, self.test, self.curve, self.cost, self.error, self.extra
        return Outcome(self.status, *parts, truth)


class Answer(Protocol):
    """An outcome that may still be on its way."""

    @property
    def outcome(self) -> Outcome | None:
        """What came of the proposal; `None` while nobody knows."""

    @property
    def at_least(self) -> float:
        """GPU-seconds that the trial takes in any case, as far as is known by now; never falls."""

    def wait(self) -> None:
        """Return when there may be news of either."""


@dataclass(frozen=True, slots=True)
class Known:
    """An `Answer` that is there already."""

    outcome: Outcome
    at_least: float = 0.0

    def wait(self) -> None:
        """There will be no news."""


class Evaluator(Protocol):
    """Answers proposals: by live training, from a table, a surrogate or a published response surface."""

    @property
    def provenance(self) -> Mapping[str, str]:
        """What the answers rest on (data checksum, weights, device), stored with every run."""

    def evaluate(self, proposal: Proposal, seed: int, *, trained: int = 0, limit: float = math.inf) -> Outcome:
        """Train (or look up) one proposal.

        Args:
            proposal: What to train; `epochs` is a number here, never `None`.
            seed: The run's seed; with the configuration it decides all noise.
            trained: Epochs that an earlier trial of the configuration has already been charged for.
            limit: GPU-seconds left; what would take longer is cut by the caller, so a live evaluator may stop.

        Returns:
            The outcome. A failed training is an outcome with a charge, not an exception.
        """

    def truth(self, config: Config, seed: int | None = None) -> Truth | None:
        """What a configuration is worth at full length, without noise.

        The mean over many seeds of `evaluate` at full length approaches it, but for metrics that are no linear
        function of their noise, such as deviations over folds.

        Args:
            config: The configuration.
            seed: Of the run that asks. A source that is not sure of the surface itself shows each run one that is
                possible: a run is judged by the one that it met. `None`: by the mean of all.

        Returns:
            The truth; `None` where the source does not know it, as training does not.
        """


@runtime_checkable
class Concurrent(Protocol):
    """Works on several proposals at once."""

    def submit(self, proposal: Proposal, seed: int, *, trained: int = 0, limit: float = math.inf) -> Answer:
        """As `Evaluator.evaluate`, without waiting for the outcome."""


@runtime_checkable
class Looking(Protocol):
    """Looks at one training after several lengths, as a recording needs it."""

    def look(self, config: Config, lengths: Sequence[int], seed: int) -> Sequence[Outcome]:
        """The outcome of a trial of each length (rising), from nothing, until one does not end well.

        Each one's cost is that of the whole trial.
        """


@runtime_checkable
class Checkpointing(Protocol):
    """Keeps half-trained trials on disk, so that they can be resumed."""

    def checkpoints_in(self, folder: Path | None) -> None:
        """Keep them in a folder from now on; `None`: where all runs have theirs."""


PACE_OF = "pace_of"
"""Beside a pace that was not measured but read off a recording: that recording's name."""
Asked = tuple[Config, int, int]
"""A training that is asked for: configuration, the run's seed, and fold."""


@dataclass(frozen=True, slots=True)
class Alike:
    """What trainings have in common that can be computed side by side.

    Attributes:
        key: Equal for these, and for no others.
        most: So many of them at once at most.
        work: About how long they take, in any unit: what takes longest is begun first.
    """

    key: str
    most: int
    work: float


@runtime_checkable
class LookingTogether(Protocol):
    """Looks at many trainings of one shape at once."""

    def alike(self, config: Config) -> Alike:
        """Which others a configuration's training can be computed with."""

    @property
    def folds(self) -> Sequence[int]:
        """Numbers of the splits that it holds."""

    @property
    def provenance(self) -> Mapping[str, str]:
        """See `Evaluator`."""

    def pace(self, configs: Sequence[Config], known: Mapping[str, Any]) -> Mapping[str, Any]:
        """What these take alone, measured on an idle device, as plain data for `look_together`.

        Args:
            configs: The configurations.
            known: What was measured before, which is not measured again; what a recording told (`PACE_OF` names it)
                is not added to.

        Raises:
            BenchmarkError: If they cannot be computed side by side, or a recording does not tell their pace.
        """

    def pace_of(self, rows: Sequence[Row]) -> Mapping[str, Any]:
        """The pace that the trainings of an earlier recording were charged at, as `pace` gives it."""

    def look_together(
        self, asked: Sequence[Asked], lengths: Sequence[int], pace: Mapping[str, Any]
    ) -> Sequence[Sequence[Outcome]]:
        """As `Looking.look`, of trainings that are all alike."""


def submit(evaluator: Evaluator | Concurrent, proposal: Proposal, seed: int, *, trained: int, limit: float) -> Answer:
    """Have a proposal evaluated: at once, or beside others where the evaluator can do that."""
    either: Any = evaluator
    if _works_on_several(type(evaluator)):
        answer: Answer = either.submit(proposal, seed, trained=trained, limit=limit)
        return answer
    outcome = either.evaluate(proposal, seed, trained=trained, limit=limit)
    return Known(with_truth(outcome, either, proposal.config, seed))


@cache
def _works_on_several(kind: type) -> bool:
    """Whether evaluators of a class are `Concurrent`; `isinstance` of a protocol is slow, and asked at every trial."""
    return issubclass(kind, Concurrent)


def with_truth(outcome: Outcome, evaluator: Evaluator, config: Config, seed: int) -> Outcome:
    """The outcome of a trial that ended well, with what its configuration is worth to that run beside it."""
    if outcome.status is not Status.OK:
        return outcome
    truth = evaluator.truth(config, seed)
    return outcome if truth is None else outcome.with_truth(truth)
