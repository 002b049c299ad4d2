"""Results as one file: what comes back is what went in, and what is damaged or strange is refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hemobench.benchmarks.execution.execute import execute
from hemobench.benchmarks.execution.plan import plans
from hemobench.benchmarks.storage import archive_reader
from hemobench.benchmarks.storage.archive_reader import read_archive
from hemobench.benchmarks.storage.archive_writer import write_archive
from hemobench.benchmarks.storage.load import load_results
from hemobench.benchmarks.storage.results import Results
from hemobench.benchmarks.storage.run_folder import END, TRIALS, find_runs
from hemobench.benchmarks.suite import load_suite, narrowed
from hemobench.errors import BenchmarkError

SUITE = Path(__file__).parents[2] / "published.toml"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Eight runs, one of them without an end and one without trials."""
    out = tmp_path_factory.mktemp("results")
    chosen = narrowed(load_suite(str(SUITE)), strategies=["random", "sssr"], seeds=2)
    for plan in plans(chosen):
        execute(plan, out, "test")
    unfinished, empty = list(find_runs(out))[:2]
    (unfinished / END).unlink()
    (empty / TRIALS).write_bytes(b"")
    return out


@pytest.fixture(scope="module")
def written(folder, tmp_path_factory):
    path = tmp_path_factory.mktemp("archive") / "results.parquet"
    write_archive(load_results(folder), path)
    return path


def same(one: Results, other: Results) -> None:
    pd.testing.assert_frame_equal(one.runs.drop(columns="folder"), other.runs.drop(columns="folder"))
    pd.testing.assert_frame_equal(one.trials, other.trials, check_dtype=False)


def test_what_comes_back_is_what_went_in(folder, written):
    results = load_results(folder)
    assert (results.runs["status"] == "unfinished").sum() == 1
    assert set(results.runs.index) - set(results.trials["run"])
    same(results, load_results(written))


def test_equal_results_give_equal_bytes_and_no_path_of_this_machine(folder, written, tmp_path):
    shutil.copytree(folder, tmp_path / "elsewhere")
    write_archive(load_results(tmp_path / "elsewhere"), tmp_path / "again.parquet")
    assert (tmp_path / "again.parquet").read_bytes() == written.read_bytes()
    text = pq.read_table(written, columns=[archive_reader.FOLDER]).column(0).to_pylist()
    assert not any(value.startswith(("/", "..")) for value in text)


def test_hyperparameters_of_several_types(tmp_path, folder):
    """Two tasks may give one name values of different types."""
    results = load_results(folder)
    strange = [True, 3, 0.25, "three"]
    trials = results.trials.assign(
        **{"config.strange": [strange[i % 4] for i in range(len(results.trials))]},
    ).astype({"config.strange": object})
    write_archive(Results(results.runs, trials), tmp_path / "x.parquet")
    found = read_archive(tmp_path / "x.parquet").trials["config.strange"].tolist()
    assert found == trials["config.strange"].tolist()
    assert list(map(type, found)) == list(map(type, trials["config.strange"]))


def test_no_trials_at_all(tmp_path, folder):
    results = load_results(folder)
    write_archive(Results(results.runs, results.trials.iloc[:0]), tmp_path / "x.parquet")
    back = read_archive(tmp_path / "x.parquet")
    assert len(back.runs) == len(results.runs)
    assert len(back.trials) == 0


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda t: t.replace_schema_metadata({}), "no archive of results"),
        (lambda t: t.replace_schema_metadata({b"hemobench.archive": b"9"}), "schema '9'"),
        (lambda t: t.drop_columns([archive_reader.HEADER]), "no readable archive"),
        (lambda t: text(t, archive_reader.HEADER, "not json"), "no readable archive"),
        (lambda t: text(t, archive_reader.HEADER, json.dumps({"schema": 99})), "of schema"),
        (lambda t: text(t, archive_reader.HEADER, json.dumps({"schema": 1})), "no 'benchmark'"),
        (lambda t: text(t, archive_reader.END, json.dumps({"status": "won"})), "run.end|Input|Field"),
        (lambda t: t.drop_columns(["loss"]), "lacks its number, status, loss"),
    ],
)
def test_what_is_no_archive_is_refused(written, tmp_path, change, match):
    path = tmp_path / "x.parquet"
    pq.write_table(change(pq.read_table(written)), path)
    with pytest.raises(BenchmarkError, match=match):
        load_results(path)


def text(table: pa.Table, name: str, value: str) -> pa.Table:
    column = pa.array([value] * table.num_rows)
    return table.set_column(table.column_names.index(name), name, column)


def test_other_files_are_refused(tmp_path):
    (tmp_path / "x.parquet").write_text("not one")
    with pytest.raises(BenchmarkError, match="not a whole Parquet file"):
        load_results(tmp_path / "x.parquet")
    with pytest.raises(BenchmarkError, match="no runs there"):
        load_results(tmp_path / "missing.parquet")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32 - 1))
def test_damage_is_refused_or_harmless(written, tmp_path, seed):
    rng = np.random.default_rng(seed)
    content = bytearray(written.read_bytes())
    for place in rng.integers(0, len(content), rng.integers(1, 4)):
        content[place] = rng.integers(256)
    path = tmp_path / "damaged.parquet"
    path.write_bytes(content[: rng.integers(1, len(content))] if rng.random() < 0.3 else content)
    said, trials = "", -1
    try:
        trials = len(load_results(path).trials)
    except BenchmarkError as problem:
        said = problem.problem
    assert str(path) in said or trials == len(load_results(written).trials)
