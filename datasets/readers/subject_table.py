"""The subject table: a CSV with the subject, class and part of a split of every image.

Its first line names the columns: `file`, and at least one of `label`, `subject` and `split`, in any
order. They may be split by commas, semicolons or tabs; the text is UTF-8 or what spreadsheets save
as "Unicode text" (UTF-16).
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from hemobench.datasets.files import hidden, listing
from hemobench.datasets.names import PARTS, Part, normal, part_name, text
from hemobench.datasets.scan import Finding
from hemobench.errors import BenchmarkError

NAME = "subjects.csv"
"""Read without being asked for, in the folder that is given or beside the class folders."""
COLUMNS = ("file", "label", "subject", "split")
DELIMITERS = ",;\t"
TABLE_SUFFIXES = frozenset({".csv", ".tsv", ".xls", ".xlsx", ".ods"})
HINT = f"the columns are {','.join(COLUMNS)}, where file and one other are needed"


@dataclass(frozen=True, slots=True)
class Row:
    """What the table says of one image; empty where it has no such column.

    Attributes:
        line: Number of the line, from 1.
        file: As it is written.
        label: Class name.
        subject: Subject id.
        part: Of the split.
    """

    line: int
    file: str
    label: str = ""
    subject: str = ""
    part: Part = ""


@dataclass(frozen=True, slots=True)
class SubjectTable:
    """A table that is well-formed; whether it fits the images is not known yet.

    Attributes:
        path: The file.
        columns: Those of `COLUMNS` that it has.
        rows: In their order.
    """

    path: Path
    columns: frozenset[str]
    rows: tuple[Row, ...]


def read_table(path: Path) -> SubjectTable:
    """Read a subject table.

    Raises:
        BenchmarkError: If it cannot be read, lacks or repeats a column, has an unknown one, or if a
            line has too few or too many cells, an empty one, or names no part of a split. The line
            is named.
    """
    lines = io.StringIO(_text(path), newline="")
    first = lines.readline()
    if first.lower().startswith("sep="):  # spreadsheets' own first line
        first = lines.readline()
    delimiter = max(DELIMITERS, key=first.count)
    header = [cell.strip() for cell in next(csv.reader([first], delimiter=delimiter), [])]
    columns = _checked_columns(path, header)
    above = 2 if lines.getvalue()[:4].lower() == "sep=" else 1
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    rows: list[Row] = []
    try:
        filled = (cells for cells in reader if any(map(str.strip, cells)))
        rows.extend(_row(above + reader.line_num, columns, cells) for cells in filled)
    except (ValueError, csv.Error) as error:
        line = above + reader.line_num
        raise BenchmarkError(f"{path}, line {line}: {error}", HINT) from error
    if not rows:
        hint = "write a line for every image, or remove the table"
        raise BenchmarkError(f"{path} lists no image", hint)
    return SubjectTable(path, frozenset(columns), tuple(rows))


def find_table(places: Sequence[Path], given: Path | None) -> Path | None:
    """The table that is given, or the one called `subjects.csv` in one of the places, if any.

    Raises:
        BenchmarkError: If the one given is not there, if there are two, or one that is no CSV.
    """
    if given is not None:
        paths = [given, *(place / given for place in places)]
        found = next((path for path in paths if path.is_file()), None)
        if found is None:
            raise BenchmarkError(f"the table {given} does not exist", "check its path")
        return found
    near = [file for file in _tables(places) if normal(file.stem) in ("subject", "subjects")]
    if len(near) > 1:
        raise BenchmarkError(
            f"there are two subject tables: {near[0]} and {near[1]}",
            "remove one, or say table=PATH",
        )
    if near and near[0].name.lower() != NAME:
        hint = f"save it as CSV under the name {NAME}"
        raise BenchmarkError(f"{near[0]} is not read as the subject table", hint)
    return near[0] if near else None


def other_tables(root: Path, base: Path, table: Path | None) -> Iterator[Finding]:
    """Tables that lie about: none is the subject table for being the first that is met."""
    for file in _tables([root, base]):
        if table is None or not file.samefile(table):
            called = f"a subject table is called {NAME}, or given by table=PATH"
            detail = f"{file.name} is not read: {called}"
            yield Finding("unread table", file.relative_to(root), detail, "note")


def _tables(places: Sequence[Path]) -> list[Path]:
    files = [file for place in dict.fromkeys(places) for file in listing(place)]
    tables = [file for file in files if file.suffix.lower() in TABLE_SUFFIXES and not hidden(file)]
    return [table for table in tables if table.is_file()]


def _text(path: Path) -> str:
    try:
        raw = path.read_bytes()
        encoding = "utf-16" if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
        return raw.decode(encoding)
    except OSError as error:
        problem = f"the table {path} cannot be read: {error.strerror}"
        raise BenchmarkError(problem, "check its path") from error
    except UnicodeDecodeError as error:
        problem = f"the table {path} is not UTF-8 text"
        raise BenchmarkError(problem, "save it as CSV UTF-8") from error


def _checked_columns(path: Path, header: list[str]) -> list[str]:
    columns = [name.lower() for name in header]
    unknown = [name for name in header if name.lower() not in COLUMNS]
    if unknown:
        problem = f"{path}, line 1: there is no column '{unknown[0]}'"
        raise BenchmarkError(problem, f"{HINT}; rename or remove it")
    if len(set(columns)) < len(columns):
        raise BenchmarkError(f"{path}, line 1: a column is there twice", HINT)
    if "file" not in columns or len(columns) < 2:
        raise BenchmarkError(f"{path}, line 1: the header is '{','.join(columns)}'", HINT)
    return columns


def _row(line: int, columns: list[str], cells: list[str]) -> Row:
    if len(cells) != len(columns):
        raise ValueError(f"{len(cells)} cells instead of {len(columns)}")
    values = dict(zip(columns, map(text, cells), strict=True))
    empty = [column for column, value in values.items() if not value]
    if empty:
        hint = "fill it in for every image, or leave the column out"
        raise ValueError(f"the column '{empty[0]}' is empty; {hint}")
    split = values.get("split", "")
    part = part_name(split)
    if split and not part:
        raise ValueError(f"'{split}' is no part of a split: write {', '.join(PARTS)}")
    return Row(line, values["file"], values.get("label", ""), values.get("subject", ""), part)
