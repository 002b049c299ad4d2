"""Rungs: the lengths of training at which multi-fidelity strategies compare, and who stands highest on one."""

from __future__ import annotations

import math
from collections.abc import Iterable

from hemobench.errors import BenchmarkError
from hemobench.strategies.base import Status, Trial


def rungs(epochs: int, min_epochs: int, eta: int) -> tuple[int, ...]:
    """`min_epochs` times the powers of `eta`, and the full length as the last.

    A power that is nearer to the full length than to the power below it (by ratio) is left out, since going on
    from it would buy next to nothing: 1, 3, 10 of 10 epochs; 1, 3, 9, 27, 100 of 100, without 81.

    Args:
        epochs: The task's full length.
        min_epochs: The first rung.
        eta: From one rung to the next, the factor of the epochs and, inverted, of the trials.

    Raises:
        BenchmarkError: If `eta` is below 2, or `min_epochs` is not in 1 to `epochs`.
    """
    if eta < 2:
        raise BenchmarkError(f"rungs that grow by a factor of {eta}", "set `eta` to 2 or more")
    if not 1 <= min_epochs <= epochs:
        raise BenchmarkError(f"a first rung of {min_epochs} epochs", f"set `min_epochs` to 1 … {epochs}")
    powers = [min_epochs * eta**k for k in range(epochs.bit_length())]
    return (*(power for power in powers if power * math.sqrt(eta) < epochs), epochs)


def rank(trial: Trial) -> tuple[float, int]:
    """What trials that did not fail are ordered by: the loss; of equal ones, the older is first."""
    return (math.inf if trial.loss is None else trial.loss), trial.number


def ranked(trials: Iterable[Trial]) -> list[Trial]:
    """The trials that did not fail, best first."""
    return sorted((trial for trial in trials if trial.status is Status.OK), key=rank)
