"""`hemobench run`: a suite, over the processes of this machine or a cluster."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hemobench.commands.console import console
from hemobench.commands.images import say_notes_of_suite
from hemobench.commands.options import counted, listed, trainings_at_once
from hemobench.commands.progress import interruptible
from hemobench.commands.results import leaderboard, load_ahead
from hemobench.errors import BenchmarkError

if TYPE_CHECKING:
    from hemobench.benchmarks.execution.execute import Done
    from hemobench.benchmarks.execution.plan import Plan
    from hemobench.benchmarks.suite import Suite
    from hemobench.commands.progress import Told


def run_suite(
    suite: Annotated[str, typer.Argument(help="A suite's name (`hemobench list suites`) or TOML file.")] = "quick",
    out: Annotated[Path | None, typer.Option(help="Folder of the results; default: results/SUITE.")] = None,
    benchmarks: Annotated[str, typer.Option(help="Only these, with commas between.")] = "",
    strategies: Annotated[str, typer.Option(help="Only these, or others, also package.module:Class.")] = "",
    seeds: Annotated[int | None, typer.Option(min=1, help="Seeds a strategy.")] = None,
    gpu_hours: Annotated[float | None, typer.Option(help="Budget of every benchmark.")] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Trials that may be pending at once.")] = None,
    jobs: Annotated[int | None, typer.Option(min=1, help="Processes; default: one a core.")] = None,
    data: Annotated[Path | None, typer.Option(help="Folder of images, for live benchmarks.")] = None,
    dask: Annotated[
        str, typer.Option(metavar="WHERE", help="On a Dask cluster: local, slurm, or a scheduler's address.")
    ] = "",
    traceback: Annotated[bool, typer.Option("--traceback", help="Show where a strategy raised.")] = False,
) -> None:
    """Run a suite and print its leaderboard. Resumes an interrupted run."""
    from hemobench.benchmarks.suite import load_suite, narrowed

    sys.path.append(os.getcwd())  # for strategies of the user's own, after all that is installed
    chosen = narrowed(
        load_suite(suite),
        benchmarks=listed(benchmarks, "--benchmarks"),
        strategies=listed(strategies, "--strategies"),
        seeds=seeds,
        gpu_hours=gpu_hours,
        workers=workers,
        data=data,
    )
    name = Path(suite).stem
    folder = out or Path("results") / name
    with interruptible(f"every finished trial, in {folder}"):
        told = run_with_progress(chosen, name, folder, jobs, dask, tracebacks=traceback)
    leaderboard(folder)
    sys.stdout.write(f"\nresults: {folder}   again: hemobench leaderboard {folder}\n")
    if told.broken or told.always_failed:
        raise typer.Exit(1)


def run_with_progress(
    suite: Suite, name: str, out: Path, jobs: int | None, dask: str = "", *, tracebacks: bool = False
) -> Told:
    """Run every plan of a suite over a pool of processes, or over a cluster.

    Args:
        suite: What to run.
        name: Its name.
        out: The results' folder.
        jobs: Processes, or workers of the cluster to start; `None` for as many as this machine has room for.
        dask: `local`, `slurm` or a scheduler's address; empty for processes.
        tracebacks: Whether to print where a strategy raised.

    Returns:
        What was told: how many runs failed, and which strategies always did.

    Raises:
        BenchmarkError: If anything is wrong with the suite, before anything is run or written.
    """
    from hemobench.benchmarks.execution.plan import plans
    from hemobench.benchmarks.execution.preflight import preflight
    from hemobench.commands.progress import Told, progress

    screen = console(stderr=True)

    def say(note: str) -> None:
        screen.print(note, markup=False, highlight=False, soft_wrap=True)

    todo = plans(suite, say)
    require_folder(out)
    count = workers_of(dask, jobs, todo, suite)
    say_notes_of_suite(suite)
    preflight(todo, out, evaluators=not dask)
    best: dict[str, float] = {}
    told = Told(screen, out, tracebacks)
    place = f"Dask ({dask})" if dask else counted(count, "process", "processes")
    with _over(todo, out, name, count, dask) as ends:
        load_ahead()
        say(f"{suite.title or name}: {counted(len(todo), 'run')} on {place}")
        with progress("runs", len(todo), stays=True) as bar:
            for done in ends:
                told(done)
                keep_best(best, done)
                bar.advance(best_text(best))
    told.close()
    return told


def require_folder(out: Path) -> None:
    """Make sure that a folder can be made, or written in if it is there, without making it.

    Raises:
        BenchmarkError: If not.
    """
    there = next(folder for folder in (out, *out.absolute().parents) if folder.exists())
    if not there.is_dir():
        raise BenchmarkError(f"--out {out}: {there} is no folder", "name a folder that can be written")
    if not os.access(there, os.W_OK | os.X_OK):
        raise BenchmarkError(f"--out {out}: {there} cannot be written", "name a folder that can be written")


@contextmanager
def _over(todo: Sequence[Plan], out: Path, name: str, count: int, dask: str) -> Iterator[Iterable[Done]]:
    """The runs as they end, wherever they run."""
    if not dask:
        from hemobench.benchmarks.execution.process_pool import over_processes

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
        return min(processes(suite, jobs), len(todo))
    from hemobench.benchmarks.benchmark import load_benchmark

    trials = sum(plan.budget.workers if load_benchmark(plan.key.benchmark).live else 1 for plan in todo)
    return min(jobs or (processes(suite) if dask == "local" else 1), trials)


def processes(suite: Suite, asked: int | None = None) -> int:
    """One a core; for live benchmarks one a GPU, where there are any, since a shared device has no honest costs."""
    from hemobench.benchmarks.benchmark import load_benchmark

    live = [found for entry in suite.benchmarks if (found := load_benchmark(entry.name)).live]
    return trainings_at_once(live[0], asked) if live else asked or os.cpu_count() or 1


def keep_best(best: dict[str, float], done: Done) -> None:
    """Lower the best loss of the run's benchmark."""
    if done.best is not None:
        name = done.plan.shown or done.plan.key.benchmark
        best[name] = min(done.best, best.get(name, done.best))


def best_text(best: Mapping[str, float]) -> str:
    """The best score so far of each benchmark."""
    return ", ".join(f"{_short(name)} {_score(loss)}" for name, loss in sorted(best.items()))


def _short(benchmark: str) -> str:
    """Its task and, of several variants, which."""
    task, _, source = benchmark.partition("@")
    _, bracket, variant = source.partition("[")
    return f"{task}{bracket}{variant}"


def _score(loss: float) -> str:
    return f"{100 * (1 - loss):.2f} %"
