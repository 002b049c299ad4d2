"""What the commands do, as documented calls: run a suite, load results, rank, recommend."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from hemobench.errors import BenchmarkError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hemobench.benchmarks.execution.execute import Done
    from hemobench.benchmarks.execution.plan import Plan
    from hemobench.benchmarks.storage.results import Parts, Results
    from hemobench.reports.leaderboard.model import Board
    from hemobench.reports.recommendation.recommend import Recommendation
    from hemobench.strategies.base import Strategy

    Source = Results | str | Path | None


def run_suite(
    suite: str | Path = "quick",
    out: str | Path | None = None,
    *,
    benchmarks: Sequence[str] = (),
    strategies: Sequence[str | type[Strategy]] = (),
    seeds: int | None = None,
    gpu_hours: float | None = None,
    workers: int | None = None,
    data: str | Path | None = None,
    jobs: int = 1,
    on_run: Callable[[Done], None] | None = None,
) -> Results:
    """Run a suite, or resume it where an interrupted call left off.

    Args:
        suite: A suite's name or TOML file.
        out: Folder of the results; by default `results/SUITE`.
        benchmarks: Only these; none given is all.
        strategies: These only: names, `package.module:Class`, or classes at the top of a module.
        seeds: Seeds a strategy.
        gpu_hours: Budget of every benchmark.
        workers: Trials that may be pending at once.
        data: Folder of images, for live benchmarks.
        jobs: Processes. 1 is this one. With more, a script needs `if __name__ == "__main__":`.
        on_run: Told of every run that has ended.

    Returns:
        All that the folder then holds.

    Raises:
        BenchmarkError: If the suite or an argument is wrong, or a run failed for a reason that is
            not its strategy's.
    """
    from hemobench.benchmarks.execution.plan import plans
    from hemobench.benchmarks.execution.preflight import preflight
    from hemobench.benchmarks.suite import load_suite, narrowed
    from hemobench.strategies import path_of

    names = [each if isinstance(each, str) else path_of(each) for each in strategies]
    chosen = narrowed(
        load_suite(str(suite)),
        benchmarks=list(benchmarks),
        strategies=names,
        seeds=seeds,
        gpu_hours=gpu_hours,
        workers=workers,
        data=None if data is None else Path(data),
    )
    name = Path(suite).stem
    folder = Path("results", name) if out is None else Path(out)
    todo = plans(chosen)
    preflight(todo, folder)
    with _over(todo, folder, name, jobs) as ends:
        for done in ends:
            if on_run is not None:
                on_run(done)
            if done.failure:
                place = done.plan.folder(folder)
                raise BenchmarkError(f"{place}: the run failed\n{done.failure}", "correct that; call again to resume")
    return load_results(folder)


@contextmanager
def _over(todo: Sequence[Plan], out: Path, name: str, jobs: int) -> Iterator[Iterable[Done]]:
    """The runs as they end, in this process or in several."""
    from hemobench.benchmarks.execution.execute import contained
    from hemobench.benchmarks.execution.process_pool import over_processes

    if jobs == 1:
        yield (contained(plan, out, name) for plan in todo)
        return
    with closing(over_processes(todo, out, name, jobs)) as ends:
        yield ends


def load_results(source: str | Path | None = None) -> Results:
    """Runs and trials of a folder of results, or of an archive of one.

    Args:
        source: The folder or archive; by default the results that come along: 30 seeds of the
            suite `full`.

    Returns:
        `.runs` and `.trials`, two pandas tables.

    Raises:
        BenchmarkError: If there are none there, or they cannot be read.
    """
    return loaded(source)


def loaded(source: Source, parts: Parts | None = None) -> Results:
    """Results as they are, or read; of those that are read, perhaps only some columns."""
    from hemobench.benchmarks.storage.load import load_results as read
    from hemobench.benchmarks.storage.results import Results
    from hemobench.reports.shipped import RESULTS

    if isinstance(source, Results):
        return source
    return read(RESULTS if source is None else Path(source), parts)


def leaderboard(results: Source = None) -> list[Board]:
    """Who won, by how much, and how sure that is.

    Args:
        results: What `load_results` gives, or what it takes.

    Returns:
        A board for each benchmark, version, budget and number of workers, and an overall one for
        each number of workers under which there are two benchmarks or more.

    Raises:
        BenchmarkError: If there are no results, or they cannot be read.
    """
    from hemobench.benchmarks.benchmark import load_benchmark
    from hemobench.reports.comparison.comparison import leaderboard_columns
    from hemobench.reports.leaderboard.beginnings import beginnings
    from hemobench.reports.leaderboard.ranking import leaderboard as boards

    ranked = loaded(results, leaderboard_columns)
    return boards(
        ranked,
        lambda name: load_benchmark(name).reference(),
        startup=beginnings(ranked),
        outside_of=lambda name, configs: load_benchmark(name).outside(configs),
    )


def recommend(
    benchmark: str,
    gpu_hours: float,
    results: Source = None,
    *,
    workers: int | None = None,
    rope: float | None = None,
) -> Recommendation:
    """Which strategy, at this budget?

    Args:
        benchmark: As in `c-nmc@recorded`.
        gpu_hours: The budget that you have.
        results: What `load_results` gives, or what it takes.
        workers: Trials at once; by default the fewest that were run.
        rope: Points of the task's score that do not matter to you.

    Raises:
        BenchmarkError: If nothing in the results can tell, with what would.
    """
    from hemobench.benchmarks.benchmark import load_benchmark
    from hemobench.reports.comparison.comparison import leaderboard_columns
    from hemobench.reports.leaderboard.run_figures import outside_shares
    from hemobench.reports.recommendation.recommend import recommend as answer
    from hemobench.reports.statistics.pairwise import ROPE

    reference = load_benchmark(benchmark).reference()
    runs = loaded(results, leaderboard_columns)
    return answer(
        runs,
        benchmark,
        gpu_hours,
        reference,
        workers=workers,
        rope=ROPE if rope is None else rope,
        outside=outside_shares(runs, lambda name, configs: load_benchmark(name).outside(configs)),
    )
