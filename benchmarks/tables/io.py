"""Tables as Parquet files. A file is judged by its footer, before anything of it is decompressed."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pydantic import TypeAdapter, ValidationError

from hemobench.benchmarks.storage.files import whole_file
from hemobench.benchmarks.storage.parquet import Limits, judged, opened, repetitive
from hemobench.benchmarks.tables.schema import SCHEMA, Header, Row, Table, row_problem
from hemobench.benchmarks.tasks import load_task
from hemobench.errors import BenchmarkError
from hemobench.strategies.base import Config, Status
from hemobench.strategies.space import legality

MAX_TEXT = 2_000
HINT = "record the table again, or get it from where it was published"
LIMITS = Limits(
    what="a table",
    hint=HINT,
    file_bytes=64 << 20,
    decompressed_bytes=512 << 20,
    rows=1_000_000,
    columns=1_000,
    values=40_000_000,
)

_header = TypeAdapter(Header)
_floats, _text = pa.list_(pa.float64()), pa.string()
FIXED: Mapping[str, pa.DataType] = {
    "seed": pa.int64(),
    "fold": pa.int64(),
    "origin": _text,
    "epochs": pa.list_(pa.int64()),
    "seconds": _floats,
    "evaluation_seconds": _floats,
    "curve": _floats,
    "status": _text,
    "error": _text,
}
CONFIG, VALIDATION, TEST = "config.", "validation.", "test."
CONFIG_TYPES = {bool: pa.bool_(), int: pa.int64(), float: pa.float64(), str: _text}
NAMED = re.compile(r"(config|validation|test)\.[A-Za-z0-9_-]{1,64}")


def write_table(table: Table, path: Path) -> None:
    """Write a table such that the file is there whole or not at all; equal tables give equal bytes.

    Raises:
        BenchmarkError: If the table holds what `read_table` would refuse.
    """
    refuse_wrong(table, path)
    metadata = {b"hemobench.schema": str(SCHEMA).encode(), b"hemobench.header": _header.dump_json(table.header)}
    names = list(load_task(table.header.task).space())
    columns = {**_config_columns(table.rows, names), **_fixed_columns(table.rows), **_metric_columns(table)}
    arrow = pa.table(columns)
    metadata[b"hemobench.sha256"] = digest(arrow, metadata[b"hemobench.header"])
    arrow = arrow.replace_schema_metadata(metadata)
    how = {"compression": "zstd", "compression_level": 9, "write_page_checksum": True}
    with whole_file(path) as partial:
        pq.write_table(arrow, partial, use_dictionary=repetitive(arrow.schema), **how)


def _config_columns(rows: Sequence[Row], names: Sequence[str]) -> dict[str, pa.Array]:
    columns = {}
    for name in names:
        values = [row.config.get(name) for row in rows]
        kinds = {type(value) for value in values if value is not None}
        if kinds == {int, float}:
            kinds = {float}
        kind = CONFIG_TYPES[kinds.pop()] if len(kinds) == 1 else _text
        columns[CONFIG + name] = pa.array(values, kind)
    return columns


def _fixed_columns(rows: Sequence[Row]) -> dict[str, pa.Array]:
    return {
        name: pa.array([str(row.status) if name == "status" else getattr(row, name) for row in rows], kind)
        for name, kind in FIXED.items()
    }


def _metric_columns(table: Table) -> dict[str, pa.Array]:
    validation, test = table.metrics
    return {
        **{VALIDATION + n: pa.array([row.validation.get(n) for row in table.rows], _floats) for n in validation},
        **{TEST + n: pa.array([row.test.get(n) for row in table.rows], _floats) for n in test},
    }


def read_table(path: Path) -> Table:
    """Read a table, trusting nothing in the file.

    Raises:
        BenchmarkError: If it is no table of ours, too large, damaged, or holds figures that cannot be.
    """
    footer = judged(path, LIMITS)
    header = _read_header(footer.metadata, path)
    try:
        with opened(path) as file:
            schema = file.schema_arrow
            _check_columns(schema, path)
        text = [field.name for field in schema if field.type == _text]
        # Text stays a dictionary: a long text that a million rows repeat is decompressed once.
        with opened(path, read_dictionary=text) as file:
            arrow = file.read(use_threads=False)
    except (pa.ArrowException, OSError, ValueError, UnicodeDecodeError, MemoryError) as problem:
        first = str(problem).splitlines()[0] if str(problem) else type(problem).__name__
        raise BenchmarkError(f"{path}: no readable Parquet file: {first}", HINT) from None
    _check_text(arrow, text, path)
    if digest(arrow, footer.metadata[b"hemobench.header"]) != footer.metadata.get(b"hemobench.sha256"):
        raise BenchmarkError(f"{path}: damaged: its contents do not have the checksum that it states", HINT)
    table = Table(header, tuple(_rows(arrow, path)))
    refuse_wrong(table, path)
    return table


def digest(arrow: pa.Table, header: bytes) -> bytes:
    """SHA-256 of a table's names and values, in hexadecimal.

    Parquet's own checksums are of pages: a name or an encoding damaged in the footer passes them.
    """
    found = hashlib.sha256(header)
    for name in arrow.column_names:
        column = arrow.column(name)
        found.update(name.encode())
        if pa.types.is_list(column.type):
            found.update(column.combine_chunks().flatten().to_numpy(zero_copy_only=False).astype("<f8").tobytes())
            column = pc.list_value_length(column)
        found.update(json.dumps(column.to_pylist()).encode())
    return found.hexdigest().encode()


def _check_columns(schema: pa.Schema, path: Path) -> None:
    for field in schema:
        if field.name in FIXED:
            fits = _same(field.type, FIXED[field.name])
        elif NAMED.fullmatch(field.name):
            config = field.name.startswith(CONFIG)
            fits = field.type in CONFIG_TYPES.values() if config else _same(field.type, _floats)
        else:
            raise BenchmarkError(f"{path}: a column {field.name[:80]!r}, which no table has", HINT)
        if not fits:
            raise BenchmarkError(f"{path}: column {field.name!r} is of type {str(field.type)[:80]}", HINT)
    missing = FIXED.keys() - set(schema.names)
    if missing or len(set(schema.names)) < len(schema.names):
        what = f"no column {min(missing)!r}" if missing else "a column twice"
        raise BenchmarkError(f"{path}: {what}", HINT)


def _same(found: pa.DataType, wanted: pa.DataType) -> bool:
    """Equal types, whatever a list calls its items."""
    if pa.types.is_list(wanted):
        return bool(pa.types.is_list(found) and found.value_type == wanted.value_type)
    return bool(found == wanted)


def _read_header(metadata: Mapping[bytes, bytes], path: Path) -> Header:
    schema = metadata.get(b"hemobench.schema", b"").decode(errors="replace")
    if schema != str(SCHEMA):
        what = f"schema {schema[:20]!r}; this hemobench reads {SCHEMA}" if schema else "not a table of hemobench"
        raise BenchmarkError(f"{path}: {what}", "upgrade hemobench" if schema.isdecimal() else HINT)
    try:
        return _header.validate_json(metadata.get(b"hemobench.header", b""))
    except ValidationError as problem:
        first = problem.errors()[0]
        raise BenchmarkError(f"{path}: header: {'.'.join(map(str, first['loc']))} {first['msg']}", HINT) from None


def _check_text(arrow: pa.Table, text: Sequence[str], path: Path) -> None:
    for name in text:
        for chunk in arrow.column(name).chunks:
            longest = max((len(value) for value in chunk.dictionary.to_pylist() if value is not None), default=0)
            if longest > MAX_TEXT:
                raise BenchmarkError(f"{path}: column {name!r} has a text of {longest:,} characters", HINT)


def _rows(arrow: pa.Table, path: Path) -> Iterator[Row]:
    columns = {name: arrow.column(name).to_pylist() for name in arrow.column_names}
    kinds = {part: [name for name in columns if name.startswith(part)] for part in (CONFIG, VALIDATION, TEST)}
    for i in range(arrow.num_rows):
        fields: dict[str, Any] = {name: columns[name][i] for name in FIXED}
        parts = {
            part: {n.removeprefix(part): columns[n][i] for n in names if columns[n][i] is not None}
            for part, names in kinds.items()
        }
        try:
            lists = {n: tuple(fields[n]) for n in ("epochs", "seconds", "evaluation_seconds", "curve")}
            yield Row(
                config=parts[CONFIG],
                seed=int(fields["seed"]),
                fold=int(fields["fold"]),
                origin=str(fields["origin"]),
                **lists,
                validation={name: tuple(values) for name, values in parts[VALIDATION].items()},
                test={name: tuple(values) for name, values in parts[TEST].items()},
                status=Status(fields["status"]),
                error=fields["error"],
            )
        except (TypeError, ValueError) as problem:
            raise BenchmarkError(f"{path}, row {i}: {problem}", HINT) from None


def refuse_wrong(table: Table, place: Path | str) -> None:
    """Refuse a table whose rows cannot be true.

    Raises:
        BenchmarkError: Naming the first such row.
    """
    if not table.rows:
        raise BenchmarkError(f"{place}: no rows", HINT)
    require_legal = legality(load_task(table.header.task).space())
    seen: set[tuple[str, int, int]] = set()
    known: dict[str, str | None] = {}
    for i, row in enumerate(table.rows):
        try:
            problem = row_problem(row, table.header.epochs)
            key = row.key
        except (TypeError, ValueError) as wrong:
            raise BenchmarkError(f"{place}, row {i}: {wrong}", HINT) from None
        if key[0] not in known:
            known[key[0]] = _config_problem(require_legal, row.config)
        problem = problem or known[key[0]] or ("the same configuration, seed and fold twice" if key in seen else None)
        if problem:
            raise BenchmarkError(f"{place}, row {i}: {problem}", HINT)
        seen.add(key)


def _config_problem(require_legal: Callable[[Config], None], config: Config) -> str | None:
    try:
        require_legal(config)
    except (ValueError, TypeError) as problem:
        return f"not of the task's space: {problem}"[:200]
    return None
