"""One progress bar for all that takes long: how much is done, in the user's units, and the time left."""

from __future__ import annotations

import os
import shlex
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from hemobench.commands.console import console
from hemobench.errors import BenchmarkError

if TYPE_CHECKING:
    from rich.console import Console

    from hemobench.benchmarks.execution.execute import Done
    from hemobench.benchmarks.execution.plan import Plan
    from hemobench.benchmarks.execution.progress import What
    from hemobench.commands.bar import Bar


END = "end.json"


@contextmanager
def progress(unit: str, total: int | None = None, *, stays: bool = False) -> Iterator[Bar]:
    """A progress bar on the standard error, which also hears what processes tell of their work.

    Args:
        unit: What is counted, in the plural: `runs`, `trainings`, `epochs`, …
        total: How much there is to do; `None` if it is not known yet.
        stays: Whether it stays on the screen when all is done.
    """
    from hemobench.benchmarks.execution.progress import listening
    from hemobench.commands.bar import Bar, Shown

    counted: What = "trials" if unit == "runs" else "epochs"
    with Shown(unit, counted, stays=stays) as shown:
        bar = Bar(shown, shown.add_task("", total=total, note=""), total)
        with listening(bar.hear):
            yield bar
        shown.workers.clear()


@contextmanager
def interruptible(kept: str, *, resumes: bool = True) -> Iterator[None]:
    """On Ctrl-C, say what is kept, and with which command it goes on; exit code 130.

    Args:
        kept: What is, as in `every finished trial, in results/quick`.
        resumes: Whether the same command goes on from there.
    """
    try:
        yield
    except KeyboardInterrupt:
        goes_on = f"; it goes on with\n  {shlex.join(['hemobench', *sys.argv[1:]])}" if resumes else ""
        sys.stderr.write(f"\nhemobench: interrupted; kept: {kept}{goes_on}\n")
        raise typer.Exit(130) from None


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
