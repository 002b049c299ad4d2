"""The front door: every command, one short function each, is in `hemobench/commands/`."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from hemobench.commands import data, gate, parity, reproduce, results, run, tables, train, validate
from hemobench.commands import list as listing
from hemobench.errors import BenchmarkError

app = typer.Typer(
    name="hemobench",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(asked: bool) -> None:
    if not asked:
        return
    from importlib.metadata import version

    from hemobench.benchmarks.environment import git_state

    commit = git_state()
    at = "" if commit == "none" else f" (commit {commit})"
    sys.stdout.write(f"hemobench {version('hemobench')}{at}\n")
    raise typer.Exit


@app.callback()
def hemobench(
    shown: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_version, help="Show version and commit.")
    ] = False,
) -> None:
    """Which hyperparameter-optimization strategy should a blood-cell classifier's GPU-hours be spent on?"""


app.command("run")(run.run_suite)
app.command("list")(listing.list_known)
for command in (
    listing.card,
    results.leaderboard,
    results.recommend,
    results.report,
    results.papers,
    results.export,
    reproduce.reproduce,
    train.train,
    validate.validate,
    train.pretrain,
    tables.record,
    tables.fit,
    parity.parity,
    gate.baseline,
    gate.gate,
):
    app.command()(command)
for group in (tables.app, data.app):
    app.add_typer(group)


def main() -> None:
    """The console script: bad input gets its one message and exit code 2."""
    try:
        app()
    except BenchmarkError as problem:
        sys.stderr.write(f"hemobench: {problem}\n")
        sys.exit(problem.exit_code)
