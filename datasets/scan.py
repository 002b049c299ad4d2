"""What a reader finds in a folder before any image is opened, and how that becomes an image set."""

from __future__ import annotations

import hashlib
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from hemobench.datasets.fingerprints import Fingerprint, fingerprints
from hemobench.datasets.images import ImageSet
from hemobench.errors import BenchmarkError

Severity = Literal["error", "warning", "note"]


@dataclass(frozen=True, slots=True)
class Finding:
    """Something to know about a folder.

    Attributes:
        kind: `broken`, `missing`, `duplicate`, `two labels`, `mislabelled`, `unknown`, `count`, `size`, `stray`,
            `altered`, `unlabelled`, `dropped`, `synthetic`.
        path: The file or folder, relative to the root.
        detail: For people.
        severity: `error`: a reader refuses the folder; `warning`: results may suffer; `note`: all is well.
    """

    kind: str
    path: Path
    detail: str
    severity: Severity


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
    """

    path: Path
    label: str
    subject: str = ""
    fold: int = -1
    test: bool = False
    person: str = ""


@dataclass(frozen=True, slots=True)
class Scan:
    """A folder, read by names only.

    Attributes:
        name: `c-nmc` or `bone-marrow`.
        layout: As in `mll`; for people.
        root: The folder that was given.
        classes: In the order of the labels.
        entries: The labelled images.
        findings: What is wrong or left out.
    """

    name: str
    layout: str
    root: Path
    classes: tuple[str, ...]
    entries: tuple[Entry, ...]
    findings: tuple[Finding, ...]


def image_set(scan: Scan, jobs: int | None = None) -> ImageSet:
    """Decode every image once and put the set together.

    Raises:
        BenchmarkError: If the scan found an error, a class has no image, or an image is broken.
    """
    _refuse(scan.root, [f for f in scan.findings if f.severity == "error"])
    _require_classes(scan)
    entries = sorted(scan.entries, key=lambda e: e.path.as_posix())
    paths = [e.path for e in entries]
    prints = fingerprints(scan.root, paths, jobs)
    _refuse(scan.root, broken(paths, prints))
    contents = np.array([f.pixels for f in prints])
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
        checksum=_checksum(scan.root, paths, prints),
        contents=contents,
        notes=tuple(f.detail for f in scan.findings if f.severity == "note" and f.kind != "stray"),
    )


def broken(paths: Sequence[Path], prints: Sequence[Fingerprint]) -> list[Finding]:
    """The files that do not decode."""
    return [Finding("broken", p, f.error, "error") for p, f in zip(paths, prints, strict=True) if f.error]


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


def _refuse(root: Path, faults: Sequence[Finding]) -> None:
    """Name the first fault and count the rest."""
    if faults:
        more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
        where = root / faults[0].path
        raise BenchmarkError(
            f"{where}: {faults[0].detail}{more}", f"`hemobench data verify` names all faults of {root}"
        )


def _require_classes(scan: Scan) -> None:
    present = {e.label for e in scan.entries}
    missing = [c for c in scan.classes if c not in present]
    if missing or len(present) < 2:
        what = f"no image of class {', '.join(missing)}" if missing else "images of one class only"
        raise BenchmarkError(f"{scan.root} holds {what}", f"classes wanted: {', '.join(scan.classes)}; is it complete?")


def _checksum(root: Path, paths: Sequence[Path], prints: Sequence[Fingerprint]) -> str:
    digest = hashlib.sha256()
    for path, found in zip(paths, prints, strict=True):
        digest.update(f"{path.as_posix()}\0{(root / path).stat().st_size}\0{found.sha256}\n".encode())
    return digest.hexdigest()
