"""A frozen backbone, and the classifiers on its features: the C-NMC paper's, and a linear one."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from hemobench.benchmarks.training.inputs.augmentation import normalise
from hemobench.benchmarks.training.inputs.feeds import Pixels
from hemobench.benchmarks.training.networks.backbones import Backbone
from hemobench.benchmarks.training.networks.weights import Weights, fingerprint, load_into
from hemobench.benchmarks.training.seeds import Stream, forked
from hemobench.strategies.base import Config

CALIBRATION_IMAGES = 128
BACKBONE_SEED = 0
"""Of a random backbone: frozen, it belongs to the benchmark, not to a trial."""


def make_head(config: Config, features: int, classes: int, seed: int) -> nn.Sequential:
    """`dropout_1` -> linear to `hidden_size` -> ReLU -> `dropout_2` -> linear to the classes.

    Args:
        config: With `dropout_1`, `dropout_2` and `hidden_size`.
        features: Of the backbone.
        classes: Number of classes.
        seed: Decides the first weights (PyTorch's own initialisation of linear layers).
    """
    hidden = int(config["hidden_size"])
    with forked(torch.device("cpu"), seed, Stream.WEIGHTS):
        return nn.Sequential(
            nn.Dropout(float(config["dropout_1"])),
            nn.Linear(features, hidden),
            nn.ReLU(),
            nn.Dropout(float(config["dropout_2"])),
            nn.Linear(hidden, classes),
        )


def linear_head(dropout: float, features: int, classes: int, seed: int) -> nn.Sequential:
    """Dropout, then one linear layer; the seed decides the first weights."""
    with forked(torch.device("cpu"), seed, Stream.WEIGHTS):
        return nn.Sequential(nn.Dropout(dropout), nn.Linear(features, classes))


class FrozenBackbone(nn.Module):
    """A backbone up to its average pooling: normalised images (n, 3, s, s) to features (n, features).

    Args:
        which: A row of `BACKBONES`.
        weights: Its weights; without a state, random ones.
        seed: Decides random weights.
    """

    def __init__(self, which: Backbone, weights: Weights, seed: int) -> None:
        super().__init__()
        with forked(torch.device("cpu"), seed, Stream.WEIGHTS):
            whole = which.build(1000)
        if weights.state is not None:
            load_into(whole, weights, ("classifier.",))
        self.pooled = which.pooled(whole)
        self.requires_grad_(False)
        self.to(memory_format=torch.channels_last)  # twice as fast on a CPU
        self.eval()

    def train(self, mode: bool = True) -> FrozenBackbone:
        """Stay in evaluation mode: frozen means that the running statistics stay too."""
        return super().train(False)

    @torch.no_grad()
    def forward(self, images: Tensor) -> Tensor:
        """Features of normalised images."""
        features: Tensor = self.pooled(images)
        return features


@dataclass(frozen=True)
class Frozen:
    """A frozen backbone, ready to give features.

    Attributes:
        which: Its row.
        network: It.
        origin: Where its weights come from, for people.
        fingerprint: Of its weights.
    """

    which: Backbone
    network: FrozenBackbone
    origin: str
    fingerprint: str

    @classmethod
    def of(cls, which: Backbone, weights: Weights, pixels: Pixels, positions: Tensor) -> Frozen:
        """With its weights; a random one takes its statistics from some images.

        Args:
            which: Its row.
            weights: Its weights, perhaps none.
            pixels: On the CPU, so that a random backbone is the same whatever the device.
            positions: Of images that it may see.
        """
        network = FrozenBackbone(which, weights, BACKBONE_SEED)
        origin = weights.origin
        if weights.state is None:
            calibrate(network, normalise(pixels.unit(_spread_out(positions)), which.normalisation))
            origin += ", batch statistics of training images"
        return cls(which, network, origin, fingerprint(network))


def _spread_out(positions: Tensor) -> Tensor:
    """Some of the positions at equal steps: files are sorted by class and subject, and all are to be seen."""
    steps = torch.linspace(0, len(positions) - 1, min(CALIBRATION_IMAGES, len(positions)))
    return positions[steps.round().long()]


@torch.no_grad()
def calibrate(backbone: FrozenBackbone, images: Tensor) -> None:
    """Set a random backbone's batch-normalisation statistics from images of the training set.

    Untouched, they stand at mean 0 and variance 1, and a random EfficientNet's features fade to some 1e-13 with
    nothing left to learn from. Weights that were trained bring their own statistics and are never calibrated.

    Args:
        backbone: Changed in place.
        images: Normalised training images, shape (n, 3, s, s).
    """
    norms = [module for module in backbone.modules() if isinstance(module, nn.BatchNorm2d)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the plain mean over batches; here of one batch
        norm.train()
    backbone(images)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
        norm.eval()
