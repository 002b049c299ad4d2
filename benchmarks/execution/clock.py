"""The virtual clock: W workers, and the trials in flight, of which the one that finishes first is next.

A trial occupies a worker for its cost, wherever and whenever it is really trained. Where trials are trained side by
side, a trial that is there is held back until no other in flight can have finished before it: so the order in which a
strategy is told depends on what trials cost and on nothing else, neither on queues, lost machines and retries, nor on
late messages.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from hemobench.benchmarks.budget import microseconds
from hemobench.benchmarks.evaluator import Answer, Outcome
from hemobench.strategies.base import Proposal


@dataclass(slots=True)
class Running:
    """A trial in flight.

    Attributes:
        number: Position of the ask in the run.
        start: Microseconds since the run began.
        proposal: What is trained.
        answer: What comes of it.
        ask_s: Seconds that the strategy took.
        evaluate_s: Seconds that the evaluator took before it answered, or took the proposal on.
        finish: Microseconds since the run began; known once it is the next.
        takes: Microseconds for which it occupies a worker; known once the outcome was looked at.
    """

    number: int
    start: int
    proposal: Proposal
    answer: Answer
    ask_s: float
    evaluate_s: float
    finish: float = math.inf
    takes: int | None = None

    @property
    def outcome(self) -> Outcome:
        """What came of it, once it is there."""
        outcome = self.answer.outcome
        assert outcome is not None
        return outcome

    def look(self) -> tuple[float, bool]:
        """When it finishes, in microseconds, and whether that is known; else the earliest moment at which it may.

        The outcome is read once, and first: what comes in meanwhile is for the next look.
        """
        outcome, at_least = self.answer.outcome, self.answer.at_least
        taken = microseconds(at_least) if 0 < at_least < math.inf else at_least
        if outcome is None:
            return self.start + taken, False
        self.takes = duration(outcome)
        return self.start + max(taken, self.takes), True

    def charged(self, now: int) -> int:
        """Microseconds until now that it is charged: what it cost, and not what it was waited for."""
        takes = self.takes
        if takes is None and (outcome := self.answer.outcome) is not None:
            takes = duration(outcome)
        return now - self.start if takes is None else min(now - self.start, takes)


def duration(outcome: Outcome) -> int:
    """Microseconds for which a trial occupies a worker: its cost, at least one."""
    return max(microseconds(outcome.cost.gpu_seconds), 1)


class Clock:
    """Simulated time in microseconds; it moves only when a trial finishes, and never back."""

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

    @property
    def in_flight(self) -> Sequence[Running]:
        """The trials on the workers."""
        return self._running

    def start(self, trial: Running) -> None:
        """Occupy a worker from now until the trial's finish."""
        self._running.append(trial)

    def advance(self, until: int) -> Running:
        """Take the next trial off its worker and move time to its finish, or to `until` if that is sooner.

        Waits until the next is known: of equal ones, the one that was asked first.
        """
        while True:
            finish, known, trial = self._next()
            if known:
                break
            trial.answer.wait()
        self._running.remove(trial)
        trial.finish = finish
        self.now = max(self.now, int(min(finish, until)))
        return trial

    def _next(self) -> tuple[float, bool, Running]:
        """Of the trials in flight the one that may finish first: its `look`, and itself."""
        trial = self._running[0]
        finish, known = trial.look()
        for other in self._running[1:]:
            its_finish, its_known = other.look()
            if (its_finish, other.number) < (finish, trial.number):
                finish, known, trial = its_finish, its_known, other
        return finish, known, trial
