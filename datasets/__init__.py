"""What an image and a split are: the readers of the tasks' image sets, by name.

A data set is added with one file and one line of `READERS`.
"""

from __future__ import annotations

import difflib
import inspect
from importlib import import_module
from pathlib import Path
from typing import Any

from hemobench.datasets.fingerprints import Progress
from hemobench.datasets.images import ImageSet
from hemobench.datasets.scan import Scan, image_set
from hemobench.errors import BenchmarkError
from hemobench.extensions import declared

READERS = {
    "c-nmc": "hemobench.datasets.readers.c_nmc",
    "bone-marrow": "hemobench.datasets.readers.bone_marrow",
    "cells": "hemobench.datasets.readers.cells",
}
"""Name -> module with `scan(root, **options)`."""


GROUP = "hemobench.datasets"
"""Entry points of other packages: a name, and such a module."""


def dataset_names() -> list[str]:
    """Ours, then those of other installed packages."""
    return [*READERS, *declared(GROUP, READERS)]


def reader(name: str) -> Any:
    """The module that reads the data set of that name, ours or another package's.

    Raises:
        BenchmarkError: If there is none, or the other package's reads nothing.
    """
    if name in READERS:
        return import_module(READERS[name])
    theirs = declared(GROUP, READERS).get(name)
    if theirs is None:
        known = dataset_names()
        close = difflib.get_close_matches(name, known, n=1, cutoff=0.4)
        hint = f"did you mean '{close[0]}'?" if close else f"choose one of: {', '.join(known)}"
        raise BenchmarkError(f"there is no data set '{name}'", hint)
    module = theirs.load()
    if not callable(getattr(module, "scan", None)):
        raise theirs.wrong("it has no function scan(root, **options)")
    return module


def reader_options(name: str) -> tuple[str, ...]:
    """What the reader of a data set can be told besides the folder, as `mapping` and `table`.

    Raises:
        BenchmarkError: If there is no such data set.
    """
    return tuple(inspect.signature(reader(name).scan).parameters)[1:]


def scanned(name: str, root: Path, **options: Any) -> Scan:
    """What a reader finds in a folder before any image is opened; for `open_images` and for `verify`.

    Raises:
        BenchmarkError: As `open_images`, but for faults that are listed in the scan.
    """
    module = reader(name)
    known = reader_options(name)
    unknown = sorted(options.keys() - known)
    if unknown:
        raise BenchmarkError(f"the data set {name} has no option '{unknown[0]}'", f"choose from: {', '.join(known)}")
    if isinstance(options.get("table"), str):  # as a suite or a command line gives it
        options["table"] = Path(options["table"])
    scan: Scan = module.scan(Path(root), **options)
    return scan


def open_images(
    name: str, root: Path, *, jobs: int | None = None, progress: Progress | None = None, **options: Any
) -> ImageSet:
    """Read a folder of labelled cell images.

    Every image is decoded once, to find broken files and equal pixels; what is found is kept in the cache folder
    (`$HEMOBENCH_CACHE`) until a file changes.

    Args:
        name: `c-nmc`, `bone-marrow` or `cells`.
        root: The folder; see the reader's module for the layouts it knows.
        jobs: Threads that decode; all cores by default.
        progress: Told how many images are decoded, and of how many.
        **options: The reader's own (`prelim` for `c-nmc`, `mapping` and `table` for `bone-marrow`, `table` for
            `cells`).

    Raises:
        BenchmarkError: On an unknown name or option, a missing or empty folder, an unknown layout, an unknown or
            missing class, a label that the file's name or a table contradicts, or a broken image.
    """
    return image_set(scanned(name, root, **options), jobs, progress)
