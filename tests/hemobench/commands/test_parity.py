"""`hemobench parity`, on a table recorded from a published surface that stands for live training."""

from __future__ import annotations

import json

import pytest
import typer
from typer.testing import CliRunner

from hemobench.benchmarks.recording.design import Design
from hemobench.benchmarks.recording.recording import record
from hemobench.benchmarks.recording.source import Source
from hemobench.benchmarks.surrogates.fit import fit
from hemobench.benchmarks.surrogates.network import Training
from hemobench.benchmarks.surrogates.store import save
from hemobench.commands.parity import parity
from hemobench.errors import BenchmarkError

APP = typer.Typer()
APP.command()(parity)
FEW = (
    *("--against", "c-nmc@published", "--strategies", "random,sssr,manual", "--seeds", 2, "--gpu-hours", 2),
    *("--member-seeds", 1, "--live-seeds", 2, "--live-trials", 5, "--incumbents", 1, "--controls", 2),
    *("--repeats", 2, "--live-repeats", 3, "--jobs", 1),
)


def invoke(*arguments):
    done = CliRunner().invoke(APP, [str(argument) for argument in arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("parity")
    design = Design(sobol=100, random=0, strategies=(), repeats=10, repeat_seeds=3, epochs=(10,))
    table = record(Source("c-nmc@published"), design, folder / "c-nmc.parquet")
    save(fit(table, how=Training(steps=300)), folder / "c-nmc.npz")
    return ("--table", folder / "c-nmc.parquet", "--surrogate", folder / "c-nmc.npz")


@pytest.fixture(scope="module")
def done(files, tmp_path_factory):
    out = tmp_path_factory.mktemp("out") / "parity.json"
    return out, invoke("c-nmc@surrogate", *files, *FEW, "-o", out)


def test_it_prints_rankings_trainings_and_conclusions(done):
    printed = done[1]
    for said in ("table and surrogate: Kendall's tau", "live and table", "members of the ensemble, 5 x 1 seeds"):
        assert said in printed
    for strategy in ("random", "sssr", "manual", "control 0"):
        assert strategy in printed
    assert "The live comparison has fewer than 5 seeds" in printed
    assert "by what incumbents are worth" in printed
    assert "trained again 3 times each; on the surrogate, without noise" in printed
    assert "what random tried live, test: " in printed
    assert "points apart on live" in printed
    assert "incumbents, score" not in printed  # it is the validation accuracy
    assert str(done[0]) in printed.replace("\n", "")


def test_the_file_is_plain_data_with_a_schema_version(done):
    found = json.loads(done[0].read_text())
    assert found["schema"] == 1
    assert [one["source"] for one in found["cached"]["rankings"]] == ["table", "pool", "surrogate"]
    assert [one["source"] for one in found["live"]["rankings"]] == ["live", "table", "surrogate"]
    assert len(found["cached"]["agreements"]) == 3
    assert len(found["retraining"]["checks"]) == 3 + 2
    assert all(len(one["figures"]["test"]["live"]) == 2 for one in found["retraining"]["checks"])
    assert found["live"]["max_trials"] == 5
    assert len(found["table"]) == 64
    assert set(found["foreseen"]) == {"random", "sssr", "manual"}
    assert found["foreseen"]["random"]["validation"]["calibration"]["trainings"] == 10
    assert found["live_repeats"] == 3
    assert "/" not in json.dumps(found["recorded"])


def test_again_it_is_there_at_once_and_the_same(done, files):
    runs = {path: path.stat().st_mtime_ns for path in done[0].with_name("parity.json.runs").rglob("seed-*.json")}
    before = done[0].read_bytes()
    printed = invoke("c-nmc@surrogate", *files, *FEW, "-o", done[0], "--json")
    assert json.loads(printed) == json.loads(before)
    assert done[0].read_bytes() == before
    assert {path: path.stat().st_mtime_ns for path in runs} == runs


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["c-nmc@nothing"], "no benchmark 'c-nmc@nothing'"),
        (["c-nmc@published"], "give --table FILE"),
        (["bone-marrow@surrogate", "FILES"], "is of the task c-nmc"),
        (["c-nmc@surrogate", "--table", "nowhere.parquet", "--surrogate", "nowhere.npz"], "nowhere.parquet"),
        (["c-nmc@surrogate", "FILES", "--data", "nowhere"], "nowhere: no folder of images"),
        (["c-nmc@surrogate", "FILES", "--option", "image_size=64"], "--option without --data"),
        (["c-nmc@surrogate", "FILES", "--against", "bone-marrow@published"], "another task"),
        (["c-nmc@surrogate", "FILES", "--strategies", "random,rendom"], "no strategy 'rendom'"),
        (["c-nmc@surrogate", "FILES", "--gpu-hours", "-3"], "-3.0 GPU-hours"),
    ],
)
def test_bad_input_is_said_before_anything_runs(files, tmp_path, arguments, says):
    given = [part for argument in arguments for part in (files if argument == "FILES" else [argument])]
    given += ["-o", tmp_path / "parity.json"]
    with pytest.raises(BenchmarkError, match=says):
        CliRunner().invoke(APP, [str(part) for part in given], catch_exceptions=False)
    assert not list(tmp_path.iterdir())
