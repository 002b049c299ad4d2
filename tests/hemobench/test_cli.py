"""The front door, used as a person would: as a command of its own."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def results(tmp_path_factory, command):
    out = tmp_path_factory.mktemp("results")
    strategies = "manual,random,sssr,optuna-tpe,hyperopt-tpe"
    done = command("run", "quick", "--out", out, "--seeds", 2, "--strategies", strategies)
    assert done.returncode == 0, done.stderr
    return out, done


def test_run_prints_the_leaderboard_of_all_benchmarks(results):
    _, done = results
    all_of_it = ("c-nmc@recorded", "bone-marrow-lite@recorded", "bone-marrow-head@recorded")
    for word in (*all_of_it, "optuna-tpe", "Overall", "again: hemobench leaderboard"):
        assert word in done.stdout


def test_leaderboard_as_json(results, said):
    done = said("leaderboard", results[0], "--json")
    assert done.returncode == 0
    boards = json.loads(done.stdout)["boards"]
    board = next(found for found in boards if found.get("benchmark") == "c-nmc@recorded")
    assert {row["strategy"] for row in board["rows"]} == {"manual", "random", "sssr", "optuna-tpe", "hyperopt-tpe"}
    assert all(row["gpu_hours_spent"] <= 0.0016 for row in board["rows"])
    assert 65 < board["rows"][0]["validation"]["mean"] < 99


def test_running_again_does_nothing_again(results, said):
    files = [path for path in results[0].rglob("*") if path.is_file()]
    before = {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in files}
    assert any(path.name == "trials.jsonl" for path in files)
    done = said("run", "quick", "--out", results[0], "--seeds", 2, "--strategies", "random,sssr")
    assert done.returncode == 0
    assert {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in files} == before


def test_interrupted_it_says_so_and_can_be_gone_on_with(tmp_path):
    command = [sys.executable, "-m", "hemobench", "run", "quick", "--out", str(tmp_path), "--seeds", "8"]
    command += ["--strategies", "random,skopt-gp"]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # in the background of a shell Ctrl-C is ignored, and a child would inherit that
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    until = time.monotonic() + 200
    while not list(tmp_path.rglob("trials.jsonl")) and time.monotonic() < until:
        time.sleep(0.1)
    while process.poll() is None and time.monotonic() < until + 100:  # as people do: until it ends
        process.send_signal(signal.SIGINT)
        time.sleep(2)
    _, errors = process.communicate(timeout=60)
    assert process.returncode in (130, -signal.SIGINT)  # again while it ends: a shell says 130 of both
    assert "interrupted; kept: " in errors
    assert "Traceback" not in errors


def test_version(command):
    said = command("--version").stdout
    assert re.fullmatch(r"hemobench \d+\.\d+\.\d+( \(commit [0-9a-f]{12}(-dirty)?\))?\n", said)
    cited = (Path(__file__).parents[2] / "CITATION.cff").read_text()
    assert f"version: {said.split()[1]}\n" in cited


def test_recommend_without_options_lists_what_was_run(results, said):
    listed = " ".join(said("recommend", results[0]).stdout.split())
    for line in ("c-nmc@recorded, 0.0016 GPU-hours", "bone-marrow-head@recorded, 0.04 core-hours"):
        assert line in listed
    assert "hemobench recommend --benchmark" in listed
    one = json.loads(said("recommend", results[0], "--benchmark", "c-nmc@recorded", "--json").stdout)
    assert [board["gpu_hours"] for board in one["boards"]] == [0.0016]
    assert one["boards"][0]["answer"]


@pytest.mark.parametrize("what", ["strategies", "benchmarks", "suites"])
def test_list(what, said):
    rows = json.loads(said("list", what, "--json").stdout)[what]
    assert len(rows) >= 3
    table = said("list", what)
    assert table.returncode == 0
    assert rows[0]["name"] in table.stdout


def test_card(said):
    card = json.loads(said("card", "c-nmc@published", "--json").stdout)
    assert any(target["target"] == 88.84 for target in card["targets"])
    assert card["notes"]
    assert "88.84" in said("card", "c-nmc@published").stdout


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["run", "quik"], "did you mean 'quick'"),
        (["run", "nowhere.toml"], "nowhere.toml"),
        (["run", "quick", "--strategies", "optuna"], "no strategy 'optuna'"),
        (["run", "quick", "--benchmarks", "c-nmc@nothing"], "no benchmark"),
        (["run", "quick", "--gpu-hours", "-1"], "--gpu-hours"),
        (["run", "quick", "--seeds", "0"], "--seeds"),
        (["run", "live-c-nmc"], "--data DIR"),
        (["run", "live-c-nmc", "--data", "nowhere"], "nowhere: no such folder"),
        (["leaderboard", "nowhere"], "nowhere"),
        (["run", "quick", "--out", "/dev/null", "--seeds", "1"], "--out /dev/null"),
        (["list", "things"], "strategies, benchmarks, suites"),
        (["card", "c-nmc@live"], "no card"),
        (["card", "c-nmc@table"], "a table of your own recording"),
        (["recommend", "--gpu-hours", "3"], "--gpu-hours without --benchmark"),
        (["recommend", "--benchmark", "c-nmc@nowhere"], "no results on c-nmc@nowhere"),
        (["fly"], "fly"),
    ],
)
def test_bad_input_gets_the_one_message(arguments, says, tmp_path, said):
    done = said(*arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.iterdir())


def test_help_loads_nothing_heavy():
    script = (
        "import sys; from hemobench.cli import app; app(['--help'], standalone_mode=False); print(sorted(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    loaded = set(done.stdout.split("[")[-1].replace("'", "").rstrip("]\n").split(", "))
    assert "typer" in loaded
    assert not loaded & {"numpy", "pandas", "ConfigSpace", "optuna", "smac", "skopt", "hyperopt", "torch", "sklearn"}


def test_it_works_beside_somebody_elses_folders_of_the_same_names(tmp_path, command):
    for name in ("benchmarks", "datasets", "strategies", "reports"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise RuntimeError('not ours')")
    done = command("list", "benchmarks", cwd=tmp_path)
    assert done.returncode == 0, done.stderr


OWN = """
from hemobench.strategies.random_search import RandomSearch

class Mine(RandomSearch):
    pass

class Failing(RandomSearch):
    asked = 0

    def ask(self):
        self.asked += 1
        if self.asked == 5:
            raise ValueError("no [bold]model[/bold] here")
        return super().ask()
"""


def test_somebody_elses_strategy_is_run_ranked_and_shown_when_it_fails(tmp_path, command, said):
    (tmp_path / "mine.py").write_text(OWN)
    arguments = ("--benchmarks", "c-nmc@published", "--strategies", "random,mine:Mine,mine:Failing", "--seeds", 2)
    done = command("run", "papers", *arguments, "--gpu-hours", 4, "--out", tmp_path / "out", cwd=tmp_path)
    assert done.returncode == 1, "it failed in all of its runs"
    errors = done.stderr
    assert errors.count("ValueError: no [bold]model[/bold] here") == 2, "one cause once, and at the end how often"
    assert "mine.Failing: 2 runs failed so: trial 4" in errors
    assert "mine.Failing: failed in all of its runs" in errors
    assert "Traceback" not in errors
    (end,) = (tmp_path / "out").glob("*/mine.Failing/*/seed-0/end.json")
    assert 'File "mine.py", line 13, in ask' in json.loads(end.read_text())["traceback"]
    shown = command(
        "run", "papers", *arguments, "--traceback", "--gpu-hours", 4, "--out", tmp_path / "out", cwd=tmp_path
    )
    assert shown.returncode == 1
    assert shown.stderr.count("Traceback") == 1
    assert 'File "mine.py", line 13, in ask' in shown.stderr
    assert "mine.Failing !" in done.stdout
    assert "2 strategy errors" in done.stdout
    assert "trial 4: ValueError: no [bold]model[/bold] here" in done.stdout
    rows = json.loads(said("leaderboard", tmp_path / "out", "--json").stdout)["boards"][0]["rows"]
    ranks = {row["strategy"]: row["rank"] for row in rows}
    assert ranks == {"random": 1.5, "mine.Mine": 1.5, "mine.Failing": 3.0}


@pytest.fixture(scope="module")
def published(tmp_path_factory, said):
    out = tmp_path_factory.mktemp("published")
    which = ("--benchmarks", "c-nmc@published", "--gpu-hours", 4, "--strategies", "random,sssr,manual,optuna-tpe")
    done = said("run", "papers", "--out", out, "--seeds", 3, *which)
    assert done.returncode == 0, done.stderr
    return out


def test_recommend_report_and_export(published, said, tmp_path):
    folder = published
    asked = ("--benchmark", "c-nmc@published", "--gpu-hours", 4)
    advised = said("recommend", folder, *asked)
    assert advised.stdout.startswith("With 4 GPU-hours on c-nmc@published")
    plain = json.loads(said("recommend", folder, *asked, "--json").stdout)
    assert plain["verdict"]["kind"] in ("best", "any", "unknown")
    assert plain["answer"] in advised.stdout
    claims = said("papers", folder)
    assert claims.returncode == 0, claims.stderr
    assert "figures agree" in claims.stdout
    assert said("report", folder, "-o", tmp_path / "report.html").returncode == 0
    assert "<script" in (tmp_path / "report.html").read_text()
    files = {kind: tmp_path / f"out.{kind}" for kind in ("parquet", "csv", "markdown", "latex")}
    options = [part for kind, path in files.items() for part in (f"--{kind}", path)]
    assert said("export", folder, *options).returncode == 0
    assert all(path.stat().st_size > 500 for path in files.values())
    nothing = said("export", folder)
    assert nothing.returncode == 2
    assert "nothing to export to" in nothing.stderr


def test_an_installed_package_s_strategy_is_listed_and_run_by_its_name(tmp_path, command, said, monkeypatch):
    """What pip leaves of a package that declares an entry point; nothing of ours is edited."""
    (tmp_path / "theirs.py").write_text(OWN)
    about = tmp_path / "theirs-1.2.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: theirs\nVersion: 1.2\n")
    (about / "entry_points.txt").write_text("[hemobench.strategies]\ntheirs = theirs:Mine\nrandom = theirs:Failing\n")
    with monkeypatch.context() as patch:
        patch.syspath_prepend(tmp_path)
        rows = {row["name"]: row for row in json.loads(said("list", "strategies", "--json").stdout)["strategies"]}
    assert rows["theirs"]["about"] == "from the package theirs 1.2"
    assert "uniformly" in rows["random"]["about"]
    arguments = ("--benchmarks", "c-nmc@published", "--strategies", "random,theirs", "--seeds", 2)
    options = ("--gpu-hours", 4, "--out", tmp_path / "out", "--jobs", 1)
    done = command("run", "papers", *arguments, *options, env={"PYTHONPATH": str(tmp_path)})
    assert done.returncode == 0, done.stderr
    assert "theirs" in done.stdout
