"""The front door: one short function a command, heavy things imported where they are used."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hemobench import data_commands, training_commands
from hemobench.errors import BenchmarkError
from hemobench.output import Json, console, print_json

if TYPE_CHECKING:
    from hemobench.reports.boards import Board

app = typer.Typer(
    name="hemobench",
    help="Which hyperparameter-optimization strategy should a blood-cell classifier's GPU-hours be spent on?",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(data_commands.app)
app.command()(training_commands.train)
app.command()(training_commands.validate)
RESULTS = Path("results")


@app.command("run")
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
) -> None:
    """Run a suite and print its leaderboard. What is there already is gone on with."""
    from hemobench.benchmarks.narrow import narrowed
    from hemobench.benchmarks.suite import load_suite
    from hemobench.progress import run_with_progress
    from hemobench.reports.tables import render

    chosen = narrowed(
        load_suite(suite),
        benchmarks=_listed(benchmarks),
        strategies=_listed(strategies),
        seeds=seeds,
        gpu_hours=gpu_hours,
        workers=workers,
        data=data,
    )
    folder = out or RESULTS / Path(suite).stem
    try:
        failures = run_with_progress(chosen, suite, folder, jobs)
    except KeyboardInterrupt:
        sys.stderr.write("\nhemobench: interrupted; the same command goes on from here\n")
        raise typer.Exit(130) from None
    render(boards_of(folder), console())
    sys.stdout.write(f"\nresults: {folder}   again: hemobench leaderboard {folder}\n")
    if failures:
        raise typer.Exit(1)


@app.command()
def leaderboard(
    results: Annotated[Path, typer.Argument(help="Folder of the results of a suite.")] = RESULTS,
    as_json: Json = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print Markdown instead of a table.")] = False,
    svg: Annotated[Path | None, typer.Option(help="Also write the table as a picture.")] = None,
) -> None:
    """Show who won, by how much, and how sure that is."""
    from hemobench.reports.boards import as_json as plain
    from hemobench.reports.tables import render, to_markdown, to_svg

    boards = boards_of(results)
    if svg is not None:
        to_svg(boards, svg)
    if as_json:
        print_json(plain(boards))
    elif markdown:
        sys.stdout.write(to_markdown(boards))
    else:
        render(boards, console())


@app.command("list")
def list_known(
    what: Annotated[str, typer.Argument(help="strategies, benchmarks or suites.")] = "strategies",
    as_json: Json = False,
) -> None:
    """List what there is to run."""
    from hemobench.listing import LISTINGS, render

    if what not in LISTINGS:
        raise BenchmarkError(f"cannot list '{what}'", f"choose one of: {', '.join(LISTINGS)}")
    rows = LISTINGS[what]()
    if as_json:
        print_json({what: rows})
    else:
        render(rows, what)


@app.command()
def card(
    benchmark: Annotated[str, typer.Argument(help="As in c-nmc@published.")],
    as_json: Json = False,
) -> None:
    """Say what a benchmark's answers rest on, and how far to trust them."""
    from hemobench.benchmarks.benchmark import load_benchmark
    from hemobench.listing import render_card

    found = load_benchmark(benchmark).card()
    if as_json:
        print_json(found)
    else:
        render_card(benchmark, found)


def boards_of(results: Path) -> list[Board]:
    """The leaderboard of a folder of results."""
    from hemobench.benchmarks.benchmark import load_benchmark
    from hemobench.benchmarks.results import load_results
    from hemobench.reports.leaderboard import leaderboard
    from hemobench.strategies import STRATEGIES

    startup = {name: entry.startup for name, entry in STRATEGIES.items()}
    return leaderboard(load_results(results), lambda name: load_benchmark(name).reference(), startup=startup)


def _listed(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def main() -> None:
    """The console script: bad input gets its one message and exit code 2."""
    try:
        app()
    except BenchmarkError as problem:
        sys.stderr.write(f"hemobench: {problem}\n")
        sys.exit(problem.exit_code)
