"""A suite run with a progress bar: runs done, the best so far, time left."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from hemobench.benchmarks.benchmark import load_benchmark
from hemobench.benchmarks.execution.execute import Done
from hemobench.benchmarks.execution.process_pool import execute_all, over_processes, process_pool
from hemobench.benchmarks.suite import Plan, Suite, plans
from hemobench.commands.console import console
from hemobench.errors import BenchmarkError


def run_with_progress(suite: Suite, name: str, out: Path, jobs: int | None, dask: str = "") -> int:
    """Run every plan of a suite over a pool of processes, or over a cluster.

    Args:
        suite: What to run.
        name: Its name.
        out: The results' folder.
        jobs: Processes, or workers of the cluster to start; `None` for as many as this machine has room for.
        dask: `local`, `slurm` or a scheduler's address; empty for processes.

    Returns:
        The number of runs that failed for a reason that is not their strategy's; each has been said.
    """
    todo, screen = plans(suite), console(stderr=True)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise BenchmarkError(f"--out {out}: {problem.strerror}", "name a folder that can be written") from None
    count = workers_of(dask, jobs, todo, suite)
    best: dict[str, float] = {}
    failed = 0
    columns = (
        MofNCompleteColumn(),
        TextColumn("runs"),
        BarColumn(bar_width=20),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[best]}"),
    )
    place = f"Dask ({dask})" if dask else f"{count} processes"
    screen.print(f"{suite.title or name}: {len(todo)} runs on {place}", markup=False, highlight=False)
    with Progress(*columns, console=screen) as bar, _over(todo, out, name, count, dask) as ends:
        task = bar.add_task("", total=len(todo), best="")
        for done in ends:
            failed += done.failure is not None
            say(done, screen)
            keep_best(best, done)
            shown = ", ".join(f"{name.partition('@')[0]} {_score(loss)}" for name, loss in sorted(best.items()))
            bar.update(task, advance=1, best=shown)
    return failed


@contextmanager
def _over(todo: Sequence[Plan], out: Path, name: str, count: int, dask: str) -> Iterator[Iterable[Done]]:
    """The runs as they end, wherever they run."""
    if not dask:
        with closing(over_processes(todo, out, name, count)) as ends:
            yield ends
        return
    try:
        from hemobench.benchmarks.execution.dask_cluster import cluster, over_cluster
    except ImportError as problem:
        raise BenchmarkError(f"--dask {dask}: {problem}", "pip install 'hemobench[dask]'") from None

    expected = count if dask in ("local", "slurm") else 0
    with cluster(dask, count) as client, closing(over_cluster(todo, out, name, client, expected)) as ends:
        yield ends


def workers_of(dask: str, jobs: int | None, todo: Sequence[Plan], suite: Suite) -> int:
    """How many processes, or workers of a cluster, are of use: a live run keeps as many of a cluster busy as it has."""
    if not dask:
        return min(jobs or processes(suite), len(todo))
    trials = sum(plan.budget.workers if load_benchmark(plan.key.benchmark).live else 1 for plan in todo)
    return min(jobs or (processes(suite) if dask == "local" else 1), trials)


def processes(suite: Suite) -> int:
    """One a core; for live benchmarks one a GPU, where there are any, since a shared device has no honest costs."""
    if any(load_benchmark(entry.name).live for entry in suite.benchmarks):
        try:
            from hemobench.benchmarks.training import devices
        except ImportError as problem:
            raise BenchmarkError(f"training needs torch: {problem}", "pip install 'hemobench[train]'") from None
        return devices.count()
    return os.cpu_count() or 1


def keep_best(best: dict[str, float], done: Done) -> None:
    """Lower the best loss of the run's benchmark."""
    if done.best is not None:
        name = done.plan.key.benchmark
        best[name] = min(done.best, best.get(name, done.best))


def say(done: Done, screen: Console) -> None:
    """Print what somebody should know of a run."""
    folder = done.plan.key.folder
    if done.recovered:
        screen.print(f"{folder}: cut off a half-written last line ({done.recovered} bytes)", markup=False)
    if done.end is not None and done.end.error:
        screen.print(f"{folder}: the strategy failed: {done.end.error}", markup=False)
    if done.failure:
        screen.print(f"{folder}: the run failed and can be gone on with\n{done.failure}", markup=False)


def _score(loss: float) -> str:
    return f"{100 * (1 - loss):.2f} %"


@contextmanager
def shown_progress(out: Path, name: str, jobs: int | None) -> Iterator[Callable[[Sequence[Plan]], None]]:
    """Runs plans over a pool of processes that lasts for all looks, with one progress bar."""
    screen = console(stderr=True)
    columns = (MofNCompleteColumn(), TextColumn("runs"), BarColumn(bar_width=20), TimeElapsedColumn())
    with Progress(*columns, console=screen) as bar, process_pool(jobs or os.cpu_count() or 1) as pool:
        task = bar.add_task("", total=0)

        def run(todo: Sequence[Plan]) -> None:
            bar.update(task, total=(bar.tasks[0].total or 0) + len(todo))
            for done in execute_all(todo, out, name, pool):
                if done.failure:
                    raise BenchmarkError(f"{done.plan.key.folder}: the run failed\n{done.failure}", "mend that first")
                say(done, screen)
                bar.update(task, advance=1)

        yield run
