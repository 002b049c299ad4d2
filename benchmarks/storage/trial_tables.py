"""Journals of runs as Arrow tables, a chunk of runs at a time: memory is bounded by the chunk, not by the tree.

Arrow reads most journals, on all cores. What it takes for damaged or of several types is read again line by line,
which is slower, names the line, and keeps every value's own type.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json as pj

from hemobench.benchmarks.storage.run_folder import RESTORE, TRIALS
from hemobench.errors import BenchmarkError

CHUNK_BYTES = 64 << 20
BLOCK_BYTES = 4 << 20
READERS = 8
NEEDED = ("number", "status", "loss", "finished")
"""What every trial has, the loss if it ended well; these columns are always read."""
JSON = pa.large_string()
"""The type of a column whose values have several: each is JSON. Ordinary text is `string`."""
_GROUPS = (
    *("run", "number", "config", "epochs", "resume_from", "status", "loss", "validation", "test", "cost"),
    *("started", "finished", "measured", "truth"),
)
_LEFT_OUT = ("curve", "error")
_CURVES = re.compile(rb'"curve":\[[-+0-9.eE, ]*\],')
"""Cut out before Arrow reads them for nothing: they are up to half of a line."""
Read = TypeVar("Read")
_PLAIN = (pa.null(), pa.bool_(), pa.int64(), pa.float64(), pa.string())


@dataclass(frozen=True)
class Chunk:
    """Some runs, one after the other; what they wrote is read when it is asked for.

    Attributes:
        first: Number of the first run.
        folders: Of the runs.
        sizes: Bytes of their journals when they were listed: what is written since is left for the next time.
    """

    first: int
    folders: tuple[Path, ...]
    sizes: tuple[int, ...]

    def journals(self) -> list[bytes]:
        """The whole lines of each run: what follows the last newline is a line half written."""
        found = at_once(lambda folder, size: _content(folder / TRIALS, size), self.folders, self.sizes)
        return [content[: content.rfind(b"\n") + 1] for content in found]


def at_once(read: Callable[..., Read], *arguments: Iterable[Any]) -> Iterator[Read]:
    """What `map` gives, with several reads under way: a disk answers many small files sooner together."""
    with ThreadPoolExecutor(READERS) as pool:
        yield from pool.map(read, *arguments)


def chunks(folders: Sequence[Path], most: int = CHUNK_BYTES) -> list[Chunk]:
    """All runs in their order, in chunks of at least one run and about so many bytes of journals."""
    first, held, sizes = 0, 0, list[int]()
    found = []
    for at, folder in enumerate(folders, start=1):
        sizes.append(_size(folder / TRIALS))
        held += sizes[-1]
        if held >= most or at == len(folders):
            found.append(Chunk(first, tuple(folders[first:at]), tuple(sizes)))
            first, held, sizes = at, 0, []
    return found


def _size(journal: Path) -> int:
    try:
        return journal.stat().st_size
    except FileNotFoundError:  # no trial has ended yet
        return 0


def _content(journal: Path, size: int) -> bytes:
    if not size:
        return b""
    try:
        with journal.open("rb") as file:
            return file.read(size)
    except OSError as problem:
        raise BenchmarkError(f"{journal}: {problem.strerror}", "make it readable") from None


def trials_of(chunk: Chunk, as_json: Collection[str] = ()) -> pa.Table:
    """A chunk's trials, a row each: `run` and the columns of `Results.trials`.

    Args:
        chunk: The runs.
        as_json: Columns that must be `JSON`, since values of other chunks have other types.

    Raises:
        BenchmarkError: If a line is no trial, with its file.
    """
    journals = chunk.journals()
    counts = [journal.count(b"\n") for journal in journals]
    table = None if as_json else _by_arrow(b"".join(journals), sum(counts))
    if table is None:
        table = _by_line(chunk.folders, journals, as_json)
    run = np.repeat(np.arange(chunk.first, chunk.first + len(chunk.folders)), counts)
    table = table.select(ordered(name for name in table.column_names if name != "run"))
    table = table.add_column(0, "run", pa.array(run, pa.int64()))
    require_trials(table, lambda run: chunk.folders[run - chunk.first] / TRIALS)
    return table


def ordered(names: Iterable[str]) -> list[str]:
    """Columns as a trial's fields stand in its line, sorted within each; others after these."""
    places = {group: place for place, group in enumerate(_GROUPS)}
    return sorted(names, key=lambda name: (places.get(name.partition(".")[0], len(_GROUPS)), name))


def _by_arrow(lines: bytes, count: int) -> pa.Table | None:
    """The lines as Arrow reads them; `None` where it might read them otherwise than Python does."""
    if not count:
        return pa.table({})
    if not lines.isascii() or lines.startswith(b"\n") or b"\n\n" in lines or b"}{" in lines:
        return None
    try:
        source = pa.BufferReader(_CURVES.sub(b"", lines))
        table = pj.read_json(source, read_options=pj.ReadOptions(block_size=BLOCK_BYTES))
    except pa.ArrowException:
        return None
    table = table.drop_columns([name for name in _LEFT_OUT if name in table.column_names])
    table = table.flatten().flatten()
    same = len(table) == count and len(set(table.column_names)) == table.num_columns
    return table if same and all(field.type in _PLAIN for field in table.schema) else None


def _by_line(folders: Sequence[Path], journals: Sequence[bytes], as_json: Collection[str]) -> pa.Table:
    columns = _columns(_rows(folders, journals))
    return pa.table({name: array_of(values, name in as_json) for name, values in columns.items()})


def _rows(folders: Sequence[Path], journals: Sequence[bytes]) -> Iterator[dict[str, Any]]:
    for folder, journal in zip(folders, journals, strict=True):
        for number, line in enumerate(journal.split(b"\n")[:-1], start=1):
            try:
                yield flatten(json.loads(line))
            except (ValueError, AttributeError, RecursionError) as problem:  # not JSON, or not an object
                raise BenchmarkError(f"{folder / TRIALS}, line {number}: {problem}", RESTORE) from None


def flatten(trial: Mapping[str, Any]) -> dict[str, Any]:
    """Two levels of nesting become dotted names; the learning curve stays where it is."""
    kept = {name: value for name, value in trial.items() if name not in _LEFT_OUT}
    return _dotted(_dotted(kept))


def _dotted(trial: Mapping[str, Any]) -> dict[str, Any]:
    """One level of nesting becomes dotted names."""
    flat: dict[str, Any] = {}
    for name, value in trial.items():
        if isinstance(value, dict):
            flat.update({f"{name}.{key}": inner for key, inner in value.items()})
        else:
            flat[name] = value
    return flat


def _columns(rows: Iterator[dict[str, Any]]) -> dict[str, list[Any]]:
    """Rows to columns, with `None` where a row lacks a name."""
    columns: dict[str, list[Any]] = {}
    count = 0
    for count, row in enumerate(rows, start=1):
        for name, value in row.items():
            column = columns.setdefault(name, [])
            column.extend([None] * (count - 1 - len(column)))
            column.append(value)
    for column in columns.values():
        column.extend([None] * (count - len(column)))
    return columns


def array_of(values: list[Any], as_json: bool = False) -> pa.Array:
    """Values of one type as a column of it, integers among floats as floats; any others as JSON."""
    kinds = {type(value) for value in values if value is not None}
    if not as_json and (len(kinds) < 2 or kinds == {int, float}) and kinds <= {bool, int, float, str}:
        try:
            return pa.array(values, pa.float64() if float in kinds else None)
        except pa.ArrowException:  # an integer of more than 64 bits
            pass
    return _as_json(values)


def _as_json(values: Iterable[Any]) -> pa.Array:
    return pa.array([None if value is None else json.dumps(value) for value in values], JSON)


def unified(schemas: Iterable[pa.Schema]) -> pa.Schema:
    """What the tables of several chunks have in common: every column of any, of a type that holds all its values."""
    kinds: dict[str, set[pa.DataType]] = {}
    for schema in schemas:
        for field in schema:
            kinds.setdefault(field.name, set()).add(field.type)
    return pa.schema([(name, _common(kinds[name] - {pa.null()})) for name in ordered(kinds)])


def _common(kinds: set[pa.DataType]) -> pa.DataType:
    if len(kinds) < 2:
        return next(iter(kinds), pa.null())
    return pa.float64() if kinds == {pa.int64(), pa.float64()} else JSON


def lossy(schema: pa.Schema, wanted: pa.Schema) -> set[str]:
    """Columns that became floats and should be `JSON`: which of the floats were integers is no longer known."""
    return {field.name for field in schema if field.type == pa.float64() and wanted.field(field.name).type == JSON}


def conform(table: pa.Table, wanted: pa.Schema) -> pa.Table:
    """A chunk's table with the columns of all chunks."""
    columns = []
    for field in wanted:
        if field.name not in table.column_names:
            columns.append(pa.nulls(len(table), field.type))
            continue
        column = table.column(field.name)
        if column.type != field.type:
            column = _as_json(column.to_pylist()) if field.type == JSON else column.cast(field.type)
        columns.append(column)
    return pa.table(columns, schema=wanted)


def columns_of(names: Iterable[str], wanted: Collection[str] | None) -> list[str]:
    """Those columns that are wanted: by name, or by what they begin with, as in `config.`; `None` is all."""
    if wanted is None:
        return list(names)
    groups = tuple(name for name in wanted if name.endswith("."))
    return [name for name in names if name in NEEDED or name in wanted or (groups and name.startswith(groups))]


def to_pandas(table: pa.Table) -> pd.DataFrame:
    """A table with every value as it was."""
    mixed = [field.name for field in table.schema if field.type == JSON]
    frame: pd.DataFrame = table.to_pandas(use_threads=False)
    for name in mixed:
        frame[name] = parsed(frame[name])
    return frame


def parsed(column: pd.Series[Any]) -> pd.Series[Any]:
    """JSON texts as what they mean."""
    return column.astype(object).map(json.loads, na_action="ignore")


def require_trials(table: pa.Table, place: Callable[[int], object]) -> None:
    """Refuse lines that are JSON and no trials; reading each one as strictly as a resumed run does costs too much.

    Args:
        table: Columns of trials, and their `run`.
        place: Names the file of a run.

    Raises:
        BenchmarkError: If one lacks its number, status, loss or time.
    """
    needed = [table.column(name) if name in table.column_names else pa.nulls(len(table)) for name in NEEDED]
    there = [pc.is_valid(column).to_numpy(zero_copy_only=False) for column in needed]
    well = pc.equal(needed[1].cast(pa.string()), "ok").fill_null(False).to_numpy(zero_copy_only=False)
    wrong = np.flatnonzero(~(there[0] & there[1] & there[3] & (there[2] | ~well)))
    if len(wrong):
        run, number = table.column("run")[wrong[0]].as_py(), needed[0][int(wrong[0])].as_py()
        raise BenchmarkError(f"{place(run)}: trial {number} lacks its number, status, loss or time", RESTORE)
