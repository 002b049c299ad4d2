"""Archives of folders of any size: what comes out is what stands in the files, whatever the chunks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from performance.growth import grow, keys

from hemobench.benchmarks.benchmark import load_benchmark
from hemobench.benchmarks.storage import archive_reader, archive_writer
from hemobench.benchmarks.storage.archive_reader import read_archive, row_groups
from hemobench.benchmarks.storage.load import load_results
from hemobench.benchmarks.storage.results import Results
from hemobench.benchmarks.storage.run_folder import END, TRIALS, adds_up, encode, find_runs, read_end, read_trials
from hemobench.benchmarks.storage.trial_tables import chunks, flatten, trials_of
from hemobench.errors import BenchmarkError
from hemobench.reports.comparison.comparison import leaderboard_columns, recommendation_columns
from hemobench.reports.export.export import stored_to_parquet, tidy
from hemobench.reports.leaderboard.ranking import leaderboard
from hemobench.reports.recommendation.recommend import recommend

RUNS, COUNT = 72, 6


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """Seventy-two runs on three benchmarks: some unfinished, without trials, half written, or with strange values."""
    root = tmp_path_factory.mktemp("tree")
    grow(root, RUNS, COUNT)
    folders = list(find_runs(root))
    (folders[0] / END).unlink()
    (folders[3] / TRIALS).unlink()
    (folders[4] / TRIALS).write_bytes(b"")
    (folders[-1] / TRIALS).write_bytes(b"")
    with open(folders[7] / TRIALS, "ab") as file:
        file.write(b'{"number": 99, "sta')
    (folders[8] / TRIALS).write_bytes(b'{"number": 99, "sta')
    for place, values in {10: [1, 2], 20: [0.5, 3], 30: ["x", None], 40: [True, "é"], 41: [2**70, 2]}.items():
        change(folders[place], values)
    return root


def change(folder: Path, values: list[Any]) -> None:
    """Give the trials of a run a hyperparameter of these values in turn."""
    lines = [json.loads(line) for line in (folder / TRIALS).read_bytes().splitlines()]
    for place, line in enumerate(lines):
        line["config"]["strange"] = values[place % len(values)]
    (folder / TRIALS).write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines))


def plainly(root: Path) -> list[list[dict[str, Any]]]:
    """The trials of each run, line by line."""
    found = []
    for folder in find_runs(root):
        content = (folder / TRIALS).read_bytes() if (folder / TRIALS).exists() else b""
        found.append([flatten(json.loads(line)) for line in content.split(b"\n")[:-1]])
    return found


def require_same(results: Results, expected: list[list[dict[str, Any]]]) -> None:
    assert len(results.runs) == len(expected)
    assert results.trials["run"].tolist() == [run for run, trials in enumerate(expected) for _ in trials]
    rows = [trial for trials in expected for trial in trials]
    assert set(results.trials.columns) == {"run", *(name for row in rows for name in row)}
    for name in results.trials.columns.drop("run"):
        wanted = [row.get(name) for row in rows]
        found = results.trials[name].tolist()
        assert [pd.isna(value) for value in found] == [value is None for value in wanted], name
        there = [pair for pair in zip(found, wanted, strict=True) if pair[1] is not None]
        assert all(one == other for one, other in there), name
        kinds = {type(value) for _, value in there}
        if len(kinds - {int, float}) or len(kinds) == 1:
            assert all(type(one) is type(other) for one, other in there if type(other) is not int), name


@pytest.mark.parametrize("most", [1, 9_000, 1 << 30])
def test_an_archive_holds_what_the_files_hold(tree, tmp_path, most):
    archive_writer.consolidate(tree, tmp_path / "x.parquet", most)
    require_same(read_archive(tmp_path / "x.parquet"), plainly(tree))
    assert [file.name for file in tmp_path.iterdir()] == ["x.parquet"]


def test_a_folder_reads_the_same(tree, tmp_path):
    results = load_results(tree)
    require_same(results, plainly(tree))
    archive_writer.consolidate(tree, tmp_path / "x.parquet")
    back = read_archive(tmp_path / "x.parquet")
    pd.testing.assert_frame_equal(results.trials, back.trials)
    pd.testing.assert_frame_equal(results.runs.drop(columns="folder"), back.runs.drop(columns="folder"))
    assert results.runs["status"].tolist().count("unfinished") == 1
    archive_writer.write_archive(results, tmp_path / "y.parquet")
    pd.testing.assert_frame_equal(back.trials, read_archive(tmp_path / "y.parquet").trials)


def test_a_value_keeps_its_type_among_others(tree):
    found = load_results(tree).trials["config.strange"].dropna().tolist()
    assert {type(value) for value in found} == {bool, int, float, str}
    assert 2**70 in found


def test_chunks_and_row_groups_do_not_change_the_bytes(tree, tmp_path, monkeypatch):
    monkeypatch.setattr(archive_writer, "GROUP_ROWS", 50)
    for place, most in enumerate((1, 5_000, 1 << 30)):
        archive_writer.consolidate(tree, tmp_path / f"{place}.parquet", most)
    first, *others = [(tmp_path / f"{place}.parquet").read_bytes() for place in range(3)]
    assert all(other == first for other in others)
    _, _, tables = row_groups(tmp_path / "0.parquet")
    assert sum(map(len, tables)) == sum(map(len, plainly(tree)))
    require_same(read_archive(tmp_path / "0.parquet"), plainly(tree))


def test_measured_figures_have_no_dictionary(tree, tmp_path):
    """Few of them are equal, so that one would make a file larger."""
    archive_writer.consolidate(tree, tmp_path / "x.parquet")
    group = pq.ParquetFile(tmp_path / "x.parquet").metadata.row_group(0)
    columns = [group.column(number) for number in range(group.num_columns)]
    with_dictionary = {column.path_in_schema for column in columns if "RLE_DICTIONARY" in column.encodings}
    measured = {column.path_in_schema for column in columns if column.physical_type == "DOUBLE"}
    assert {"loss", "validation.accuracy", "cost.gpu_seconds"} <= measured
    assert not with_dictionary & measured
    assert "status" in with_dictionary


def test_columns_that_are_not_wanted_are_not_read(tree, tmp_path):
    archive_writer.consolidate(tree, tmp_path / "x.parquet")
    for source in (tree, tmp_path / "x.parquet"):
        whole, part = load_results(source), load_results(source, lambda runs: ["test.", "measured.ask_s"])
        assert {name.partition(".")[0] for name in part.trials} == {
            "run", "number", "status", "loss", "finished", "test", "measured",
        }  # fmt: skip
        assert "measured.tell_s" not in part.trials
        pd.testing.assert_frame_equal(part.trials, whole.trials[list(part.trials)])


def test_conclusions_need_no_other_columns(tree):
    def boards(results):
        return leaderboard(
            results,
            lambda name: load_benchmark(name).reference(),
            outside_of=lambda name, configs: load_benchmark(name).outside(configs),
        )

    def answer(results):
        return recommend(results, "c-nmc@published", 2.0, load_benchmark("c-nmc@published").reference())

    assert boards(load_results(tree, leaderboard_columns)) == boards(load_results(tree))
    assert answer(load_results(tree, recommendation_columns)) == answer(load_results(tree))


@pytest.mark.parametrize("of", ["folder", "archive"])
def test_tidy_parquet_of_what_is_stored(tree, tmp_path, monkeypatch, of):
    monkeypatch.setattr(archive_writer, "GROUP_ROWS", 50)
    source = tree
    if of == "archive":
        source = tmp_path / "x.parquet"
        archive_writer.consolidate(tree, source)
    stored_to_parquet(source, tmp_path / "tidy.parquet")
    expected = tidy(load_results(tree))
    expected["config.strange"] = expected["config.strange"].map(str, na_action="ignore").astype("str")
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "tidy.parquet"), expected)


@pytest.mark.parametrize("line", [b"", b'{"number":0}{"number":1}', b'{"number":0,\n"status":"ok"}'])
def test_lines_that_only_look_whole_are_named(tree, tmp_path, line):
    """Arrow takes these for trials."""
    folder = next(find_runs(tree))
    other = tmp_path / "run"
    other.mkdir()
    (other / TRIALS).write_bytes((folder / TRIALS).read_bytes() + line + b"\n")
    with pytest.raises(BenchmarkError, match=rf"trials\.jsonl, line {COUNT + 1}"):
        trials_of(chunks([other])[0])


VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**53), 2**53), st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(["a", "2020-01-01", "1", "", "é", "NaN", '"curve":[1,2],', "}{"]),
)  # fmt: skip
JOURNALS = st.lists(st.lists(st.dictionaries(st.sampled_from("abc"), VALUES), max_size=4), min_size=1, max_size=4)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(journals=JOURNALS, most=st.sampled_from([1, 200, 10_000]))
def test_any_hyperparameters(tmp_path_factory, journals, most):
    root = tmp_path_factory.mktemp("any")
    for seed, configs in enumerate(journals):
        write_run(root / str(seed), seed, configs)
    archive_writer.consolidate(root, root / "x.parquet", most)
    require_same(read_archive(root / "x.parquet"), plainly(root))


def write_run(folder: Path, seed: int, configs: list[dict[str, Any]]) -> None:
    folder.mkdir()
    header = {"schema": 1, "benchmark": "c-nmc@published", "version": 1, "strategy": {"label": "random"},
              "budget": {"gpu_hours": 1.0, "workers": 1}, "seed": seed}  # fmt: skip
    (folder / "run.json").write_text(json.dumps(header))
    lines = [
        {"number": number, "config": config, "status": "cut", "loss": None, "curve": [0.5, 1e-3], "finished": 1.5}
        for number, config in enumerate(configs)
    ]
    (folder / TRIALS).write_text("".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines))


def test_old_archives_stay_readable(tree, tmp_path):
    """Those of before had one row group, and numbers that were floats where a run has no trials."""
    archive_writer.consolidate(tree, tmp_path / "x.parquet")
    table = archive_reader.pq.read_table(tmp_path / "x.parquet")
    place = table.column_names.index("number")
    old = table.set_column(place, "number", table.column("number").cast("double"))
    archive_reader.pq.write_table(old, tmp_path / "old.parquet")
    pd.testing.assert_frame_equal(
        read_archive(tmp_path / "old.parquet").trials, read_archive(tmp_path / "x.parquet").trials
    )


def test_generated_trees_are_what_the_store_writes(tmp_path):
    grow(tmp_path, 12, 9)
    folders = list(find_runs(tmp_path))
    assert {folder.relative_to(tmp_path) for folder in folders} == {key.folder for key in keys(12)}
    for folder in folders:
        records = read_trials(folder / TRIALS)
        assert (folder / TRIALS).read_bytes() == b"".join(map(encode, records))
        assert [record.number for record in records] == list(range(9))
        assert adds_up(read_end(folder), records)
        losses = np.array([record.loss for record in records if record.loss is not None])
        assert ((losses >= 0) & (losses <= 1)).all()
