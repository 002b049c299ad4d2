"""Folders and files: what is in them, what does not belong, and where caches lie."""

from __future__ import annotations

import errno
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, NoReturn

from hemobench.errors import BenchmarkError

IMAGE_SUFFIXES = frozenset({".bmp", ".png", ".jpg", ".jpeg", ".tif", ".tiff"})
UNREAD_SUFFIXES = frozenset(
    {".webp", ".gif", ".jp2", ".jfif", ".heic", ".avif", ".svs", ".ndpi", ".dcm", ".npy", ".npz"}
)
"""Files that hold images which no reader takes."""
LEFT_BEHIND = frozenset(
    {"__macosx", "__pycache__", "@eadir", "$recycle.bin", "#recycle", "system volume information"}
    | {"thumbs.db", "desktop.ini", "thumbs", "thumbnails", "lost+found"}
)


def hidden(path: Path) -> bool:
    """Left behind by a program: `.DS_Store`, `._x.bmp`, `.ipynb_checkpoints`, `__MACOSX`, `thumbnails`."""
    return path.name.startswith(".") or path.name.strip().lower() in LEFT_BEHIND


def is_image(path: Path) -> bool:
    """By its name."""
    return path.suffix.lower() in IMAGE_SUFFIXES and not hidden(path)


def listing(folder: Path) -> list[Path]:
    """What lies in a folder, sorted; nothing where it is not a folder.

    Raises:
        BenchmarkError: If it may not be read.
    """
    return [Path(entry) for entry in _scandir(folder)]


def _scandir(folder: Path) -> list[os.DirEntry[str]]:
    """As `listing`; an entry knows whether it is a folder without another look at the disk."""
    if not folder.is_dir():
        return []
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        _unreadable(error)


def folders(path: Path) -> list[Path]:
    """The folders in a folder, sorted, without hidden ones; none where it is not a folder."""
    return [Path(entry) for entry in _scandir(path) if entry.is_dir() and not hidden(Path(entry))]


def loose_images(folder: Path) -> list[Path]:
    """The images that lie in the folder itself."""
    files = [entry for entry in _scandir(folder) if not entry.is_dir()]
    return [Path(file) for file in files if is_image(Path(file))]


def walk(path: Path, *, with_hidden: bool = True) -> Iterator[Path]:
    """All files below a folder, sorted within each folder; none where it is not a folder.

    Links to folders are followed, but not upwards, and a folder that can be reached twice is walked
    once.

    Args:
        path: Where to begin.
        with_hidden: Also what lies in hidden folders below it.

    Raises:
        BenchmarkError: If a folder may not be read.
    """
    if not path.is_dir():
        return
    start = Path(os.path.realpath(path))
    seen = set(start.parents)
    for folder, below, names in os.walk(path, onerror=_unreadable, followlinks=True):
        real = Path(os.path.realpath(folder))
        if real in seen:
            below.clear()
            continue
        seen.add(real)
        below[:] = sorted(name for name in below if with_hidden or not hidden(Path(name)))
        yield from (Path(folder, name) for name in sorted(names))


def images_below(path: Path) -> Iterator[Path]:
    """The images below a folder, but for hidden ones and those in hidden folders."""
    return filter(is_image, walk(path, with_hidden=False))


def _unreadable(error: OSError) -> NoReturn:
    reason = error.strerror or str(error)
    raise BenchmarkError(
        f"the folder {error.filename} cannot be read: {reason}",
        "give yourself the right to read it",
    ) from error


def existing_folder(root: Path) -> Path:
    """The folder itself.

    Raises:
        BenchmarkError: If it is missing, not a folder, or empty.
    """
    if not root.exists():
        raise BenchmarkError(f"the folder {root} does not exist", "check the path given as data folder")
    if not root.is_dir():
        raise BenchmarkError(f"{root} is a file", "name the folder that the images lie in; unpack an archive first")
    if not listing(root):
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
        if error.errno == errno.ENOMEM:  # no fault of the folder: for the caller to judge
            raise
        hint = "free some space, or set HEMOBENCH_CACHE to a folder that can be written"
        raise BenchmarkError(f"{path} cannot be written: {error.strerror or error}", hint) from error
