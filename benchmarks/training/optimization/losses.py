"""Losses and class weights."""

from __future__ import annotations

from collections.abc import Callable

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


def make_loss(name: str, weights: Tensor) -> Loss:
    """A loss of logits (n, classes) and labels (n,), averaged with the class weights of the labels.

    Cross-entropy is -log p of the true class; the focal loss scales it by (1 - p)^2 (Lin et al., 2017).

    Raises:
        BenchmarkError: If there is no such loss.
    """
    if name not in LOSSES:
        raise BenchmarkError(f"there is no loss '{name}'", f"choose one of: {', '.join(LOSSES)}")
    gamma = GAMMA if name == "focal" else 0.0

    def loss(logits: Tensor, labels: Tensor) -> Tensor:
        entropy = functional.cross_entropy(logits.float(), labels, reduction="none")
        if gamma:
            entropy = (-torch.expm1(-entropy)).pow(gamma) * entropy
        weight = weights.to(entropy.device)[labels]
        return (weight * entropy).sum() / weight.sum()

    return loss
