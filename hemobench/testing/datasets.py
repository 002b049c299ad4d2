"""What every data set keeps to, as checks that fail with an `AssertionError`."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from hemobench.datasets import open_images, scanned


def check_dataset(name: str, folder: str | Path) -> None:
    """Every check of a data set's reader, on a folder that it should read.

    Args:
        name: One of ours, or declared as an entry point.
        folder: Images in its layout; small ones will do.
    """
    root = Path(folder)
    scan = scanned(name, root)
    assert scan == scanned(name, root), "it reads the same folder differently"
    assert len(scan.classes) >= 2, "fewer than two classes"
    assert len(set(scan.classes)) == len(scan.classes), "a class twice"
    paths = [entry.path for entry in scan.entries]
    assert len(set(paths)) == len(paths), "an image twice"
    for entry in scan.entries:
        assert entry.label in scan.classes, f"{entry.path}: label '{entry.label}' is no class"
        assert not entry.path.is_absolute(), f"{entry.path} is not relative to the folder"
        assert (root / entry.path).is_file(), f"{entry.path} is no file"
    images = open_images(name, root)
    assert images.checksum == open_images(name, root).checksum
    assert set(np.unique(images.labels)) == set(range(len(images.classes))), "a class without images"
