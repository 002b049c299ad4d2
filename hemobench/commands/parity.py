"""`hemobench parity`: whether strategies rank the same on a table, on its surrogate and live."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hemobench.commands.console import Json, console, print_json
from hemobench.commands.options import Option, settings_of
from hemobench.errors import BenchmarkError

if TYPE_CHECKING:
    from rich.table import Table as Screen

    from hemobench.benchmarks.parity.searches import Searches, Told
    from hemobench.benchmarks.parity.setup import ParitySetup
    from hemobench.benchmarks.tables.schema import Table
    from hemobench.reports.parity.agreement import Span
    from hemobench.reports.parity.calibration import Figure, Retraining
    from hemobench.reports.parity.rankings import Parity, SourceComparison


def parity(
    benchmark: Annotated[str, typer.Argument(help="As in c-nmc@recorded, or c-nmc@surrogate with files of your own.")],
    table: Annotated[Path | None, typer.Option(help="The recorded table; default: the benchmark's own.")] = None,
    surrogate: Annotated[Path | None, typer.Option(help="The surrogate fitted to it; default: likewise.")] = None,
    data: Annotated[Path | None, typer.Option(help="Folder of images: train for real too.")] = None,
    option: Option = None,
    against: Annotated[str, typer.Option(help="What stands for the truth; default: TASK@live, if --data.")] = "",
    strategies: Annotated[str, typer.Option(help="With commas between; default: the seven.")] = "",
    seeds: Annotated[int, typer.Option(min=2, help="Searches of each strategy in each source.")] = 10,
    gpu_hours: Annotated[float | None, typer.Option(help="Budget of a search; default: about 25 trials.")] = None,
    member_seeds: Annotated[int, typer.Option(min=0, help="Searches of each single member; 0: none.")] = 5,
    live_seeds: Annotated[int, typer.Option(min=0, help="Live searches of each strategy; 0: none.")] = 3,
    live_trials: Annotated[int, typer.Option(min=1, help="Trials of a live search.")] = 6,
    incumbents: Annotated[int, typer.Option(min=1, help="Of each strategy, trained again live.")] = 2,
    controls: Annotated[int, typer.Option(min=0, help="Random configurations trained beside them.")] = 10,
    repeats: Annotated[int, typer.Option(min=1, help="Trainings of each of these.")] = 3,
    jobs: Annotated[int | None, typer.Option(min=1, help="Processes; default: one a core, or a GPU.")] = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="The result; its runs are kept beside.")] = Path(
        "parity.json"
    ),
    as_json: Json = False,
) -> None:
    """Say whether strategies rank the same on a table, on its surrogate and live. Resumable."""
    from hemobench.benchmarks.parity import searches as comparisons
    from hemobench.benchmarks.parity.setup import check
    from hemobench.benchmarks.storage.files import write_whole
    from hemobench.reports.parity.rankings import as_data
    from hemobench.reports.parity.text import in_words

    sys.path.append(os.getcwd())  # for strategies of the user's own
    setup = asked_of(benchmark, table, surrogate)
    recorded, fitted = check(setup)
    setup = with_truth(setup, recorded, against, data, settings_of(option or []))
    named = [part.strip() for part in strategies.split(",") if part.strip()]
    extent = Extent(
        strategies=comparisons.able(setup.task, named),
        seeds=seeds,
        members=fitted.members if member_seeds else 0,
        member_seeds=member_seeds,
        live_seeds=live_seeds,
        live_trials=live_trials,
        incumbents=incumbents,
        controls=controls,
        repeats=repeats,
    )
    try:
        result = carried_out(setup, recorded, gpu_hours, extent, out.with_name(f"{out.name}.runs"), jobs)
    except KeyboardInterrupt:
        sys.stderr.write("\nhemobench: interrupted; the same command goes on from here\n")
        raise typer.Exit(130) from None
    found = {**as_data(result), "words": in_words(result)}
    write_whole(out, found)
    if as_json:
        print_json(found)
    else:
        render(result)
        sys.stdout.write(f"{out}\n")


@dataclass(frozen=True, slots=True)
class Extent:
    """How much is run; see the options of `parity`."""

    strategies: tuple[str, ...]
    seeds: int
    members: int
    member_seeds: int
    live_seeds: int
    live_trials: int
    incumbents: int
    controls: int
    repeats: int


def carried_out(
    setup: ParitySetup, table: Table, gpu_hours: float | None, extent: Extent, folder: Path, jobs: int | None
) -> Parity:
    """Run what is not there yet, and conclude."""
    from hemobench.benchmarks.parity import retraining as trainings
    from hemobench.benchmarks.parity.searches import search, search_budget
    from hemobench.benchmarks.parity.setup import LIVE, MEMBER, POOL, SURROGATE, TABLE
    from hemobench.reports.parity.calibration import calibration

    comparison, names, many = search_budget(table, gpu_hours), extent.strategies, jobs or os.cpu_count() or 1
    live = retraining = None
    with progress() as bar:
        single = {f"{MEMBER}{k}": extent.member_seeds for k in range(extent.members)}
        wanted = {**dict.fromkeys((TABLE, POOL, SURROGATE), extent.seeds), **single}
        cached = search(setup, comparison, names, wanted, folder, jobs=many, told=bar("searches"))
        if setup.live is not None:
            many = jobs or devices(setup.live.benchmark)
            chosen = trainings.candidates(cached, setup.task, extent.incumbents, extent.controls)
            told = bar("live trainings")
            retraining = calibration(trainings.retrained(setup, chosen, extent.repeats, folder, jobs=many, told=told))
        if setup.live is not None and extent.live_seeds:
            wanted = dict.fromkeys((LIVE, TABLE, SURROGATE), extent.live_seeds)
            short = search_budget(table, None, extent.live_trials)
            live = search(setup, short, names, wanted, folder, jobs=many, told=bar("live searches"))
    return concluded(setup, table, cached, live, retraining)


def asked_of(benchmark: str, table: Path | None, surrogate: Path | None) -> ParitySetup:
    """The benchmark with its files: those given, or those that come with it.

    Raises:
        BenchmarkError: If there are none.
    """
    from hemobench.benchmarks.benchmark import load_benchmark
    from hemobench.benchmarks.parity.setup import ParitySetup
    from hemobench.benchmarks.recorded import artefacts

    task = load_benchmark(benchmark).task.name
    if table is None or surrogate is None:
        mend = "give --table FILE and --surrogate FILE"
        if table is not None or surrogate is not None or not benchmark.endswith("@recorded"):
            raise BenchmarkError(f"{benchmark}: a table and the surrogate fitted to it are compared", mend)
        own = artefacts(task)
        table, surrogate = own.table, own.surrogate
    return ParitySetup(benchmark, str(table), str(surrogate))


def with_truth(
    setup: ParitySetup, table: Table, against: str, data: Path | None, settings: dict[str, Any]
) -> ParitySetup:
    """The same with what trains for real, if something does."""
    from dataclasses import replace

    from hemobench.benchmarks.benchmark import load_benchmark
    from hemobench.benchmarks.parity.setup import trainer

    if not against and data is None:
        if settings:
            raise BenchmarkError("--option without --data", "give the folder of images with --data DIR")
        return setup
    name = against or f"{setup.task.name}@live"
    found = load_benchmark(name)
    if found.task.name != setup.task.name:
        raise BenchmarkError(f"--against {name} is of another task", f"name one of {setup.task.name}")
    if found.live and (data is None or not data.is_dir()):
        raise BenchmarkError(f"{data or name}: no folder of images", "give it with --data DIR")
    return replace(setup, live=trainer(table, name, {**settings, **({"data": str(data)} if found.live else {})}))


def devices(benchmark: str) -> int:
    """How many trainings go on side by side: one a GPU where there are any."""
    from hemobench.benchmarks.benchmark import load_benchmark

    if not load_benchmark(benchmark).live:
        return os.cpu_count() or 1
    try:
        from hemobench.benchmarks.training import devices as known
    except ImportError as problem:
        raise BenchmarkError(f"training needs torch: {problem}", "pip install 'hemobench[train]'") from None
    return int(known.count())


@contextmanager
def progress() -> Iterator[Callable[[str], Told]]:
    """A progress bar; called with what is done next it gives whom to tell of it."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console(stderr=True), transient=True) as bar:

        def begin(what: str) -> Told:
            task = bar.add_task(what, total=None)
            return lambda done, of: bar.update(task, completed=done, total=of)

        yield begin


def concluded(
    setup: ParitySetup, table: Table, cached: Searches, live: Searches | None, retraining: Retraining | None
) -> Parity:
    """All that was found."""
    from hemobench.benchmarks.benchmark import load_benchmark
    from hemobench.benchmarks.parity.setup import checksum
    from hemobench.reports.parity.rankings import Parity, compare_sources
    from hemobench.reports.parity.text import notes

    return Parity(
        benchmark=setup.benchmark,
        version=load_benchmark(setup.benchmark).version,
        table=checksum(Path(setup.table)),
        surrogate=checksum(Path(setup.surrogate)),
        recorded=dict(table.header.source),
        cached=compare_sources(cached),
        live=compare_sources(live) if live else None,
        retraining=retraining,
        notes=notes(table, cached, live, retraining),
    )


def render(parity: Parity) -> None:
    """Print the rankings, what was trained again, and the conclusions in words."""
    from rich.text import Text

    from hemobench.reports.parity.text import in_words

    screen = console()
    trials = parity.cached.horizon
    screen.print(rankings(parity.cached, f"{parity.benchmark}, searches of about {trials} trials: score in points"))
    if parity.live is not None:
        screen.print(rankings(parity.live, f"live, searches of {parity.live.max_trials} trials: score in points"))
    if parity.retraining is not None:
        screen.print(trainings_table(parity.retraining))
    for line in in_words(parity):
        screen.print(Text(line), soft_wrap=True)
    for note in parity.notes:
        screen.print(Text(f"- {note}"), soft_wrap=True)


def rankings(compared: SourceComparison, title: str) -> Screen:
    """Strategies by sources: rank, mean score with its interval, probability of being the best."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    screen = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD)
    screen.add_column("strategy")
    for ranking in compared.rankings:
        screen.add_column(ranking.source)
    shown: dict[str, list[str]] = {one.strategy: [] for one in compared.rankings[0].standings}
    for ranking in compared.rankings:
        for rank, one in enumerate(ranking.standings, start=1):
            shown[one.strategy].append(f"{rank}. {score(one.loss)}, best {100 * one.best:.0f} %")
    for name, cells in shown.items():
        screen.add_row(Text(name), *map(Text, cells))
    return screen


def score(loss: Span) -> str:
    """A loss as the score's points, 100 * (1 - loss)."""
    value = f"{100 * (1 - loss.value):.2f}"
    if loss.low is None or loss.high is None:
        return value
    return f"{value} [{100 * (1 - loss.high):.2f}, {100 * (1 - loss.low):.2f}]"


def trainings_table(found: Retraining) -> Screen:
    """Each configuration that was trained again: seen, predicted and live, of validation and test."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    screen = Table(title=f"trained again, {found.repeats} times each: %", title_justify="left", box=box.SIMPLE_HEAD)
    for column in ("found by", "metric", "seen", "predicted [90 %]", "live", "live - predicted", "inside"):
        screen.add_column(column, justify="left" if column in ("found by", "metric") else "right")
    for check in found.checks:
        who = f"{check.strategy} {check.seed}" if check.strategy else f"{check.group} {check.seed}"
        for name, one in check.figures.items():
            if name != "score":
                screen.add_row(Text(who), name, *cells(one))
    return screen


def cells(one: Figure) -> tuple[str, ...]:
    """A figure's columns, in percent."""
    live = f"{100 * sum(one.live) / len(one.live):.2f}" if one.live else "failed"
    return (
        "–" if one.seen is None else f"{100 * one.seen:.2f}",
        f"{100 * one.predicted:.2f} [{100 * one.low:.2f}, {100 * one.high:.2f}]",
        live,
        "–" if one.difference is None else f"{100 * one.difference:+.2f}",
        f"{one.inside} of {len(one.live)}",
    )
