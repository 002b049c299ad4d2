"""A subject table and its images put together: every image is listed, every line has one."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from hemobench.datasets.names import normal, text
from hemobench.datasets.readers.subject_table import Row, SubjectTable
from hemobench.datasets.scan import Entry, Finding


def joined(
    images: Sequence[Entry],
    table: SubjectTable,
    root: Path,
    base: Path,
) -> tuple[list[Entry], list[Finding]]:
    """The images as the table describes them, and where the two contradict each other.

    A line names its image by a path from the table's own folder, from the root or from the base, or
    by its name alone where only one image has that name.

    Args:
        images: All images, with the class and the part that their folders say, if any.
        table: What is said of them.
        root: The folder that was given.
        base: The folder in it that holds the class folders.
    """
    where = Path(os.path.relpath(table.path, root))
    lookup = _Lookup(images, (table.path.parent, root, base), root)
    row_of: dict[Path, Row] = {}
    findings = []
    for row in table.rows:
        candidates = lookup.images(row.file)
        if len(candidates) != 1:
            findings.append(_not_one(where, row, candidates))
            continue
        first = row_of.setdefault(candidates[0], row)
        if replace(first, line=0, file="") != replace(row, line=0, file=""):
            lines = f"lines {first.line} and {row.line} contradict each other on {row.file}"
            detail = f"{lines}: {_differ(first, row)}"
            findings.append(Finding("table", where, detail, "error", "keep the line that is right"))
    labels = {normal(row.label) for row in table.rows if row.label}
    described = []
    for entry in images:
        if entry.path in row_of:
            row = row_of[entry.path]
            findings += _contradictions(entry, row, labels)
            described.append(_described(entry, row))
        else:
            detail = f"not listed in {table.path.name}"
            hint = "list it, or move it away"
            findings.append(Finding("unlabelled", entry.path, detail, "error", hint))
    return described, findings


class _Lookup:
    """Finds images by what people write for them."""

    def __init__(self, images: Sequence[Entry], starts: Sequence[Path], root: Path) -> None:
        self._by_path = {text(entry.path.as_posix()): entry.path for entry in images}
        self._by_name: Mapping[str, list[Path]] = defaultdict(list)
        for entry in images:
            self._by_name[text(entry.path.name)].append(entry.path)
        self._starts = tuple(dict.fromkeys(os.path.abspath(start) for start in starts))
        self._root = os.path.abspath(root)

    def images(self, written: str) -> list[Path]:
        """The image that is meant, or all that might be; none if there is no such image."""
        path = written.replace("\\", "/")
        for start in self._starts:
            key = os.path.relpath(os.path.join(start, path), self._root).replace(os.sep, "/")
            if key in self._by_path:
                return [self._by_path[key]]
        return [] if "/" in path else self._by_name.get(path, [])


def _not_one(where: Path, row: Row, candidates: Sequence[Path]) -> Finding:
    if candidates:
        several = f"{len(candidates)} images are called {row.file}, {candidates[0]} among them"
        detail = f"line {row.line}: {several}"
        return Finding("table", where, detail, "error", "write the path from the table's folder")
    detail = f"line {row.line}: there is no image {row.file}"
    hint = "write the path from the table's folder, or remove the line"
    return Finding("table", where, detail, "error", hint)


def _differ(first: Row, second: Row) -> str:
    for name in ("label", "subject", "part"):
        one, other = getattr(first, name), getattr(second, name)
        if one != other:
            return f"{name} {one}, {name} {other}"
    return ""


def _contradictions(entry: Entry, row: Row, labels: set[str]) -> Iterator[Finding]:
    """What folders say against what the table says."""
    named = {normal(folder) for folder in entry.path.parts[:-1]} & labels
    if row.label and named and normal(row.label) not in named:
        said = f"in line {row.line}: {row.label}"
        detail = f"lies in a folder of another class than the table says {said}"
        yield Finding("mislabelled", entry.path, detail, "error", "move it, or correct the table")
    if row.part and entry.part and row.part != entry.part:
        said = f"in the table's line {row.line}"
        detail = f"lies in the part {entry.part}, and is of the part {row.part} {said}"
        yield Finding("split", entry.path, detail, "error", "move it, or correct the table")


def _described(entry: Entry, row: Row) -> Entry:
    return replace(
        entry,
        label=row.label or entry.label,
        subject=row.subject,
        person=row.subject,
        part=row.part or entry.part,
    )
