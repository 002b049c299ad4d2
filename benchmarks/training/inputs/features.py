"""Features of a frozen backbone, computed once for a data set and shared by all trials.

A frozen backbone gives every trial the same features of the same view, so they need computing once an epoch, not
once an epoch and trial. Views are seeded by (view seed, epoch, place in the training set): what a trial sees in an
epoch has the distribution of augmenting on the fly, and is, view for view, what the plain loop with that view seed
sees.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hemobench.benchmarks.execution.progress import tell
from hemobench.benchmarks.training.hardware.precision import autocast
from hemobench.benchmarks.training.inputs.augmentation import Augmentation, augment, normalise
from hemobench.benchmarks.training.inputs.feeds import Pixels, Side, Sides, chunk, fits, view_draws
from hemobench.benchmarks.training.networks.backbones import Backbone
from hemobench.benchmarks.training.networks.head import FrozenBackbone
from hemobench.benchmarks.training.timer import Timer
from hemobench.datasets.files import written_whole

LEAST_DEVIATION = 1e-6
"""A feature that never changes stays at 0."""
RECIPE = 2
"""Part of the cache key: raise it when equal settings give other features."""


@dataclass(frozen=True)
class FeatureCache:
    """Features as memory-mapped files of the cache folder, one an epoch and side.

    Attributes:
        backbone: Frozen, on the device.
        which: Its row in `BACKBONES`.
        precision: What it computes in; see `precision.PRECISIONS`.
        fingerprint: Of its weights.
        pixels: All images.
        checksum: Of the image set.
        how: The augmentation of training images.
        view_seed: Decides the views.
        folder: Where the files lie. Processes may share it: a file appears whole or not at all.
        device: Where features are computed and wanted.
    """

    backbone: FrozenBackbone
    which: Backbone
    precision: str
    fingerprint: str
    pixels: Pixels
    checksum: str
    how: Augmentation
    view_seed: int
    folder: Path
    device: torch.device

    def get(self, positions: Tensor, epoch: int | None, rows: Tensor | None = None) -> Tensor:
        """Features of images, shape (n, features), float32, on the device; computed if no one has yet.

        Args:
            positions: Of the images, on the CPU.
            epoch: Whose augmented views; `None` for the images as they are.
            rows: Which of these are wanted; `None` for all.
        """
        path = self.folder / f"features-{self._key(positions, epoch)}.npy"
        found = _read(path, len(positions))
        if found is None:
            found = self._compute(positions, epoch)
            with written_whole(path) as file:
                np.save(file, found, allow_pickle=False)
        wanted = np.array(found) if rows is None else found[rows.numpy()]
        return torch.from_numpy(wanted).to(self.device)

    def _key(self, positions: Tensor, epoch: int | None) -> str:
        identity = {
            "recipe": RECIPE,
            "data": self.checksum,
            "images": hashlib.sha256(positions.numpy().tobytes()).hexdigest(),
            "backbone": self.which.name,
            "normalisation": asdict(self.which.normalisation),
            "weights": self.fingerprint,
            "size": self.pixels.size,
            "augmentation": asdict(self.how) if epoch is not None else None,
            "view_seed": self.view_seed if epoch is not None else None,
            "epoch": epoch,
            "computed_by": [torch.__version__, self.device.type, self.precision],  # others differ in the last bits
        }
        return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:32]

    def _compute(self, positions: Tensor, epoch: int | None) -> NDArray[np.float32]:
        drawn = None if epoch is None else view_draws(self.view_seed, epoch, len(positions)).to(self.device)
        parts = []
        step = chunk(self.device)
        for start in range(0, len(positions), step):
            images = self.pixels.unit(positions[start : start + step])
            if drawn is not None:
                images = augment(images, drawn[start : start + step], self.how)
            inputs = normalise(images, self.which.normalisation)
            with autocast(self.device, self.precision):
                features = self.backbone(inputs.contiguous(memory_format=torch.channels_last))
            parts.append(features.float())
            tell("features", min(start + step, len(positions)), len(positions))
        found: NDArray[np.float32] = torch.cat(parts).cpu().numpy()  # the device is waited for once
        return found


def _read(path: Path, n: int) -> NDArray[np.float32] | None:
    """The stored features, or `None` where there are none or they are damaged."""
    try:
        array: NDArray[np.float32] = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    return array if array.ndim == 2 and len(array) == n and array.dtype == np.float32 else None


@dataclass
class FeatureFeed:
    """Feeds a head with cached features: a `Feed` whose inputs are (n, features).

    Attributes:
        sides: Which images.
        cache: Their features.
        shared: Positions of all images, if the folds of a set share what is computed; `None` if this split is alone.
            A view is of a place among those that are computed together.
        standard: Shift and scale each feature to mean 0 and deviation 1 over the training images as they are.
    """

    sides: Sides
    cache: FeatureCache
    shared: Tensor | None = None
    standard: bool = False
    _epochs: dict[int, Tensor] = field(default_factory=dict, init=False)
    _held_out: dict[Side, Tensor] = field(default_factory=dict, init=False)

    def labels(self, side: Side) -> Tensor:
        """See `Feed`."""
        return self.sides.labels[side]

    def prepare(self, epoch: int, watch: Timer) -> None:
        """Compute or read the epoch's features."""
        if epoch in self._epochs and self._held_out:
            return
        with watch.timing("preparation"):
            self._prepare_held_out()
            if epoch in self._epochs:
                return
            if self._epochs and not self._stay():
                self._epochs.clear()
            self._epochs[epoch] = self._get("train", epoch)

    def _stay(self) -> bool:
        """Whether earlier epochs' features may stay: on a GPU with room. A CPU reads them back as fast as it copies."""
        device = self.cache.device
        size = next(iter(self._epochs.values())).nbytes
        return device.type == "cuda" and fits(size, device)

    def _prepare_held_out(self) -> None:
        """Compute or read the features of the images held out, which never change."""
        for side in ("validation", "test"):
            if side not in self._held_out and len(self.sides.positions[side]):
                self._held_out[side] = self._get(side, None)

    def _get(self, side: Side, epoch: int | None) -> Tensor:
        found = self._raw(side, epoch)
        if not self.standard:
            return found
        mean, deviation = self._scale
        return (found - mean) / deviation

    @cached_property
    def _scale(self) -> tuple[Tensor, Tensor]:
        plain = self._raw("train", None)
        return plain.mean(0), plain.std(0).clamp(min=LEAST_DEVIATION)

    def _raw(self, side: Side, epoch: int | None) -> Tensor:
        positions = self.sides.positions[side]
        if self.shared is None:
            return self.cache.get(positions, epoch)
        return self.cache.get(self.shared, epoch, positions)

    def batches(self, epoch: int, rows: Tensor, slots: Tensor, batch_size: int) -> Iterator[Tensor]:
        """See `Feed`. Views are one an image and epoch, so `slots` says nothing new."""
        assert epoch in self._epochs, "prepare the epoch first"
        yield from torch.split(self._epochs[epoch][rows.to(self.cache.device)], batch_size)

    def held_out(self, side: Side) -> Iterator[Tensor]:
        """See `Feed`."""
        if side in self._held_out:
            yield self._held_out[side]
