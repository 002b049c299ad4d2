"""What an image and a split are: the readers of the tasks' image sets, by name.

A data set is added with one file and one line of `READERS`.
"""

from __future__ import annotations

import difflib
from importlib import import_module
from pathlib import Path
from typing import Any

from hemobench.datasets.images import ImageSet
from hemobench.errors import BenchmarkError

READERS = {
    "c-nmc": "hemobench.datasets.c_nmc",
    "bone-marrow": "hemobench.datasets.bone_marrow",
    "cells": "hemobench.datasets.cells",
}
"""Name -> module with `scan(root, **options)` and `read(root, **options)`."""


def reader(name: str) -> Any:
    """The module that reads the data set of that name.

    Raises:
        BenchmarkError: If there is none.
    """
    if name not in READERS:
        close = difflib.get_close_matches(name, READERS, n=1, cutoff=0.4)
        hint = f"did you mean '{close[0]}'?" if close else f"choose one of: {', '.join(READERS)}"
        raise BenchmarkError(f"there is no data set '{name}'", hint)
    return import_module(READERS[name])


def open_images(name: str, root: Path, **options: Any) -> ImageSet:
    """Read a folder of labelled cell images.

    Every image is decoded once, to find broken files and equal pixels; what is found is kept in the cache folder
    (`$HEMOBENCH_CACHE`) until a file changes.

    Args:
        name: `c-nmc`, `bone-marrow` or `cells`.
        root: The folder; see the reader's module for the layouts it knows.
        **options: The reader's own (`jobs` for all, `prelim` for `c-nmc`, `mapping` and `table` for `bone-marrow`,
            `table` for `cells`).

    Raises:
        BenchmarkError: On an unknown name, a missing or empty folder, an unknown layout, an unknown or missing
            class, a label that the file's name contradicts, or a broken image.
    """
    images: ImageSet = reader(name).read(Path(root), **options)
    return images
