"""`hemobench validate`, killed and resumed; and outputs that are tried before anything expensive starts."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from importlib.util import find_spec

import pytest
from typer.testing import CliRunner

from hemobench.cli import app
from hemobench.errors import BenchmarkError


@pytest.fixture(scope="module")
def cells(tmp_path_factory, said):
    folder = tmp_path_factory.mktemp("cells") / "c-nmc"
    done = said("data", "synthesize", "c-nmc", "--out", folder, "--images", 150, "--size", 64)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def cached(tmp_path_factory):
    return {"HEMOBENCH_CACHE": str(tmp_path_factory.mktemp("cache"))}


def test_a_live_suite_runs_resumes_and_is_validated(cells, cached, said, tmp_path):
    pytest.importorskip("torch")
    suite = tmp_path / "tiny.toml"
    suite.write_text(
        'seeds = 1\nstrategies = ["random", "optuna-tpe"]\n[[benchmarks]]\nname = "c-nmc@live"\ngpu_hours = [0.1]\n'
        'max_trials = 2\nsettings = { image_size = 64, weights = "none", images = 60, epochs = 1 }\n'
    )
    run = ("run", suite, "--data", cells, "--out", tmp_path / "out", "--jobs", 1)
    first = said(*run, env=cached)
    assert first.returncode == 0, first.stderr
    journals = sorted((tmp_path / "out").rglob("trials.jsonl"))
    before = [journal.read_text() for journal in journals]
    journals[0].write_text(before[0].splitlines(keepends=True)[0])  # one trial is lost, one is kept
    journals[0].with_name("end.json").unlink()
    assert said(*run, env=cached).returncode == 0
    resumed = journals[0].read_text()
    assert resumed.splitlines()[0] == before[0].splitlines()[0]
    assert [json.loads(line)["validation"] for line in resumed.splitlines()] == [
        json.loads(line)["validation"] for line in before[0].splitlines()
    ]
    validate = ["validate", tmp_path / "out", "--benchmark", "c-nmc@live", "--data", cells, "--epochs", 2]
    validate = [*map(str, validate), "--repeats", "2", "--jobs", "1", "--out", str(tmp_path / "v" / "v.json"), "--json"]
    journal = tmp_path / "out" / "validation" / "c-nmc@live.jsonl"
    kept = killed_after_a_line(validate, journal, cached)
    done = CliRunner(env=cached).invoke(app, validate)
    assert done.exit_code == 0, done.output
    lines = journal.read_bytes().splitlines()
    assert lines[: len(kept)] == kept
    assert len(lines) == len(set(lines)) == 4
    assert all(len(json.loads(line)["curve"]) == 2 for line in lines)  # and not 1, as in the search
    check_repeats(json.loads((tmp_path / "v" / "v.json").read_text()), [json.loads(line) for line in lines])
    again = CliRunner(env=cached).invoke(app, validate)  # all of it is there: nothing is trained
    assert json.loads(again.stdout) == json.loads(done.stdout)
    assert journal.read_bytes().splitlines() == lines


def killed_after_a_line(arguments, journal, env):
    """SIGKILL a command as soon as its journal holds a line; the whole lines it left."""
    command = [sys.executable, "-m", "hemobench", *arguments]
    process = subprocess.Popen(command, env={**os.environ, **env}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until = time.monotonic() + 200
        while time.monotonic() < until and not (journal.exists() and b"\n" in journal.read_bytes()):
            assert process.poll() is None, "it ended before it could be killed"
            time.sleep(0.02)
    finally:
        process.kill()
        process.wait()
    return journal.read_bytes().split(b"\n")[:-1]


def check_repeats(found, trainings):
    """The figures are those of the journal: mean, both deviations, coefficient of variation and interval."""
    assert set(found["test"]) == {"random", "optuna-tpe"}
    for side in ("validation", "test"):
        metrics = found["metrics"][side]
        assert set(metrics) == {"accuracy", "precision", "sensitivity", "recall", "specificity", "macro_f1", "auroc"}
        for metric, strategies in metrics.items():
            measured = sorted(100 * one[side][metric] for one in trainings)
            assert sorted(v for repeats in strategies.values() for v in repeats["values"]) == pytest.approx(measured)
        for repeats in metrics["sensitivity"].values():
            first, second = repeats["values"]
            assert repeats["mean"] == pytest.approx((first + second) / 2)
            assert repeats["std"] == pytest.approx(abs(first - second) / 2**0.5)
            assert repeats["population_std"] == pytest.approx(abs(first - second) / 2)
            assert repeats["high"] - repeats["mean"] == pytest.approx(12.7062047 * abs(first - second) / 2, abs=1e-5)


def test_validate_on_a_published_benchmark(said, tmp_path):
    arguments = ("run", "papers", "--benchmarks", "c-nmc@published", "--strategies", "random,sssr", "--seeds", 1)
    assert said(*arguments, "--out", tmp_path / "out").returncode == 0
    validate = ("validate", tmp_path / "out", "--benchmark", "c-nmc@published")
    done = said(*validate, "--repeats", 5)
    assert done.returncode == 0, done.stderr
    assert "95 % interval" in done.stdout
    assert "Wilcoxon" in done.stdout
    too_long = said(*validate, "--epochs", 40)
    assert too_long.returncode == 2
    assert "10 epochs, not 40" in too_long.stderr
    assert not (tmp_path / "out" / "validation").exists()  # what costs nothing needs no journal
    one, two = (CliRunner().invoke(app, [*map(str, validate), "--json", "--jobs", jobs]) for jobs in "12")
    assert json.loads(one.stdout) == json.loads(two.stdout)


needs_torch = pytest.mark.skipif(find_spec("torch") is None, reason="pretrain needs torch")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("validate", "nowhere", "--benchmark", "c-nmc@live", "--out", "{file}/v.json"), "file/v.json"),
        (("fit", "nowhere.parquet", "--out", "{folder}"), "is a folder"),
        (("record", "c-nmc@published", "--out", "{file}/t.parquet"), "file/t.parquet"),
        pytest.param(
            ("pretrain", "efficientnet_b2", "--data", "nowhere", "-o", "{folder}"), "is a folder", marks=needs_torch
        ),
    ],
)
def test_an_output_is_tried_before_anything_is_read(arguments, says, tmp_path):
    (tmp_path / "file").write_text("")
    places = {"file": tmp_path / "file", "folder": tmp_path}
    found = CliRunner().invoke(app, [part.format(**places) for part in arguments])
    assert isinstance(found.exception, BenchmarkError)
    assert found.exception.exit_code == 2
    assert says in str(found.exception)
