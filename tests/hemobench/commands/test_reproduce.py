"""Results run again: identical, or the first proposal that is not; what may not be run is refused before."""

from __future__ import annotations

import json
import math
import os
import re
import shutil
import subprocess
import sys

import pytest

from hemobench.benchmarks.execution.execute import execute
from hemobench.benchmarks.execution.plan import plans
from hemobench.benchmarks.storage.archive_writer import consolidate
from hemobench.benchmarks.suite import load_suite
from hemobench.cli import app
from hemobench.errors import BenchmarkError
from hemobench.reports.shipped import shipped_results

SUITE = """
seeds = 2
default_first = true
strategies = [
    "manual", { name = "optuna-tpe", label = "tpe", settings = { startup_trials = 4 } }, "asha",
    { name = "stubborn_of_theirs:Stubborn", label = "stubborn" },
]
[[benchmarks]]
name = "c-nmc@recorded"
gpu_hours = [0.003]
settings = { member = "mean" }
[[benchmarks]]
name = "c-nmc@recorded"
gpu_hours = [0.003]
max_trials = 6
"""
THEIRS = """
from hemobench.strategies.random_search import RandomSearch
class Stubborn(RandomSearch):
    asked = 0
    def ask(self):
        self.asked += 1
        if self.asked == 3:
            raise ValueError("enough")
        return super().ask()
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with an archive of a small suite, and the module of a strategy in it."""
    place = tmp_path_factory.mktemp("place")
    (place / "suite.toml").write_text(SUITE)
    (place / "stubborn_of_theirs.py").write_text(THEIRS)
    sys.path.append(str(place))
    try:
        for plan in plans(load_suite(str(place / "suite.toml"))):
            execute(plan, place / "results", "suite")
    finally:
        sys.path.remove(str(place))
    consolidate(place / "results", place / "results.parquet")
    return place


def test_identical(place, said):
    """Over as many processes as there are cores."""
    done = said("reproduce", "results.parquet", "--strategy", "stubborn_of_theirs:Stubborn", cwd=place)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.match(r"identical: 16 runs, \d\d\d trials", done.stdout)


def test_a_part_as_json(place, said):
    chosen = ("--strategies", "tpe", "--benchmarks", "c-nmc@recorded[member=mean]", "--seeds", 1, "--json")
    done = said("reproduce", "results", *chosen, "--jobs", 1, cwd=place)
    found = json.loads(done.stdout)
    assert (found["identical"], found["runs"], found["differences"]) == (True, 1, [])


def test_the_first_differing_proposal_is_named(place, said):
    """As of another version of Optuna that samples otherwise: here one that draws one candidate fewer."""
    (place / "sitecustomize.py").write_text(
        "import optuna.samplers as s\n"
        "old = s.TPESampler.__init__\n"
        "def new(self, *args, n_ei_candidates=24, **more):\n"
        "    old(self, *args, n_ei_candidates=n_ei_candidates - 1, **more)\n"
        "s.TPESampler.__init__ = new\n"
    )
    chosen = ("--strategies", "tpe,manual", "--benchmarks", "c-nmc@recorded[max_trials=6]")
    done = said("reproduce", "results.parquet", *chosen, "--jobs", 1, cwd=place, env={"PYTHONPATH": str(place)})
    (place / "sitecustomize.py").unlink()
    assert done.returncode == 1, done.stderr
    assert re.search(r"differs: 2 of 4 runs", done.stdout)
    assert "tpe on c-nmc@recorded[max_trials=6], 0.003 GPU-hours, seed 0, trial 4: the proposal was" in done.stdout
    assert "seed 1" not in done.stdout, "one cause once"
    assert "manual" not in done.stdout


def test_an_answer_that_differs_and_versions_are_named(place, said, tmp_path):
    for run in (place / "results").rglob("run.json"):
        copy = tmp_path / "results" / run.parent.relative_to(place / "results")
        copy.mkdir(parents=True)
        header = json.loads(run.read_text())
        header["environment"]["optuna"] = "4.5.0"
        (copy / "run.json").write_text(json.dumps(header))
        (copy / "end.json").write_bytes((run.parent / "end.json").read_bytes())
        lines = [json.loads(line) for line in (run.parent / "trials.jsonl").read_text().splitlines()]
        lines[1]["test"]["accuracy"] = 0.25
        (copy / "trials.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    chosen = ("--strategies", "manual", "--seeds", 1, "--jobs", 1)
    done = said("reproduce", tmp_path / "results", *chosen, cwd=place)
    assert done.returncode == 1, done.stderr
    assert "trial 1: the answer was test {'accuracy': 0.25" in done.stdout
    assert "Other versions than recorded: optuna 4.5.0 -> " in done.stdout


def test_what_differs_in_the_last_digits_alone_is_called_that(place, said, tmp_path):
    """As between two processors: their kernels round otherwise."""
    chosen = "c-nmc@recorded+max_trials=6/tpe/0.003h-1w/seed-0"
    run, copy = place / "results" / chosen, tmp_path / "results" / chosen
    copy.mkdir(parents=True)
    lines = [json.loads(line) for line in (run / "trials.jsonl").read_text().splitlines()]
    lines[5]["config"]["learning_rate"] = math.nextafter(lines[5]["config"]["learning_rate"], 1.0)
    (copy / "trials.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    for name in ("run.json", "end.json"):
        (copy / name).write_bytes((run / name).read_bytes())
    done = said("reproduce", tmp_path / "results", "--jobs", 1, cwd=place)
    assert done.returncode == 1, done.stderr
    assert re.search(r"seed 0, trial 5: the proposal was learning_rate .* \(in the last digits alone\)", done.stdout)


def test_a_suite_whose_results_come_along(place, said):
    done = said("reproduce", "quick", "--strategies", "random", "--seeds", 1, "--jobs", 1, cwd=place)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.match(r"identical: 3 runs, \d+ trials", done.stdout)
    assert "lie here" not in done.stderr


def test_a_folder_of_a_suites_name_is_taken_and_said(place, said, tmp_path):
    shutil.copytree(place / "results", tmp_path / "papers")
    done = said("reproduce", "papers", "--strategies", "manual", "--seeds", 1, "--jobs", 1, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "papers: made again are the results that lie here, not those that come along" in done.stderr


@pytest.mark.parametrize("suite", ["quick", "papers"])
def test_what_comes_along_is_what_the_suite_would_run(suite):
    results = shipped_results(suite)
    there = {results.runs.loc[run, "folder"]: results.header(run) for run in results.runs.index}
    wanted = {str(plan.key.folder): json.loads(json.dumps(plan.header)) for plan in plans(load_suite(suite))}
    assert there.keys() == wanted.keys()
    for folder, header in wanted.items():
        assert {name: there[folder].get(name) for name in header} == header


@pytest.mark.parametrize(
    ("named", "says"),
    [("gate", "no results of the suite 'gate' come along"), ("nowhere", "nowhere: no such file or folder")],
)
def test_where_there_are_no_results(named, says, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    with pytest.raises(BenchmarkError, match=says) as refused:
        app(["reproduce", named], standalone_mode=False)
    assert "full, quick, papers" in refused.value.hint


@pytest.mark.parametrize(
    ("change", "options", "says"),
    [
        ({}, [], "strategies of other packages: stubborn_of_theirs:Stubborn"),
        ({"version": 1}, ["--strategies", "manual"], "are of c-nmc@recorded version 1"),
        ({"source": {"sha256": "0"}}, ["--strategies", "manual"], "rest on something else here: c-nmc@recorded:"),
        ({}, ["--strategies", "nobody"], "--strategies nobody: not among the results"),
        ({}, ["--benchmarks", "c-nmc@published"], "--benchmarks c-nmc@published: not among the results"),
    ],
)
def test_what_cannot_be_reproduced_is_refused_before_a_run(change, options, says, place, tmp_path, monkeypatch):
    for run in (place / "results").rglob("run.json"):
        copy = tmp_path / run.parent.relative_to(place / "results")
        copy.mkdir(parents=True)
        for name in ("end.json", "trials.jsonl"):
            (copy / name).write_bytes((run.parent / name).read_bytes())
        (copy / "run.json").write_text(json.dumps({**json.loads(run.read_text()), **change}))
    monkeypatch.setattr(sys, "path", [*sys.path])
    with pytest.raises(BenchmarkError) as refused:
        app(["reproduce", str(tmp_path), *options], standalone_mode=False)
    assert says in str(refused.value)


def test_a_newer_processor_is_not():
    """OpenBLAS takes the kernels of a processor that has more, and dies in them; then results differ, and are told."""
    from hemobench.benchmarks.environment import numerics
    from hemobench.benchmarks.execution.numerics import PROBE, imitated

    newer = {"simd": numerics()["simd"], "blas": "openblas 0.3.30 SapphireRapids, openblas 0.3.31 SapphireRapids"}
    with imitated(newer):
        done = subprocess.run([sys.executable, "-c", PROBE], capture_output=True, text=True, env=dict(os.environ))
    assert done.returncode == 0, done.stderr


def test_an_older_processor_is_imitated():
    """Numpy's vector extensions and OpenBLAS's kernels, in processes that are started afterwards."""
    from hemobench.benchmarks.environment import numerics
    from hemobench.benchmarks.execution.numerics import imitated, imitation

    here = numerics()
    assert imitation(here) == {}
    assert imitation({}) == {}
    extensions = here["simd"].split()
    if len(extensions) < 2 or "openblas" not in here["blas"]:
        pytest.skip("this processor has no extension to do without")
    older = {"simd": " ".join(extensions[:-1]), "blas": "openblas 0.3.30 Haswell"}
    with imitated(older):
        script = "import json; from hemobench.benchmarks.environment import numerics; print(json.dumps(numerics()))"
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=dict(os.environ))
    found = json.loads(done.stdout)
    assert found["simd"] == older["simd"]
    assert {library.split()[-1] for library in found["blas"].split(", ")} == {"Haswell"}
