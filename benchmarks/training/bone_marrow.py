"""The bone-marrow paper's training: ten classes, cross-validated, every hyperparameter of both its search spaces."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from hemobench.benchmarks.training.constant import constant_answer
from hemobench.benchmarks.training.hardware.precision import choose_precision
from hemobench.benchmarks.training.inputs.augmentation import from_config
from hemobench.benchmarks.training.inputs.feeds import ImageFeed, Pixels, Sides
from hemobench.benchmarks.training.loop import Job, Recipe
from hemobench.benchmarks.training.networks.models import (
    LITE,
    Architecture,
    auxiliary_fits,
    build,
    check_size,
    first_weights,
    normalisation,
)
from hemobench.benchmarks.training.optimization.losses import interpolated_weights, make_loss
from hemobench.benchmarks.training.options import Options
from hemobench.datasets.images import ImageSet, Split
from hemobench.datasets.splits import cells_splits, has_given_split
from hemobench.errors import BenchmarkError
from hemobench.strategies.base import Config

PAPER = Architecture("densenet", 121)
MOST_TOGETHER = 48
PIXELS_TOGETHER = 768 * 64**2
"""Of a step, over all trainings side by side: some 8 GB of activations."""


def possible_splits(images: ImageSet, options: Options) -> list[Split]:
    """The splits that the options ask for, having made sure that images and options fit each other; reads no pixel.

    Raises:
        BenchmarkError: If they do not.
    """
    splits = cells_splits(images, options.folds, options.extended, options.split_seed)
    if options.fold is not None and not 0 <= options.fold < len(splits):
        raise BenchmarkError(f"there is no fold {options.fold}", f"choose one of 0 to {len(splits) - 1}")
    return splits


class BoneMarrowProtocol:
    """See `protocol.TrainingProtocol`. All folds share the pixels on the device.

    A split that comes with the images is the only one.

    Args:
        images: Of any classes.
        pixels: All its images, shape (n, s, s, 3).
        options: Folds, weights, scale.
        device: Where to train.
        start: The network whose first weights stand for all in the provenance.
    """

    def __init__(
        self,
        images: ImageSet,
        pixels: NDArray[np.uint8],
        options: Options,
        device: torch.device,
        start: Architecture = PAPER,
    ) -> None:
        self._sides = [Sides.of(images, split) for split in possible_splits(images, options)]
        self._pixels = Pixels(pixels, device)
        self._device = device
        self._options = options
        self._images = images
        self._start = start
        self._precision = choose_precision(options.precision, device)

    @property
    def folds(self) -> Sequence[int]:
        """All six, or thirty when extended; or the one that was given or asked for."""
        return range(len(self._sides)) if self._options.fold is None else (self._options.fold,)

    @property
    def classes(self) -> Sequence[str]:
        """The cell types."""
        return self._images.classes

    @property
    def positive(self) -> str | None:
        """None: all classes count alike."""
        return None

    @property
    def provenance(self) -> Mapping[str, str]:
        """Folds, scale, and what fine-tuning starts from."""
        options = self._options
        start = first_weights(self._start, options.weights, options.scale)
        lite = self._start.family == LITE
        return {
            "network": "EfficientNet-Lite, fine-tuned" if lite else f"torchvision, {options.scale} scale",
            "weights": start.origin,
            "split": self._split,
            "view_seed": str(options.view_seed),
            "precision": self._precision,
            "constant_answer": constant_answer([self._sides[k] for k in self.folds], self.classes),
        }

    @property
    def _split(self) -> str:
        options, alone = self._options, "the deviation over folds is 0"
        if has_given_split(self._images):
            sizes = [f"{len(rows)} {side}" for side, rows in self._sides[0].positions.items()]
            return f"as given, {', '.join(sizes)}, seed {options.split_seed}; one split: {alone}"
        each = options.folds - 1 if options.extended else 1
        dealt = f"{options.folds} x {each} folds, seed {options.split_seed}"
        return dealt if options.fold is None else f"{dealt}, fold {options.fold} alone: {alone}"

    def job(self, config: Config, fold: int, seed: int) -> Job:
        """See `TrainingProtocol`.

        The paper names no learning-rate schedule and no weight decay, so there are none; it stops early, and the
        patience of ten epochs is ours.
        """
        sides, classes = self._sides[fold], len(self.classes)
        which = architecture(config)
        check_size(which.family, self._options.image_size)
        batch_size = int(config["batch_size"])
        network = build(
            which,
            classes,
            self._options.weights,
            seed,
            scale=self._options.scale,
            auxiliary=auxiliary_fits(self._options.image_size, batch_size),
        )
        feed = ImageFeed(
            sides,
            self._pixels,
            from_config(config),
            self._options.view_seed,
            self._device,
            normalisation(which),
        )
        weights = interpolated_weights(sides.labels["train"], classes, float(config["loss_weighting"]))
        return Job(
            network=network.to(self._device).to(memory_format=torch.channels_last),
            feed=feed,
            loss=make_loss(str(config["loss"]), weights.to(self._device)),
            recipe=self.recipe(config),
            seed=seed,
            shape=self.shape(config),
        )

    def recipe(self, config: Config) -> Recipe:
        """See `TrainingProtocol`."""
        return Recipe(
            optimizer=str(config["optimizer"]),
            learning_rate=float(config["learning_rate"]),
            batch_size=int(config["batch_size"]),
            sampling=str(config.get("sampling", "normal")),
            precision=self._precision,
            graphs=self._options.graphs,
        )

    def shape(self, config: Config) -> str:
        """See `TrainingProtocol`."""
        which = architecture(config)
        kept = which.frozen_blocks if which.initialization == "feature_extraction" else 0
        return f"{which.name}, {kept} blocks kept" if kept else which.name

    def most_together(self, batch_size: int) -> int:
        """See `TrainingProtocol`; of small images, some ten megabytes each are kept for the gradient."""
        pixels = self._options.image_size**2
        return max(1, min(MOST_TOGETHER, int(PIXELS_TOGETHER / (pixels * batch_size))))


def architecture(config: Config) -> Architecture:
    """The network that a configuration asks for; the automated searches' space has DenseNets only, fine-tuned."""
    if "network" in config:
        version = int(str(config["network"]).removeprefix(LITE))
        return Architecture(LITE, version, float(config["dropout"]))
    family = str(config.get("architecture", "densenet"))
    depth = {"densenet": "densenet_depth", "resnet": "resnet_depth", "vgg_bn": "vgg_depth"}.get(family)
    return Architecture(
        family=family,
        depth=int(config[depth]) if depth else 0,
        dropout=float(config["dropout"]),
        initialization=str(config.get("initialization", "fine_tuning")),
        frozen_blocks=int(config.get("frozen_blocks", 0)),
    )
