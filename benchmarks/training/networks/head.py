"""The C-NMC paper's classifier: two dropout layers and a hidden one on a frozen backbone's features."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from hemobench.benchmarks.training.networks.backbones import Backbone
from hemobench.benchmarks.training.networks.weights import Weights, load_into
from hemobench.benchmarks.training.seeds import Stream, forked
from hemobench.strategies.base import Config


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
