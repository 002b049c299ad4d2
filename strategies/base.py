"""The one interface of every strategy: `ask` for a proposal, `tell` its outcome.

A strategy decides what to try next and nothing else. It never times, logs, stops or stores; the caller does.
It sees validation results only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, ClassVar, Protocol

from annotated_types import Ge, Gt, Le

from hemobench.errors import BenchmarkError

Config = Mapping[str, bool | int | float | str]
"""One point of a search space: built-in values, active hyperparameters only, in the space's order."""

# Settings of a strategy say by their types what they may be; a suite is checked by that before anything runs.
Count = Annotated[int, Ge(1), Le(1_000_000)]
Share = Annotated[float, Gt(0), Le(1)]
Probability = Annotated[float, Ge(0), Le(1)]
NotNegative = Annotated[float, Ge(0)]
Positive = Annotated[float, Gt(0)]
Factor = Annotated[int, Ge(2), Le(1_000_000)]


class Status(StrEnum):
    """How a trial ended."""

    OK = "ok"
    DIVERGED = "diverged"
    OUT_OF_MEMORY = "out-of-memory"
    TIMED_OUT = "timed-out"
    KILLED = "killed"
    CUT = "cut"  # the budget ended first; such a trial is never told


@dataclass(frozen=True, slots=True)
class Proposal:
    """What a strategy asks for.

    Attributes:
        config: The configuration to train.
        epochs: The fidelity; `None` is the task's full length.
        resume_from: Number of an earlier trial of the same configuration to continue, charged the increment.
    """

    config: Config
    epochs: int | None = None
    resume_from: int | None = None


@dataclass(frozen=True, slots=True)
class Trial:
    """A proposal with its outcome, as the strategy may see it: validation only.

    Attributes:
        number: Position of the ask in the run, from 0.
        proposal: What was asked.
        loss: Validation loss, lower is better; `None` unless `status` is `ok`.
        status: How the trial ended.
        cost: GPU-seconds charged.
    """

    number: int
    proposal: Proposal
    loss: float | None
    status: Status
    cost: float


@dataclass(frozen=True, slots=True)
class Supports:
    """What a strategy can deal with; checked before the first GPU-second.

    Attributes:
        fidelity: Proposes `epochs` of its own; it is then built with `epochs=` (the task's full length).
        conditional: Takes search spaces with conditional hyperparameters.
        parallel: May be asked again while trials are pending.
    """

    fidelity: bool = False
    conditional: bool = True
    parallel: bool = True


class UnsupportedTask(BenchmarkError):
    """The strategy cannot run on this search space or with this number of workers."""


class Strategy(Protocol):
    """Built as `Cls(space, seed=..., horizon=expected number of trials, **settings)`.

    The types of its settings (`startup_trials: Count = 10`) are held against what a suite gives, before anything runs.

    Two instances built alike and told alike ask alike, bit for bit. That is what makes resuming by replay
    possible, and every adapter is tested for it.
    """

    supports: ClassVar[Supports]

    def ask(self) -> Proposal | None:
        """The next proposal, or `None`: nothing until a pending trial is told; with none pending, done."""

    def tell(self, trial: Trial) -> None:
        """Take the outcome of an earlier proposal. Trials may come back in another order than asked."""


def worst_loss(losses: list[float], otherwise: float = 1.0) -> float:
    """A finite stand-in for a failed trial, for libraries whose models break on infinities: the worst seen."""
    return max(losses, default=otherwise)
