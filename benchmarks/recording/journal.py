"""A recording in progress: a folder beside the table, a file for each part of the work, a line for each training."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from hemobench.benchmarks.storage.files import append_line, cut_partial_line, lock, refusals
from hemobench.benchmarks.tables.schema import Row
from hemobench.errors import BenchmarkError

_rows = TypeAdapter(Row)


class Journal:
    """One append-only file, held by one process. A half-written last line, which a kill leaves, is cut off."""

    def __init__(self, path: Path) -> None:
        """Open a journal, or begin it.

        Raises:
            BenchmarkError: If another process has it open, it cannot be written, or a line cannot be read.
        """
        self._path = path
        with refusals(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            self._lines = open(path, "ab", buffering=0)  # noqa: SIM115 - closed by close()
        lock(self._lines, path)
        try:
            cut_partial_line(path)
            self.rows = {row.key: row for row in read_rows(path)}
        except BaseException:
            self.close()
            raise

    def append(self, row: Row) -> None:
        """Add a training, all of it or nothing, and force it to the disk: it cost more than the flush.

        Raises:
            BenchmarkError: If the disk does not take it; the trainings before it are kept, whole.
        """
        line = json.dumps(asdict(row), separators=(",", ":"), allow_nan=False).encode() + b"\n"
        with refusals(self._path):
            append_line(self._lines, line, durable=True)
        self.rows[row.key] = row

    def close(self) -> None:
        """Let go of the file."""
        self._lines.close()


def read_rows(path: Path) -> list[Row]:
    """The trainings of a journal, in the order in which they ended.

    Raises:
        BenchmarkError: If a line is no training.
    """
    rows = []
    for number, line in enumerate(path.read_bytes().splitlines(), start=1):
        try:
            rows.append(_rows.validate_json(line))
        except ValidationError as problem:
            first = problem.errors()[0]
            raise BenchmarkError(
                f"{path}, line {number}: {'.'.join(map(str, first['loc']))} {first['msg']}",
                "delete the line, or the file to record its part again",
            ) from None
    return rows
