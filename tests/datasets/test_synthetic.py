"""The stand-ins: marked, deterministic, and neither trivial nor hopeless."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.ensemble import ExtraTreesClassifier

from hemobench.datasets import open_images
from hemobench.datasets.pixels import load_pixels
from hemobench.datasets.splits import stratified_folds
from hemobench.datasets.synthetic import TAG, shares, synthesize
from hemobench.errors import BenchmarkError

Get = Callable[[str], Path]


def contents(root: Path) -> dict[str, bytes]:
    return {p.relative_to(root).as_posix(): p.read_bytes() for p in sorted(root.rglob("*")) if p.is_file()}


@pytest.mark.parametrize("name", ["c-nmc", "bone-marrow"])
def test_same_seed_same_bytes(tmp_path: Path, name: str) -> None:
    for folder, seed in (("a", 5), ("b", 5), ("c", 6)):
        synthesize(name, tmp_path / folder, images=20, seed=seed, size=32)
    assert contents(tmp_path / "a") == contents(tmp_path / "b")
    assert contents(tmp_path / "a") != contents(tmp_path / "c")


def test_every_file_says_that_it_is_synthetic(drawn: Get) -> None:
    for name in ("c-nmc", "bone-marrow"):
        assert "synthetic" in (drawn(name) / "SYNTHETIC.txt").read_text()
        for file in open_images(name, drawn(name)).paths:
            info = Image.open(drawn(name) / file).info
            comment = info.get("Comment", info.get("comment"))
            assert comment in (TAG, TAG.encode())


def test_layout_of_c_nmc(drawn: Get) -> None:
    images = open_images("c-nmc", drawn("c-nmc"))
    assert set(images.folds) == {-1, 0, 1, 2}
    for label in (0, 1):
        for fold in (-1, 0, 1, 2):
            assert ((images.labels == label) & (images.folds == fold)).any()
    assert len(np.unique(images.groups)) == len(set(images.subjects))  # each subject in one fold, none merged
    assert len(np.unique(images.contents)) == len(images)


@pytest.mark.parametrize(("name", "least", "most"), [("bone-marrow", 0.35, 0.98), ("c-nmc", 0.6, 0.99)])
def test_classes_can_be_told_apart_but_not_by_a_glance(drawn: Get, name: str, least: float, most: float) -> None:
    images = open_images(name, drawn(name))
    pixels = load_pixels(images, 12).reshape(len(images), -1)
    folds = stratified_folds(images.labels, images.groups, 3)
    right = []
    for k in range(3):
        forest = ExtraTreesClassifier(150, random_state=0).fit(pixels[folds != k], images.labels[folds != k])
        right.append(forest.score(pixels[folds == k], images.labels[folds == k]))
    assert least < np.mean(right) < most


def test_shares() -> None:
    assert shares([1, 1, 2], 8) == [2, 2, 4]
    assert all(sum(shares([0.2, 5, 1], n)) == n and min(shares([0.2, 5, 1], n)) >= 1 for n in range(3, 50))


def test_bad_input(tmp_path: Path, drawn: Get) -> None:
    with pytest.raises(BenchmarkError, match="too few"):
        synthesize("bone-marrow", tmp_path / "a", images=9, seed=0)
    with pytest.raises(BenchmarkError, match="too few"):
        synthesize("c-nmc", tmp_path / "a", images=99, seed=0, size=4)
    with pytest.raises(BenchmarkError, match="not an empty folder"):
        synthesize("c-nmc", drawn("c-nmc"), images=20, seed=0)
    with pytest.raises(BenchmarkError, match="no data set"):
        synthesize("lung", tmp_path / "a", images=20, seed=0)
    assert not (tmp_path / "a").exists()
