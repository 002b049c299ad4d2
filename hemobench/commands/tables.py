"""`hemobench record`, `fit` and `table …`: answers recorded once, and surrogates that stand in for them."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hemobench.commands.console import Json, console, print_json, try_output
from hemobench.commands.images import notes_of, say_notes
from hemobench.commands.options import Option, listed, numbers, settings_of, trainings_at_once
from hemobench.commands.progress import interruptible, progress
from hemobench.errors import BenchmarkError

if TYPE_CHECKING:
    from hemobench.benchmarks.benchmark import Benchmark
    from hemobench.strategies.base import Config

app = typer.Typer(name="table", help="Look at recorded tables, check and merge them.", no_args_is_help=True)
Table = Annotated[Path, typer.Argument(metavar="TABLE", help="A recorded table, Parquet.")]
Searched = Annotated[str, typer.Option(help="Whose searches to record too, with commas between.")]
Looks = Annotated[
    str, typer.Option(help="Epochs to look after, with commas between; empty: every one up to ten, then fewer.")
]

Together = Annotated[bool, typer.Option("--together", help="On a GPU: train points that are alike side by side.")]
PaceOf = Annotated[
    Path | None,
    typer.Option(metavar="TABLE", help="Side by side: charge the seconds of an earlier recording's device, to merge."),
]
IncumbentsOf = Annotated[
    Path | None,
    typer.Option(metavar="RESULTS", help="Whose: runs of this task, a folder or an archive of results."),
]
Grid = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME=V,V…", help="The only values that points take, so that more are alike; repeatable."),
]


def record(
    benchmark: Annotated[str, typer.Argument(help="What answers, as in c-nmc@live.")],
    out: Annotated[Path, typer.Option(help="The table; with the same command an interrupted recording goes on.")],
    data: Annotated[Path | None, typer.Option(help="Folder of images, for a live benchmark.")] = None,
    sobol: Annotated[int, typer.Option(min=0, help="Space-filling points.")] = 256,
    random: Annotated[int, typer.Option(min=0, help="Uniformly random points.")] = 128,
    strategies: Searched = "optuna-tpe,smac",
    searches: Annotated[int, typer.Option(min=0, help="Searches of each.")] = 2,
    search_trials: Annotated[int, typer.Option(min=0, help="Trials of a search.")] = 60,
    folds: Annotated[str, typer.Option(help="Folds by number, with commas between; empty: as the task has it.")] = "",
    near_best: Annotated[int, typer.Option(min=0, help="Further points near the best of these.")] = 0,
    near_default: Annotated[int, typer.Option(min=0, help="Further points near the task's default.")] = 0,
    corners: Annotated[int, typer.Option(min=0, help="Further points at the ends of ranges.")] = 0,
    incumbents: Annotated[int, typer.Option(min=0, help="Further points: what so many runs ended with.")] = 0,
    incumbents_of: IncumbentsOf = None,
    every_fold: Annotated[int, typer.Option(min=0, help="Configurations trained on every fold.")] = 0,
    best_repeats: Annotated[int, typer.Option(min=0, help="Best ones trained with several seeds.")] = 0,
    random_repeats: Annotated[int, typer.Option(min=0, help="Random ones trained with several seeds.")] = 0,
    repeats: Annotated[int, typer.Option(min=0, help="At equal steps of rank, on the first fold.")] = 30,
    repeat_seeds: Annotated[int, typer.Option(min=1, help="Seeds of these.")] = 5,
    repeat_folds: Annotated[int, typer.Option(min=0, help="Folds of the best and random ones' seeds; 0: all.")] = 0,
    looks: Looks = "",
    scale: Annotated[str, typer.Option(help="What is scaled down, for the table's header.")] = "paper",
    jobs: Annotated[
        int | None, typer.Option(min=1, help="Processes; default: one a GPU where it trains, or else a core.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Decides the design.")] = 0,
    together: Together = False,
    grid: Grid = None,
    pace_of: PaceOf = None,
    option: Option = None,
) -> None:
    """Record a table: a mix of space-filling and random points, searches and repetitions. Resumable."""
    from hemobench.benchmarks.benchmark import load_benchmark
    from hemobench.benchmarks.execution.preflight import require_runnable
    from hemobench.benchmarks.recording.design import Design
    from hemobench.benchmarks.recording.recording import record as carry_out
    from hemobench.benchmarks.recording.source import Source
    from hemobench.benchmarks.tables.schema import ALL_FOLDS

    design = Design(
        sobol=sobol,
        random=random,
        strategies=tuple(listed(strategies)),
        strategy_seeds=searches,
        strategy_trials=search_trials,
        near_best=near_best,
        near_default=near_default,
        corners=corners,
        incumbents=_incumbents(benchmark, incumbents, incumbents_of),
        every_fold=every_fold,
        best_repeats=best_repeats,
        random_repeats=random_repeats,
        repeats=repeats,
        repeat_seeds=repeat_seeds,
        repeat_folds=repeat_folds,
        seed=seed,
        epochs=numbers(looks),
        grid=_grid(grid or []),
        **({"folds": numbers(folds)} if folds else {}),
    )
    try_output(out)
    source = Source(benchmark, _settings(benchmark, data, option or []), scale, together=together)
    found = load_benchmark(benchmark)
    count = _processes(found, jobs, together)
    if found.live:
        require_runnable(source.evaluator(ALL_FOLDS))
    kept = f"every finished training, in {out}.journal"
    with interruptible(kept), progress("trainings", stays=True) as bar:
        table = carry_out(
            source,
            design,
            out,
            jobs=count,
            progress=lambda advance: bar.update(advance.recorded, advance.known),
            pace_of=pace_of,
        )
    sys.stdout.write(f"{out}: {len(table.rows)} trainings; next: hemobench table show {out}, hemobench fit {out}\n")


def _processes(benchmark: Benchmark, asked: int | None, together: bool) -> int:
    """One a GPU where it trains; side by side, costs are reckoned, so that processes may share a GPU."""
    if asked is not None and together:
        return asked
    return trainings_at_once(benchmark, asked) if benchmark.live else asked or os.cpu_count() or 1


def _incumbents(benchmark: str, count: int, results: Path | None) -> tuple[Config, ...]:
    """What runs of the benchmark's task ended with."""
    from hemobench.benchmarks.benchmark import load_benchmark
    from hemobench.benchmarks.recording.incumbents import incumbents
    from hemobench.benchmarks.storage.load import load_results

    if (count > 0) != (results is not None):
        given, missing = ("--incumbents", "--incumbents-of RESULTS") if count else ("--incumbents-of", "--incumbents N")
        raise BenchmarkError(f"{given} without {missing}", "give both, or neither")
    return incumbents(load_results(results), load_benchmark(benchmark).task, count) if results else ()


def _grid(given: list[str]) -> dict[str, tuple[float, ...]]:
    """The values of each hyperparameter that has a grid."""
    found: dict[str, tuple[float, ...]] = {}
    for text in given:
        name, equals, values = text.partition("=")
        try:
            found[name] = tuple(float(value) for value in values.split(","))
        except ValueError:
            equals = ""
        if not equals:
            raise BenchmarkError(f"--grid {text}", "give a name and numbers, as in batch_size=1,2,4,8")
    return found


def _settings(benchmark: str, data: Path | None, options: list[str]) -> dict[str, Any]:
    """Of live training, with the folder of images that it needs."""
    from hemobench.benchmarks.benchmark import load_benchmark

    settings, found = settings_of(options), load_benchmark(benchmark)
    if found.live:
        if data is None:
            raise BenchmarkError(f"{benchmark} trains on real images", "give their folder with --data DIR")
        settings["data"] = str(data)
        say_notes(notes_of(found.task, settings))
    return settings


def fit(
    table: Table,
    out: Annotated[Path, typer.Option("--out", "-o", help="The surrogate, .npz.")],
    seed: Annotated[int, typer.Option(help="The same seed gives the same surrogate.")] = 0,
    trusted: Annotated[
        bool, typer.Option("--card/--no-card", help="Say how far to trust it; --json has the whole trust card.")
    ] = True,
    as_json: Json = False,
) -> None:
    """Fit a surrogate to a table, and say how far to trust it."""
    from hemobench.benchmarks.surrogates.store import save
    from hemobench.benchmarks.surrogates.trust.card import card as trust_card
    from hemobench.benchmarks.surrogates.trust.card import fitted
    from hemobench.benchmarks.tables.io import read_table
    from hemobench.reports.trust_verdict import verdict

    try_output(out)
    with interruptible("nothing", resumes=False), progress("steps", 2) as bar:
        known = fitted(read_table(table), seed=seed)
        save(known.surrogate, out)
        bar.advance("the surrogate is saved; its card is made" if trusted else None)
        card = trust_card(known, seed=seed) if trusted else {}
        bar.advance()
    if as_json:
        print_json({"surrogate": str(out), "card": card})
        return
    sys.stdout.write(f"{out}\n")
    for line in verdict(card, known.surrogate.task.name, out) if card else ():
        sys.stdout.write(f"{line}\n")


@app.command("show")
def show_table(table: Table, as_json: Json = False) -> None:
    """Say what a table holds."""
    from hemobench.benchmarks.tables.check import describe_table
    from hemobench.benchmarks.tables.io import read_table

    found = describe_table(read_table(table))
    if as_json:
        print_json(found)
    else:
        show(found)


@app.command("check")
def check(table: Table, as_json: Json = False) -> None:
    """Say whether a table is sound; exit code 1 if it is not."""
    from dataclasses import asdict

    from hemobench.benchmarks.tables.check import check_table

    findings = check_table(table)
    if as_json:
        print_json({"findings": [asdict(finding) for finding in findings]})
    else:
        for finding in findings:
            sys.stdout.write(f"{finding.severity}: {finding.problem}\n")
        sys.stdout.write("" if findings else "sound\n")
    if any(finding.severity == "error" for finding in findings):
        raise typer.Exit(1)


@app.command("merge")
def merge(
    tables: Annotated[list[Path], typer.Argument(metavar="TABLE…", help="Tables of one source.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The merged table.")],
) -> None:
    """Put the tables of several machines together."""
    from hemobench.benchmarks.tables.io import read_table, write_table
    from hemobench.benchmarks.tables.merge import merge_tables

    parts = [read_table(path) for path in tables]
    merged = merge_tables(parts, [str(path) for path in tables])
    write_table(merged, out)
    again = sum(len(part.rows) for part in parts) - len(merged.rows)
    twice = f"; {again} more were in an earlier table already" if again else ""
    sys.stdout.write(f"{out}: {len(merged.rows)} trainings{twice}\n")


def show(found: Mapping[str, Any]) -> None:
    """Print nested plain data, a figure a line."""
    from rich.text import Text

    for name, value in flat(found):
        console().print(Text(f"{name:<34} {value}"), soft_wrap=True)


def flat(found: Mapping[str, Any], before: str = "") -> list[tuple[str, str]]:
    """Nested names joined by dots; numbers to four significant digits."""
    lines: list[tuple[str, str]] = []
    for name, value in found.items():
        if isinstance(value, Mapping):
            lines += flat(value, f"{before}{name}.")
        elif isinstance(value, float):
            lines.append((before + name, f"{value:.4g}"))
        else:
            lines.append((before + name, "–" if value is None else str(value)))
    return lines
