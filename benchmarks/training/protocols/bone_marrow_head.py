"""The bone-marrow paper's automated space on frozen networks: a linear classifier of their features."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hemobench.benchmarks.tasks.base import Task
from hemobench.benchmarks.training.hardware.precision import choose_precision
from hemobench.benchmarks.training.inputs.augmentation import from_config
from hemobench.benchmarks.training.inputs.features import FeatureCache, FeatureFeed
from hemobench.benchmarks.training.inputs.feeds import Pixels
from hemobench.benchmarks.training.loop import Job, Recipe
from hemobench.benchmarks.training.networks.backbones import levels_of
from hemobench.benchmarks.training.networks.head import Frozen, linear_head
from hemobench.benchmarks.training.networks.models import LITE, check_size
from hemobench.benchmarks.training.networks.weights import resolve
from hemobench.benchmarks.training.options import Options
from hemobench.benchmarks.training.protocols.base import TrainingProtocol
from hemobench.benchmarks.training.protocols.bone_marrow import loss_of, recipe_of
from hemobench.benchmarks.training.protocols.constant import constant_answer
from hemobench.benchmarks.training.protocols.folds import Folds
from hemobench.datasets.images import ImageSet
from hemobench.strategies.base import Config

MOST_TOGETHER = 48
CPU = torch.device("cpu")


class BoneMarrowHeadProtocol:
    """See `base.TrainingProtocol`. All folds and trials share the features, which are computed once an epoch.

    Args:
        images: Of any classes.
        pixels: All its images, shape (n, s, s, 3).
        options: Folds, weights.
        device: Where to train.
        cache: Where features are kept.
        start: The network whose first weights stand for all in the provenance.
    """

    def __init__(
        self,
        images: ImageSet,
        pixels: NDArray[np.uint8],
        options: Options,
        device: torch.device,
        cache: Path,
        start: str,
    ) -> None:
        check_size(LITE, options.image_size)
        self._folds = Folds.of(images, options)
        self.folds: Sequence[int] = self._folds.numbers
        self.classes: Sequence[str] = images.classes
        self.positive: str | None = None  # all classes count alike
        self._images = images
        self._array = pixels
        self._pixels = Pixels(pixels, device)
        self._options = options
        self._device = device
        self._cache = cache
        self._precision = choose_precision(options.precision, device)
        self._start = start
        self._backbones: dict[str, Frozen] = {}
        self._feeds: dict[tuple[str, int], FeatureFeed] = {}

    @property
    def provenance(self) -> Mapping[str, str]:
        """Folds, weights and how features are had."""
        first = self._frozen(self._start)
        return {
            "network": "EfficientNet-Lite, frozen, with a linear classifier of its later stages",
            "weights": first.origin,
            "weights_sha256": first.fingerprint,
            "split": self._folds.words,
            "features": "shared by all trials, not charged",
            "view_seed": str(self._options.view_seed),
            "precision": self._precision,
            "constant_answer": constant_answer(self._folds.trained, self.classes),
        }

    def job(self, config: Config, fold: int, seed: int) -> Job:
        """See `TrainingProtocol`."""
        name, classes = str(config["network"]), len(self.classes)
        feed = self._feed(name, fold)
        head = linear_head(float(config["dropout"]), feed.cache.which.features, classes, seed)
        return Job(
            network=head.to(self._device),
            feed=feed,
            loss=loss_of(config, feed.labels("train"), classes, self._device),
            recipe=self.recipe(config),
            seed=seed,
            shape=self.shape(config),
        )

    def recipe(self, config: Config) -> Recipe:
        """See `TrainingProtocol`."""
        return recipe_of(config, self._precision, self._options.graphs)

    def shape(self, config: Config) -> str:
        """See `TrainingProtocol`."""
        return f"linear classifier on {levels_of(str(config['network'])).title}"

    def most_together(self, batch_size: int) -> int:
        """See `TrainingProtocol`; a linear classifier keeps next to nothing but an epoch's features."""
        return MOST_TOGETHER

    @cached_property
    def _everyone(self) -> Tensor:
        return torch.arange(len(self._images))

    def _frozen(self, name: str) -> Frozen:
        if name not in self._backbones:
            weights = resolve(self._options.weights, name)
            pixels, trained = Pixels(self._array, CPU), self._folds.trained[0].positions["train"]
            self._backbones[name] = Frozen.of(levels_of(name), weights, pixels, trained)
        return self._backbones[name]

    def _feed(self, name: str, fold: int) -> FeatureFeed:
        if (name, fold) not in self._feeds:
            sides = self._folds.sides[fold]
            self._feeds[name, fold] = FeatureFeed(sides, self._features(name), shared=self._everyone, standard=True)
        return self._feeds[name, fold]

    def _features(self, name: str) -> FeatureCache:
        frozen = self._frozen(name)
        return FeatureCache(
            backbone=frozen.network.to(self._device),
            which=frozen.which,
            precision=self._precision,
            fingerprint=frozen.fingerprint,
            pixels=self._pixels,
            checksum=self._images.checksum,
            how=from_config({}),
            view_seed=self._options.view_seed,
            folder=self._cache,
            device=self._device,
        )


def make(
    task: Task, images: ImageSet, pixels: Any, options: Options, device: torch.device, cache: Path
) -> TrainingProtocol:
    """See `base.Make`."""
    first = str(task.space().get_default_configuration()["network"])
    return BoneMarrowHeadProtocol(images, pixels, options, device, cache / "features", first)


def require(task: Task, images: ImageSet, options: Options) -> None:
    """See `base.Require`: folds and the image size."""
    Folds.of(images, options)
    check_size(LITE, options.image_size)
