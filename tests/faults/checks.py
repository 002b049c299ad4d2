"""What must hold after a scenario: the results of an undisturbed suite, and ledgers that add up."""

from __future__ import annotations

import json
from pathlib import Path
from threading import Lock
from typing import Any

from faults.stage import Stage, require, runs, unmeasured
from typer.testing import CliRunner

from hemobench.benchmarks.budget import ACCOUNTS, Budget, microseconds
from hemobench.benchmarks.storage.run_folder import END, RUN
from hemobench.cli import app

_one_at_a_time = Lock()
_boards: dict[Path, Any] = {}
"""The leaderboards of undisturbed results, which are kept for the session."""


def same_results(stage: Stage) -> None:
    """The same run folders, trials, ends and leaderboard; nothing left over."""
    there, here = stage.undisturbed, stage.out
    require(runs(here) == runs(there), f"{len(runs(here))} runs instead of {len(runs(there))}")
    for folder in runs(there):
        require(unmeasured(here / folder) == unmeasured(there / folder), f"{folder}: other trials")
        end = (here / folder / END).read_bytes()
        require(end == (there / folder / END).read_bytes(), f"{folder}: another end")
        ledger_adds_up(here / folder)
    left = [str(path.relative_to(here)) for path in here.rglob("*.partial")]
    require(not left, f"left behind: {left}")
    if there not in _boards:
        _boards[there] = leaderboard(there)
    require(leaderboard(here) == _boards[there], "another leaderboard")


def ledger_adds_up(folder: Path) -> None:
    """The accounts of a run add up to its budget in whole microseconds, and to what its trials took."""
    asked = json.loads((folder / RUN).read_text())["budget"]
    ledger = json.loads((folder / END).read_text())["ledger"]
    spent = {account: microseconds(ledger[account]) for account in ACCOUNTS}
    budget = Budget(asked["gpu_hours"], asked["workers"], asked["max_trials"])
    require(set(ledger) == set(ACCOUNTS), f"{folder}: accounts {sorted(ledger)}")
    require(sum(spent.values()) == budget.workers * budget.end, f"{folder}: the ledger does not add up: {ledger}")
    took = dict.fromkeys(("ok", "cut", "failed"), 0)
    for trial in unmeasured(folder):
        account = trial["status"] if trial["status"] in took else "failed"
        took[account] += microseconds(trial["finished"]) - microseconds(trial["started"])
    require(took["ok"] == spent["train"] + spent["evaluation"], f"{folder}: trained {took}, charged {ledger}")
    require((took["cut"], took["failed"]) == (spent["cut"], spent["failed"]), f"{folder}: {took}, charged {ledger}")


def leaderboard(folder: Path) -> Any:
    """What `hemobench leaderboard --json` says, without what is measured."""
    with _one_at_a_time:
        said = CliRunner().invoke(app, ["leaderboard", str(folder), "--json"], catch_exceptions=False)
    require(said.exit_code == 0, f"leaderboard ends with {said.exit_code}")
    boards = json.loads(said.stdout)["boards"]
    for board in boards:
        for row in board.get("rows", ()):
            row.pop("measured", None)
    return boards
