"""Stylised stained cells, drawn from signed distances with NumPy: stand-ins where no photographs are at hand.

Lengths are in halves of the image's side: the image spans -1 to 1 in both directions.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Field = NDArray[np.float32]
Colour = tuple[int, int, int]
BACKGROUND: Colour = (250, 226, 200)
RED_CELL: Colour = (205, 170, 160)
PLUM: Colour = (78, 38, 118)
DISCS = 13


@dataclass(frozen=True, slots=True)
class Nucleus:
    """A chain of discs along an arc: a disc, a kidney, a band or lobes, by its numbers.

    Attributes:
        size: Half the extent, as a share of the cell's radius.
        span: Angle of the arc in radians; 0 draws a round nucleus.
        thickness: Radius of the discs, as a share of `size`.
        lobes: Lobes along the arc; 0 leaves it even.
        pinch: How thin the bridges between the lobes are: 0 not at all, 1 broken.
    """

    size: float
    span: float = 0.0
    thickness: float = 1.0
    lobes: int = 0
    pinch: float = 0.0


@dataclass(frozen=True, slots=True)
class Look:
    """How the cells of a class look, on average.

    Attributes:
        radius: Of the cell.
        nucleus: Its shape.
        cytoplasm: Its colour.
        stain: Colour of the nucleus.
        texture: Contrast of the chromatin, about 0 to 1.
        grain: Size of the chromatin's clumps in pixels of 144.
        granules: Colour of the granules, if any.
        density: Share of the cytoplasm that granules cover.
        over: Granules cover the nucleus too.
        ragged: Irregularity of the cell's outline.
        vacuoles: Number of pale bubbles, on average.
        nucleoli: Number of pale spots in the nucleus, on average.
    """

    radius: float
    nucleus: Nucleus
    cytoplasm: Colour
    stain: Colour = PLUM
    texture: float = 0.5
    grain: float = 9
    granules: Colour | None = None
    density: float = 0.0
    over: bool = False
    ragged: float = 0.02
    vacuoles: float = 0
    nucleoli: float = 0


def grid(size: int) -> tuple[Field, Field]:
    """The coordinates x and y at the pixels' centres, each of shape (size, size)."""
    line = ((np.arange(size, dtype=np.float32) + 0.5) * 2 / size - 1).astype(np.float32)
    x, y = np.meshgrid(line, line)
    return x, y


def noise(rng: np.random.Generator, size: int, grain: float) -> Field:
    """Smooth noise of about unit deviation with clumps of `grain` pixels of 144, shape (size, size)."""
    knots = max(int(144 / grain), 2)
    coarse = Image.fromarray(rng.standard_normal((knots, knots)).astype(np.float32))
    fine = np.asarray(coarse.resize((size, size), Image.Resampling.BICUBIC))
    return (fine / 0.7).astype(np.float32)


def cover(distance: Field, soft: float = 1.0) -> Field:
    """Share of each pixel inside a shape of which `distance` is the signed distance: anti-aliased by `soft` pixels."""
    pixel = 2 * soft / distance.shape[0]
    share: Field = np.clip(0.5 - distance / np.float32(pixel), 0, 1)
    return share


def paint(image: Field, colour: Colour | Field, alpha: Field) -> None:
    """Lay a colour over the image where `alpha` is 1, in place."""
    image += alpha[..., None] * (np.asarray(colour, dtype=np.float32) - image)


def disc(x: Field, y: Field, centre: tuple[float, float], radius: float) -> Field:
    """Signed distance to a disc."""
    distance: Field = np.hypot(x - np.float32(centre[0]), y - np.float32(centre[1]))
    return distance - np.float32(radius)


def nucleus_distance(x: Field, y: Field, shape: Nucleus, scale: float, angle: float) -> Field:
    """Signed distance to a nucleus at the origin, of extent `scale * shape.size`, turned by `angle`."""
    size = scale * shape.size
    if shape.span == 0:
        return disc(x * np.float32(1 + 0.12 * np.cos(angle)), y * np.float32(1 + 0.12 * np.sin(angle)), (0, 0), size)
    t = np.linspace(-1, 1, DISCS)
    radius = size * shape.thickness * (1 - shape.pinch * (0.5 + 0.5 * np.cos(np.pi * shape.lobes * (t + 1))))
    bend = size * (1 - shape.thickness) / max(np.sin(min(shape.span, np.pi) / 2), 0.3)
    around = angle + t * shape.span / 2
    px, py = bend * np.cos(around), bend * np.sin(around)
    px, py = px - px.mean(), py - py.mean()
    distance = disc(x, y, (px[0], py[0]), radius[0])
    for k in range(1, DISCS):
        np.minimum(distance, disc(x, y, (px[k], py[k]), radius[k]), out=distance)
    return distance


def draw_cell(image: Field, look: Look, rng: np.random.Generator) -> Field:
    """Paint one cell near the middle of the image, in place.

    Args:
        image: RGB, shape (size, size, 3), float32, 0 to 255.
        look: The class.
        rng: The individual.

    Returns:
        Share of each pixel that the cell covers, shape (size, size).
    """
    size = image.shape[0]
    x, y = (axis - np.float32(rng.normal(0, 0.04)) for axis in grid(size))
    radius = look.radius * rng.normal(1, 0.08)
    turn, stretch = rng.uniform(0, np.pi), 1 + abs(rng.normal(0, 0.08))
    u, v = x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn)
    ragged = np.float32(look.ragged * rng.lognormal(0, 0.4))
    outline = np.hypot(u / stretch, v * stretch) - radius + ragged * noise(rng, size, 28)
    body = cover(outline, 1.6)
    cytoplasm = np.asarray(look.cytoplasm, dtype=np.float32) + (5 * noise(rng, size, 20))[..., None]
    paint(image, cytoplasm, body * np.float32(rng.uniform(0.85, 1)))
    paint(image, (115, 85, 150), body * cover(-outline - 0.03, 3) * 0.35)  # the membrane is darker

    shape = look.nucleus
    room = max(radius * (1 - shape.size), 0) * 0.75
    where = rng.uniform(0, 2 * np.pi)
    warp = [np.float32(0.022) * noise(rng, size, 24) for _ in range(2)]
    nx, ny = x - np.float32(room * np.cos(where)) + warp[0], y - np.float32(room * np.sin(where)) + warp[1]
    distance = nucleus_distance(nx, ny, shape, radius * rng.normal(1, 0.05), rng.uniform(0, 2 * np.pi))
    inside = cover(distance, 1.6) * body
    _granules(image, look, rng, body * (1 - inside))
    _bubbles(image, rng, look.vacuoles, (radius * 0.8, 0.05), body * (1 - inside), (232, 222, 232))
    _chromatin(image, look, rng, distance, inside)
    _bubbles(image, rng, look.nucleoli, (radius * shape.size * 0.7, 0.075), inside, (140, 100, 165))
    if look.over:
        _granules(image, look, rng, body)
    return body


def _chromatin(image: Field, look: Look, rng: np.random.Generator, distance: Field, inside: Field) -> None:
    size = image.shape[0]
    clumps = noise(rng, size, look.grain) + 0.6 * noise(rng, size, look.grain / 2)
    shade = 1 + look.texture * 0.22 * clumps - 0.1 * cover(-distance - 0.04, 3)  # a darker rim
    paint(image, np.asarray(look.stain, dtype=np.float32) * shade[..., None].clip(0.45, 1.8), inside)


def _granules(image: Field, look: Look, rng: np.random.Generator, where: Field) -> None:
    if look.granules is None:
        return
    speckle = noise(rng, image.shape[0], 3.2)
    limit = np.quantile(speckle, 1 - min(look.density * rng.lognormal(0, 0.25), 0.9))
    paint(image, look.granules, where * np.clip((speckle - limit) * 1.6, 0, 0.9))


def _bubbles(
    image: Field, rng: np.random.Generator, number: float, reach: tuple[float, float], where: Field, colour: Colour
) -> None:
    """Pale round spots; `reach` is how far from the middle they lie and how large they are."""
    x, y = grid(image.shape[0])
    for _ in range(rng.poisson(number)):
        angle, far = rng.uniform(0, 2 * np.pi), reach[0] * np.sqrt(rng.random())
        spot = disc(x, y, (far * np.cos(angle), far * np.sin(angle)), reach[1] * rng.uniform(0.6, 1.3))
        paint(image, colour, cover(spot, 3) * where * 0.8)


def draw_red_cells(image: Field, rng: np.random.Generator) -> None:
    """Scatter red cells round the middle: pale discs with paler centres, in place."""
    x, y = grid(image.shape[0])
    for _ in range(rng.poisson(6)):
        angle, far = rng.uniform(0, 2 * np.pi), rng.uniform(0.75, 1.35)
        ring = disc(x, y, (far * np.cos(angle), far * np.sin(angle)), 0)
        radius = rng.normal(0.27, 0.03)
        paint(image, RED_CELL, cover(ring - np.float32(radius), 2) * 0.85)
        pale = cover(ring - np.float32(0.4 * radius), 9)
        paint(image, BACKGROUND, pale * np.float32(rng.uniform(0.1, 0.7)))


def finished(image: Field, stain: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Stain, light and the camera's noise; shape (size, size, 3), uint8.

    Args:
        image: As drawn.
        stain: A gain for each channel.
        rng: The individual.
    """
    exposed = image * (stain * rng.normal(1, 0.03)).astype(np.float32)
    exposed += rng.standard_normal(image.shape).astype(np.float32) * 2.5 * (exposed > 1)
    return np.clip(np.rint(exposed), 0, 255).astype(np.uint8)
