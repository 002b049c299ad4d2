"""The C-NMC paper's classifier: two dropout layers and a hidden one on a frozen EfficientNet-B2's features."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torchvision import models

from hemobench.benchmarks.training.seeds import Stream, forked
from hemobench.benchmarks.training.weights import Weights, load_into
from hemobench.strategies.base import Config

BACKBONE = "efficientnet_b2"
FEATURES = 1408


def make_head(config: Config, classes: int, seed: int) -> nn.Sequential:
    """`dropout_1` -> linear to `hidden_size` -> ReLU -> `dropout_2` -> linear to the classes.

    Args:
        config: With `dropout_1`, `dropout_2` and `hidden_size`.
        classes: Number of classes.
        seed: Decides the first weights (PyTorch's own initialisation of linear layers).
    """
    hidden = int(config["hidden_size"])
    with forked(torch.device("cpu"), seed, Stream.WEIGHTS):
        return nn.Sequential(
            nn.Dropout(float(config["dropout_1"])),
            nn.Linear(FEATURES, hidden),
            nn.ReLU(),
            nn.Dropout(float(config["dropout_2"])),
            nn.Linear(hidden, classes),
        )


class Backbone(nn.Module):
    """A frozen EfficientNet-B2 up to its average pooling: images (n, 3, s, s) to features (n, 1408)."""

    def __init__(self, weights: Weights, seed: int) -> None:
        super().__init__()
        with forked(torch.device("cpu"), seed, Stream.WEIGHTS):
            whole = models.efficientnet_b2(weights=None)
        if weights.state is not None:
            load_into(whole, weights, ("classifier.",))
        self.features, self.avgpool = whole.features, whole.avgpool
        self.requires_grad_(False)
        self.to(memory_format=torch.channels_last)  # twice as fast on a CPU
        self.eval()

    def train(self, mode: bool = True) -> Backbone:
        """Stay in evaluation mode: frozen means that the running statistics stay too."""
        return super().train(False)

    @torch.no_grad()
    def forward(self, images: Tensor) -> Tensor:
        """Features of normalised images."""
        pooled: Tensor = self.avgpool(self.features(images))
        return pooled.flatten(1)


@torch.no_grad()
def calibrate(backbone: Backbone, images: Tensor) -> None:
    """Set a random backbone's batch-normalisation statistics from images of the training set.

    Untouched, they stand at mean 0 and variance 1, and a random EfficientNet-B2's features fade to some 1e-13 with
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
