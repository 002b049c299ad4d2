"""What every process is at, in a line each, from the steps that they tell."""

from __future__ import annotations

import time
from datetime import timedelta

from hemobench.benchmarks.execution.progress import Step, What

ORDER: tuple[What, ...] = ("run", "trials", "epochs", "features", "images", "fits")
"""From the whole to its parts: a step of one kind ends what was told of its parts."""
WORDS = {
    "trials": "trial {done} of {of}",
    "epochs": "epoch {done} of {of}",
    "features": "features of {done:,} of {of:,} images",
    "images": "{done:,} of {of:,} images decoded",
    "fits": "fit {done} of {of}",
}
PASSING = ("features", "images", "fits")
"""Kinds that are no longer worth a word when they are done."""


class Workers:
    """What every process told last.

    Args:
        counted: The kind of step that says how much of one counted thing a process has done.
    """

    def __init__(self, counted: What) -> None:
        self._counted = counted
        self._steps: dict[int, dict[What, Step]] = {}
        self._first: dict[int, tuple[float, float]] = {}

    def hear(self, step: Step) -> None:
        """Take a step in."""
        level = ORDER.index(step.what)
        above = {what: old for what, old in self._steps.get(step.worker, {}).items() if ORDER.index(what) < level}
        passed = step.what in PASSING and step.done == step.of
        ended = step.what == "run" and not step.note
        if not (passed or ended):
            above[step.what] = step
        self._steps[step.worker] = above
        if step.what == "run":
            self._first.pop(step.worker, None)
        if step.what == "trials" and step.share is not None:
            self._first.setdefault(step.worker, (time.monotonic(), step.share))

    def clear(self) -> None:
        """All of them are done."""
        self._steps = {}

    @property
    def share(self) -> float:
        """How much is done of what processes are still at; what is whole is counted elsewhere."""
        found = 0.0
        for steps in list(self._steps.values()):  # another thread may add to it
            step = steps.get(self._counted)
            share = _share(step) if step is not None else 0.0
            found += share if share < 1 else 0.0
        return found

    def lines(self) -> list[str]:
        """A line for each process that is at something."""
        found = []
        for worker, steps in sorted(self._steps.items()):
            if steps:
                found.append(", ".join(map(words, steps.values())) + self._left(worker, steps.get("trials")))
        return found

    def _left(self, worker: int, step: Step | None) -> str:
        """How long a run still takes at the pace since its first trial here; nothing while there is no pace."""
        if step is None or step.share is None or worker not in self._first:
            return ""
        since, before = self._first[worker]
        advanced = step.share - before
        if advanced <= 0:
            return ""
        seconds = (time.monotonic() - since) * (1 - step.share) / advanced
        return f", {timedelta(seconds=round(seconds))} left"


def _share(step: Step) -> float:
    if step.share is not None:
        return step.share
    return step.done / step.of if step.of else 0.0


def words(step: Step) -> str:
    """One step for people."""
    counted = WORDS[step.what].format(done=step.done, of=step.of) if step.what in WORDS else ""
    return " · ".join(part for part in (counted, step.note) if part)
