"""Decoding, scaling and the shared cache."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hemobench.datasets import open_images
from hemobench.datasets.fingerprints import fingerprint, fingerprints
from hemobench.datasets.images import ImageSet, subset
from hemobench.datasets.pixels import decode, load_pixels, scaled, square
from hemobench.errors import BenchmarkError

Get = Callable[[str], Path]


@pytest.fixture
def images(drawn: Get) -> ImageSet:
    return subset(open_images("bone-marrow", drawn("bone-marrow")), 20, seed=0)


def test_pixels_are_area_averages_in_the_order_of_paths(images: ImageSet, tmp_path: Path) -> None:
    pixels = load_pixels(images, 24, cache=tmp_path)
    assert pixels.shape == (20, 24, 24, 3)
    assert pixels.dtype == np.uint8
    original = np.asarray(Image.open(images.root / images.paths[7])).astype(float)
    means = original.reshape(24, 2, 24, 2, 3).mean(axis=(1, 3))
    assert np.abs(pixels[7] - means).max() <= 1


def test_cache_is_reused_and_shared_by_jobs(images: ImageSet, tmp_path: Path) -> None:
    one = load_pixels(images, 16, cache=tmp_path, jobs=1)
    (file,) = tmp_path.iterdir()
    changed = file.stat().st_mtime_ns
    again = load_pixels(images, 16, cache=tmp_path, jobs=2)
    assert isinstance(again, np.memmap)
    assert file.stat().st_mtime_ns == changed
    assert (load_pixels(images, 16, cache=tmp_path / "other", jobs=2) == one).all()
    load_pixels(images, 8, cache=tmp_path)
    assert len(list(tmp_path.glob("*.npy"))) == 2  # another size is another file, and nothing else is left behind


@pytest.mark.parametrize("left", [0, 50, 5000])
def test_a_truncated_cache_is_rebuilt(images: ImageSet, tmp_path: Path, left: int) -> None:
    wanted = np.array(load_pixels(images, 16, cache=tmp_path))
    (file,) = tmp_path.iterdir()
    file.write_bytes(file.read_bytes()[:left])
    assert (load_pixels(images, 16, cache=tmp_path) == wanted).all()


def test_a_cache_of_another_shape_is_rebuilt(images: ImageSet, tmp_path: Path) -> None:
    wanted = np.array(load_pixels(images, 16, cache=tmp_path))
    (file,) = tmp_path.iterdir()
    np.save(file, np.zeros((3, 16, 16, 3), np.uint8))
    assert (load_pixels(images, 16, cache=tmp_path) == wanted).all()


def test_default_cache_is_the_environments(images: ImageSet, cache: Path) -> None:
    before = set(cache.glob("pixels-*"))
    load_pixels(images, 9)
    assert len(set(cache.glob("pixels-*")) - before) == 1


def test_a_cache_that_cannot_be_written_is_named(images: ImageSet, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(BenchmarkError, match="cannot be written") as caught:
        load_pixels(images, 16, cache=tmp_path / "file")
    assert "HEMOBENCH_CACHE" in caught.value.hint
    with pytest.raises(BenchmarkError, match="0 pixels"):
        load_pixels(images, 0)


def test_oblong_images_are_cropped_a_little_or_padded() -> None:
    ramp = np.tile(np.arange(103, dtype=np.uint8)[:, None, None], (1, 100, 3))
    cropped = np.asarray(square(Image.fromarray(ramp)))
    assert cropped.shape == (100, 100, 3)
    assert cropped[0, 0, 0] == 1
    assert cropped[-1, 0, 0] == 100
    grey = np.full((60, 100, 3), 90, np.uint8)
    grey[20:40, 40:60] = 200
    padded = np.asarray(square(Image.fromarray(grey)))
    assert padded.shape == (100, 100, 3)
    assert (padded[0] == 90).all()
    assert (padded[45, 50] == 200).all()


def test_modes(tmp_path: Path) -> None:
    Image.new("L", (8, 8), 7).save(tmp_path / "grey.png")
    assert scaled(tmp_path / "grey.png", 4).tolist() == np.full((4, 4, 3), 7).tolist()
    Image.fromarray(np.full((8, 8), 40_000, np.uint16)).save(tmp_path / "deep.png")
    with pytest.raises(BenchmarkError, match=r"deep.png has mode I;16"):
        decode(tmp_path / "deep.png")


@pytest.mark.parametrize("suffix", ["bmp", "png", "jpg"])
@pytest.mark.parametrize("share", [0.0, 0.02, 0.5, 0.9])
def test_truncated_files_do_not_decode(drawn: Get, tmp_path: Path, suffix: str, share: float) -> None:
    file = tmp_path / f"cell.{suffix}"
    Image.open(next((drawn("bone-marrow") / "monocyte").iterdir())).save(file)
    assert not fingerprint(file).error
    data = file.read_bytes()
    file.write_bytes(data[: int(len(data) * share)])
    assert "cell." in fingerprint(file).error


def test_fingerprints_follow_changes_and_survive_a_damaged_cache(tmp_path: Path, cache: Path) -> None:
    root = tmp_path / "set"
    root.mkdir()
    paths = [Path(f"{i}.bmp") for i in range(3)]  # so that a changed image keeps its size
    for i, path in enumerate(paths):
        Image.new("RGB", (8, 8), (i, 0, 0)).save(root / path)
    before = set(cache.glob("fingerprints-*"))
    first = fingerprints(root, paths)
    (file,) = set(cache.glob("fingerprints-*")) - before
    assert fingerprints(root, paths) == first
    Image.new("RGB", (8, 8), (9, 9, 9)).save(root / paths[1])
    second = fingerprints(root, paths)
    assert second[0] == first[0]
    assert second[1] != first[1]
    for damage in (b"\xff\xfe\x00", b"not\ta\tline\n", file.read_bytes()[:100]):
        file.write_bytes(damage)
        assert fingerprints(root, paths) == second


def test_headers_do_not_count(tmp_path: Path) -> None:
    image = Image.new("RGB", (8, 8), (10, 20, 30))
    image.save(tmp_path / "a.bmp")
    image.save(tmp_path / "a.png")
    a, b = fingerprint(tmp_path / "a.bmp"), fingerprint(tmp_path / "a.png")
    assert a.pixels == b.pixels
    assert a.sha256 != b.sha256
