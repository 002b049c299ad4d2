"""Losses and class weights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from hemobench.errors import BenchmarkError

Loss = Callable[[Tensor, Tensor], Tensor]
LOSSES = ("cross_entropy", "focal")
GAMMA = 2.0
"""Focusing parameter of the focal loss: the value that Lin et al. (2017) recommend; the paper gives none."""


def class_counts(labels: Tensor, classes: int) -> Tensor:
    """Images of each class, shape (classes,), float32; no class counts less than one, so that weights stay finite."""
    return torch.bincount(labels, minlength=classes).clamp(min=1).float()


def balanced_weights(labels: Tensor, classes: int) -> Tensor:
    """`n / (classes * n_c)`, shape (classes,): for two classes the C-NMC paper's n / (2 n_c)."""
    counts = class_counts(labels, classes)
    return len(labels) / (classes * counts)


def interpolated_weights(labels: Tensor, classes: int, weighting: float) -> Tensor:
    """From equal to inverse-frequency weights, shape (classes,), with mean 1 throughout.

    `w_c = (1 - weighting) + weighting * (1 / n_c) / mean(1 / n)`. The bone-marrow paper gives the two ends; that
    the way between them is straight is ours.

    Args:
        labels: Training labels, shape (n,).
        classes: Number of classes.
        weighting: 0 for equal weights, 1 for inverted frequencies.
    """
    inverse = 1 / class_counts(labels, classes)
    return (1 - weighting) + weighting * inverse / inverse.mean()


@dataclass(frozen=True)
class ClassWeighted:
    """A loss of logits (n, classes) and labels (n,), averaged with the class weights of the labels.

    Attributes:
        focal: Scale cross-entropy, -log p of the true class, by (1 - p)^2 (Lin et al., 2017).
        weights: Of the classes, shape (classes,).
    """

    focal: bool
    weights: Tensor

    def __call__(self, logits: Tensor, labels: Tensor) -> Tensor:
        """A number."""
        entropy = functional.cross_entropy(logits.float(), labels, reduction="none")
        if self.focal:
            entropy = focused(entropy)
        weight = self.weights.to(entropy.device)[labels]
        return (weight * entropy).sum() / weight.sum()


def focused(entropy: Tensor) -> Tensor:
    """The focal loss of a cross-entropy: (1 - p)^2 is of p = exp(-entropy)."""
    return (-torch.expm1(-entropy)).pow(GAMMA) * entropy


def make_loss(name: str, weights: Tensor) -> ClassWeighted:
    """The loss of that name; see `ClassWeighted`.

    Raises:
        BenchmarkError: If there is no such loss.
    """
    if name not in LOSSES:
        raise BenchmarkError(f"there is no loss '{name}'", f"choose one of: {', '.join(LOSSES)}")
    return ClassWeighted(name == "focal", weights)
