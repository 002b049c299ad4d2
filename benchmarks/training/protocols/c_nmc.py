"""The C-NMC paper's training: a two-dropout head on a frozen backbone, AdamW, balanced cross-entropy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from hemobench.benchmarks.tasks.base import Task
from hemobench.benchmarks.training.hardware.precision import choose_precision
from hemobench.benchmarks.training.inputs.augmentation import C_NMC
from hemobench.benchmarks.training.inputs.features import FeatureCache, FeatureFeed
from hemobench.benchmarks.training.inputs.feeds import ImageFeed, Pixels, Sides
from hemobench.benchmarks.training.loop import Job, Recipe
from hemobench.benchmarks.training.networks.backbones import backbone
from hemobench.benchmarks.training.networks.head import Frozen, FrozenBackbone, make_head
from hemobench.benchmarks.training.networks.weights import resolve
from hemobench.benchmarks.training.optimization.losses import balanced_weights, make_loss
from hemobench.benchmarks.training.options import Options
from hemobench.benchmarks.training.protocols.base import TrainingProtocol
from hemobench.benchmarks.training.protocols.constant import constant_answer
from hemobench.datasets.images import ImageSet, Split
from hemobench.datasets.splits import c_nmc_split
from hemobench.errors import BenchmarkError
from hemobench.strategies.base import Config

POSITIVE = "all"
MOST_TOGETHER = 96
CPU = torch.device("cpu")


def possible_split(images: ImageSet, options: Options) -> Split:
    """The split that the options ask for, having made sure that images and options fit each other; reads no pixel.

    Raises:
        BenchmarkError: If they do not.
    """
    which = backbone(options.backbone)
    if options.image_size < which.least_size:
        raise BenchmarkError(
            f"{which.title} needs images of at least {which.least_size} pixels, not {options.image_size}",
            "raise the image size",
        )
    split = c_nmc_split(images, options.split, options.fold or 0, options.split_seed)
    if not len(split.train) or not len(split.validation):
        raise BenchmarkError(
            f"the {options.split} split leaves {len(split.train)} images for training and "
            f"{len(split.validation)} for validation",
            "give more images, or choose another split or fold",
        )
    return split


class CNmcProtocol:
    """See `base.TrainingProtocol`.

    Args:
        images: The C-NMC image set.
        pixels: All its images, shape (n, s, s, 3).
        options: Split, weights, sharing of features.
        device: Where to train.
        cache: Where features are kept.
    """

    def __init__(
        self, images: ImageSet, pixels: NDArray[np.uint8], options: Options, device: torch.device, cache: Path
    ) -> None:
        self._which = backbone(options.backbone)
        self._sides = Sides.of(images, possible_split(images, options))
        self._pixels = Pixels(pixels, device)
        self._device = device
        self._options = options
        self._images = images
        self.folds: Sequence[int] = (0,)  # the split itself
        self.classes: Sequence[str] = images.classes
        self.positive: str | None = POSITIVE  # leukaemic cells are what is looked for
        self._precision = choose_precision(options.precision, device)
        weights = resolve(options.weights, self._which.name)
        self._frozen = Frozen.of(self._which, weights, Pixels(pixels, CPU), self._sides.positions["train"])
        self._cache = cache

    @cached_property
    def _on_device(self) -> FrozenBackbone:
        """The backbone, moved when the first trial wants it: what may fail there is that trial's outcome."""
        return self._frozen.network.to(self._device)

    @cached_property
    def _shared(self) -> FeatureFeed:
        store = FeatureCache(
            backbone=self._on_device,
            which=self._which,
            precision=self._precision,
            fingerprint=self._frozen.fingerprint,
            pixels=self._pixels,
            checksum=self._images.checksum,
            how=C_NMC,
            view_seed=self._options.view_seed,
            folder=self._cache,
            device=self._device,
        )
        return FeatureFeed(self._sides, store)

    @property
    def provenance(self) -> Mapping[str, str]:
        """Weights, split and how features are had."""
        options = self._options
        return {
            "network": f"{self._which.title}, frozen, with a two-dropout head",
            "weights": self._frozen.origin,
            "weights_sha256": self._frozen.fingerprint,
            "split": f"{options.split}, fold {options.fold or 0}, seed {options.split_seed}",
            "features": "shared by all trials, not charged" if options.share_features else "computed in each trial",
            "view_seed": str(options.view_seed),
            "precision": self._precision,
            "constant_answer": constant_answer([self._sides], self.classes, POSITIVE),
        }

    def job(self, config: Config, fold: int, seed: int) -> Job:
        """See `TrainingProtocol`."""
        labels = self._sides.labels["train"]
        head = make_head(config, self._which.features, len(self.classes), seed).to(self._device)
        share = self._options.share_features
        return Job(
            network=head if share else nn.Sequential(self._on_device, head),
            feed=self._shared if share else self._images_feed(),
            loss=make_loss("cross_entropy", balanced_weights(labels, len(self.classes)).to(self._device)),
            recipe=self.recipe(config),
            seed=seed,
            shape=self.shape(config),
        )

    def recipe(self, config: Config) -> Recipe:
        """See `TrainingProtocol`."""
        return Recipe(
            optimizer="adamw",
            learning_rate=float(config["learning_rate"]),
            batch_size=int(config["batch_size"]),
            weight_decay=float(config["weight_decay"]),
            plateau=5,
            patience=10,
            precision=self._precision,
            graphs=self._options.graphs,
        )

    def shape(self, config: Config) -> str:
        """See `TrainingProtocol`."""
        head = f"head of {config['hidden_size']}"
        return head if self._options.share_features else f"{self._which.title}, {head}"

    def most_together(self, batch_size: int) -> int:
        """See `TrainingProtocol`; a head keeps next to nothing but an epoch's features."""
        return MOST_TOGETHER

    def _images_feed(self) -> ImageFeed:
        return ImageFeed(
            self._sides,
            self._pixels,
            C_NMC,
            self._options.view_seed,
            self._device,
            self._which.normalisation,
        )


def make(
    task: Task, images: ImageSet, pixels: Any, options: Options, device: torch.device, cache: Path
) -> TrainingProtocol:
    """See `base.Make`."""
    return CNmcProtocol(images, pixels, options, device, cache / "features")


def require(task: Task, images: ImageSet, options: Options) -> None:
    """See `base.Require`: the split, the backbone and the image size."""
    possible_split(images, options)
