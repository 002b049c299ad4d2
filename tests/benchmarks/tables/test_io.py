"""Tables come back as they were written, and nothing else comes in."""

from __future__ import annotations

import json
import pickle
import random
import zipfile
from dataclasses import replace

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hemobench.benchmarks.tables import io
from hemobench.benchmarks.tables.check import check_table, describe_table
from hemobench.benchmarks.tables.io import read_table, write_table
from hemobench.benchmarks.tables.merge import merge_tables
from hemobench.benchmarks.tables.schema import SIDE_BY_SIDE, Table
from hemobench.errors import BenchmarkError
from hemobench.strategies.base import Status


@pytest.fixture
def path(tmp_path):
    return tmp_path / "table.parquet"


@pytest.fixture
def written(small, path):
    write_table(small, path)
    return path


def refused(path, match):
    with pytest.raises(BenchmarkError, match=match) as caught:
        read_table(path)
    assert str(path) in str(caught.value)
    (finding,) = check_table(path)
    assert finding.severity == "error"


def arrow_of(path) -> pa.Table:
    return pq.read_table(path)


def test_what_is_written_is_read(small, written):
    assert read_table(written) == small
    assert any(row.status is Status.OK for row in small.rows)
    assert len({len(row.config) for row in small.rows}) > 1  # conditional
    for row in read_table(written).rows:
        for value in row.config.values():
            assert type(value) in (bool, int, float, str)


def test_equal_tables_give_equal_bytes(small, written, tmp_path):
    write_table(small, tmp_path / "again.parquet")
    assert (tmp_path / "again.parquet").read_bytes() == written.read_bytes()
    assert not list(tmp_path.glob("*.partial"))


def test_failed_trainings_keep_what_they_gave(small, path):
    row = small.rows[0]
    half = len(row.epochs) // 2
    failed = replace(
        row,
        status=Status.DIVERGED,
        error="the loss was no longer finite",
        epochs=row.epochs[: half + 1],
        seconds=row.seconds[: half + 1],
        evaluation_seconds=row.evaluation_seconds[: half + 1],
        validation={name: values[:half] for name, values in row.validation.items()},
        test={name: values[:half] for name, values in row.test.items()},
        curve=row.curve[: row.epochs[half]],
    )
    at_once = replace(
        failed, seed=77, epochs=(1,), seconds=(0.5,), evaluation_seconds=(0.0,), validation={}, test={}, curve=()
    )
    table = Table(small.header, (failed, at_once, *small.rows[1:]))
    write_table(table, path)
    assert read_table(path) == table


def test_a_description(small):
    figures = describe_table(small)
    assert figures["rows"] == len(small.rows)
    assert figures["repeated"] == 4
    assert figures["origins"]["repeat"] == 16
    assert figures["header"]["design"]["sobol"] == 24
    assert figures["loss_quantiles"] == sorted(figures["loss_quantiles"])


def test_doubts_are_named(written):
    problems = [finding.problem for finding in check_table(written)]
    assert any("configurations" in problem for problem in problems)
    assert all(finding.severity == "warning" for finding in check_table(written))


@pytest.mark.parametrize("content", [b"", b"PAR1", b"PAR1" * 10, b"a table, honest", b"PAR1" + b"\xff" * 40 + b"PAR1"])
def test_what_is_no_parquet(path, content):
    path.write_bytes(content)
    refused(path, "not a whole|footer")


def test_a_missing_file_and_a_folder(tmp_path):
    refused(tmp_path / "none.parquet", "No such file")
    refused(tmp_path, "directory|not a whole")


def test_a_pickle_renamed(path, tmp_path):
    class Trap:
        def __reduce__(self):
            return (open, (str(tmp_path / "sprung"), "w"))

    path.write_bytes(pickle.dumps(Trap()))
    refused(path, "not a whole Parquet file")
    assert not (tmp_path / "sprung").exists()


def test_a_zip_renamed(path):
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("../../climb", "x")
    refused(path, "not a whole Parquet file")


@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
def test_truncated(written, share):
    content = written.read_bytes()
    written.write_bytes(content[: int(len(content) * share)])
    refused(written, "not a whole")


def test_of_another_program(path):
    pd.DataFrame({"seed": [1, 2], "loss": [0.5, 0.25]}).to_parquet(path)
    refused(path, "not a table of hemobench")


@pytest.mark.parametrize("name", ["../../etc/passwd", "config./etc/passwd", "config.a/b", "validation.", "x" * 5000])
def test_columns_that_no_table_has(written, path, name):
    arrow = arrow_of(written)
    pq.write_table(arrow.append_column(name, pa.array([0.0] * arrow.num_rows)), path)
    refused(path, "a column .*no table has")


def test_a_column_missing_twice_or_of_another_type(written, path):
    arrow = arrow_of(written)
    pq.write_table(arrow.drop_columns(["status"]), path)
    refused(path, "no column 'status'")
    pq.write_table(arrow.set_column(arrow.column_names.index("seed"), "seed", pa.array(["1"] * arrow.num_rows)), path)
    refused(path, "column 'seed' is of type string")


def test_a_newer_schema_and_a_broken_header(written, path):
    arrow = arrow_of(written)
    metadata = dict(arrow.schema.metadata)
    pq.write_table(arrow.replace_schema_metadata({**metadata, b"hemobench.schema": b"2"}), path)
    refused(path, "schema '2'; this hemobench reads 1")
    pq.write_table(arrow.replace_schema_metadata({**metadata, b"hemobench.header": b'{"task": 1}'}), path)
    refused(path, "header: ")
    pq.write_table(arrow.replace_schema_metadata({}), path)
    refused(path, "not a table of hemobench")


def test_data_in_another_file(written, path):
    metadata = pq.read_metadata(written)
    metadata.set_file_path("../../elsewhere.parquet")
    metadata.write_metadata_file(path)
    refused(path, "another file")


def with_lists(arrow: pa.Table, name: str, change) -> pa.Table:
    values = [None if v is None else change(v) for v in arrow.column(name).to_pylist()]
    return arrow.set_column(arrow.column_names.index(name), name, pa.array(values, pa.list_(pa.float64())))


def signed(arrow: pa.Table, path) -> None:
    """As somebody writes it who knows the checksum."""
    metadata = dict(arrow.schema.metadata)
    metadata[b"hemobench.sha256"] = io.digest(arrow, metadata[b"hemobench.header"])
    pq.write_table(arrow.replace_schema_metadata(metadata), path)


def test_a_changed_figure_is_noticed(written, path):
    pq.write_table(with_lists(arrow_of(written), "validation.micro_f1", lambda v: [0.99] * len(v)), path)
    refused(path, "damaged")


@pytest.mark.parametrize(
    ("name", "change", "match"),
    [
        ("validation.micro_f1", lambda v: [float("nan")] * len(v), "no fraction"),
        ("test.micro_f1", lambda v: [1.5] * len(v), "no fraction"),
        ("validation.micro_f1", lambda v: [None] * len(v), "row 0|not supported"),
        ("validation.micro_f1", lambda v: v[:-1], "values for"),
        ("seconds", lambda v: [float("nan")] * len(v), "seconds"),
        ("seconds", lambda v: v[::-1], "seconds"),
        ("seconds", lambda v: [float("inf")] * len(v), "seconds"),
        ("seconds", lambda v: [-x for x in v], "seconds"),
        ("evaluation_seconds", lambda v: [1e12] * len(v), "evaluation_seconds"),
        ("curve", lambda v: v * 50, "curve"),
    ],
)
def test_figures_that_cannot_be(written, path, name, change, match):
    signed(with_lists(arrow_of(written), name, change), path)
    refused(path, match)


def test_configurations_outside_the_space_and_repeated_rows(small, path):
    wrong = replace(small.rows[0], config={**small.rows[0].config, "batch_size": 10_000})
    with pytest.raises(BenchmarkError, match="batch_size"):
        write_table(Table(small.header, (wrong, *small.rows[1:])), path)
    with pytest.raises(BenchmarkError, match="twice"):
        write_table(Table(small.header, (*small.rows, small.rows[3])), path)
    with pytest.raises(BenchmarkError, match="no rows"):
        write_table(Table(small.header, ()), path)
    assert not path.exists()


def test_bombs_are_refused_by_their_footer(written, path, monkeypatch):
    """Zeros compress a thousandfold; what they would grow to stands in the footer."""
    arrow = arrow_of(written)
    bomb = with_lists(arrow, "curve", lambda _: [0.0] * 200_000)
    pq.write_table(bomb, path, compression="zstd", use_dictionary=False)
    assert path.stat().st_size < bomb.nbytes / 50
    monkeypatch.setattr(io, "opened", lambda *_: pytest.fail("was opened"))
    monkeypatch.setattr(io, "LIMITS", replace(io.LIMITS, decompressed_bytes=16 << 20))
    refused(path, "decompressed bytes; a table has at most")
    monkeypatch.setattr(io, "LIMITS", replace(io.LIMITS, values=1 << 20))
    refused(path, "values; a table has at most")
    monkeypatch.setattr(io, "LIMITS", replace(io.LIMITS, rows=10))
    refused(path, "rows; a table has at most")
    monkeypatch.setattr(io, "LIMITS", replace(io.LIMITS, file_bytes=1000))
    refused(path, "bytes; a table has at most 1,000")


def test_one_long_text_many_times(written, path):
    """Stored once, it would be decompressed for every row."""
    arrow = arrow_of(written)
    long = pa.array(["x" * 1_000_000] * arrow.num_rows)
    pq.write_table(arrow.set_column(arrow.column_names.index("error"), "error", long), path)
    assert path.stat().st_size < 300_000
    refused(path, "a text of 1,000,000 characters")


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32 - 1))
def test_damage_is_refused_or_harmless(small, tmp_path, seed):
    path = tmp_path / "damaged.parquet"
    original = tmp_path / "whole.parquet"
    if not original.exists():
        write_table(small, original)
    content, rng = bytearray(original.read_bytes()), random.Random(seed)
    footer = len(content) - 8 - int.from_bytes(content[-8:-4], "little")  # Arrow itself aborts on some of these
    for _ in range(rng.choice([1, 1, 3, 20])):
        content[rng.randrange(rng.choice([0, footer]), len(content))] ^= 1 << rng.randrange(8)
    path.write_bytes(content)
    try:
        read = read_table(path)
    except BenchmarkError:
        return
    assert read.rows == small.rows  # the flip lay in a statistic or a version


def test_merging(small):
    one, two = Table(small.header, small.rows[:20]), Table(small.header, small.rows[15:])
    assert merge_tables([one, two]) == small
    assert merge_tables([small]) == small


def test_what_was_recorded_otherwise_is_not_merged(small):
    other = Table(replace(small.header, device="another"), small.rows)
    with pytest.raises(BenchmarkError, match="device is"):
        merge_tables([small, other])
    row = small.rows[0]
    changed = replace(row, validation={name: tuple(v / 2 for v in values) for name, values in row.validation.items()})
    with pytest.raises(BenchmarkError, match="other metrics"):
        merge_tables([small, Table(small.header, (changed,))], ["a.parquet", "b.parquet"])


def test_trained_side_by_side_the_first_of_two_equal_trainings_counts(small):
    """What shares a device decides the order of sums: the same training ends otherwise."""
    source = {**small.header.source, "recorded": SIDE_BY_SIDE}
    one = Table(replace(small.header, source=source), small.rows)
    row = small.rows[0]
    changed = replace(row, validation={name: tuple(v / 2 for v in values) for name, values in row.validation.items()})
    assert merge_tables([one, Table(one.header, (changed,))]) == one


def test_measured_figures_are_written_without_a_dictionary(small, path):
    """Few of them are equal, so that a dictionary makes a file larger."""
    write_table(small, path)
    group = pq.ParquetFile(path).metadata.row_group(0)
    columns = [group.column(number) for number in range(group.num_columns)]
    encoded = {column.path_in_schema: "RLE_DICTIONARY" in column.encodings for column in columns}
    assert not any(there for name, there in encoded.items() if name.startswith(("validation.", "test.", "curve")))
    assert encoded["origin"]


def test_folds_of_one_split_are_one_recording(small):
    """As C-NMC's rotations are recorded: each says its own fold, and its own constant answer."""

    def part(fold, answer):
        constant = json.dumps({"test": {"accuracy": answer}, "validation": {"accuracy": 0.5}})
        source = {**small.header.source, "split": f"subject, fold {fold}, seed 0", "constant_answer": constant}
        rows = tuple(replace(row, fold=fold) for row in small.rows)
        return Table(replace(small.header, source=source), rows)

    both = merge_tables([part(2, 0.6), part(0, 0.7)])
    assert both.header.source["split"] == "subject, folds 0, 2, seed 0"
    said = json.loads(both.header.source["constant_answer"])
    assert said == {"test": {"accuracy": 0.65}, "validation": {"accuracy": 0.5}}
    assert both.folds == (0, 2)
    three = merge_tables([both, part(1, 0.8)])  # and one more, later
    assert three.header.source["split"] == "subject, folds 0, 1, 2, seed 0"
    assert json.loads(three.header.source["constant_answer"])["test"] == {"accuracy": 0.7}
    assert merge_tables([both, both]) == both
    assert len(both.rows) == 2 * len(small.rows)
    other = replace(both.header, source={**both.header.source, "split": "subject, fold 1, seed 9"})
    with pytest.raises(BenchmarkError, match="b was not recorded like a: split is 'subject, fold, seed 9' there"):
        merge_tables([part(0, 0.6), Table(other, both.rows)], ["a", "b"])
