"""Smears in two folders, `infected/` and `sound/`."""

from pathlib import Path

from hemobench.datasets.scan import Entry, Scan
from hemobench.errors import BenchmarkError

CLASSES = ("infected", "sound")


def scan(root: Path) -> Scan:
    """The PNG files of both folders."""
    for name in CLASSES:
        if not (root / name).is_dir():
            raise BenchmarkError(f"{root}: no folder {name}", "give the folder that holds infected/ and sound/")
    files = [(name, file) for name in CLASSES for file in sorted((root / name).glob("*.png"))]
    entries = tuple(Entry(file.relative_to(root), name) for name, file in files)
    return Scan("smears", "two folders", root, CLASSES, entries, ())
