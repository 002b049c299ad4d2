"""A package of somebody else's is installed, listed, run, ranked and gated, with nothing of ours edited."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

HERE = Path(__file__).parent
CONTRIBUTING = HERE.parents[1] / "CONTRIBUTING.md"
KINDS = ("strategies", "tasks", "datasets", "benchmarks")
INSTALL = (sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-build-isolation", "--no-index", "--target")


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Where pip has put the package."""
    source = tmp_path_factory.mktemp("source") / "package"
    shutil.copytree(HERE, source, ignore=shutil.ignore_patterns("__pycache__", "test_*"))
    site = tmp_path_factory.mktemp("site")
    subprocess.run([*INSTALL, str(site), str(source)], check=True, capture_output=True)
    return site


@pytest.fixture(scope="module")
def python(site):
    """Runs Python where the package is installed."""

    def run(*arguments, cwd=None):
        path = os.pathsep.join(filter(None, [str(site), os.environ.get("PYTHONPATH")]))
        command = [sys.executable, *map(str, arguments)]
        environment = {**os.environ, "PYTHONPATH": path, "COLUMNS": "160"}
        return subprocess.run(command, capture_output=True, text=True, env=environment, cwd=cwd)

    return run


@pytest.fixture(scope="module")
def hemobench(python):
    return lambda *arguments: python("-m", "hemobench", *arguments)


@pytest.fixture
def forgotten():
    """What was imported of the package is forgotten afterwards."""
    yield
    for name in [name for name in sys.modules if name.partition(".")[0] == "smears"]:
        del sys.modules[name]


@pytest.fixture
def at_site(said, site, forgotten, monkeypatch):
    """The command in this process, which finds the package too."""
    monkeypatch.syspath_prepend(site)
    return said


def test_it_is_listed(at_site):
    told = {what: json.loads(at_site("list", what, "--json").stdout)[what] for what in KINDS}
    known = {what: {row["name"]: row for row in rows} for what, rows in told.items()}
    assert known["strategies"]["halton"]["about"] == "from the package smears 0.3"
    assert known["tasks"]["smears"]["data set"] == "smears"
    assert known["datasets"]["smears"]["about"].startswith("Smears in two folders")
    assert {"smears@formula", "smears@table", "smears@surrogate"} <= set(known["benchmarks"])
    assert "smears@live" not in known["benchmarks"]  # the task does not say how it is trained
    assert known["benchmarks"]["smears@formula"]["GPU-hours a trial"] == 0.0667


@pytest.fixture(scope="module")
def results(hemobench, tmp_path_factory):
    out = tmp_path_factory.mktemp("results")
    done = hemobench("run", HERE / "suite.toml", "--out", out, "--jobs", 1)
    assert done.returncode == 0, done.stderr
    return out


def test_it_is_run_and_ranked(at_site, results):
    trials = [json.loads(line) for file in results.rglob("trials.jsonl") for line in file.open()]
    assert len(trials) >= 2 * 3 * 8
    ended = [trial["truth"] for trial in trials if trial["status"] == "ok"]
    assert all(truth["loss"] == round(1 - truth["test"]["accuracy"], 9) for truth in ended)
    told = at_site("leaderboard", results, "--json")
    assert told.returncode == 0, told.stderr
    (board,) = json.loads(told.stdout)["boards"]
    assert {row["strategy"] for row in board["rows"]} == {"random", "halton"}


def test_it_is_gated(at_site, tmp_path):
    """Against a baseline of its own: unchanged, it asks alike."""
    baseline = tmp_path / "smears.json.gz"
    recorded = at_site("baseline", HERE / "suite.toml", "-o", baseline, "--jobs", 1)
    assert recorded.returncode == 0, recorded.stderr
    held = at_site("gate", baseline, "--strategy", "halton", "--jobs", 1)
    assert held.returncode == 0, held.stdout + held.stderr


def test_its_images_are_read_and_verified(at_site, tmp_path):
    for number, name in enumerate(["infected", "sound"] * 3):
        (tmp_path / name).mkdir(exist_ok=True)
        Image.new("RGB", (32, 32), (200, 30 * number, 90)).save(tmp_path / name / f"{number}.png")
    report = at_site("data", "verify", "smears", tmp_path, "--json")
    assert report.returncode == 0, report.stdout + report.stderr
    assert json.loads(report.stdout)["images"] == 6
    drawn = at_site("data", "synthesize", "smears", "--out", tmp_path / "drawn")
    assert drawn.returncode == 2
    assert "nothing is known to draw for the data set 'smears'" in drawn.stderr


def test_it_keeps_the_contracts(python, tmp_path):
    """By the checks that its authors run, as CONTRIBUTING tells them to."""
    shutil.copy(HERE / "smears_contract.py", tmp_path / "test_smears.py")
    done = python("-m", "pytest", "-q", "-p", "no:cacheprovider", tmp_path / "test_smears.py", cwd=tmp_path)
    assert done.returncode == 0, done.stdout
    assert "5 passed" in done.stdout


def test_the_examples_of_contributing_are_these_files():
    """So that what is shown there is what is installed and run here."""
    shown = re.findall(r"^```\w+ title=(\S+)\n(.*?)^```", CONTRIBUTING.read_text(), flags=re.M | re.S)
    assert {name for name, _ in shown} >= {"pyproject.toml", "smears/halton.py", "smears/images.py", "smears/task.py"}
    for name, text in shown:
        if not name.endswith("climber.py"):  # which `test_one_file` runs as they stand
            assert text in (HERE / name).read_text(), name


BROKEN = {
    "nowhere": ('"smears.task:TASK"', '"smears.nothing:TASK"', "No module named 'smears.nothing'"),
    "no task": ('"smears.task:TASK"', '"smears.task:space"', "not a Task named 'smears'"),
    "no benchmark": ('"smears.formula:BENCHMARK"', '"smears.formula:make"', "not a Benchmark named 'smears@formula'"),
}


@pytest.mark.parametrize("way", BROKEN)
def test_a_broken_package_is_named(way, site, said, forgotten, monkeypatch, tmp_path):
    """And breaks nothing that does not ask for it."""
    old, new, says = BROKEN[way]
    shutil.copytree(site, tmp_path / "site")
    (points,) = (tmp_path / "site").glob("smears-*.dist-info/entry_points.txt")
    points.write_text(points.read_text().replace(old.strip('"'), new.strip('"')))
    monkeypatch.syspath_prepend(tmp_path / "site")
    asked = said("run", HERE / "suite.toml", "--out", tmp_path / "out")
    assert asked.returncode == 2
    assert says in asked.stderr
    assert "the package smears 0.3" in asked.stderr
    assert "Traceback" not in asked.stderr
    assert not (tmp_path / "out").exists()
    assert said("card", "c-nmc@published").returncode == 0
