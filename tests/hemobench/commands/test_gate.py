"""`hemobench baseline` and `gate` as commands, `assert_not_worse`, and a strategy that lives in another package."""

from __future__ import annotations

import json
import sys
from xml.etree import ElementTree

import pytest
import typer
from typer.testing import CliRunner

from hemobench.commands import gate as gate_commands
from hemobench.errors import BenchmarkError
from hemobench.strategies.base import Proposal
from hemobench.strategies.random_search import RandomSearch
from hemobench.testing import GateInconclusive, assert_not_worse

app = typer.Typer()
app.command()(gate_commands.baseline)
app.command()(gate_commands.gate)


def invoke(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments], catch_exceptions=False)


SUITE = """
seeds = 4
strategies = ["random", "sssr"]
[[benchmarks]]
name = "c-nmc@published"
gpu_hours = [2.0]
"""


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    folder = tmp_path_factory.mktemp("gate")
    (folder / "tiny.toml").write_text(SUITE)
    made = folder / "tiny.json.gz"
    done = invoke(
        "baseline", folder / "tiny.toml", "-o", made, "--seeds-of", "sssr=3", "--jobs", 1, "--out", folder / "runs"
    )
    assert done.exit_code == 0, done.output
    assert "2 arms, 7 runs" in done.stdout
    return made


def test_the_gate_runs_the_baseline_s_own_suite_and_passes_what_is_bit_identical(recorded, tmp_path):
    files = ("--junit", tmp_path / "gate.xml", "--markdown", tmp_path / "gate.md")
    done = invoke("gate", recorded, "--jobs", 1, "--out", tmp_path / "runs", *files, "--json")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert (found["verdict"], len(found["arms"])) == ("pass", 2)
    assert all(arm["identical"] and arm["seeds"] == 3 for arm in found["arms"])
    assert ElementTree.parse(tmp_path / "gate.xml").getroot().get("tests") == "2"
    assert (tmp_path / "gate.md").read_text().startswith("**PASS: 2 pass (2 bit-identical)")
    assert len(list((tmp_path / "runs").rglob("end.json"))) == 6
    again = invoke_error("gate", recorded, "--out", tmp_path / "runs")
    assert "not empty" in again


def invoke_error(*arguments):
    with pytest.raises(BenchmarkError) as caught:
        invoke(*arguments)
    return str(caught.value)


def test_results_that_are_there_are_judged_without_running(recorded):
    done = invoke("gate", recorded, recorded.parent / "runs")
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith("PASS: 2 pass (2 bit-identical)")


def test_bad_input_is_said(recorded, tmp_path):
    suite = recorded.parent / "tiny.toml"
    for arguments, says in (
        (("gate", "nowhere.json"), "no such baseline"),
        (("gate", suite), "tiny.toml"),
        (("gate", recorded, tmp_path), "no runs there"),
        (("gate", recorded, "--strategy", "smac", "--instead-of", "manual"), "no arm 'manual'"),
        (("gate", recorded, "--instead-of", "random"), "--instead-of without --strategy"),
        (("gate", recorded, "--strategy", "no.module:Class"), "no.module"),
        (("baseline", suite, "--margin", -1), "--margin"),
        (("baseline", suite, "--seeds-of", "tpe=3"), "--seeds-of tpe=3"),
        (("baseline", suite, "--benchmarks", "c-nmc@nothing"), "no benchmark"),
        (("baseline", "live-c-nmc"), "no fixed references"),
    ):
        assert says in invoke_error(*arguments)


class Stuck(RandomSearch):
    """Asks for its first point again and again."""

    first: Proposal | None = None

    def ask(self):
        self.first = self.first or super().ask()
        return self.first


def test_assert_not_worse_fails_in_the_gate_s_own_words():
    with pytest.raises(AssertionError) as caught:
        assert_not_worse(Stuck, seeds=16)
    said = str(caught.value)
    assert said.startswith("REGRESS: 1 regress, held against random")
    assert "of its asks repeat an earlier one of the same run" in said


def test_assert_not_worse_passes_what_is_and_warns_of_what_cannot_be_told(recorded):
    assert assert_not_worse("random", than=recorded).verdict == "pass"
    assert assert_not_worse(RandomSearch, seeds=3).arms[0].identical
    with pytest.warns(GateInconclusive, match="too few for a test"):
        assert_not_worse("sssr", seeds=4, trials=5)
    with pytest.raises(AssertionError, match="too few"):
        assert_not_worse("sssr", seeds=4, trials=5, strict=True)


def test_a_class_that_cannot_be_found_by_name_is_refused():
    class Inner(RandomSearch):
        pass

    with pytest.raises(BenchmarkError, match="top of a module"):
        assert_not_worse(Inner)


OWN = """
from hemobench.strategies.random_search import RandomSearch

class Mine(RandomSearch):
    pass

class Failing(RandomSearch):
    def tell(self, trial):
        raise KeyError(trial.number)
"""


def test_a_strategy_of_another_package_is_run_ranked_and_gated(tmp_path, said, monkeypatch):
    (tmp_path / "optimizers").mkdir()
    (tmp_path / "optimizers" / "__init__.py").write_text(OWN)
    (tmp_path / "tiny.toml").write_text(SUITE.replace('"sssr"', '"optimizers:Mine"'))
    monkeypatch.setitem(sys.modules, "optimizers", None)
    del sys.modules["optimizers"]  # and it is forgotten afterwards

    def in_folder(*arguments):
        return said(*arguments, "--jobs", 1, cwd=tmp_path, env={"COLUMNS": "200"})

    ran = in_folder("run", "tiny.toml", "--seeds", 2, "--out", "out")
    assert ran.returncode == 0, ran.stderr
    assert "optimizers.Mine" in ran.stdout
    made = in_folder("baseline", "tiny.toml")
    assert made.returncode == 0, made.stderr
    del sys.modules["optimizers"]
    unnamed = in_folder("gate", "tiny.json.gz")
    assert unnamed.returncode == 2
    assert "--strategy optimizers:Mine" in unnamed.stderr  # a file shall not decide what is imported
    assert "optimizers" not in sys.modules
    same = in_folder("gate", "tiny.json.gz", "--strategy", "optimizers:Mine")
    assert same.returncode == 0, same.stdout + same.stderr
    assert "optimizers.Mine" in same.stdout
    failing = in_folder("gate", "tiny.json.gz", "--strategy", "optimizers:Failing")
    assert failing.returncode == 1, failing.stdout + failing.stderr
    assert "strategy-error, seed 0: told of trial 0: KeyError: 0" in failing.stdout
    assert "optimizers.Failing for random" in failing.stdout
