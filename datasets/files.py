"""Folders and files: what is in them, what does not belong, and where caches lie."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from hemobench.errors import BenchmarkError

IMAGE_SUFFIXES = frozenset({".bmp", ".png", ".jpg", ".jpeg", ".tif", ".tiff"})


def hidden(path: Path) -> bool:
    """Left behind by an operating system or an archiver: `.DS_Store`, `._x.bmp`, `Thumbs.db`, `__MACOSX`."""
    return path.name.startswith((".", "__")) or path.name.lower() in {"thumbs.db", "desktop.ini"}


def is_image(path: Path) -> bool:
    """By its name."""
    return path.suffix.lower() in IMAGE_SUFFIXES and not hidden(path)


def folders(path: Path) -> list[Path]:
    """The folders in a folder, sorted, without hidden ones; none where it is not a folder."""
    return sorted(p for p in path.iterdir() if p.is_dir() and not hidden(p)) if path.is_dir() else []


def walk(path: Path) -> Iterator[Path]:
    """All files below a folder, hidden ones too, sorted within each folder."""
    for folder, below, names in os.walk(path):
        below.sort()
        yield from (Path(folder, name) for name in sorted(names))


def existing_folder(root: Path) -> Path:
    """The folder itself.

    Raises:
        BenchmarkError: If it is missing, not a folder, or empty.
    """
    if not root.exists():
        raise BenchmarkError(f"the folder {root} does not exist", "check the path given as data folder")
    if not root.is_dir():
        raise BenchmarkError(f"{root} is a file", "name the folder that the images lie in; unpack an archive first")
    if not any(root.iterdir()):
        raise BenchmarkError(f"the folder {root} is empty", "download or unpack the images into it")
    return root


def cache_folder() -> Path:
    """`$HEMOBENCH_CACHE`, or `hemobench` in the user's cache folder. Made when something is written."""
    given = os.environ.get("HEMOBENCH_CACHE")
    if given:
        return Path(given)
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local"))
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    return base / "hemobench"


@contextmanager
def written_whole(path: Path) -> Iterator[IO[bytes]]:
    """A file that appears under its name only when it is complete, whoever else is writing it.

    Raises:
        BenchmarkError: If it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=path.name, suffix=".part", delete=False) as file:
            part = Path(file.name)
            try:
                yield file
                file.close()
                part.replace(path)
            finally:
                with suppress(FileNotFoundError):
                    part.unlink()
    except OSError as error:
        hint = "free some space, or set HEMOBENCH_CACHE to a folder that can be written"
        raise BenchmarkError(f"{path} cannot be written: {error.strerror or error}", hint) from error
