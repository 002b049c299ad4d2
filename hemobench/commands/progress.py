"""One progress bar for all that takes long: how much is done, in the user's units, and the time left."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from hemobench.commands.console import console
from hemobench.errors import BenchmarkError

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, TaskID

    from hemobench.benchmarks.execution.execute import Done
    from hemobench.benchmarks.execution.plan import Plan


END = "end.json"


@dataclass
class Bar:
    """A progress bar to be told of progress.

    Attributes:
        total: How much there is to do; `None` while nobody knows.
    """

    progress: Progress
    task: TaskID
    total: int | None

    def update(self, done: int, total: int | None) -> None:
        """So much is done, of so much."""
        self.total = total
        self.progress.update(self.task, completed=done, total=total)

    def advance(self, note: str | None = None) -> None:
        """One more is done; a note stands behind the bar until the next."""
        shown = self.progress.tasks[0].fields["note"] if note is None else note
        self.progress.update(self.task, advance=1, note=shown)

    def phase(self, what: str) -> Callable[[int, int], None]:
        """What is done next; gives what is called with how many are done, and of how many."""
        self.progress.update(self.task, note=what)
        return self.update

    def add(self, more: int) -> None:
        """There is more to do."""
        self.update(int(self.progress.tasks[0].completed), (self.total or 0) + more)


@contextmanager
def progress(unit: str, total: int | None = None, *, stays: bool = False) -> Iterator[Bar]:
    """A progress bar on the standard error.

    Args:
        unit: What is counted, in the plural, as in `runs`.
        total: How much there is to do; `None` if it is not known yet.
        stays: Whether it stays on the screen when all is done.
    """
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    counts = MofNCompleteColumn(), TextColumn(unit), BarColumn(bar_width=20)
    times = TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn()
    columns = *counts, *times, TextColumn("{task.fields[note]}", markup=False)
    with Progress(*columns, console=console(stderr=True), transient=not stays) as shown:
        yield Bar(shown, shown.add_task("", total=total, note=""), total)


@contextmanager
def epoch_progress(folds: int, epochs: int) -> Iterator[Callable[[int, int, float], None]]:
    """A progress bar over the epochs of all folds; gives what is called with fold, epoch and accuracy."""
    with progress("epochs", folds * epochs) as bar:

        def on_epoch(fold: int, epoch: int, score: float) -> None:
            bar.progress.update(
                bar.task, completed=fold * epochs + epoch, note=f"fold {fold}: accuracy {100 * score:.1f} %"
            )

        yield on_epoch


@dataclass
class Told:
    """Prints what somebody should know of runs as they end: one cause once, and at the end how many runs had it.

    Attributes:
        screen: Where.
        out: The results' folder.
        tracebacks: Whether to print where a strategy raised.
        ended: Runs by the strategy's label.
        failed: Those of them that ended with the strategy's error.
        causes: Runs by what was said of them.
        broken: Runs that failed for a reason that is not their strategy's.
    """

    screen: Console
    out: Path
    tracebacks: bool = False
    ended: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)
    causes: Counter[tuple[str, str]] = field(default_factory=Counter)
    broken: int = 0

    def __call__(self, done: Done) -> None:
        """A run has ended."""
        label, folder = done.plan.key.strategy, done.plan.folder(self.out)
        self.ended[label] += 1
        if done.recovered:
            self._print(f"{folder}: cut off a half-written last line ({done.recovered} bytes)")
        if done.end is not None and done.end.error:
            self.failed[label] += 1
            self._once(label, done.end.error, f"{folder}: the strategy failed: {done.end.error}", done.end.traceback)
        if done.failure:
            self.broken += 1
            last = done.failure.strip().splitlines()[-1]
            self._once(label, last, f"{folder}: the run failed and can be gone on with\n{done.failure}", None)

    def _once(self, label: str, cause: str, text: str, trace: str | None) -> None:
        self.causes[label, cause] += 1
        if self.causes[label, cause] > 1:
            return
        self._print(text)
        if trace and self.tracebacks:
            self._print(trace.rstrip())
        elif trace:
            self._print(f"  -> its traceback is in {END} there; --traceback shows it")

    def close(self) -> None:
        """Say how often what was said held."""
        for (label, cause), count in self.causes.items():
            if count > 1:
                self._print(f"{label}: {count} runs failed so: {cause}")
        for label in self.always_failed:
            self._print(f"{label}: failed in all of its runs")

    @property
    def always_failed(self) -> list[str]:
        """Strategies that failed in all of their runs."""
        return [label for label, count in self.failed.items() if count == self.ended[label]]

    def _print(self, text: str) -> None:
        self.screen.print(text, markup=False, highlight=False, soft_wrap=True)


@contextmanager
def shown_progress(out: Path, name: str, jobs: int | None) -> Iterator[Callable[[Sequence[Plan]], None]]:
    """Runs plans over a pool of processes that lasts for all interim analyses, with one progress bar."""
    from hemobench.benchmarks.execution.preflight import preflight
    from hemobench.benchmarks.execution.process_pool import execute_all, process_pool

    told = Told(console(stderr=True), out)
    with progress("runs", 0, stays=True) as bar, process_pool(jobs or os.cpu_count() or 1) as pool:

        def run(todo: Sequence[Plan]) -> None:
            preflight(todo, out)
            bar.add(len(todo))
            for done in execute_all(todo, out, name, pool):
                if done.failure:
                    raise BenchmarkError(
                        f"{done.plan.folder(out)}: the run failed\n{done.failure}", "correct that first"
                    )
                told(done)
                bar.advance()

        yield run
    told.close()
