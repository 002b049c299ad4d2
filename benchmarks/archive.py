"""All runs of a folder as one Parquet file: what reports are made from, without the learning curves.

A row is a trial; what belongs to its run (folder, `run.json`, `end.json`) stands in three columns of text, which
Parquet stores once a run. A run without trials has one row with nothing but these.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path, PurePosixPath
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import TypeAdapter, ValidationError

from hemobench.benchmarks.parquet import Limits, judged, opened
from hemobench.benchmarks.record import RunEnd
from hemobench.benchmarks.results import Found, Results, assembled
from hemobench.benchmarks.store import SCHEMA as RUN_SCHEMA
from hemobench.errors import BenchmarkError

SCHEMA = 1
FOLDER, HEADER, END = "run.folder", "run.header", "run.end"
ABOUT_RUNS = [FOLDER, HEADER, END]
MIXED = b"hemobench.mixed"
MEND = "write the archive again from its results, or get it from where it was published"
LIMITS = Limits(
    what="an archive",
    mend=MEND,
    file_bytes=8 << 30,
    decompressed_bytes=64 << 30,
    rows=200_000_000,
    columns=2_000,
    values=40_000_000_000,
)
_ends = TypeAdapter(RunEnd | None)


def write_archive(results: Results, path: Path) -> None:
    """Write results as one file, such that it is there whole or not at all.

    Columns whose values have several types, such as a hyperparameter that tasks choose differently, are JSON text.

    Raises:
        BenchmarkError: If the file cannot be written.
    """
    trials, mixed = _typed(results.trials)
    runs = _about_runs(results.runs)
    trials = trials.set_index("run") if "run" in trials else trials
    rows = runs.join(trials, how="left")  # a run without trials keeps its row
    metadata = {b"hemobench.archive": str(SCHEMA).encode(), MIXED: json.dumps(mixed).encode()}
    arrow = pa.Table.from_pandas(rows, preserve_index=False).replace_schema_metadata(metadata)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
        pq.write_table(arrow, partial, compression="zstd", compression_level=9, write_page_checksum=True)
        os.replace(partial, path)
    except OSError as problem:
        raise BenchmarkError(f"{path}: {problem.strerror}", "name a file in a folder that can be written") from None


def _typed(trials: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """The trials with columns of one type each, and the names of those that became JSON."""
    mixed = []
    for name in trials.select_dtypes(object).columns:
        kinds = trials[name].dropna().map(type)
        if kinds.nunique() > 1:
            mixed.append(str(name))
            trials = trials.assign(**{name: trials[name].map(json.dumps, na_action="ignore")})
    return trials, mixed


def _about_runs(runs: pd.DataFrame) -> pd.DataFrame:
    """The three columns of text, indexed by run; the folder relative to what all have before it."""
    ledgers = [name for name in runs.columns if str(name).startswith("ledger.")]
    ends = []
    for run in runs.to_dict("records"):
        ledger = {name.removeprefix("ledger."): run[name] for name in ledgers if run[name] == run[name]}
        error = run["error"] if isinstance(run["error"], str) else None
        ends.append(None if run["status"] == "unfinished" else json.dumps(asdict(RunEnd(run["status"], ledger, error))))
    texts = {FOLDER: _relative(list(runs["folder"])), HEADER: list(runs["header"]), END: ends}
    return pd.DataFrame({name: pd.Categorical(values) for name, values in texts.items()}, index=runs.index)


def _relative(folders: Sequence[str]) -> list[str]:
    """Folders below the one that all have in common: where they lay is nobody's business."""
    common = os.path.commonpath([str(Path(folder).parent) for folder in folders]) if folders else ""
    return [PurePosixPath(os.path.relpath(folder, common or ".")).as_posix() for folder in folders]


def read_archive(path: Path) -> Results:
    """Read results from an archive, trusting nothing in the file.

    Raises:
        BenchmarkError: If it is no archive of ours, is damaged, or what it holds cannot be compared.
    """
    footer = judged(path, LIMITS)
    schema = footer.metadata.get(b"hemobench.archive", b"").decode(errors="replace")
    if schema != str(SCHEMA):
        what = f"schema {schema[:20]!r}; this hemobench reads {SCHEMA}" if schema else "no archive of results"
        raise BenchmarkError(f"{path}: {what}", "upgrade hemobench" if schema.isdecimal() else MEND)
    try:
        with opened(path, read_dictionary=ABOUT_RUNS) as file:
            arrow = file.read(use_threads=False).unify_dictionaries()
        about = arrow.select(ABOUT_RUNS).combine_chunks()
        trials = arrow.drop_columns(ABOUT_RUNS).to_pandas(use_threads=False)
        for name in json.loads(footer.metadata.get(MIXED, b"[]")):
            trials[name] = trials[name].map(json.loads, na_action="ignore")
        codes, found = _runs(about, path)
    except (pa.ArrowException, OSError, ValueError, KeyError, MemoryError) as problem:
        first = str(problem).splitlines()[0] if str(problem) else type(problem).__name__
        raise BenchmarkError(f"{path}: no readable archive: {first}", MEND) from None
    whole = pd.concat([pd.Series(codes, name="run"), trials], axis=1)
    return assembled(found, whole[whole["number"].notna()].astype({"number": int}).reset_index(drop=True).copy())


def _runs(about: pa.Table, path: Path) -> tuple[Any, list[Found]]:
    """Each row's run by number, and the runs in the order of their first rows."""
    folders = pd.Series(about.column(FOLDER).to_pandas(), dtype="category")
    codes, order = pd.factorize(folders)
    first = pd.Series(range(len(codes))).groupby(codes).first().to_numpy()
    headers = about.column(HEADER).take(first).to_pylist()
    ends = about.column(END).take(first).to_pylist()
    return codes, [_run(path, *texts) for texts in zip(order, headers, ends, strict=True)]


def _run(path: Path, folder: str, header: str, end: str | None) -> Found:
    read = json.loads(header)
    if not isinstance(read, dict) or not isinstance(read.get("schema"), int) or read["schema"] > RUN_SCHEMA:
        raise BenchmarkError(f"{path}, {folder}: a run of schema {str(read)[:80]}", "upgrade hemobench")
    try:
        return str(folder), read, _ends.validate_json(end) if end else None
    except ValidationError as problem:
        raise BenchmarkError(f"{path}, {folder}: {problem.errors()[0]['msg']}", MEND) from None
