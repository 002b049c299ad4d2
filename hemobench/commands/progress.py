"""One progress bar for all that takes long: how much is done, in the user's units, and the time left."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from hemobench.commands.console import console
from hemobench.errors import BenchmarkError

if TYPE_CHECKING:
    from rich.console import Console

    from hemobench.benchmarks.execution.execute import Done
    from hemobench.benchmarks.execution.progress import What
    from hemobench.benchmarks.suite import Plan
    from hemobench.commands.bar import Bar


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


def say(done: Done, screen: Console) -> None:
    """Print what somebody should know of a run."""
    folder = done.plan.key.folder
    if done.recovered:
        screen.print(f"{folder}: cut off a half-written last line ({done.recovered} bytes)", markup=False)
    if done.end is not None and done.end.error:
        screen.print(f"{folder}: the strategy failed: {done.end.error}", markup=False)
    if done.failure:
        screen.print(f"{folder}: the run failed and can be gone on with\n{done.failure}", markup=False)


@contextmanager
def shown_progress(out: Path, name: str, jobs: int | None) -> Iterator[Callable[[Sequence[Plan]], None]]:
    """Runs plans over a pool of processes that lasts for all interim analyses, with one progress bar."""
    from hemobench.benchmarks.execution.process_pool import execute_all, process_pool

    screen = console(stderr=True)
    with progress("runs", 0, stays=True) as bar, process_pool(jobs or os.cpu_count() or 1) as pool:

        def run(todo: Sequence[Plan]) -> None:
            bar.add(len(todo))
            for done in execute_all(todo, out, name, pool):
                if done.failure:
                    raise BenchmarkError(
                        f"{done.plan.key.folder}: the run failed\n{done.failure}", "correct that first"
                    )
                say(done, screen)
                bar.advance()

        yield run
