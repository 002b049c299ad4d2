"""Parquet files: those from anywhere judged by their footer before anything is decompressed, ours written small."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from hemobench.benchmarks.storage.parquet_footer import Footer, read_footer
from hemobench.errors import BenchmarkError

MAX_FOOTER_BYTES = 16 << 20


@dataclass(frozen=True, slots=True)
class Limits:
    """Most that a file may hold.

    Attributes:
        what: What the file should be, as in "a table".
        hint: What to do about one that is not.
        file_bytes: On disk.
        decompressed_bytes: Of all columns.
        rows: In all row groups.
        columns: And as many row groups.
        values: In all columns.
    """

    what: str
    hint: str
    file_bytes: int
    decompressed_bytes: int
    rows: int
    columns: int
    values: int


def judged(path: Path, limits: Limits) -> Footer:
    """What a file says of itself, if it is within the limits.

    A Parquet file begins and ends with a mark, and says before the last one how long its footer is.

    Raises:
        BenchmarkError: If it is no Parquet file, is damaged or too large, or its data lies elsewhere.
    """
    try:
        size = path.stat().st_size
        if size > limits.file_bytes:
            raise BenchmarkError(
                f"{path}: {size:,} bytes; {limits.what} has at most {limits.file_bytes:,}", limits.hint
            )
        with path.open("rb") as file:
            start = file.read(4)
            file.seek(max(0, size - 8))
            end = file.read(8)
            if size < 12 or start != b"PAR1" or end[-4:] != b"PAR1":
                raise BenchmarkError(f"{path}: not a whole Parquet file", limits.hint)
            (length,) = struct.unpack("<I", end[:4])
            if length > min(MAX_FOOTER_BYTES, size - 12):
                raise BenchmarkError(f"{path}: a footer of {length:,} bytes", limits.hint)
            file.seek(size - 8 - length)
            footer = read_footer(file.read(length))
    except OSError as problem:
        raise BenchmarkError(f"{path}: {problem.strerror}", f"name {limits.what}, a Parquet file") from None
    except ValueError as problem:
        raise BenchmarkError(f"{path}: {problem}", limits.hint) from None
    _refuse_too_much(footer, limits, path)
    return footer


def _refuse_too_much(footer: Footer, limits: Limits, path: Path) -> None:
    for what, count, most in (
        ("columns", footer.columns, limits.columns),
        ("row groups", footer.groups, limits.columns),
        ("rows", footer.rows, limits.rows),
        ("values", footer.values, limits.values),
        ("decompressed bytes", footer.decompressed, limits.decompressed_bytes),
    ):
        if count > most:
            raise BenchmarkError(f"{path}: {count:,} {what}; {limits.what} has at most {most:,}", limits.hint)
    if footer.elsewhere:
        raise BenchmarkError(f"{path}: its data lies in another file", limits.hint)


def opened(path: Path, **options: Any) -> pq.ParquetFile:
    """The file as Arrow sees it; every page is checked against its checksum."""
    return pq.ParquetFile(
        path,
        memory_map=False,
        page_checksum_verification=True,
        thrift_string_size_limit=MAX_FOOTER_BYTES,
        thrift_container_size_limit=100_000,
        **options,
    )


def repetitive(schema: pa.Schema) -> list[str]:
    """Columns to be written with a dictionary: all but measured figures.

    Few of these are equal, and a dictionary of them makes a file a fifth larger.
    """

    def measured(kind: pa.DataType) -> bool:
        return measured(kind.value_type) if pa.types.is_list(kind) else pa.types.is_floating(kind)

    return [field.name for field in schema if not measured(field.type)]
