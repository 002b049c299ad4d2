"""Small folders of cells for the live evaluator."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

Draw = Callable[[Path, int, int], None]


def draw_class(folder: Path, shade: int, count: int) -> None:
    """So many discs on black of one shade, 64 pixels wide."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(shade)
    y, x = np.mgrid[:64, :64]
    disc = (np.hypot(y - 32, x - 32) < 22)[:, :, None]
    for i in range(count):
        colour = shade * np.array([1.0, 0.6, 0.9]) + rng.normal(0, 25, (64, 64, 3))
        pixels = np.clip(disc * colour, 0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"{folder.name}_{i}.png")


@pytest.fixture(scope="session")
def three_classes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Class folders of 6 cells each."""
    root = tmp_path_factory.mktemp("three")
    for shade, name in zip((60, 130, 210), ("blast", "debris", "smudge"), strict=True):
        draw_class(root / name, shade, 6)
    return root


@pytest.fixture(scope="session")
def many_classes_split(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """23 classes, split in advance: two images each to train on, one to select on and one to test."""
    root = tmp_path_factory.mktemp("many")
    for part, count in (("train", 2), ("val", 1), ("test", 1)):
        for k in range(23):
            draw_class(root / part / f"class_{k:02}", 20 + 10 * k + len(part) % 3, count)
    return root


@pytest.fixture(scope="session")
def cache_of_cells(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pixels and features that these tests share."""
    return tmp_path_factory.mktemp("cache")
