"""GPU-hours: the budget that is allocated, and the ledger that attributes every microsecond of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hemobench.errors import BenchmarkError
from hemobench.strategies.base import Status

ACCOUNTS = ("train", "evaluation", "failed", "cut", "idle", "unspent")


def microseconds(seconds: float) -> int:
    """Simulated time is counted in whole microseconds, so that sums are exact."""
    return round(seconds * 1e6)


@dataclass(frozen=True, slots=True)
class Budget:
    """What a run may spend: W workers for B/W hours each, idle time included.

    Attributes:
        gpu_hours: B, GPU-hours in all.
        workers: W, trials that may be pending at once.
        max_trials: A second limit on finished trials, for short live studies; `None` is no limit.
    """

    gpu_hours: float
    workers: int = 1
    max_trials: int | None = None

    def __post_init__(self) -> None:
        if not 0 < self.gpu_hours < float("inf"):
            raise BenchmarkError(f"a budget of {self.gpu_hours} GPU-hours", "give a positive number of GPU-hours")
        if self.workers < 1:
            raise BenchmarkError(f"{self.workers} workers", "give at least one worker")

    @property
    def end(self) -> int:
        """When the workers stop, in microseconds since the run began."""
        return microseconds(self.gpu_hours * 3600) // self.workers


class Ledger:
    """Attributes all of a budget: the accounts add up to `workers * end` exactly, in microseconds.

    `train` and `evaluation` are what successful trials took; `failed` is what trials with another status took;
    `cut` is what trials in flight took when the budget ended; `idle` is workers waiting for the strategy;
    `unspent` is what a strategy that ended by itself left over.
    """

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._charged = dict.fromkeys(ACCOUNTS, 0)

    def charge(self, status: Status, duration: int, evaluation: int = 0) -> None:
        """Attribute one trial.

        Args:
            status: How the trial ended.
            duration: What of it lies within the budget, in microseconds.
            evaluation: What the whole trial spent on validation and test, in microseconds.
        """
        if status is Status.OK:
            self._charged["evaluation"] += min(evaluation, duration)
            self._charged["train"] += duration - min(evaluation, duration)
        else:
            self._charged["cut" if status is Status.CUT else "failed"] += duration

    def close(self, now: int) -> Mapping[str, float]:
        """Attribute the rest at the end of the run, `now` microseconds after its beginning.

        Returns:
            GPU-seconds by account.
        """
        workers, end = self._budget.workers, self._budget.end
        self._charged["idle"] = workers * now - sum(self._charged.values())
        self._charged["unspent"] = workers * (end - now)
        return {account: amount / 1e6 for account, amount in self._charged.items()}
