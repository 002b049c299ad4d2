"""The virtual clock: W workers, and a heap of the trials' finish times."""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field

from hemobench.benchmarks.evaluators.base import Outcome
from hemobench.strategies.base import Proposal


@dataclass(order=True, slots=True)
class Running:
    """A trial in flight; ordered by when it finishes, then by number."""

    finish: int
    number: int
    start: int = field(compare=False)
    proposal: Proposal = field(compare=False)
    outcome: Outcome = field(compare=False)
    ask_s: float = field(compare=False)
    evaluate_s: float = field(compare=False)


class Clock:
    """Simulated time in microseconds; it moves only when a trial finishes."""

    def __init__(self, workers: int) -> None:
        self.now = 0
        self._workers = workers
        self._running: list[Running] = []

    @property
    def free(self) -> bool:
        """Whether a worker waits for a proposal."""
        return len(self._running) < self._workers

    @property
    def busy(self) -> bool:
        """Whether a trial is in flight."""
        return bool(self._running)

    def start(self, trial: Running) -> None:
        """Occupy a worker from now until the trial's finish."""
        heapq.heappush(self._running, trial)

    def next_finish(self) -> int:
        """When the next trial finishes."""
        return self._running[0].finish

    def advance(self, until: int) -> Running:
        """Take the next trial off its worker and move time to its finish, or to `until` if that is sooner."""
        trial = heapq.heappop(self._running)
        self.now = min(trial.finish, until)
        return trial
