"""Results for other tools: tidy tables as Parquet and CSV, the leaderboard as LaTeX, studies for Optuna."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd

from hemobench.benchmarks.storage.results import IDENTITY, Results
from hemobench.errors import BenchmarkError
from hemobench.reports.citing.citation import Citation
from hemobench.reports.comparison.incumbents import with_trials
from hemobench.reports.export.optuna_studies import distributions, to_optuna
from hemobench.reports.leaderboard.model import Board
from hemobench.reports.leaderboard.render import fitting, title
from hemobench.reports.parallel import render as parallel_table
from hemobench.reports.parallel.costs import ParallelCost, by_table
from hemobench.reports.text_tables import filled, latex_table, table_of

__all__ = ["distributions", "stored_to_parquet", "tidy", "to_csv", "to_latex", "to_optuna", "to_parquet"]


def tidy(results: Results) -> pd.DataFrame:
    """One row a trial, beginning with what tells its run from others; see `Results.trials` for the other columns."""
    return (
        with_trials(results)
        .trials.join(results.runs[IDENTITY], on="run")
        .pipe(lambda table: table[[*IDENTITY, *(name for name in table.columns if name not in (*IDENTITY, "run"))]])
    )


def to_parquet(results: Results, path: Path) -> None:
    """Write `tidy` as Parquet; a hyperparameter whose values have several types is written as text.

    Raises:
        BenchmarkError: If the file cannot be written.
    """
    table = tidy(results)
    for name in table.select_dtypes(object).columns:
        if table[name].dropna().map(type).nunique() > 1:
            table[name] = table[name].map(str, na_action="ignore")
    _write(path, lambda: table.to_parquet(path, index=False))


def stored_to_parquet(root: Path, path: Path) -> None:
    """The same of a folder or archive, of which only a part is in memory at a time.

    Raises:
        BenchmarkError: If the results cannot be read, or the file cannot be written.
    """
    from hemobench.benchmarks.storage.archive_writer import consolidate

    def write() -> None:
        with TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.", suffix=".partial") as work:
            archive = root
            if not root.is_file():
                archive = Path(work) / "all"
                consolidate(root, archive)
            _stream(archive, Path(work) / path.name)
            os.replace(Path(work) / path.name, path)

    _write(path, write)


def _stream(archive: Path, path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    from hemobench.benchmarks.storage.archive_reader import row_groups

    runs, mixed, tables = row_groups(archive)
    identity = pa.Table.from_pandas(runs[IDENTITY], preserve_index=False)
    file = None
    try:
        for table in tables:
            for name in mixed:
                texts = [None if text is None else str(json.loads(text)) for text in table.column(name).to_pylist()]
                place = table.column_names.index(name)
                table = table.set_column(place, name, pa.array(texts, pa.string()))
            whose = identity.take(table.column("run"))
            names = [name for name in table.column_names if name not in (*IDENTITY, "run")]
            tidied = pa.table([*whose.columns, *table.select(names).columns], names=[*IDENTITY, *names])
            file = file or pq.ParquetWriter(path, tidied.schema)
            file.write_table(tidied)
    finally:
        if file:
            file.close()


def to_csv(results: Results, path: Path) -> None:
    """Write `tidy` as CSV.

    Raises:
        BenchmarkError: If the file cannot be written.
    """
    _write(path, lambda: tidy(results).to_csv(path, index=False))


def to_latex(boards: Sequence[Board], costs: Sequence[ParallelCost] = (), cited: Citation | None = None) -> str:
    """All boards as LaTeX tables (package `booktabs`), with all columns that have something to show.

    What parallelism costs comes last, if there is anything to tell; what the results are cited by stands first, as a
    comment.
    """
    made = "".join(f"% {line}\n" for line in cited.lines) if cited is not None else ""
    tables = [table_of(fitting(board, 10**6), board.rows, title(board)) for board in boards if board.rows]
    for rows in by_table(costs):
        columns = filled(parallel_table.COLUMNS, rows)
        tables.append(table_of(columns, rows, parallel_table.title(rows)))
    return made + "\n\n".join(map(latex_table, tables)) + "\n"


def _write(path: Path, write: Callable[[], Any]) -> None:
    try:
        write()
    except OSError as problem:
        raise BenchmarkError(
            f"{path}: {problem.strerror or problem}", "name a file in a folder that can be written"
        ) from None
