"""All runs of a folder as one Parquet file: what reports are made from, without the learning curves.

A row is a trial; what belongs to its run (folder, `run.json`, `end.json`) stands in three columns of text, which
Parquet stores once a run. A run without trials has one row with nothing but these.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray
from pydantic import TypeAdapter, ValidationError

from hemobench.benchmarks.storage.parquet import Limits, judged, opened
from hemobench.benchmarks.storage.records import RunEnd
from hemobench.benchmarks.storage.results import Parts, Results, RunDescription, run_table
from hemobench.benchmarks.storage.run_folder import SCHEMA as RUN_SCHEMA
from hemobench.benchmarks.storage.trial_tables import columns_of, parsed, require_trials
from hemobench.errors import BenchmarkError

SCHEMA = 1
FOLDER, HEADER, END = "run.folder", "run.header", "run.end"
ABOUT_RUNS = [FOLDER, HEADER, END]
MIXED = b"hemobench.mixed"
HINT = "write the archive again from its results, or get it from where it was published"
LIMITS = Limits(
    what="an archive",
    hint=HINT,
    file_bytes=32 << 30,
    decompressed_bytes=256 << 30,
    rows=200_000_000,
    columns=2_000,
    values=40_000_000_000,
)
MANY = 1_000_000
"""Trials from which on a table is kept column by column, which pandas handles slower and without a second copy."""
_ends = TypeAdapter(RunEnd | None)


def read_archive(path: Path, parts: Parts | None = None) -> Results:
    """Read results from an archive, trusting nothing in the file.

    Args:
        path: The file.
        parts: Which columns of trials to read; by default all.

    Raises:
        BenchmarkError: If it is no archive of ours, is damaged, or what it holds cannot be compared.
    """
    mixed = judged_archive(path)
    with _damage_named(path), opened(path, read_dictionary=ABOUT_RUNS) as file:
        codes, runs = _runs(file, path)
        names = columns_of(_trial_columns(file), parts(runs) if parts else None)
        table = file.read(columns=names, use_threads=False).add_column(0, "run", pa.array(codes))
        trials = _trials(table, path, runs)
        del table
        frame = trials.to_pandas(use_threads=False, split_blocks=len(trials) > MANY, self_destruct=True)
        for name in mixed & set(frame.columns):
            frame[name] = parsed(frame[name])
    return Results(runs, frame)


def row_groups(path: Path) -> tuple[pd.DataFrame, list[str], Iterator[pa.Table]]:
    """An archive piece by piece, trusting nothing in the file.

    Returns:
        `Results.runs`; the columns of trials whose values are JSON, since they have several types; and the trials,
        in tables with the columns of `Results.trials`.

    Raises:
        BenchmarkError: As `read_archive`; as to the trials, when they are taken.
    """
    mixed = judged_archive(path)
    with _damage_named(path), opened(path, read_dictionary=ABOUT_RUNS) as file:
        codes, runs = _runs(file, path)
        names = _trial_columns(file)
    return runs, [name for name in names if name in mixed], _groups(path, names, codes, runs)


def _groups(path: Path, names: list[str], codes: NDArray[np.int64], runs: pd.DataFrame) -> Iterator[pa.Table]:
    first = 0
    with _damage_named(path), opened(path) as file:
        for group in range(file.num_row_groups):
            table = file.read_row_group(group, columns=names, use_threads=False)
            mine = pa.array(codes[first : first + len(table)])
            first += len(table)
            yield _trials(table.add_column(0, "run", mine), path, runs)


def _trial_columns(file: pq.ParquetFile) -> list[str]:
    return [name for name in file.schema_arrow.names if name not in ABOUT_RUNS]


@contextmanager
def _damage_named(path: Path) -> Iterator[None]:
    try:
        yield
    except (pa.ArrowException, OSError, ValueError, KeyError, TypeError, AttributeError, MemoryError) as problem:
        raise unreadable(path, problem) from None


def unreadable(path: Path, problem: Exception) -> BenchmarkError:
    """What to say of a damaged archive."""
    first = str(problem).splitlines()[0] if str(problem) else type(problem).__name__
    return BenchmarkError(f"{path}: no readable archive: {first}", HINT)


def judged_archive(path: Path) -> frozenset[str]:
    """Make sure that a file is an archive of ours, by its footer; the names of its columns of JSON.

    Raises:
        BenchmarkError: If it is not.
    """
    footer = judged(path, LIMITS)
    schema = footer.metadata.get(b"hemobench.archive", b"").decode(errors="replace")
    if schema != str(SCHEMA):
        what = f"schema {schema[:20]!r}; this hemobench reads {SCHEMA}" if schema else "no archive of results"
        raise BenchmarkError(f"{path}: {what}", "upgrade hemobench" if schema.isdecimal() else HINT)
    try:
        return frozenset(json.loads(footer.metadata.get(MIXED, b"[]")))
    except (ValueError, TypeError) as problem:
        raise unreadable(path, problem) from None


def _runs(file: pq.ParquetFile, path: Path) -> tuple[NDArray[np.int64], pd.DataFrame]:
    """Each row's run by number, and `Results.runs` in the order of their first rows."""
    numbers: dict[str, int] = {}
    codes = [np.empty(0, np.int64)]

    def descriptions() -> Iterator[RunDescription]:
        for group in range(file.num_row_groups):
            about = file.read_row_group(group, columns=ABOUT_RUNS, use_threads=False).unify_dictionaries()
            yield from _new_runs(about, numbers, path)
            codes.append(_numbered(about, numbers))

    runs = run_table(descriptions())
    return np.concatenate(codes), runs


def _new_runs(about: pa.Table, numbers: dict[str, int], path: Path) -> Iterator[RunDescription]:
    """The runs of a row group that were in none before, by their first rows; they are numbered on the way."""
    folders, headers, ends = (about.column(name).combine_chunks() for name in ABOUT_RUNS)
    places, first_rows = np.unique(folders.indices.to_numpy(), return_index=True)
    for place in np.argsort(first_rows, kind="stable").tolist():
        folder = folders.dictionary[int(places[place])].as_py()
        if folder not in numbers:
            numbers[folder] = len(numbers)
            row = int(first_rows[place])
            yield _run(path, folder, headers[row].as_py(), ends[row].as_py())


def _numbered(about: pa.Table, numbers: dict[str, int]) -> NDArray[np.int64]:
    """The run's number of each row of a row group."""
    folders = about.column(FOLDER).combine_chunks()
    # a dictionary may hold folders that no row has: those stay 0, and are never looked up
    by_place = np.array([numbers.get(folder, 0) for folder in folders.dictionary.to_pylist()], dtype=np.int64)
    return np.asarray(by_place[folders.indices.to_numpy()], dtype=np.int64)


def _run(path: Path, folder: str, header: str, end: str | None) -> RunDescription:
    read = json.loads(header)
    if not isinstance(read, dict) or not isinstance(read.get("schema"), int) or read["schema"] > RUN_SCHEMA:
        raise BenchmarkError(f"{path}, {folder}: a run of schema {str(read)[:80]}", "upgrade hemobench")
    try:
        return RunDescription(str(folder), read, _ends.validate_json(end) if end else None)
    except ValidationError as problem:
        raise BenchmarkError(f"{path}, {folder}: {problem.errors()[0]['msg']}", HINT) from None


def _trials(table: pa.Table, path: Path, runs: pd.DataFrame) -> pa.Table:
    """The rows that are trials: not those that stand for a run without any."""
    number = table.column("number") if "number" in table.column_names else pa.chunked_array([pa.nulls(len(table))])
    if number.null_count:
        table = table.filter(pc.is_valid(number))
    require_trials(table, lambda run: f"{path}, {runs['folder'].iloc[run]}")
    if "number" not in table.column_names:
        return table
    place = table.column_names.index("number")
    return table.set_column(place, "number", table.column("number").cast(pa.int64()))
