"""What parallelism costs, from run folders to every command that shows a leaderboard."""

from __future__ import annotations

import json
import re

import pytest
from typer.testing import CliRunner

from hemobench.benchmarks.execution.execute import execute
from hemobench.benchmarks.execution.plan import plans
from hemobench.benchmarks.suite import load_suite
from hemobench.cli import app

SUITE = """
seeds = 2
workers = [1, 4]
strategies = ["random", "optuna-tpe"]

[[benchmarks]]
name = "c-nmc@published"
gpu_hours = [4.0]
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("parallel")
    (folder / "suite.toml").write_text(SUITE)
    for plan in plans(load_suite(str(folder / "suite.toml"))):
        execute(plan, folder / "results", "test")
    return folder


def invoke(*arguments):
    done = CliRunner().invoke(app, [str(argument) for argument in arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def test_the_leaderboard_shows_it_after_the_boards(folder):
    shown = invoke("leaderboard", folder / "results")
    boards, _, costs = shown.partition("What parallelism costs: c-nmc@published v1 · 4 GPU-hours")
    assert "4 workers" in boards
    assert re.search(r"^optuna-tpe +4 +[+-]\d+\.\d\d \[", costs, re.MULTILINE)
    assert "waits for" not in costs  # only of strategies that are there
    assert "optuna-tpe: counted as bad" in " ".join(costs.split())


def test_json_and_markdown_and_latex_hold_it(folder):
    rows = json.loads(invoke("leaderboard", folder / "results", "--json"))["parallel"]
    assert [(row["strategy"], row["workers"], row["seeds"]) for row in rows] == [("optuna-tpe", 4, 2), ("random", 4, 2)]
    mean = 100 * rows[0]["loss"]["mean"]
    assert f"| optuna-tpe | 4 | {mean:+.2f}" in invoke("leaderboard", folder / "results", "--markdown")
    invoke("export", folder / "results", "--markdown", folder / "a.md", "--latex", folder / "a.tex")
    assert f"| optuna-tpe | 4 | {mean:+.2f}" in (folder / "a.md").read_text()
    assert f"optuna-tpe & 4 & {mean:+.2f}" in (folder / "a.tex").read_text()
