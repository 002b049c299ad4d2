"""What an image set and a split are: plain data that the training code needs to know, and no more."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class ImageSet:
    """A folder of labelled single-cell images, read but not decoded.

    Attributes:
        name: `c-nmc` or `bone-marrow`.
        root: The folder.
        classes: Class names; a label is a position in it.
        paths: One file an image, relative to `root`, in sorted order.
        labels: Class of each image, shape (n,), int64.
        subjects: Subject id of each image, shape (n,), str; all empty where the set has no subject ids.
        groups: What must stay on one side of a split, shape (n,), int64: images of one (merged) subject, and
            images with equal pixels, share a number.
        folds: Official fold of each image, shape (n,), int64; -1 where there is none.
        test: True for the images of an official held-out test set, shape (n,), bool.
        checksum: SHA-256 over the sorted relative paths, sizes and contents.
    """

    name: str
    root: Path
    classes: tuple[str, ...]
    paths: tuple[Path, ...]
    labels: NDArray[np.int64]
    subjects: NDArray[np.str_]
    groups: NDArray[np.int64]
    folds: NDArray[np.int64]
    test: NDArray[np.bool_]
    checksum: str

    def __len__(self) -> int:
        return len(self.paths)


@dataclass(frozen=True)
class Split:
    """Positions in an image set: what is trained on, selected on and reported on, disjoint.

    Attributes:
        train: Shape (n_train,), int64, sorted.
        validation: Likewise; what a strategy sees.
        test: Likewise; may be empty.
    """

    train: NDArray[np.int64]
    validation: NDArray[np.int64]
    test: NDArray[np.int64]
