"""`hemobench reproduce`: makes the runs of a results archive again, and says whether they are the same."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hemobench.commands.console import Json, console, print_json
from hemobench.commands.options import Jobs, counted, listed
from hemobench.errors import BenchmarkError

if TYPE_CHECKING:
    from hemobench.benchmarks.execution.plan import Plan
    from hemobench.benchmarks.storage.results import Results


def reproduce(
    results: Annotated[
        str,
        typer.Argument(
            metavar="RESULTS",
            help="An archive or folder of results, or a suite whose results come along: full, quick, papers.",
        ),
    ] = "full",
    benchmarks: Annotated[str, typer.Option(help="Only these, with commas between.")] = "",
    strategies: Annotated[str, typer.Option(help="Only these labels, with commas between.")] = "",
    seeds: Annotated[int | None, typer.Option(min=1, help="Only so many seeds, from 0.")] = None,
    strategy: Annotated[str, typer.Option(help="Strategies of other packages that may be imported and run.")] = "",
    data: Annotated[Path | None, typer.Option(help="Folder of images, for live benchmarks.")] = None,
    out: Annotated[Path | None, typer.Option(help="Keep the new runs there; the same command then goes on.")] = None,
    jobs: Jobs = None,
    as_json: Json = False,
) -> None:
    """Run results again: identical, or where they part first (exit codes 0, 1), with the versions that differ."""
    from hemobench.benchmarks.execution.again import changed_sources, plans_of
    from hemobench.benchmarks.execution.numerics import imitated
    from hemobench.benchmarks.execution.preflight import preflight
    from hemobench.benchmarks.storage.load import load_results
    from hemobench.reports.citing.reproduction import compared

    sys.path.append(os.getcwd())  # for strategies of the user's own, after all that is installed
    before = _part(_recorded(results), listed(benchmarks, "--benchmarks"), listed(strategies, "--strategies"), seeds)
    todo = plans_of(before, data=data, allowed=listed(strategy))
    with _folder(out) as folder:
        preflight(todo, folder)
        if changed := changed_sources(before, todo):
            problem = f"{results}: the answers rest on something else here: {', '.join(changed)}"
            raise BenchmarkError(problem, "use the data, or the hemobench, that the results were made with")
        first = before.header(int(before.runs.index[0]))
        with imitated(first.get("environment") or {}):
            _run(todo, folder, str(first.get("suite", "")), jobs)
        now = load_results(folder)
        found = compared(before, now, *_apart(before, now))
    if as_json:
        print_json(found.as_json())
    else:
        screen = console()
        for line in found.lines:
            screen.print(line, markup=False, highlight=False, soft_wrap=True)
    raise typer.Exit(0 if found.identical else 1)


def _recorded(results: str) -> Results:
    """What is to be made again: a file or folder, or the results of a suite that come along.

    Raises:
        BenchmarkError: If it is none of these.
    """
    from hemobench.benchmarks.storage.load import load_results
    from hemobench.benchmarks.suite import suite_names
    from hemobench.reports.shipped import OF_SUITES, shipped_results

    path = Path(results)
    if path.exists():
        if results in OF_SUITES:
            here = f"{results}: made again are the results that lie here, not those that come along"
            console(stderr=True).print(here, markup=False, highlight=False, soft_wrap=True)
        return load_results(path)
    if results in suite_names():
        return shipped_results(results)
    raise BenchmarkError(
        f"{results}: no such file or folder",
        f"give an archive or folder of results, or a suite whose results come along: {', '.join(OF_SUITES)}",
    )


def _part(results: Results, benchmarks: list[str], strategies: list[str], seeds: int | None) -> Results:
    """The runs that were asked for.

    Raises:
        BenchmarkError: If there are none, or a name is not there.
    """
    from hemobench.benchmarks.storage.results import Results

    runs = results.runs[results.runs["status"] != "unfinished"]
    for option, column, names in (
        ("--benchmarks", "benchmark", benchmarks),
        ("--strategies", "strategy", strategies),
    ):
        there = list(dict.fromkeys(runs[column]))
        for name in names:
            if name not in there:
                raise BenchmarkError(f"{option} {name}: not among the results", f"choose from: {', '.join(there)}")
        runs = runs[runs[column].isin(names)] if names else runs
    runs = runs[runs["seed"] < seeds] if seeds else runs
    if not len(runs):
        raise BenchmarkError("no run that has ended is among the results", "finish them first")
    return Results(runs, results.of(runs.index))


def _apart(before: Results, now: Results) -> tuple[list[str], str]:
    """What this installation and its numerical kernels have otherwise than the recorded runs."""
    from hemobench.benchmarks.execution.numerics import newest_extensions
    from hemobench.reports.gate.provenance import another_kernel, apart, changed_versions

    (old, old_kernel), (new, new_kernel) = (
        apart(results.header(int(results.runs.index[0])).get("environment") or {}) for results in (before, now)
    )
    kernel = another_kernel(old_kernel, new_kernel)
    if not old_kernel and "NPY_DISABLE_CPU_FEATURES" not in os.environ and (newest := newest_extensions()):
        kernel = (
            "the results do not say which processor's kernels they were made with; for an older one's, set "
            f"NPY_DISABLE_CPU_FEATURES='{newest}'"
        )
    return changed_versions(old, new), kernel


@contextmanager
def _folder(out: Path | None) -> Iterator[Path]:
    if out is not None:
        yield out
        return
    with tempfile.TemporaryDirectory(prefix="hemobench-reproduce-") as folder:
        yield Path(folder)


def _run(todo: list[Plan], folder: Path, suite: str, jobs: int | None) -> None:
    from hemobench.benchmarks.execution.process_pool import over_processes
    from hemobench.commands.progress import Told, progress

    screen = console(stderr=True)
    count = min(jobs or os.cpu_count() or 1, len(todo))
    screen.print(f"{counted(len(todo), 'run')} on {counted(count, 'process', 'processes')}", highlight=False)
    told = Told(screen, folder)
    with progress("runs", len(todo), stays=True) as bar:
        for done in over_processes(todo, folder, suite, count):
            told(done)
            bar.advance()
    told.close()
    if told.broken:
        raise BenchmarkError(f"{counted(told.broken, 'run')} failed", "see above; give --out DIR to keep the others")
