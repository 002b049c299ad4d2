"""`hemobench record`, `table …` and `fit`, and a suite that runs on what they made."""

from __future__ import annotations

import json
import pickle

import pytest
from typer.testing import CliRunner

from hemobench.benchmarks.execution.execute import execute
from hemobench.benchmarks.execution.plan import plans
from hemobench.benchmarks.storage.load import load_results
from hemobench.benchmarks.suite import load_suite
from hemobench.benchmarks.surrogates.network import Training
from hemobench.cli import app
from hemobench.errors import BenchmarkError

DESIGN = ("--sobol", 60, "--random", 20, "--strategies", "", "--repeats", 5)


def invoke(*arguments):
    done = CliRunner().invoke(app, [str(argument) for argument in arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tables")
    table, surrogate = folder / "c-nmc.parquet", folder / "c-nmc.npz"
    invoke("record", "c-nmc@published", "--out", table, *DESIGN)
    with pytest.MonkeyPatch.context() as patch:  # as chosen, it would take a quarter of a minute
        patch.setattr("hemobench.benchmarks.surrogates.trust.card.chosen", lambda *_: Training(steps=200))
        invoke("fit", table, "-o", surrogate, "--no-card")
    return table, surrogate


def test_show_and_check(made):
    found = json.loads(invoke("table", "show", made[0], "--json"))
    assert found["origins"] == {"sobol": 60, "random": 20, "repeat": 20}
    assert "configurations" in invoke("table", "show", made[0])
    assert invoke("table", "check", made[0]).splitlines()[0] == "warning: only 80 configurations"


def test_recording_again_gives_the_same_table_at_once(made):
    before = made[0].read_bytes()
    invoke("record", "c-nmc@published", "--out", made[0], *DESIGN)
    assert made[0].read_bytes() == before


def test_what_runs_ended_with_is_recorded(tmp_path):
    from hemobench.reports.shipped import OF_SUITES

    alone = ("--sobol", 0, "--random", 0, "--strategies", "", "--repeats", 0)
    found = ("--incumbents", 4, "--incumbents-of", OF_SUITES["full"])
    invoke("record", "c-nmc@published", "--out", tmp_path / "t.parquet", *alone, *found)
    assert json.loads(invoke("table", "show", tmp_path / "t.parquet", "--json"))["origins"] == {"incumbent": 4}


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (("--incumbents", "3"), "--incumbents without --incumbents-of RESULTS"),
        (("--incumbents-of", "runs"), "--incumbents-of without --incumbents N"),
        (("--incumbents", "3", "--incumbents-of", "nowhere"), "nowhere: no runs there"),
    ],
)
def test_incumbents_of_nothing_are_refused_before_anything_is_trained(tmp_path, given, words):
    out = tmp_path / "t.parquet"
    with pytest.raises(BenchmarkError, match=words):
        invoke("record", "c-nmc@published", "--out", out, *given)
    assert not list(tmp_path.iterdir())


def test_merge(made, tmp_path):
    said = invoke("table", "merge", made[0], made[0], "-o", tmp_path / "both.parquet")
    assert said == f"{tmp_path / 'both.parquet'}: 100 trainings; 100 more were in an earlier table already\n"
    assert json.loads(invoke("table", "show", tmp_path / "both.parquet", "--json"))["rows"] == 100


@pytest.mark.parametrize("source", ["table", "surrogate"])
def test_a_suite_runs_on_them(made, tmp_path, source):
    suite = tmp_path / "mine.toml"
    file = made[0] if source == "table" else made[1]
    suite.write_text(
        'seeds = 2\nstrategies = ["random"]\n[[benchmarks]]\n'
        f'name = "c-nmc@{source}"\ngpu_hours = [2.0]\nhorizon = 10\n'
        f'settings = {{ {source} = "{file}" }}\n'
    )
    for plan in plans(load_suite(str(suite))):
        execute(plan, tmp_path / "out", "mine")
    results = load_results(tmp_path / "out")
    assert results.runs["status"].tolist() == ["budget-spent", "budget-spent"]
    assert results.trials["loss"].min() < 0.1


def test_a_pickle_with_another_name_is_refused(tmp_path):
    hostile = tmp_path / "table.parquet"
    hostile.write_bytes(pickle.dumps({"x": 1}))
    for arguments in (["table", "show", str(hostile)], ["fit", str(hostile), "-o", str(tmp_path / "x.npz")]):
        with pytest.raises(BenchmarkError, match=r"table\.parquet"):
            CliRunner().invoke(app, arguments, catch_exceptions=False)
