"""Results read from a folder of runs, or from an archive of one: the one door for all that conclude."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import pyarrow as pa

from hemobench.benchmarks.storage.archive_reader import read_archive
from hemobench.benchmarks.storage.results import Parts, Results, RunDescription, run_table
from hemobench.benchmarks.storage.run_folder import RUN, find_runs, read_end, read_header
from hemobench.benchmarks.storage.trial_tables import (
    at_once,
    chunks,
    columns_of,
    conform,
    lossy,
    to_pandas,
    trials_of,
    unified,
)
from hemobench.errors import BenchmarkError


def load_results(root: Path, parts: Parts | None = None) -> Results:
    """Read every run under a folder, or of an archive of one.

    Args:
        root: The folder or archive. Of very many runs make an archive first (`archive.consolidate`).
        parts: Which columns of trials to read; by default all.

    Raises:
        BenchmarkError: If there is none, if two folders hold the same run, if runs of one benchmark rest on
            different data or settings, or if a file cannot be read.
    """
    if root.is_file():
        return read_archive(root, parts)
    folders = run_folders(root)
    runs = run_table(at_once(read_run, folders))
    return Results(runs, to_pandas(_trials(folders, parts(runs) if parts else None)))


def _trials(folders: list[Path], wanted: Collection[str] | None) -> pa.Table:
    pieces, tables = chunks(folders), []
    for piece in pieces:
        table = trials_of(piece)
        tables.append(table.select(["run", *columns_of(table.column_names[1:], wanted)]))
    schema = unified(table.schema for table in tables)
    for place, piece in enumerate(pieces):
        if names := lossy(tables[place].schema, schema):
            tables[place] = trials_of(piece, as_json=names)
        tables[place] = conform(tables[place], schema)
    return pa.concat_tables(tables)


def run_folders(root: Path) -> list[Path]:
    """Every run folder under a folder, in sorted order.

    Raises:
        BenchmarkError: If there is none.
    """
    folders = list(find_runs(root)) if root.is_dir() else []
    if not folders:
        raise BenchmarkError(f"{root}: no runs there", "run a suite first: hemobench run quick --out DIR")
    return folders


def read_run(folder: Path) -> RunDescription:
    """What stands beside a run's trials.

    Raises:
        BenchmarkError: If it cannot be read.
    """
    return RunDescription(str(folder), read_header(folder / RUN), read_end(folder))
