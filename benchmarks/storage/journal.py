"""Records that are appended to a file, a line each, so that a kill at any moment loses only what was at hand."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, Generic, TypeVar

from pydantic import TypeAdapter, ValidationError

from hemobench.benchmarks.storage.files import append_line, cut_partial_line, lock, refusals
from hemobench.errors import BenchmarkError

Record = TypeVar("Record")


class Journal(Generic[Record]):
    """One append-only file, held by one process. A half-written last line, which a kill leaves, is cut off.

    Attributes:
        path: The file; it and its folder are made if they are not there.
        records: What it holds, by key, in the order in which it was written; of equal keys the last.

    Args:
        path: See there.
        kind: The records' dataclass.
        key: What tells one record from another.
        hint: What to do with a line that is none, as in `delete the line`.

    Raises:
        BenchmarkError: If another process has it open, it cannot be written, or a line cannot be read.
    """

    def __init__(self, path: Path, kind: type[Record], key: Callable[[Record], Any], hint: str) -> None:
        self.path, self._key = path, key
        with refusals(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            self._lines = open(path, "ab", buffering=0)  # noqa: SIM115 - closed by close()
        lock(self._lines, path)
        try:
            cut_partial_line(path)
            self.records = {key(record): record for record in read_records(path, kind, hint)}
        except BaseException:
            self.close()
            raise

    def append(self, record: Any) -> None:
        """Add a record, all of it or nothing, and force it to the disk: it cost more than the flush.

        Raises:
            BenchmarkError: If the disk does not take it; the records before it are kept, whole.
        """
        line = json.dumps(asdict(record), separators=(",", ":"), allow_nan=False).encode() + b"\n"
        with refusals(self.path):
            append_line(self._lines, line, durable=True)
        self.records[self._key(record)] = record

    def close(self) -> None:
        """Let go of the file."""
        self._lines.close()


def read_records(path: Path, kind: type[Record], hint: str) -> list[Record]:
    """The records of a journal, in the order in which they were written; see `Journal`."""
    lines: TypeAdapter[Record] = TypeAdapter(kind)
    found = []
    for number, line in enumerate(path.read_bytes().splitlines(), start=1):
        try:
            found.append(lines.validate_json(line))
        except ValidationError as problem:
            first = problem.errors()[0]
            place = ".".join(map(str, first["loc"]))
            raise BenchmarkError(f"{path}, line {number}: {place} {first['msg']}", hint) from None
    return found
