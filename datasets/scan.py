"""What a reader finds in a folder before any image is opened, and how that becomes an image set."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from hemobench.datasets.fingerprints import Fingerprint, Progress, fingerprints
from hemobench.datasets.images import ImageSet
from hemobench.datasets.names import Part, printable
from hemobench.errors import BenchmarkError

Severity = Literal["error", "warning", "note"]


@dataclass(frozen=True, slots=True)
class Finding:
    """Something to know about a folder.

    Attributes:
        kind: `broken`, `missing`, `duplicate`, `two labels`, `mislabelled`, `unknown`, `count`,
            `size`, `stray`, `altered`, `unlabelled`, `dropped`, `synthetic`, `name`, `table`,
            `split`, `subject`, `layout`, `few`, `unread table`.
        path: The file or folder, relative to the root.
        detail: For people.
        severity: `error`: a reader refuses the folder; `warning`: results may suffer; `note`: all
            is well.
        hint: What can be done about it; empty where that is plain.
    """

    kind: str
    path: Path
    detail: str
    severity: Severity
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """A labelled image file.

    Attributes:
        path: Relative to the root.
        label: Class name.
        subject: Canonical subject id; empty where the set has none.
        fold: Official fold; -1 where there is none.
        test: Of an official held-out test set.
        person: What the subject is merged into, where several ids are one person.
        part: Of the split that the folder or its table gives: `train`, `validation`, `test`; empty
            for none.
    """

    path: Path
    label: str
    subject: str = ""
    fold: int = -1
    test: bool = False
    person: str = ""
    part: Part = ""


@dataclass(frozen=True, slots=True)
class Scan:
    """A folder, read by names only.

    Attributes:
        name: `c-nmc`, `bone-marrow` or `cells`.
        layout: As in `mll`; for people.
        root: The folder that was given.
        classes: In the order of the labels.
        entries: The labelled images.
        findings: What is wrong or left out.
        table: The subject table that was read, if any.
        advice: How else the folder may be read, where a class is missing.
    """

    name: str
    layout: str
    root: Path
    classes: tuple[str, ...]
    entries: tuple[Entry, ...]
    findings: tuple[Finding, ...]
    table: Path | None = None
    advice: str = ""


def image_set(scan: Scan, jobs: int | None = None, progress: Progress | None = None) -> ImageSet:
    """Decode every image once and put the set together.

    Raises:
        BenchmarkError: If there is a fault: see `faults_of_names` and `broken`.
    """
    _refuse(scan, faults_of_names(scan))
    entries = sorted(scan.entries, key=lambda e: e.path.as_posix())
    paths = [e.path for e in entries]
    prints = fingerprints(scan.root, paths, jobs, progress)
    _refuse(scan, broken(paths, prints))
    contents = np.array([f.pixels for f in prints])
    notes = [f.detail for f in scan.findings if f.severity != "error" and f.kind != "stray"]
    return ImageSet(
        name=scan.name,
        root=scan.root,
        classes=scan.classes,
        paths=tuple(paths),
        labels=np.array([scan.classes.index(e.label) for e in entries], dtype=np.int64),
        subjects=np.array([e.subject for e in entries], dtype=np.str_),
        groups=connected([e.person for e in entries], contents.tolist()),
        folds=np.array([e.fold for e in entries], dtype=np.int64),
        test=np.array([e.test for e in entries], dtype=np.bool_),
        checksum=_checksum(scan, entries, prints),
        contents=contents,
        parts=np.array([e.part for e in entries], dtype=np.str_),
        notes=(*notes, *_in_two_classes(entries, prints)),
    )


def _in_two_classes(entries: Sequence[Entry], prints: Sequence[Fingerprint]) -> Iterator[str]:
    labels: dict[str, set[str]] = defaultdict(set)
    for entry, content in zip(entries, prints, strict=True):
        labels[content.pixels].add(entry.label)
    count = sum(len(labels[content.pixels]) > 1 for content in prints)
    if count:
        yield f"{count} images have the same pixels as one of another class"


def faults_of_names(scan: Scan) -> list[Finding]:
    """Why the folder is refused, as far as names tell: `image_set` and `verify` both ask here."""
    return [
        *(finding for finding in scan.findings if finding.severity == "error"),
        *_missing_classes(scan),
        *_unspeakable(scan.entries),
    ]


def broken(paths: Sequence[Path], prints: Sequence[Fingerprint]) -> list[Finding]:
    """The files that do not decode: the only other reason to refuse a folder."""
    return [Finding("broken", p, f.error, "error") for p, f in zip(paths, prints, strict=True) if f.error]


def _missing_classes(scan: Scan) -> Iterator[Finding]:
    present = {entry.label for entry in scan.entries}
    wanted = f"classes wanted: {', '.join(scan.classes)}; is it complete?"
    if scan.advice:
        wanted = f"{wanted} If not, {scan.advice}"
    for label in scan.classes:
        if label not in present:
            yield Finding("missing", Path(), f"no image of class {label}", "error", wanted)
    if len(scan.classes) < 2:
        held = "".join(f" ({label})" for label in scan.classes)
        hint = "name the folder that holds a folder for every class"
        yield Finding("missing", Path(), f"images of one class only{held}", "error", hint)


def _unspeakable(entries: Sequence[Entry]) -> Iterator[Finding]:
    """Names that are no text, as old archives leave them: they cannot be written down."""
    for entry in entries:
        try:
            str(entry.path).encode("utf-8")
        except UnicodeEncodeError:
            detail = "the file's name is not valid UTF-8"
            hint = "rename it; `convmv` does so for many"
            yield Finding("name", entry.path, detail, "error", hint)


def connected(*columns: Iterable[Hashable]) -> NDArray[np.int64]:
    """Number items so that two that share a non-empty value in any column have one number (union-find).

    Numbers count up from 0 in the order of first appearance.
    """
    rows = list(zip(*columns, strict=True))
    parent = list(range(len(rows)))

    def top(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    first: dict[tuple[int, Hashable], int] = {}
    for i, row in enumerate(rows):
        for key in ((column, value) for column, value in enumerate(row) if value != ""):
            parent[top(i)] = top(first.setdefault(key, i))
    numbers: dict[int, int] = {}
    return np.array([numbers.setdefault(top(i), len(numbers)) for i in range(len(rows))], dtype=np.int64)


def _refuse(scan: Scan, faults: Sequence[Finding]) -> None:
    """Name the first fault and count the rest."""
    if not faults:
        return
    first, rest = faults[0], len(faults) - 1
    more = f" (and {rest} more)" if rest else ""
    where = printable(scan.root / first.path)
    named = f"`hemobench data verify {scan.name} {scan.root}` names all faults"
    hint = f"{first.hint}; {named}" if first.hint and rest else first.hint or named
    raise BenchmarkError(f"{where}: {printable(first.detail)}{more}", hint)


def _checksum(scan: Scan, entries: Sequence[Entry], prints: Sequence[Fingerprint]) -> str:
    """Over paths, sizes and contents, and over what a table says of them."""
    digest = hashlib.sha256()
    for entry, found in zip(entries, prints, strict=True):
        size = (scan.root / entry.path).stat().st_size
        digest.update(f"{entry.path.as_posix()}\0{size}\0{found.sha256}\n".encode())
    if scan.table is not None:
        for entry in entries:
            digest.update(f"{entry.label}\0{entry.subject}\0{entry.part}\n".encode())
    return digest.hexdigest()
