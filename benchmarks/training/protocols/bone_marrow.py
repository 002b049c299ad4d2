"""The bone-marrow paper's training: ten classes, cross-validated, every hyperparameter of both its search spaces."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hemobench.benchmarks.tasks.base import Task
from hemobench.benchmarks.training.hardware.precision import choose_precision
from hemobench.benchmarks.training.inputs.augmentation import from_config
from hemobench.benchmarks.training.inputs.feeds import ImageFeed, Pixels
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
from hemobench.benchmarks.training.optimization.losses import Loss, interpolated_weights, make_loss
from hemobench.benchmarks.training.options import Options
from hemobench.benchmarks.training.protocols.base import TrainingProtocol
from hemobench.benchmarks.training.protocols.constant import constant_answer
from hemobench.benchmarks.training.protocols.folds import Folds
from hemobench.datasets.images import ImageSet
from hemobench.strategies.base import Config
from hemobench.strategies.space import active, choices, default

PAPER = Architecture("densenet", 121)
MOST_TOGETHER = 48
PIXELS_TOGETHER = 768 * 64**2
"""Of a step, over all trainings side by side: some 8 GB of activations."""


def require(task: Task, images: ImageSet, options: Options) -> None:
    """See `base.Require`: folds, and the image size of every network that the search space has."""
    Folds.of(images, options)
    for family in _families(task):
        check_size(family, options.image_size)


def _families(task: Task) -> list[str]:
    """The families of networks that a task's search space has."""
    space = task.space()
    usual = default(space)
    names = choices(space["architecture"]) if "architecture" in space else None
    configs = [active(space, {**usual, "architecture": name}) for name in names] if names else [usual]
    return [architecture(config).family for config in configs]


class BoneMarrowProtocol:
    """See `base.TrainingProtocol`. All folds share the pixels on the device.

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
        self._folds = Folds.of(images, options)
        self._pixels = Pixels(pixels, device)
        self._device = device
        self._options = options
        self.folds: Sequence[int] = self._folds.numbers
        self.classes: Sequence[str] = images.classes
        self.positive: str | None = None  # all classes count alike
        self._start = start
        self._precision = choose_precision(options.precision, device)

    @property
    def provenance(self) -> Mapping[str, str]:
        """Folds, scale, and what fine-tuning starts from."""
        options = self._options
        start = first_weights(self._start, options.weights, options.scale)
        lite = self._start.family == LITE
        return {
            "network": "EfficientNet-Lite, fine-tuned" if lite else f"torchvision, {options.scale} scale",
            "weights": start.origin,
            "split": self._folds.words,
            "view_seed": str(options.view_seed),
            "precision": self._precision,
            "constant_answer": constant_answer(self._folds.trained, self.classes),
        }

    def job(self, config: Config, fold: int, seed: int) -> Job:
        """See `TrainingProtocol`."""
        sides, classes = self._folds.sides[fold], len(self.classes)
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
        return Job(
            network=network.to(self._device).to(memory_format=torch.channels_last),
            feed=feed,
            loss=loss_of(config, sides.labels["train"], classes, self._device),
            recipe=self.recipe(config),
            seed=seed,
            shape=self.shape(config),
        )

    def recipe(self, config: Config) -> Recipe:
        """See `TrainingProtocol`."""
        return recipe_of(config, self._precision, self._options.graphs)

    def shape(self, config: Config) -> str:
        """See `TrainingProtocol`."""
        which = architecture(config)
        kept = which.frozen_blocks if which.initialization == "feature_extraction" else 0
        return f"{which.name}, {kept} blocks kept" if kept else which.name

    def most_together(self, batch_size: int) -> int:
        """See `TrainingProtocol`; of small images, some ten megabytes each are kept for the gradient."""
        pixels = self._options.image_size**2
        return max(1, min(MOST_TOGETHER, int(PIXELS_TOGETHER / (pixels * batch_size))))


def make(
    task: Task, images: ImageSet, pixels: Any, options: Options, device: torch.device, cache: Path
) -> TrainingProtocol:
    """See `base.Make`; on a split that comes with the images, if one does."""
    first = architecture(dict(task.space().get_default_configuration()))
    return BoneMarrowProtocol(images, pixels, options, device, first)


def recipe_of(config: Config, precision: str, graphs: bool) -> Recipe:
    """How a configuration of either space is trained; see `Recipe`.

    The paper names no learning-rate schedule and no weight decay, so there are none; it stops early, and the patience
    of ten epochs is ours.
    """
    return Recipe(
        optimizer=str(config["optimizer"]),
        learning_rate=float(config["learning_rate"]),
        batch_size=int(config["batch_size"]),
        sampling=str(config.get("sampling", "normal")),
        precision=precision,
        graphs=graphs,
    )


def loss_of(config: Config, labels: Tensor, classes: int, device: torch.device) -> Loss:
    """A configuration's loss on the device, weighted by how often each class stands among training labels (n,)."""
    weights = interpolated_weights(labels, classes, float(config["loss_weighting"]))
    return make_loss(str(config["loss"]), weights.to(device))


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
