"""Random views of images, made in batches on the device.

All geometry (crop, mirroring, rotation, stretching, shear, shifts, zoom, elastic deformation) is one sampling of the
image, so pixels are interpolated once. What an image's view looks like is decided by one row of uniform numbers; the
rows of an epoch are drawn at once by a seeded generator, and every effect has its own columns, so that switching one
on or off leaves the others' draws alone.

Neither paper gives the strengths of the bone-marrow task's augmentations; they are ours, and settings.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn import functional

from hemobench.strategies.base import Config

Colour = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Normalisation:
    """Mean and standard deviation of red, green and blue that a network's weights were trained with."""

    mean: Colour
    std: Colour


IMAGENET = Normalisation((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
HALF = Normalisation((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
"""TensorFlow's way, of EfficientNet-Lite."""
MEAN, STD = IMAGENET.mean, IMAGENET.std

ELASTIC_GRID = 5
"""Elastic deformation is a smooth field through this many random displacements each way."""

EFFECT_COLUMNS = (
    *("rotation", "shift_x", "shift_y", "shear_x", "shear_y", "zoom", "stretch_x", "stretch_y"),
    *("crop_x", "crop_y", "mirror_x", "mirror_y", "blur", "gamma"),
)
COLUMNS = {name: i for i, name in enumerate(EFFECT_COLUMNS)}
WIDTH = len(COLUMNS) + 2 * ELASTIC_GRID**2


@dataclass(frozen=True, slots=True)
class Augmentation:
    """How strongly each effect may change an image; the default is no change at all.

    Attributes:
        rotation: Largest angle, degrees, either way.
        shift: Largest shift each way, as a share of the side.
        shear: Largest shear factor each way, along both axes.
        zoom: The scale is uniform in 1 - zoom to 1 + zoom.
        stretch: Each axis is scaled by a factor log-uniform in 1 / stretch to stretch.
        crop: Side of the random crop as a share of the image's; it is scaled up to the image's size.
        mirror: Along which axes an image is mirrored, each with probability one half.
        blur: Largest standard deviation of the Gaussian blur, as a share of the side.
        gamma: The exponent is log-uniform in 1 / gamma to gamma.
        elastic: Largest displacement of the deformation, as a share of the side.
        outside: What lies beyond the image's edge.
    """

    rotation: float = 0.0
    shift: float = 0.0
    shear: float = 0.0
    zoom: float = 0.0
    stretch: float = 1.0
    crop: float = 1.0
    mirror: Literal["none", "horizontal", "both"] = "none"
    blur: float = 0.0
    gamma: float = 1.0
    elastic: float = 0.0
    outside: Literal["zeros", "reflection"] = "reflection"


C_NMC = Augmentation(rotation=15, shift=0.1, shear=0.1, zoom=0.1, mirror="horizontal", outside="zeros")
"""The C-NMC paper's; its cells are cut out on black, hence what lies outside."""

EFFECTS: dict[str, dict[str, Any]] = {
    "random_crop": {"crop": 0.875},
    "mirroring": {"mirror": "both"},
    "rotation": {"rotation": 180},
    "stretching": {"stretch": 1.25},
    "blurring": {"blur": 0.01},
    "gamma_correction": {"gamma": 1.4},
    "elastic_deformation": {"elastic": 0.05},
}
"""What each switch of the bone-marrow task's search space turns on."""

AUTOMATED = frozenset({"random_crop", "mirroring", "rotation"})
"""Fixed for the bone-marrow paper's automated searches, whose space has no switches."""


def from_config(config: Config) -> Augmentation:
    """The augmentation that a bone-marrow configuration asks for."""
    chosen: dict[str, Any] = {}
    for name, effect in EFFECTS.items():
        if config.get(name, name in AUTOMATED):
            chosen |= effect
    return Augmentation(**chosen)


def draws(n: int, generator: torch.Generator) -> Tensor:
    """Uniform numbers in [0, 1) that decide `n` views, shape (n, WIDTH)."""
    return torch.rand(n, WIDTH, generator=generator)


def normalise(images: Tensor, how: Normalisation = IMAGENET) -> Tensor:
    """Images in [0, 1], shape (n, 3, s, s), less the mean, over the standard deviation."""
    mean, std = _on(images.device, how)
    return (images - mean) / std


@cache
def _on(device: torch.device, how: Normalisation) -> tuple[Tensor, Tensor]:
    """Mean and deviation on the device: copying them for every batch would make the device wait."""
    shape = (1, 3, 1, 1)
    mean = torch.tensor(how.mean, device=device).view(shape)
    return mean, torch.tensor(how.std, device=device).view(shape)


def to_unit(pixels: Tensor) -> Tensor:
    """Pixels (n, s, s, 3), uint8, as channels-last images (n, 3, s, s) in [0, 1]."""
    return pixels.permute(0, 3, 1, 2).float() / 255


def augment(images: Tensor, drawn: Tensor, how: Augmentation) -> Tensor:
    """Random views.

    Args:
        images: In [0, 1], shape (n, 3, s, s), float32.
        drawn: As from `draws`, shape (n, WIDTH), on the same device.
        how: Which effects, how strong.

    Returns:
        Views in [0, 1] of the same shape.
    """
    if _moves(how):
        images = functional.grid_sample(
            images, _grid(images, drawn, how), padding_mode=how.outside, align_corners=False
        )
    if how.blur:
        images = _blur(images, drawn[:, COLUMNS["blur"]] * how.blur * images.shape[-1], how.blur)
    if how.gamma != 1:
        exponent = _log_uniform(drawn[:, COLUMNS["gamma"]], how.gamma)
        images = images.clamp(min=0).pow(exponent.view(-1, 1, 1, 1))
    return images


def _moves(how: Augmentation) -> bool:
    still = Augmentation(blur=how.blur, gamma=how.gamma, outside=how.outside)
    return how != still


def _grid(images: Tensor, drawn: Tensor, how: Augmentation) -> Tensor:
    """Where each output pixel is read from, in coordinates from -1 to 1; shape (n, s, s, 2)."""
    grid = functional.affine_grid(_affine(drawn, how), list(images.shape), align_corners=False)
    if how.elastic:
        coarse = _symmetric(drawn[:, len(COLUMNS) :]) * 2 * how.elastic
        coarse = coarse.view(-1, 2, ELASTIC_GRID, ELASTIC_GRID)
        field = functional.interpolate(coarse, size=images.shape[-2:], mode="bicubic", align_corners=True)
        grid = grid + field.permute(0, 2, 3, 1)
    return grid


def _affine(drawn: Tensor, how: Augmentation) -> Tensor:
    """Output to input coordinates, shape (n, 2, 3): rotate, shear, scale and mirror about the middle, then move."""

    def column(name: str) -> Tensor:
        return drawn[:, COLUMNS[name]]

    angle = _symmetric(column("rotation")) * math.radians(how.rotation)
    zoom = how.crop / (1 + _symmetric(column("zoom")) * how.zoom)
    scale_x = zoom / _log_uniform(column("stretch_x"), how.stretch) * _flip(column("mirror_x"), how.mirror != "none")
    scale_y = zoom / _log_uniform(column("stretch_y"), how.stretch) * _flip(column("mirror_y"), how.mirror == "both")
    shear_x, shear_y = (_symmetric(column(f"shear_{axis}")) * how.shear for axis in "xy")
    cos, sin = angle.cos(), angle.sin()
    x = torch.stack([scale_x * (cos + shear_x * sin), scale_x * (shear_x * cos - sin)], dim=1)
    y = torch.stack([scale_y * (sin + shear_y * cos), scale_y * (cos - shear_y * sin)], dim=1)
    room = 1 - how.crop  # how far a crop's middle may lie off the image's
    moves = [_symmetric(column(f"shift_{a}")) * 2 * how.shift + _symmetric(column(f"crop_{a}")) * room for a in "xy"]
    return torch.cat([torch.stack([x, y], dim=1), torch.stack(moves, dim=1).unsqueeze(2)], dim=2)


def _symmetric(u: Tensor) -> Tensor:
    """From [0, 1) to [-1, 1)."""
    return 2 * u - 1


def _log_uniform(u: Tensor, factor: float) -> Tensor:
    """From [0, 1) to 1 / factor ... factor, the two halves alike."""
    return torch.exp(_symmetric(u) * math.log(factor))


def _flip(u: Tensor, allowed: bool) -> Tensor:
    return torch.where(u < 0.5, -1.0, 1.0) if allowed else torch.ones_like(u)


def _blur(images: Tensor, sigma: Tensor, largest: float) -> Tensor:
    """Gaussian blur with a standard deviation (pixels) for each image, one axis after the other."""
    n, channels, height, width = images.shape
    radius = max(1, math.ceil(3 * largest * width))
    offsets = torch.arange(-radius, radius + 1, device=images.device)
    kernel = torch.exp(-0.5 * (offsets / sigma.clamp(min=1e-3).unsqueeze(1)) ** 2)
    kernel = (kernel / kernel.sum(dim=1, keepdim=True)).repeat_interleave(channels, dim=0)
    flat = functional.pad(images.reshape(1, n * channels, height, width), [radius] * 4, mode="replicate")
    flat = functional.conv2d(flat, kernel.view(n * channels, 1, 1, -1), groups=n * channels)
    flat = functional.conv2d(flat, kernel.view(n * channels, 1, -1, 1), groups=n * channels)
    return flat.view(n, channels, height, width)
