"""Files that survive a process that dies and a disk that is full: lines added whole, files put in place whole."""

from __future__ import annotations

import errno
import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from io import FileIO
from pathlib import Path
from typing import Any, BinaryIO

from hemobench.errors import BenchmarkError

try:
    import fcntl
except ImportError:
    fcntl = None  # type: ignore[assignment]


@contextmanager
def refusals(path: Path) -> Iterator[None]:
    """What the file system refuses becomes the one message, with a hint at what helps."""
    try:
        yield
    except OSError as problem:
        if problem.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            hint = "make room there; nothing is lost, and the same command then goes on from here"
        elif problem.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            hint = "make it writable, and the same command goes on from here; or give another --out folder"
        else:
            hint = "nothing is lost; once that is corrected the same command goes on from here"
        raise BenchmarkError(f"{path}: {problem.strerror or problem}", hint) from None


def append_line(lines: FileIO, line: bytes, *, durable: bool = False) -> None:
    """Add a line to an unbuffered file that this process holds, all of it or nothing.

    Raises:
        OSError: If the disk does not take it. A part that was written is taken back; should even that fail, it is cut
            off when the file is opened again.
    """
    before = os.fstat(lines.fileno()).st_size
    try:
        rest = memoryview(line)
        while rest:  # a disk that fills up takes a part first
            rest = rest[lines.write(rest) :]
        if durable:
            os.fsync(lines.fileno())
    except OSError:
        with suppress(OSError):
            os.ftruncate(lines.fileno(), before)
        raise


class Busy(BenchmarkError):
    """Another process holds the folder."""


def lock(journal: BinaryIO | FileIO, path: Path, patience: float = 3.0) -> None:
    """Hold a run folder for this process, until the journal is closed or the process dies.

    Args:
        journal: The open `trials.jsonl`.
        path: The folder, for the message.
        patience: Seconds to wait for a process that is on its way out.

    Raises:
        Busy: If another process holds it.
        BenchmarkError: If the file system has no locks.
    """
    if fcntl is None:  # Windows has no advisory locks
        return
    until = time.monotonic() + patience
    while True:
        try:
            fcntl.flock(journal, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() > until:
                journal.close()
                raise Busy(
                    f"{path}: another process is at work on this run", "wait for it, or give another --out folder"
                ) from None
            time.sleep(0.05)
        except OSError as problem:
            journal.close()
            raise BenchmarkError(
                f"{path}: cannot be locked: {problem.strerror}", "give an --out folder on another file system"
            ) from None


@contextmanager
def whole_file(path: Path, *, durable: bool = False) -> Iterator[Path]:
    """A file that is there whole or not at all: what is written to the path that is given is put in place at the end.

    Args:
        path: Where it is put; its folder is made if it is not there.
        durable: Force it to the disk first.

    Raises:
        OSError: If the disk does not take it; nothing is left behind.
    """
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield partial
        if durable:
            with open(partial, "rb") as file:
                os.fsync(file.fileno())
        os.replace(partial, path)
    except BaseException:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
        raise


def write_whole(path: Path, content: Mapping[str, Any], *, durable: bool = False) -> None:
    """Write a JSON file such that it is there whole or not at all.

    Raises:
        OSError: If the disk does not take it; nothing is left behind.
    """
    with whole_file(path, durable=durable) as partial:
        partial.write_text(json.dumps(content, indent=1, sort_keys=True) + "\n")


def cut_partial_line(path: Path) -> int:
    """Cut off what follows the last newline, which a killed process left half written.

    Returns:
        The number of bytes that were cut off.
    """
    if not path.exists():
        return 0
    content = path.read_bytes()
    whole = content.rfind(b"\n") + 1
    if whole < len(content):
        os.truncate(path, whole)
    return len(content) - whole
