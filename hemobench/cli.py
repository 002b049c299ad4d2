"""The front door: one short function a command, heavy things imported where they are used."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from hemobench.commands import data as data_commands
from hemobench.commands import gate as gate_commands
from hemobench.commands import parity as parity_command
from hemobench.commands import pretrain as pretrain_command
from hemobench.commands import results as report_commands
from hemobench.commands import tables as table_commands
from hemobench.commands import train as training_commands
from hemobench.commands.console import Json, print_json
from hemobench.errors import BenchmarkError

app = typer.Typer(
    name="hemobench",
    help="Which hyperparameter-optimization strategy should a blood-cell classifier's GPU-hours be spent on?",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


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
    dask: Annotated[
        str, typer.Option(metavar="WHERE", help="On a Dask cluster: local, slurm, or a scheduler's address.")
    ] = "",
) -> None:
    """Run a suite and print its leaderboard. What is there already is gone on with."""
    from hemobench.benchmarks.suite import load_suite, narrowed
    from hemobench.commands.progress import run_with_progress

    sys.path.append(os.getcwd())  # for strategies of the user's own, after all that is installed
    chosen = narrowed(
        load_suite(suite),
        benchmarks=_listed(benchmarks),
        strategies=_listed(strategies),
        seeds=seeds,
        gpu_hours=gpu_hours,
        workers=workers,
        data=data,
    )
    name = Path(suite).stem
    folder = out or Path("results") / name
    try:
        failures = run_with_progress(chosen, name, folder, jobs, dask)
    except KeyboardInterrupt:
        sys.stderr.write("\nhemobench: interrupted; the same command goes on from here\n")
        raise typer.Exit(130) from None
    report_commands.leaderboard(folder)
    sys.stdout.write(f"\nresults: {folder}   again: hemobench leaderboard {folder}\n")
    if failures:
        raise typer.Exit(1)


@app.command("list")
def list_known(
    what: Annotated[str, typer.Argument(help="strategies, benchmarks or suites.")] = "strategies",
    as_json: Json = False,
) -> None:
    """List what there is to run."""
    from hemobench.commands.list import LISTINGS, render

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
    from hemobench.commands.list import render_card

    found = load_benchmark(benchmark).card()
    if as_json:
        print_json(found)
    else:
        render_card(benchmark, found)


for command in (
    report_commands.leaderboard,
    report_commands.recommend,
    report_commands.report,
    report_commands.papers,
    report_commands.export,
    training_commands.train,
    training_commands.validate,
    pretrain_command.pretrain,
    table_commands.record,
    table_commands.fit,
    parity_command.parity,
    gate_commands.baseline,
    gate_commands.gate,
):
    app.command()(command)
for group in (table_commands.app, data_commands.app):
    app.add_typer(group)


def _listed(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def main() -> None:
    """The console script: bad input gets its one message and exit code 2."""
    try:
        app()
    except BenchmarkError as problem:
        sys.stderr.write(f"hemobench: {problem}\n")
        sys.exit(problem.exit_code)
