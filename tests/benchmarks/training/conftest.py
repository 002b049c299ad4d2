"""Small synthetic cells as arrays: coloured discs on black, whose colour says the class."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from hemobench.datasets.images import ImageSet

Cells = tuple[ImageSet, NDArray[np.uint8]]


def make_cells(name: str, classes: tuple[str, ...], counts: tuple[int, ...], size: int) -> Cells:
    """An image set without files, and its pixels."""
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(len(classes)), counts)
    n = len(labels)
    y, x = np.mgrid[:size, :size]
    disc = (np.hypot(y - size / 2, x - size / 2) < size / 3)[None, :, :, None]
    colours = np.linspace(40, 220, len(classes))[labels][:, None, None, None] * np.array([1.0, 0.6, 0.9])
    pixels = np.clip(disc * (colours + rng.normal(0, 25, (n, size, size, 3))), 0, 255).astype(np.uint8)
    images = ImageSet(
        name=name,
        root=Path("synthetic"),
        classes=classes,
        paths=tuple(Path(f"{i}.png") for i in range(n)),
        labels=labels.astype(np.int64),
        subjects=np.array([f"{i % 9}" for i in range(n)]),
        groups=np.arange(n, dtype=np.int64),
        folds=np.arange(n, dtype=np.int64) % 3,
        test=np.zeros(n, dtype=bool),
        checksum=f"{name}-{n}-{size}",
    )
    return images, pixels


@pytest.fixture(scope="session")
def cells() -> Callable[..., Cells]:
    """Builds image sets: `cells(name, classes, counts, size)`."""
    return make_cells


@pytest.fixture(scope="session")
def blood() -> Cells:
    """C-NMC in small: two classes, three official folds, 60 images of 64 pixels."""
    return make_cells("c-nmc", ("all", "hem"), (40, 20), 64)


@pytest.fixture(scope="session")
def marrow() -> Cells:
    """The ten-class task in small: unbalanced, 66 images of 64 pixels."""
    counts = (12, 9, 6, 6, 6, 6, 6, 6, 6, 3)
    return make_cells("bone-marrow", tuple(f"cell{i}" for i in range(10)), counts, 64)
