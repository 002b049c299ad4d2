"""An archive answers exactly as its folder does: every command that takes results, on both."""

from __future__ import annotations

import inspect
import json
import sqlite3
from pathlib import Path

import pandas as pd
import pytest

from hemobench.benchmarks.execution.execute import execute
from hemobench.benchmarks.execution.plan import plans
from hemobench.benchmarks.storage.archive_writer import consolidate
from hemobench.benchmarks.storage.load import load_results
from hemobench.benchmarks.storage.run_folder import TRIALS, read_trials
from hemobench.benchmarks.storage.trial_records import trial_records
from hemobench.benchmarks.suite import Suite
from hemobench.benchmarks.tasks import load_task
from hemobench.cli import app
from hemobench.errors import BenchmarkError
from hemobench.reports.gate.baseline import Terms, from_results, save

# Conditions, so that integer columns have gaps; two tasks, so that columns differ; two numbers of workers.
SUITE = Suite(
    seeds=2,
    workers=[1, 4],
    strategies=["random", "optuna-tpe"],
    benchmarks=[
        {"name": "c-nmc@published", "gpu_hours": [2.0]},
        {"name": "bone-marrow-full@published", "gpu_hours": [1500.0]},
    ],
)
COMMANDS = {
    "leaderboard": ["leaderboard", "RESULTS"],
    "leaderboard --json": ["leaderboard", "RESULTS", "--json"],
    "leaderboard --markdown": ["leaderboard", "RESULTS", "--markdown", "--svg", "OUT/board.svg"],
    "recommend": ["recommend", "RESULTS", "--benchmark", "c-nmc@published", "--gpu-hours", "1.5"],
    "recommend --json": ["recommend", "RESULTS", "--benchmark", "c-nmc@published", "--gpu-hours", "2", "--json"],
    "report": ["report", "RESULTS", "--out", "OUT/report.html"],
    "papers": ["papers", "RESULTS", "--json"],
    "validate": ["validate", "RESULTS", "--benchmark", "c-nmc@published", "--json"],
    "validate with conditions": ["validate", "RESULTS", "--benchmark", "bone-marrow-full@published"],
    "validate what is not there": ["validate", "RESULTS", "--benchmark", "bone-marrow@published"],
    "gate": ["gate", "OUT/../baseline.json.gz", "RESULTS", "--json"],
    "export --csv": ["export", "RESULTS", "--csv", "OUT/trials.csv"],
    "export --parquet": ["export", "RESULTS", "--parquet", "OUT/trials.parquet"],
    "export --markdown": ["export", "RESULTS", "--markdown", "OUT/board.md", "--latex", "OUT/board.tex"],
    "export --optuna": ["export", "RESULTS", "--optuna", "sqlite:///OUT/studies.db"],
}
OF_AN_ARCHIVE = {"reproduce"}
"""What takes an archive alone; `test_reproduce` runs it."""
REFUSED = {"export --archive": (["export", "RESULTS", "--archive", "OUT/again.parquet"], "an archive already")}
"""What an archive cannot do, and the words in which it is said."""


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    """A folder with `results/`, its `results.parquet`, and a baseline of it."""
    place = tmp_path_factory.mktemp("place")
    for plan in plans(SUITE):
        execute(plan, place / "results", "small")
    consolidate(place / "results", place / "results.parquet")
    found = from_results(load_results(place / "results"), "small", SUITE, Terms())
    save(found, place / "baseline.json.gz")
    return place


def called(place: Path, arguments: list[str], results: str, capsys) -> tuple[str, dict[str, object]]:
    """What a command prints, and what it writes."""
    out = place / f"out-{results}"
    out.mkdir(exist_ok=True)
    words = [word.replace("RESULTS", str(place / results)).replace("OUT", str(out)) for word in arguments]
    capsys.readouterr()
    try:
        code = app(words, standalone_mode=False)
        said = f"exit code {code or 0}"
    except BenchmarkError as problem:
        said = f"refused: {problem}"
    printed = capsys.readouterr().out + said
    written = {file.name: _content(file) for file in sorted(out.iterdir())}
    return printed.replace(str(out), "OUT").replace(str(place / results), "RESULTS"), written


def _content(file: Path) -> object:
    if file.suffix == ".parquet":
        return pd.read_parquet(file).to_json(double_precision=15)
    if file.suffix == ".db":
        with sqlite3.connect(file) as database:
            tables = ("studies", "trials", "trial_values", "trial_params")
            return [database.execute(f"select count(*) from {table}").fetchall() for table in tables]
    return file.read_bytes()


@pytest.mark.parametrize("name", COMMANDS)
def test_a_folder_and_its_archive_answer_alike(name, place, capsys):
    of_folder = called(place, COMMANDS[name], "results", capsys)
    of_archive = called(place, COMMANDS[name], "results.parquet", capsys)
    assert of_archive == of_folder
    assert ("refused" in of_folder[0]) == ("not there" in name)


@pytest.mark.parametrize("name", REFUSED)
def test_what_an_archive_cannot_do_is_refused_by_name(name, place, capsys):
    arguments, said = REFUSED[name]
    printed, _ = called(place, arguments, "results.parquet", capsys)
    assert "refused: RESULTS" in printed
    assert said in printed


def test_no_command_that_takes_results_is_left_out():
    takes = set()
    for command in app.registered_commands:
        names = inspect.signature(command.callback).parameters
        if "results" in names or "candidate" in names:
            takes.add(command.name or command.callback.__name__)
    assert takes == {arguments[0] for arguments in COMMANDS.values()} | OF_AN_ARCHIVE


def test_the_gate_finds_the_same_runs_identical(place, capsys):
    printed, _ = called(place, COMMANDS["gate"], "results.parquet", capsys)
    judged = json.loads(printed[: printed.rindex("}") + 1])
    assert judged["verdict"] == "pass"
    assert judged["versions_changed"] == []


@pytest.mark.parametrize("source", ["results", "results.parquet"])
def test_records_are_those_of_the_journal(source, place):
    results = load_results(place / source)
    folders = sorted(path.parent for path in (place / "results").rglob(TRIALS))
    assert len(folders) == len(results.runs)
    for run, folder in zip(results.runs.index, folders, strict=True):
        space = load_task(results.header(run)["benchmark"].partition("@")[0]).space()
        written = read_trials(folder / TRIALS)
        for record, wanted in zip(trial_records(results.of([run]), space), written, strict=True):
            for name in ("config", "validation", "test", "measured"):  # repr, since 8 and 8.0 are equal
                assert repr(sorted(getattr(record, name).items())) == repr(sorted(getattr(wanted, name).items())), name
            for name in ("number", "epochs", "resume_from", "status", "loss", "cost", "started", "finished"):
                assert repr(getattr(record, name)) == repr(getattr(wanted, name)), name
