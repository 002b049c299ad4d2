"""Procedural stand-ins for both data sets, in their layouts: for trying, testing and CI, never for results.

Every folder holds a SYNTHETIC.txt, and every image says so in its metadata.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, PngImagePlugin

from hemobench.datasets import reader
from hemobench.datasets.drawing import BACKGROUND, Look, Nucleus, draw_cell, draw_red_cells, finished
from hemobench.datasets.files import written_whole
from hemobench.datasets.readers.bone_marrow import BARCELONA
from hemobench.datasets.readers.c_nmc import FOLDS, HEADER, PRELIM
from hemobench.errors import BenchmarkError

TAG = "synthetic: drawn by hemobench, not a photograph of a cell"
NOTICE = """These images are synthetic: procedural drawings made by `hemobench data synthesize {name}`
(images={images}, seed={seed}, size={size}). They show no patient and no real cell. Figures measured on
them say nothing about any classifier.
"""

TEN = {
    "band_neutrophil": (
        448,
        Look(0.56, Nucleus(0.66, 3.6, 0.36), (222, 194, 206), granules=(178, 140, 184), density=0.1),
    ),
    "basophil": (
        333,
        Look(0.5, Nucleus(0.72, 2.5, 0.55, 2, 0.3), (186, 152, 192), granules=(56, 28, 96), density=0.42, over=True),
    ),
    "eosinophil": (
        854,
        Look(0.58, Nucleus(0.62, 3.4, 0.46, 2, 0.6), (214, 150, 132), granules=(222, 104, 72), density=0.5),
    ),
    "erythroblast": (426, Look(0.44, Nucleus(0.62), (158, 150, 188), (58, 28, 84), texture=0.8, grain=11)),
    "lymphocyte": (333, Look(0.43, Nucleus(0.86), (160, 164, 212), texture=0.45, grain=13)),
    "metamyelocyte": (
        279,
        Look(0.56, Nucleus(0.66, 2.0, 0.62), (206, 184, 208), granules=(150, 104, 170), density=0.14, texture=0.6),
    ),
    "monocyte": (
        389,
        Look(0.68, Nucleus(0.72, 2.3, 0.6), (168, 162, 200), (104, 64, 142), 0.5, 6, ragged=0.05, vacuoles=3),
    ),
    "myelocyte": (
        312,
        Look(0.55, Nucleus(0.7), (188, 160, 204), (92, 44, 124), granules=(128, 64, 150), density=0.2, texture=0.65),
    ),
    "promyelocyte": (
        162,
        Look(
            0.62,
            Nucleus(0.78),
            (150, 134, 192),
            (104, 54, 138),
            0.5,
            6,
            granules=(112, 40, 136),
            density=0.26,
            nucleoli=2,
        ),
    ),
    "segmented_neutrophil": (
        452,
        Look(0.55, Nucleus(0.68, 4.2, 0.33, 4, 0.75), (224, 198, 206), granules=(186, 150, 188), density=0.1),
    ),
}
"""Class -> (weight, look). The weights are the image counts of the ten-class Barcelona selection."""

TWO = {
    "hem": Look(0.53, Nucleus(0.91), (96, 58, 112), (82, 44, 97), texture=0.55, grain=10.5, ragged=0.025),
    "all": Look(0.59, Nucleus(0.93), (98, 60, 114), (86, 47, 99), texture=0.5, grain=8, ragged=0.04, nucleoli=0.7),
}
PARTS = {**{f"fold_{k}": 0.28 for k in FOLDS}, "prelim": 0.16}
ALL_SHARE = 0.66


@dataclass(frozen=True, slots=True)
class Drawing:
    """One file to be drawn.

    Attributes:
        path: Relative to the folder.
        label: Class name.
        stain: Gain of each channel, shape (3,).
        line: The file's line in the preliminary test set's table; empty elsewhere.
    """

    path: Path
    label: str
    stain: NDArray[np.float64]
    line: str = ""


@dataclass(frozen=True, slots=True)
class StandIn:
    """How a data set's stand-in is drawn.

    Attributes:
        least: Images that it has at least.
        plan: What to draw, of the number of images and a generator.
        draw: An image's bytes, of the drawing, the side in pixels and a generator.
    """

    least: int
    plan: Callable[[int, np.random.Generator], Iterable[Drawing]]
    draw: Callable[[Drawing, int, np.random.Generator], bytes]


def stand_in_of(name: str) -> StandIn:
    """How the stand-in of a data set is drawn: ours, or what its reader's module calls `STAND_IN`.

    Raises:
        BenchmarkError: If there is no such data set, or it has none.
    """
    module = reader(name)
    ten = StandIn(len(TEN), _plan_ten, _draw_ten)
    two = StandIn(4 * len(PARTS), _plan_two, _draw_two)
    ours = {"c-nmc": two, "bone-marrow": ten, "cells": ten}
    found = ours.get(name) or getattr(module, "STAND_IN", None)
    if not isinstance(found, StandIn):
        raise BenchmarkError(f"nothing is known to draw for the data set '{name}'", "bring images of your own")
    return found


def synthesize(name: str, out: Path, images: int, seed: int, size: int = 144) -> None:
    """Draw a stand-in data set; the same arguments give the same bytes.

    Args:
        name: `c-nmc` (three folds and a preliminary test set, subjects that differ in stain) or `bone-marrow`
            or `cells` (ten class folders).
        out: A folder that is empty or not there yet.
        images: Number of images in all.
        seed: Which ones.
        size: Side in pixels.

    Raises:
        BenchmarkError: On an unknown name, a folder that is not empty, or too few images or pixels.
    """
    stand_in = stand_in_of(name)
    if images < stand_in.least or size < 16:
        hint = f"give at least {stand_in.least}, of 16 pixels"
        raise BenchmarkError(f"{images} images of {size} pixels are too few", hint)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise BenchmarkError(f"{out} is not an empty folder", "name a new one; nothing is overwritten")
    plan_seed, *seeds = np.random.SeedSequence(seed).spawn(images + 1)
    rng = np.random.default_rng(plan_seed)
    plan = list(stand_in.plan(images, rng))
    _write(out / "SYNTHETIC.txt", NOTICE.format(name=name, images=images, seed=seed, size=size).encode())
    if lines := [drawing.line for drawing in plan if drawing.line]:
        table = out / "validation_data" / f"{PRELIM}_labels.csv"
        _write(table, "\n".join([",".join(HEADER), *lines, ""]).encode())
    for drawing, image_seed in zip(plan, seeds, strict=True):
        _write(out / drawing.path, stand_in.draw(drawing, size, np.random.default_rng(image_seed)))


def shares(weights: list[float], n: int) -> list[int]:
    """`n` in proportion to the weights, at least one each, the largest remainders rounded up."""
    free = n - len(weights)
    exact = [free * w / sum(weights) for w in weights]
    counts = [int(e) for e in exact]
    order = sorted(range(len(weights)), key=lambda i: counts[i] - exact[i])
    return [1 + c + (i in order[: free - sum(counts)]) for i, c in enumerate(counts)]


def _plan_ten(images: int, rng: np.random.Generator) -> Iterator[Drawing]:
    prefixes = {label: prefix for prefix, label in BARCELONA.items()}
    for label, count in zip(TEN, shares([weight for weight, _ in TEN.values()], images), strict=True):
        for number in range(count):
            stain = rng.normal(1, 0.02, 3)
            yield Drawing(Path(label, f"{prefixes[label]}_{100_001 + number}.jpg"), label, stain)


def _plan_two(images: int, rng: np.random.Generator) -> Iterator[Drawing]:
    """Subjects are numbered from 101, so that none is one of the real set's merged subjects."""
    subject, number = 100, 0
    for part, count in zip(PARTS, shares(list(PARTS.values()), images), strict=True):
        blasts = min(max(round(count * ALL_SHARE), 1), count - 1)
        for label, cells in (("all", blasts), ("hem", count - blasts)):
            patients = min(max(cells // 6, 1), 5)
            for own in shares([1.0 / (i + 1) for i in range(patients)], cells):
                subject, stain = subject + 1, rng.normal(1, 0.06, 3)
                for cell in range(own):
                    number += part == "prelim"
                    yield _of_subject(part, label, subject, (cell // 4 + 1, cell % 4 + 1), stain, number)


def _of_subject(
    part: str, label: str, subject: int, cell: tuple[int, int], stain: NDArray[np.float64], number: int
) -> Drawing:
    prefix = "H" if label == "hem" else ""
    uid = f"UID_{prefix}{subject}_{cell[0]}_{cell[1]}_{label}"
    if part == "prelim":
        line = f"{uid}.bmp,{number}.bmp,{int(label == 'all')}"
        return Drawing(Path("validation_data", PRELIM, f"{number}.png"), label, stain, line)
    return Drawing(Path("training_data", part, label, f"{uid}.png"), label, stain)


def _draw_ten(drawing: Drawing, size: int, rng: np.random.Generator) -> bytes:
    image = np.full((size, size, 3), BACKGROUND, dtype=np.float32)
    draw_red_cells(image, rng)
    draw_cell(image, TEN[drawing.label][1], rng)
    return _encoded(Image.fromarray(finished(image, drawing.stain, rng)), drawing.path.suffix)


def _draw_two(drawing: Drawing, size: int, rng: np.random.Generator) -> bytes:
    image = np.zeros((size, size, 3), dtype=np.float32)
    body = draw_cell(image, TWO[drawing.label], rng)
    image *= (body > 0.5)[..., None]  # the real set's cells are cut out, too
    return _encoded(Image.fromarray(finished(image, drawing.stain, rng)), drawing.path.suffix)


def _encoded(image: Image.Image, suffix: str) -> bytes:
    buffer = io.BytesIO()
    if suffix == ".png":
        tag = PngImagePlugin.PngInfo()
        tag.add_text("Comment", TAG)
        image.save(buffer, format="PNG", pnginfo=tag)
    else:
        image.save(buffer, format="JPEG", quality=93, comment=TAG.encode())
    return buffer.getvalue()


def _write(path: Path, data: bytes) -> None:
    with written_whole(path) as out:
        out.write(data)
