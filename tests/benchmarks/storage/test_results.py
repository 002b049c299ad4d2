"""Many runs as two tables."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path

import pytest

from hemobench.benchmarks.execution.execute import execute
from hemobench.benchmarks.execution.plan import plans
from hemobench.benchmarks.storage.archive_writer import write_archive
from hemobench.benchmarks.storage.load import load_results
from hemobench.benchmarks.storage.run_folder import END, RUN, TRIALS, find_runs, read_trials
from hemobench.benchmarks.storage.trial_tables import flatten
from hemobench.benchmarks.suite import load_suite, narrowed
from hemobench.errors import BenchmarkError

SUITE = Path(__file__).parents[2] / "published.toml"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    out = tmp_path_factory.mktemp("results")
    chosen = narrowed(load_suite(str(SUITE)), strategies=["random", "sssr"], seeds=2)
    for plan in plans(chosen):
        execute(plan, out, "test")
    return out


@pytest.fixture
def copy(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "copy")
    return tmp_path / "copy"


def test_tables_hold_what_the_files_hold(folder):
    results = load_results(folder)
    assert len(results.runs) == 2 * 2 * 2
    assert set(results.runs["status"]) <= {"budget-spent", "strategy-done"}
    for run, row in results.runs.iterrows():
        mine = results.trials[results.trials["run"] == run]
        files = read_trials(folder.joinpath(row["folder"]) / TRIALS)
        assert mine["number"].tolist() == [record.number for record in files]
        assert mine["loss"].dropna().tolist() == [r.loss for r in files if r.loss is not None]
        assert mine["cost.gpu_seconds"].tolist() == [record.cost.gpu_seconds for record in files]
        metric = "accuracy" if row["benchmark"].startswith("c-nmc") else "micro_f1"
        assert mine[f"validation.{metric}"].dropna().tolist() == [
            r.validation[metric] for r in files if r.validation
        ]  # fmt: skip
        ledger = sum(
            row[f"ledger.{account}"] for account in ("train", "evaluation", "failed", "cut", "idle", "unspent")
        )
        assert ledger == pytest.approx(row["gpu_hours"] * 3600)


def test_tables_hold_the_truth_beside_what_was_seen(folder, tmp_path):
    """The same from the folder, read by Arrow and line by line, and from its archive."""
    results = load_results(folder)
    write_archive(results, tmp_path / "archive.parquet")
    for read in (results, load_results(tmp_path / "archive.parquet")):
        for run, row in results.runs.iterrows():
            mine = read.trials[read.trials["run"] == run]
            truths = [record.truth for record in read_trials(Path(row["folder"]) / TRIALS)]
            expected = [math.nan if truth is None else truth.loss for truth in truths]
            assert mine["truth.loss"].tolist() == pytest.approx(expected, nan_ok=True)
            metric = "accuracy" if row["benchmark"].startswith("c-nmc") else "micro_f1"
            for side in ("validation", "test"):
                known = [math.nan if t is None else getattr(t, side).get(metric, math.nan) for t in truths]
                assert mine[f"truth.{side}.{metric}"].tolist() == pytest.approx(known, nan_ok=True)
    columns = flatten(json.loads((Path(results.runs["folder"][0]) / TRIALS).read_text().splitlines()[0]))
    assert {name for name in columns if name.startswith("truth.")} <= set(results.trials.columns)
    assert "truth" not in results.trials.columns


def test_an_unfinished_run_and_a_half_line_are_read_as_they_are(copy):
    first = next(find_runs(copy))
    (first / END).unlink()
    with open(first / TRIALS, "ab") as file:
        file.write(b'{"number": 99, "sta')
    results = load_results(copy)
    assert results.runs["status"].iloc[0] == "unfinished"
    assert 99 not in set(results.trials["number"])


def test_the_same_run_twice_is_refused(copy):
    first = next(find_runs(copy))
    shutil.copytree(first, copy / "again")
    with pytest.raises(BenchmarkError, match="hold the same run"):
        load_results(copy)


def test_runs_on_different_data_are_not_compared(copy):
    first = next(find_runs(copy))
    header = json.loads((first / RUN).read_text())
    header["source"]["sha256"] = "of other data"
    (first / RUN).write_text(json.dumps(header))
    with pytest.raises(BenchmarkError, match="cannot be compared: sha256 is"):
        load_results(copy)


def test_nothing_there_says_what_to_do(tmp_path):
    for place in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(BenchmarkError, match="hemobench run quick"):
            load_results(place)


@pytest.mark.parametrize("line", [b"{", b"\xff", b"[1]", b"17"])
def test_a_damaged_line_is_named(copy, line):
    first = next(find_runs(copy))
    with open(first / TRIALS, "ab") as file:
        file.write(line + b"\n")
    with pytest.raises(BenchmarkError, match=r"trials\.jsonl, line \d+"):
        load_results(copy)


@pytest.mark.parametrize("line", [b"{}", b'{"number": 3}', b'{"number": 3, "status": "ok", "finished": 1.0}'])
def test_a_line_that_is_no_trial_is_named(copy, line):
    first = next(find_runs(copy))
    with open(first / TRIALS, "ab") as file:
        file.write(line + b"\n")
    with pytest.raises(BenchmarkError, match=r"trials\.jsonl: trial .* lacks"):
        load_results(copy)


def test_a_header_without_its_fields_is_named(copy):
    first = next(find_runs(copy))
    header = json.loads((first / RUN).read_text())
    del header["seed"]
    (first / RUN).write_text(json.dumps(header))
    with pytest.raises(BenchmarkError, match="no 'seed'"):
        load_results(copy)
