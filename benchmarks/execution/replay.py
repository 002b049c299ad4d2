"""Resuming is replay: recorded trials are asked for and told again, and each ask must equal the recorded one.

Trials end in the recorded order, at the recorded moments. A trial that was in flight when the process died has no
record: it is evaluated anew once all recorded ones have been told, so that its new cost, where costs are measured,
cannot change what the strategy already knew.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from hemobench.benchmarks.evaluator import Answer, Concurrent, Evaluator, Outcome, submit
from hemobench.benchmarks.storage.records import TrialRecord
from hemobench.benchmarks.storage.run_folder import encode
from hemobench.errors import BenchmarkError
from hemobench.strategies.base import Proposal, Status


class Replay:
    """An evaluator that answers from recorded trials first.

    Args:
        evaluator: Answers what is not recorded.
        recorded: The trials, in the order in which they finished.
        place: The run's folder, for messages.
    """

    def __init__(self, evaluator: Evaluator | Concurrent, recorded: Sequence[TrialRecord], place: Path) -> None:
        self._evaluator = evaluator
        self._recorded = {record.number: record for record in recorded}
        self._order = recorded
        self._place = place
        self._asked = 0
        self._told = 0

    @property
    def over(self) -> bool:
        """Whether all that is recorded has been told."""
        return self._told >= len(self._order)

    def is_next(self, record: TrialRecord) -> bool:
        """Whether a recorded trial is the next to be told."""
        return not self.over and self._order[self._told] is record

    def submit(self, proposal: Proposal, seed: int, *, trained: int = 0, limit: float = math.inf) -> Answer:
        """The recorded outcome, or a new one for a trial that is not recorded.

        Raises:
            BenchmarkError: If the asks diverge.
        """
        record = self._recorded.get(self._asked)
        self._asked += 1
        if record is not None:
            require_same_ask(proposal, record, self._place)
            return Recorded(self, record)

        def evaluate() -> Answer:
            return submit(self._evaluator, proposal, seed, trained=trained, limit=limit)

        return evaluate() if self.over else Postponed(self, evaluate)

    def diverged(self) -> BenchmarkError:
        """What to raise where something else happens than what is recorded next."""
        return BenchmarkError(
            f"{self._place}: replay diverges at trial {self._order[self._told].number}",
            "the files were edited: delete the folder to run it again, or give another --out folder",
        )

    def tell(self, record: TrialRecord) -> bool:
        """Take a trial of the run.

        Returns:
            Whether it is a new one, not among the recorded.

        Raises:
            BenchmarkError: If it differs from the recorded one.
        """
        if self.over:
            return True
        if unmeasured(record) != unmeasured(self._order[self._told]):
            raise self.diverged()
        self._told += 1
        return False


class Recorded:
    """The `Answer` of a recorded trial, which ends when its turn comes."""

    def __init__(self, replay: Replay, record: TrialRecord) -> None:
        self._replay = replay
        self._record = record
        self._known = Outcome(
            status=record.status,
            validation=record.validation,
            test=record.test,
            curve=record.curve,
            cost=record.cost,
            error=record.error,
            truth=record.truth,
        )

    @property
    def outcome(self) -> Outcome | None:
        """See `Answer`."""
        return self._known if self._replay.is_next(self._record) else None

    @property
    def at_least(self) -> float:
        """See `Answer`: what it was waited for then, which may be longer than its cost."""
        if not self._replay.is_next(self._record):
            return math.inf
        return 0.0 if self._record.status is Status.CUT else self._record.finished - self._record.started

    def wait(self) -> None:
        """See `Answer`.

        Raises:
            BenchmarkError: Always: one that should end before was never asked for.
        """
        raise self._replay.diverged()


class Postponed:
    """The `Answer` of a trial that was in flight when the process died: sought when the replay is over."""

    def __init__(self, replay: Replay, evaluate: Callable[[], Answer]) -> None:
        self._replay = replay
        self._evaluate = evaluate
        self._answer: Answer | None = None

    @property
    def outcome(self) -> Outcome | None:
        """See `Answer`."""
        return self._sought.outcome if self._replay.over else None

    @property
    def at_least(self) -> float:
        """See `Answer`; later than all that is recorded, while the replay lasts."""
        return self._sought.at_least if self._replay.over else math.inf

    def wait(self) -> None:
        """See `Answer`.

        Raises:
            BenchmarkError: If something that is recorded was never asked for.
        """
        if not self._replay.over:
            raise self._replay.diverged()
        self._sought.wait()

    @property
    def _sought(self) -> Answer:
        if self._answer is None:
            self._answer = self._evaluate()
        return self._answer


def require_same_ask(proposal: Proposal, record: TrialRecord, place: Path) -> None:
    """Make sure that a strategy asks what it asked then.

    Raises:
        BenchmarkError: If it does not.
    """
    asked = (dict(proposal.config), proposal.epochs, proposal.resume_from)
    if asked != (dict(record.config), record.epochs, record.resume_from):
        raise BenchmarkError(
            f"{place}: asks diverge at trial {record.number}: "
            f"{dict(record.config)} is recorded, {dict(proposal.config)} is asked now",
            "resume with the versions in run.json, delete the folder to run it again, or give another --out folder",
        )


def unmeasured(record: TrialRecord) -> dict[str, Any]:
    """A record without what may differ between two equal runs in a cached mode."""
    line: dict[str, Any] = json.loads(encode(record))
    del line["measured"]
    return line
