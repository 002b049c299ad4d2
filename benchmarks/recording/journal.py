"""A recording in progress: a folder beside the table, a file for each part of the work, a line for each training."""

from __future__ import annotations

from pathlib import Path

from hemobench.benchmarks.storage.journal import Journal, read_records
from hemobench.benchmarks.tables.schema import Row

HINT = "delete the line, or the file to record its part again"


def open_rows(path: Path) -> Journal[Row]:
    """The journal of a part; see `Journal`."""
    return Journal(path, Row, lambda row: row.key, HINT)


def read_rows(path: Path) -> list[Row]:
    """The trainings of a part, in the order in which they ended.

    Raises:
        BenchmarkError: If a line is no training.
    """
    return read_records(path, Row, HINT)
