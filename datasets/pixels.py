"""From image files to arrays: decoding, scaling, and a cache that processes share."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.lib.format import write_array_header_1_0
from numpy.typing import NDArray
from PIL import Image

from hemobench.datasets.files import cache_folder, written_whole
from hemobench.datasets.images import ImageSet
from hemobench.errors import BenchmarkError

EIGHT_BIT = frozenset({"1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr"})
NEARLY_SQUARE = 1.05
"""Up to this ratio of the sides an image is cropped to a square (Barcelona: 360 x 363); beyond it, padded."""
RECIPE = 1
"""Part of the cache's file name: raise it when the pixels that `load_pixels` returns change."""
CHUNK = 256
OnProgress = Callable[[int, int], None]


def decode(path: Path) -> Image.Image:
    """The image as 8-bit RGB; transparency is ignored.

    Raises:
        BenchmarkError: If the file is missing, truncated or not an image, or has more than 8 bits a channel.
    """
    try:
        with Image.open(path) as image:
            mode = image.mode
            rgb = image.convert("RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        hint = "restore it from the original download (`hemobench data verify` names every broken file)"
        raise BenchmarkError(f"the image {path} cannot be decoded: {error}", hint) from error
    if mode not in EIGHT_BIT:
        raise BenchmarkError(f"the image {path} has mode {mode}", "save it with 8 bits a channel")
    return rgb


def square(image: Image.Image) -> Image.Image:
    """Make an image square without stretching it.

    A nearly square one loses the margins of its longer side; any other is padded, centred, with the median colour
    of its border, since cropping would cut the cell.
    """
    width, height = image.size
    short, long = sorted(image.size)
    if short == long:
        return image
    if long <= NEARLY_SQUARE * short:
        left, top = (width - short) // 2, (height - short) // 2
        return image.crop((left, top, left + short, top + short))
    array = np.asarray(image)
    border = np.concatenate([array[0], array[-1], array[:, 0], array[:, -1]])
    red, green, blue = (int(v) for v in np.median(border, axis=0))
    padded = Image.new("RGB", (long, long), (red, green, blue))
    padded.paste(image, ((long - width) // 2, (long - height) // 2))
    return padded


def scaled(path: Path, size: int) -> NDArray[np.uint8]:
    """One image, shape (size, size, 3): squared, then scaled by area interpolation (as the C-NMC paper does).

    Enlarging by area repeats pixels.
    """
    return np.asarray(square(decode(path)).resize((size, size), Image.Resampling.BOX))


def load_pixels(
    images: ImageSet,
    size: int,
    cache: Path | None = None,
    jobs: int = 1,
    on_progress: OnProgress | None = None,
) -> NDArray[np.uint8]:
    """All images, decoded and scaled, as one read-only memory-mapped array.

    The array is a file of the cache folder, named by the image set's checksum and the size, written whole or not
    at all, and shared by all processes that load it. A damaged one is built again.

    Args:
        images: What to load.
        size: Side in pixels.
        cache: The cache folder; by default `$HEMOBENCH_CACHE` or the user's.
        jobs: Threads that decode.
        on_progress: Told how many images are decoded, and of how many; never called if the cache has them.

    Returns:
        RGB, shape (n, size, size, 3), uint8, in the order of `images.paths`.

    Raises:
        BenchmarkError: If an image is broken, or the cache cannot be written.
    """
    if size < 1:
        raise BenchmarkError(f"images cannot be {size} pixels wide", "give a size of at least 1")
    folder = cache_folder() if cache is None else Path(cache)
    path = folder / f"pixels-{images.checksum[:32]}-{size}-r{RECIPE}.npy"
    shape = (len(images), size, size, 3)
    found = _cached(path, shape)
    if found is None:
        _build(path, images, size, shape, jobs, on_progress)
        found = _cached(path, shape)
    if found is None:
        raise BenchmarkError(f"the cache file {path} changes under us", "delete it and try again")
    return found


def _cached(path: Path, shape: tuple[int, ...]) -> NDArray[np.uint8] | None:
    """The cached array, or `None` where there is none or it is damaged."""
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    return array if array.shape == shape and array.dtype == np.uint8 else None


def _build(
    path: Path, images: ImageSet, size: int, shape: tuple[int, ...], jobs: int, on_progress: OnProgress | None
) -> None:
    files = [images.root / p for p in images.paths]
    header = {"descr": "|u1", "fortran_order": False, "shape": shape}
    with written_whole(path) as out, ThreadPoolExecutor(max(jobs, 1)) as pool:
        write_array_header_1_0(out, header)
        for start in range(0, len(files), CHUNK):  # bounds the memory: one chunk of scaled images at a time
            for pixels in pool.map(lambda file: scaled(file, size), files[start : start + CHUNK]):
                out.write(pixels.tobytes())
            if on_progress is not None:
                on_progress(min(start + CHUNK, len(files)), len(files))
