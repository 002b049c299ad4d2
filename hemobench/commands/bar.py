"""The progress bar itself, with a line for every process below it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from rich.console import RenderableType
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Column
from rich.text import Text

from hemobench.benchmarks.execution.progress import Step, What
from hemobench.commands.console import console
from hemobench.commands.workers import Workers

MOST_LINES = 16
SAY_S = 60.0
DAY_S = 86400.0
"""Speed is taken over so long: a run may take hours."""


@dataclass
class Bar:
    """A progress bar to be told of progress; below it stands what every process is at.

    Attributes:
        shown: What draws it.
        task: Its task there.
        total: How much there is to do; `None` while nobody knows.
        done: How much is done, whole.
    """

    shown: Shown
    task: TaskID
    total: int | None
    done: int = 0

    def update(self, done: int, total: int | None) -> None:
        """So much is done, of so much."""
        self.done, self.total = done, total
        self._draw()

    def advance(self, note: str | None = None) -> None:
        """One more is done; a note stands behind the bar until the next."""
        self.done += 1
        if note is not None:
            self.shown.update(self.task, note=note)
        self._draw()

    def phase(self, what: str) -> Callable[[int, int], None]:
        """What is done next; gives what is called with how many are done, and of how many."""
        self.shown.update(self.task, note=what)
        return self.update

    def epochs(self, folds: int, epochs: int) -> Callable[[int, int, float], None]:
        """The epochs of all folds are what is done; gives what is called with fold, epoch and accuracy."""
        begun: list[int] = []
        self.update(0, folds * epochs)

        def on_epoch(fold: int, epoch: int, score: float) -> None:
            if fold not in begun:
                begun.append(fold)
            self.shown.update(self.task, note=f"fold {fold}: accuracy {100 * score:.1f} %")
            self.update((len(begun) - 1) * epochs + epoch, folds * epochs)

        return on_epoch

    def add(self, more: int) -> None:
        """There is more to do."""
        self.update(self.done, (self.total or 0) + more)

    def hear(self, step: Step) -> None:
        """What a process is at; see `execution.progress`."""
        self.shown.workers.hear(step)
        self._draw()

    def _draw(self) -> None:
        completed = self.done + self.shown.workers.share
        most = completed if self.total is None else min(completed, self.total)
        self.shown.update(self.task, completed=most, total=self.total)
        self.shown.say_now_and_then()


class Note(ProgressColumn):
    """A line of text that gets what a narrow screen leaves it: counts and times come first."""

    def get_table_column(self) -> Column:
        """One that may be made narrower, as no other of the bar's."""
        return Column(no_wrap=False)

    def render(self, task: Task) -> RenderableType:
        """Cut, not wrapped."""
        return Text(str(task.fields["note"]), no_wrap=True, overflow="ellipsis")


class Shown(Progress):
    """rich's progress bar with a line for every process; where there is no terminal, a line of text now and then."""

    def __init__(self, unit: str, counted: What, *, stays: bool) -> None:
        self.workers = Workers(counted)
        self._unit, self._said = unit, time.monotonic()
        counts = MofNCompleteColumn(), TextColumn(unit), BarColumn(bar_width=20)
        times = TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn()
        columns = *counts, *times, Note()
        screen = console(stderr=True)
        super().__init__(*columns, console=screen, transient=not stays, speed_estimate_period=DAY_S)

    def get_renderables(self) -> Iterable[RenderableType]:
        """The bar, and what the processes are at."""
        yield self.make_tasks_table(self.tasks)
        for line in self.workers.lines()[:MOST_LINES]:
            yield Text(f"  {line}", no_wrap=True, overflow="ellipsis")

    def say_now_and_then(self) -> None:
        """Without a terminal, as in a job's log: one line a minute."""
        if self.console.is_terminal or time.monotonic() - self._said < SAY_S:
            return
        self._said = time.monotonic()
        bar = self.tasks[0]
        left = f", {timedelta(seconds=round(bar.time_remaining))} left" if bar.time_remaining is not None else ""
        total = "" if bar.total is None else f" of {bar.total:.0f}"
        said = "; ".join([f"{int(bar.completed)}{total} {self._unit}{left}", *self.workers.lines()[:MOST_LINES]])
        self.console.print(f"{datetime.now():%H:%M} {said}", markup=False, highlight=False, soft_wrap=True)
