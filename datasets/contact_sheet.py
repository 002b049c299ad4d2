"""One picture with examples of every class, to see at a glance that labels and images go together."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from hemobench.datasets.files import written_whole
from hemobench.datasets.images import ImageSet
from hemobench.datasets.pixels import scaled

MARGIN = 6
CAPTION = 18


def contact_sheet(images: ImageSet, path: Path, per_class: int = 8, size: int = 96, seed: int = 0) -> None:
    """Write a PNG: a captioned row of examples for every class.

    Args:
        images: What to show.
        path: The PNG to write.
        per_class: Examples of each class, drawn at random.
        size: Side of an example in pixels.
        seed: Which examples.

    Raises:
        BenchmarkError: If an example is broken, or the file cannot be written.
    """
    rng = np.random.default_rng(np.random.SeedSequence(seed))
    row = CAPTION + size + MARGIN
    width = MARGIN + per_class * (size + MARGIN)
    sheet = Image.new("RGB", (width, MARGIN + row * len(images.classes)), "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(12)
    for label, name in enumerate(images.classes):
        members = np.flatnonzero(images.labels == label)
        top = MARGIN + row * label
        pen.text((MARGIN, top), f"{name} ({len(members)})", fill="black", font=font)
        for column, i in enumerate(np.sort(rng.permutation(members)[:per_class])):
            example = Image.fromarray(scaled(images.root / images.paths[i], size))
            sheet.paste(example, (MARGIN + column * (size + MARGIN), top + CAPTION))
    _write(sheet, path)


def _write(sheet: Image.Image, path: Path) -> None:
    buffer = io.BytesIO()
    sheet.save(buffer, format="PNG")
    with written_whole(path) as out:
        out.write(buffer.getvalue())
