"""What is kept of a run: its trials, and how it ended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from hemobench.benchmarks.evaluator import Cost, Truth
from hemobench.strategies.base import Status


@dataclass(frozen=True, slots=True)
class TrialRecord:
    """One line of `trials.jsonl`. Lines stand in the order in which trials finished.

    Attributes:
        number: Position of the ask in the run, from 0.
        config: The configuration.
        epochs: The fidelity.
        resume_from: Number of the trial that was continued.
        status: How the trial ended.
        loss: The task's loss on validation; `None` unless `status` is `ok`.
        validation: Validation metrics, fractions.
        test: Test metrics, fractions; kept from the strategy.
        curve: Headline validation metric after each epoch.
        cost: The whole cost, also of a trial that the budget cut.
        started: GPU-clock seconds since the run began.
        finished: Likewise; the budget's end for a trial that was cut.
        error: What went wrong.
        measured: All that may differ between two equal runs in a cached mode: `ask_s`, `tell_s`, `evaluate_s`, …
        truth: What the configuration is worth at full length, without noise; kept from the strategy. `None`
            unless `status` is `ok` and the source knows it; older files have none.
    """

    number: int
    config: Mapping[str, bool | int | float | str]
    epochs: int
    resume_from: int | None
    status: Status
    loss: float | None
    validation: Mapping[str, float]
    test: Mapping[str, float]
    curve: tuple[float, ...]
    cost: Cost
    started: float
    finished: float
    error: str | None = None
    measured: Mapping[str, float] = field(default_factory=dict)
    truth: Truth | None = None


@dataclass(frozen=True, slots=True)
class RunEnd:
    """How a run ended.

    Attributes:
        status: `budget-spent`; `strategy-done`: it ended by itself; `strategy-error`: it raised.
        ledger: GPU-seconds by account; they add up to the budget.
        error: What the strategy raised.
        traceback: Where it was raised, as Python tells it, with shortened paths; older files have none.
    """

    status: Literal["budget-spent", "strategy-done", "strategy-error"]
    ledger: Mapping[str, float]
    error: str | None = None
    traceback: str | None = None
