"""What is in each image file, told by hashes: of its bytes, and of its pixels."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hemobench.datasets.files import cache_folder, written_whole
from hemobench.datasets.pixels import decode
from hemobench.errors import BenchmarkError

Progress = Callable[[int, int], None]
"""Called with the number of files done and in all."""
CHUNK = 256


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """One image file.

    Attributes:
        sha256: Of the file's bytes; empty where it cannot be read.
        pixels: SHA-256 of width, height and RGB pixels; empty where it does not decode. Equal images have equal
            pixels whatever their headers (C-NMC's training and preliminary test BMPs differ in theirs).
        width: In pixels; 0 where it does not decode.
        height: Likewise.
        error: Why it does not decode, if so.
    """

    sha256: str
    pixels: str
    width: int
    height: int
    error: str = ""


def fingerprint(path: Path) -> Fingerprint:
    """Read and decode one file; a broken one is told in `error`, not raised."""
    try:
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        return Fingerprint("", "", 0, 0, error.strerror or str(error))
    try:
        image = decode(path)
    except BenchmarkError as error:
        return Fingerprint(sha256, "", 0, 0, error.problem)
    width, height = image.size
    pixels = hashlib.sha256(f"{width} {height} ".encode() + np.asarray(image).tobytes()).hexdigest()
    return Fingerprint(sha256, pixels, width, height)


def fingerprints(
    root: Path, paths: Sequence[Path], jobs: int | None = None, progress: Progress | None = None
) -> list[Fingerprint]:
    """The fingerprints of many files, from the cache where path, size and time of change are as they were.

    Args:
        root: The folder.
        paths: Files, relative to it.
        jobs: Threads that read and decode; all cores by default.
        progress: Told after every few hundred files.
    """
    keys = [_key(root, path) for path in paths]
    cache = cache_folder() / f"fingerprints-{hashlib.sha256(str(root.resolve()).encode()).hexdigest()[:24]}.tsv"
    known = _load(cache)
    missing = [i for i, key in enumerate(keys) if key not in known]
    found: dict[str, Fingerprint] = {}
    with ThreadPoolExecutor(jobs or os.cpu_count() or 1) as pool:
        for start in range(0, len(missing), CHUNK):
            part = missing[start : start + CHUNK]
            results = pool.map(lambda i: fingerprint(root / paths[i]), part)
            found |= {keys[i]: result for i, result in zip(part, results, strict=True)}
            if progress:
                progress(len(keys) - len(missing) + start + len(part), len(keys))
    if any(not f.error for f in found.values()):
        _store(cache, _load(cache) | found)
    return [found[key] if key in found else known[key] for key in keys]


def _key(root: Path, path: Path) -> str:
    """What a cached fingerprint is found by; a missing file has a key that is never stored."""
    try:
        stat = (root / path).stat()
    except OSError:
        return path.as_posix()
    return f"{path.as_posix()}\t{stat.st_size}\t{stat.st_mtime_ns}"


def _load(cache: Path) -> dict[str, Fingerprint]:
    """The cache; empty where there is none, and without the lines that are damaged."""
    try:
        lines = cache.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return {}
    known = {}
    for line in lines:
        match line.split("\t"):
            case [path, size, changed, sha256, pixels, width, height] if len(sha256) == len(pixels) == 64:
                if width.isdecimal() and height.isdecimal():
                    known[f"{path}\t{size}\t{changed}"] = Fingerprint(sha256, pixels, int(width), int(height))
    return known


def _store(cache: Path, known: dict[str, Fingerprint]) -> None:
    """Write what decodes; what does not is looked at again each time."""
    with written_whole(cache) as out:
        for key, f in known.items():
            if not f.error:
                line = f"{key}\t{f.sha256}\t{f.pixels}\t{f.width}\t{f.height}\n"
                out.write(line.encode("utf-8", "surrogateescape"))
