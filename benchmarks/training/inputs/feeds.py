"""What the training loop reads: batches of one epoch, and the images held out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hemobench.benchmarks.training.inputs.augmentation import (
    IMAGENET,
    Augmentation,
    Normalisation,
    augment,
    draws,
    normalise,
    to_unit,
)
from hemobench.benchmarks.training.seeds import Stream, generator
from hemobench.benchmarks.training.timer import Timer
from hemobench.datasets.images import ImageSet, Split

Side = Literal["train", "validation", "test"]
SIDES: tuple[Side, ...] = ("train", "validation", "test")
CHUNK = {"cpu": 64, "cuda": 512}
"""Images at a time where nothing is learnt, and at least so many views at a time, whatever the batch size: as many as
a CPU's cache holds, or as a GPU needs to be busy."""
RESIDENT_SHARE = 0.25
"""Pixels that take no more of a GPU's free memory than this are kept there."""


class Feed(Protocol):
    """The inputs and labels of one split, on the device."""

    def labels(self, side: Side) -> Tensor:
        """Labels of one side, shape (n,), int64, on the CPU."""

    def prepare(self, epoch: int, watch: Timer) -> None:
        """Do what an epoch (from 0) needs and no trial is charged for."""

    def batches(self, epoch: int, rows: Tensor, slots: Tensor, batch_size: int) -> Iterator[Tensor]:
        """The training inputs of one epoch.

        Args:
            epoch: From 0.
            rows: Which training image each place of the epoch shows, shape (m,), on the CPU.
            slots: Which view of the epoch it is, shape (m,): two places with one image have two views.
            batch_size: Places a batch; the last may hold fewer.
        """

    def held_out(self, side: Side) -> Iterator[Tensor]:
        """The inputs of the validation or test set, as they are, in order and in chunks."""


class Pixels:
    """Images as bytes: on the device where they take little of its memory, else fetched batch by batch.

    Args:
        array: Shape (n, s, s, 3), uint8; may be memory-mapped.
        device: Where batches are wanted.
    """

    def __init__(self, array: NDArray[np.uint8], device: torch.device) -> None:
        self._array = array
        self._device = device

    @cached_property
    def _resident(self) -> Tensor | None:
        """All images on the GPU, if they are few; moved there when the first is wanted."""
        if self._device.type != "cuda" or not fits(self._array.nbytes, self._device):
            return None
        return torch.from_numpy(np.array(self._array)).to(self._device)

    @property
    def size(self) -> int:
        """Side in pixels."""
        return int(self._array.shape[1])

    def unit(self, positions: Tensor) -> Tensor:
        """The images at these positions, in [0, 1], shape (n, 3, s, s), on the device."""
        if self._resident is not None:
            return to_unit(self._resident[positions.to(self._device)])
        chosen = self._array[positions.cpu().numpy()]
        return to_unit(torch.from_numpy(chosen).to(self._device))

    def reachable(self, positions: Tensor) -> Tensor:
        """Positions where the pixels lie, so that picking images of them waits for no device."""
        return positions.to(self._device) if self._resident is not None else positions


@dataclass(frozen=True)
class Sides:
    """Positions and labels of the three sides of a split, on the CPU."""

    positions: dict[Side, Tensor]
    labels: dict[Side, Tensor]

    @classmethod
    def of(cls, images: ImageSet, split: Split) -> Sides:
        """From an image set and a split of it."""
        chosen: dict[Side, NDArray[np.int64]] = {
            "train": split.train,
            "validation": split.validation,
            "test": split.test,
        }
        return cls(
            {side: torch.as_tensor(np.array(rows)) for side, rows in chosen.items()},
            {side: torch.as_tensor(images.labels[rows]) for side, rows in chosen.items()},
        )


def fits(size: int, device: torch.device) -> bool:
    """Whether so many bytes take little of a GPU's free memory; see `RESIDENT_SHARE`."""
    return size <= RESIDENT_SHARE * torch.cuda.mem_get_info(device)[0]


def chunk(device: torch.device) -> int:
    """See `CHUNK`."""
    return CHUNK.get(device.type, CHUNK["cuda"])


def view_draws(view_seed: int, epoch: int, n: int) -> Tensor:
    """What decides the views of an epoch; the same for every trial that has this view seed."""
    return draws(n, generator(view_seed, Stream.VIEWS, epoch))


@dataclass(frozen=True)
class ImageFeed:
    """Augments images a few batches ahead of their need, on the device.

    Attributes:
        sides: Which images.
        pixels: All images.
        how: The augmentation of training images.
        view_seed: Decides the views.
        device: Where.
        normalisation: What the network's inputs are normalised with.
    """

    sides: Sides
    pixels: Pixels
    how: Augmentation
    view_seed: int
    device: torch.device
    normalisation: Normalisation = IMAGENET

    def labels(self, side: Side) -> Tensor:
        """See `Feed`."""
        return self.sides.labels[side]

    def prepare(self, epoch: int, watch: Timer) -> None:
        """Nothing: augmenting belongs to the trial."""

    def batches(self, epoch: int, rows: Tensor, slots: Tensor, batch_size: int) -> Iterator[Tensor]:
        """See `Feed`."""
        # What an epoch shows moves to the device at once: it is waited for once, not with every chunk.
        drawn = view_draws(self.view_seed, epoch, len(slots))[slots].to(self.device)
        positions = self.pixels.reachable(self.sides.positions["train"][rows])
        ahead = batch_size * max(1, chunk(self.device) // batch_size)
        for start in range(0, len(rows), ahead):
            images = self.pixels.unit(positions[start : start + ahead])
            views = augment(images, drawn[start : start + ahead], self.how)
            inputs = normalise(views, self.normalisation)
            yield from torch.split(inputs.contiguous(memory_format=torch.channels_last), batch_size)

    def held_out(self, side: Side) -> Iterator[Tensor]:
        """See `Feed`."""
        positions = self.pixels.reachable(self.sides.positions[side])
        for some in torch.split(positions, chunk(self.device)):
            yield normalise(self.pixels.unit(some), self.normalisation)
