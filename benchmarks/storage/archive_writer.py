"""Writing archives: of results that were read, or of a folder of any size, a chunk of runs at a time.

A folder is read once. Its chunks wait as Arrow files beside the archive until all are known, since only then it is
known which columns there are and of what types. Memory grows with the number of runs (a few kilobytes each) and not
with that of trials.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from hemobench.benchmarks.storage.archive_reader import ABOUT_RUNS, MIXED, SCHEMA
from hemobench.benchmarks.storage.files import whole_file
from hemobench.benchmarks.storage.load import read_run, run_folders
from hemobench.benchmarks.storage.parquet import repetitive
from hemobench.benchmarks.storage.records import RunEnd
from hemobench.benchmarks.storage.results import Results, run_table
from hemobench.benchmarks.storage.run_folder import end_as_json
from hemobench.benchmarks.storage.trial_tables import (
    CHUNK_BYTES,
    JSON,
    Chunk,
    array_of,
    at_once,
    chunks,
    conform,
    lossy,
    ordered,
    trials_of,
    unified,
)
from hemobench.errors import BenchmarkError

GROUP_ROWS = 1 << 18
PAGE_BYTES = 64 << 20
"""Most that the texts of a row group's runs may take and still be stored once a run."""


def consolidate(root: Path, path: Path, most: int = CHUNK_BYTES) -> None:
    """Write all runs under a folder as one file, such that it is there whole or not at all.

    Args:
        root: The folder.
        path: The archive.
        most: Bytes of journals that are read at a time; any number gives the same archive.

    Raises:
        BenchmarkError: As `load_results`, or if it is an archive itself, or the file cannot be written.
    """
    if root.is_file():
        raise BenchmarkError(f"{root}: an archive already", "copy it, or export the folder that it was made of")
    folders = run_folders(root)
    about = _about_runs(run_table(at_once(read_run, folders)))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.", suffix=".partial") as work:
            waiting = [_put_aside(chunk, Path(work)) for chunk in chunks(folders, most)]
            schema = unified(schema for _, _, schema in waiting)
            tables = (_rows(_taken_up(*one, schema), about, one[0]) for one in waiting)
            _write(tables, schema, Path(work) / path.name)
            os.replace(Path(work) / path.name, path)
    except OSError as problem:
        raise _unwritable(path, problem) from None


def write_archive(results: Results, path: Path) -> None:
    """Write results as one file, such that it is there whole or not at all.

    Columns whose values have several types, such as a hyperparameter that tasks choose differently, are JSON text.

    Raises:
        BenchmarkError: If the file cannot be written.
    """
    about = _about_runs(results.runs)
    trials = _table(results)
    whole = Chunk(0, tuple(map(Path, results.runs["folder"])), (0,) * len(results.runs))
    try:
        with whole_file(path) as partial:
            _write([_rows(trials, about, whole)], trials.schema, partial)
    except OSError as problem:
        raise _unwritable(path, problem) from None


def _unwritable(path: Path, problem: OSError) -> BenchmarkError:
    return BenchmarkError(
        f"{path}: {problem.strerror or problem}", "name a file in a folder that can be written and has room"
    )


def _table(results: Results) -> pa.Table:
    """The trials by run, which are numbered anew, in the order of `results.runs`."""
    trials = results.trials if "run" in results.trials else pd.DataFrame({"run": []}, dtype=int)
    run = results.runs.index.get_indexer(pd.Index(trials["run"]))
    order = np.argsort(run, kind="stable")[np.count_nonzero(run < 0) :]
    columns = {str(name): _array(trials[name]) for name in ordered(map(str, trials.columns)) if name != "run"}
    return pa.table({"run": pa.array(run, pa.int64()), **columns}).take(pa.array(order))


def _array(column: pd.Series) -> pa.Array:
    if column.dtype != object:
        array = pa.Array.from_pandas(column)
        return array.cast(pa.string()) if pa.types.is_large_string(array.type) else array
    return array_of(column.astype(object).where(column.notna(), None).tolist())


def _about_runs(runs: pd.DataFrame) -> pa.Table:
    """Folder, `run.json` and `end.json` of each run as text; the folder relative to what all have before it."""
    ledgers = {str(name): str(name).removeprefix("ledger.") for name in runs if str(name).startswith("ledger.")}
    ends = []
    about = runs[["status", "error", "traceback", *ledgers]]
    for status, error, trace, *seconds in about.itertuples(index=False, name=None):
        ledger = {name: value for name, value in zip(ledgers.values(), seconds, strict=True) if value == value}
        end = RunEnd(status, ledger, _text(error), _text(trace))
        ends.append(None if status == "unfinished" else json.dumps(end_as_json(end)))
    texts = (_relative(list(runs["folder"])), list(runs["header"]), ends)
    return pa.table([pa.array(values, pa.string()) for values in texts], names=ABOUT_RUNS)


def _text(value: object) -> str | None:
    """A cell that is a text, or nothing: pandas has NaN there where no run has one."""
    return value if isinstance(value, str) else None


def _relative(folders: Sequence[str]) -> list[str]:
    """Folders below the one that all have in common: where they lay is nobody's business."""
    common = os.path.commonpath([os.path.dirname(folder) for folder in folders]) if folders else ""
    return [PurePosixPath(os.path.relpath(folder, common or ".")).as_posix() for folder in folders]


_Waiting = tuple[Chunk, Path, pa.Schema]


def _put_aside(chunk: Chunk, work: Path) -> _Waiting:
    table = trials_of(chunk)
    path = work / f"{chunk.first}.arrow"
    with pa.ipc.new_file(path, table.schema, options=pa.ipc.IpcWriteOptions(compression="lz4")) as file:
        file.write_table(table)
    return chunk, path, table.schema


def _taken_up(chunk: Chunk, path: Path, schema: pa.Schema, wanted: pa.Schema) -> pa.Table:
    """A chunk with all columns; what waited is removed."""
    names = lossy(schema, wanted)
    with pa.ipc.open_file(path) as file:
        table = trials_of(chunk, as_json=names) if names else file.read_all()
    path.unlink()
    return conform(table, wanted)


def _rows(trials: pa.Table, about: pa.Table, chunk: Chunk) -> pa.Table:
    """The rows of an archive: each trial beside the texts of its run, and a row for each run without trials."""
    trials_a_run = np.bincount(trials.column("run").to_numpy() - chunk.first, minlength=len(chunk.folders))
    rows_a_run = np.maximum(trials_a_run, 1)
    run_of_row = np.repeat(np.arange(len(chunk.folders)), rows_a_run)
    if not trials_a_run.all():
        trials = _with_gaps(trials, trials_a_run[run_of_row] == 0)
    own = about.slice(chunk.first, len(chunk.folders)).combine_chunks()
    texts = [_dictionary(own.column(name).combine_chunks(), run_of_row) for name in ABOUT_RUNS]
    columns = trials.drop_columns("run")
    return pa.table([*texts, *columns.columns], names=[*ABOUT_RUNS, *columns.column_names])


def _with_gaps(trials: pa.Table, gap: np.ndarray) -> pa.Table:
    """The trials in their order, with a row of nulls at every gap."""
    place = np.cumsum(~gap) - 1
    return trials.take(pa.array(place, mask=gap))


def _dictionary(texts: pa.StringArray, codes: np.ndarray) -> pa.DictionaryArray:
    missing = np.asarray(texts.is_null())[codes]
    return pa.DictionaryArray.from_arrays(pa.array(codes, pa.int32(), mask=missing), texts.fill_null(""))


def _write(tables: Iterable[pa.Table], trials: pa.Schema, path: Path) -> None:
    """Write row groups of one size, whatever the size of the tables."""
    mixed = [field.name for field in trials if field.type == JSON]
    metadata = {b"hemobench.archive": str(SCHEMA).encode(), MIXED: json.dumps(mixed).encode()}
    text = pa.dictionary(pa.int32(), pa.string())
    fields = [(name, text) for name in ABOUT_RUNS] + [(field.name, field.type) for field in trials][1:]
    schema = pa.schema(fields, metadata=metadata)
    options = {"compression": "zstd", "compression_level": 9, "write_page_checksum": True, "write_statistics": False}
    dictionaries = {"use_dictionary": repetitive(schema), "dictionary_pagesize_limit": PAGE_BYTES}
    with pq.ParquetWriter(path, schema, **dictionaries, **options) as file:
        for group in _groups(tables):
            texts = [_compact(group.column(name)) for name in ABOUT_RUNS]
            columns = [*texts, *group.columns[len(texts) :]]
            file.write_table(pa.table(columns, schema=file.schema), GROUP_ROWS)


def _compact(column: pa.ChunkedArray) -> pa.DictionaryArray:
    """The same with a dictionary of what is in it, in order, each text once."""
    whole = column.unify_dictionaries().combine_chunks()
    used = whole.indices.drop_null().unique()
    texts = whole.dictionary.take(used).dictionary_encode()
    return pa.DictionaryArray.from_arrays(texts.indices.take(pc.index_in(whole.indices, used)), texts.dictionary)


def _groups(tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """The same rows in tables of `GROUP_ROWS`, but for the last."""
    waiting, rows = [], 0
    for table in tables:
        waiting.append(table)
        rows += len(table)
        if rows >= GROUP_ROWS:
            whole = pa.concat_tables(waiting)
            full = rows - rows % GROUP_ROWS
            yield from (whole.slice(at, GROUP_ROWS) for at in range(0, full, GROUP_ROWS))
            waiting, rows = [whole.slice(full)], rows - full
    yield pa.concat_tables(waiting)
