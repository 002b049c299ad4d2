"""Which training images an epoch shows."""

from __future__ import annotations

import torch
from torch import Tensor

from hemobench.errors import BenchmarkError

SAMPLINGS = ("normal", "over", "under")


def sample(labels: Tensor, how: str, generator: torch.Generator) -> Tensor:
    """Rows of the training set that one epoch shows, shape (m,), not yet shuffled.

    - `normal`: every image once.
    - `over`: every class as often as the largest: its images all equally often but for one, chosen at random.
    - `under`: every class as often as the smallest, a fresh choice each epoch.

    Args:
        labels: Training labels, shape (n,), on the CPU.
        how: One of `SAMPLINGS`.
        generator: Decides the choice.

    Raises:
        BenchmarkError: If there is no such sampling.
    """
    if how not in SAMPLINGS:
        raise BenchmarkError(f"there is no sampling '{how}'", f"choose one of: {', '.join(SAMPLINGS)}")
    if how == "normal":
        return torch.arange(len(labels))
    members = [torch.nonzero(labels == c).flatten() for c in torch.unique(labels)]
    sizes = [len(rows) for rows in members]
    target = max(sizes) if how == "over" else min(sizes)
    return torch.cat([_repeat(rows, target, generator) for rows in members])


def _repeat(rows: Tensor, target: int, generator: torch.Generator) -> Tensor:
    """`target` of the rows: each `target // len(rows)` times, and a random rest without replacement."""
    whole, rest = divmod(target, len(rows))
    chosen = rows[torch.randperm(len(rows), generator=generator)[:rest]]
    return torch.cat([rows.repeat(whole), chosen])


def order(labels: Tensor, how: str, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Rows of the training set in the order of an epoch, and the view of each.

    Args:
        labels: Training labels, shape (n,), on the CPU.
        how: One of `SAMPLINGS`.
        generator: Decides both.
    """
    sampled = sample(labels, how, generator)
    slots = torch.randperm(len(sampled), generator=generator)
    return sampled[slots], slots
