"""Cross-validation by configuration: what surrogates predict of configurations that they were not fitted to."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hemobench.benchmarks.surrogates.surrogate import Surrogate
from hemobench.benchmarks.surrogates.targets import Targets

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
PARTS = 5


@dataclass(frozen=True, slots=True)
class HeldOut:
    """Predictions of n trainings, T lengths and M outputs by surrogates that saw no training of their configuration.

    Attributes:
        outputs: By the mean of all members, fractions, shape (n, T, M).
        members: By each member at full length, its deviation not widened, shape (members, n, M).
        seconds: Device-seconds at full length, shape (n,).
        failure: Probability of having failed by then, shape (n,).
    """

    outputs: Floats
    members: Floats
    seconds: Floats
    failure: Floats


def parts(groups: NDArray[np.int64], count: int, seed: int) -> list[Bools]:
    """Rows shared out at random, all rows of a configuration to the same part; each as a mask, shape (n,)."""
    numbers = np.unique(groups)
    dealt = np.random.default_rng(np.random.SeedSequence([seed, count])).permutation(len(numbers)) % count
    return [dealt[np.searchsorted(numbers, groups)] == part for part in range(count)]


def predicted(surrogate: Surrogate, t: Targets) -> Floats:
    """What a surrogate's mean predicts of rows at all recorded lengths, fractions, shape (n, T, M)."""
    return np.stack([surrogate.predict_many(t.inputs, epoch)[0] for epoch in t.epochs.tolist()], axis=1)


def by_member(surrogate: Surrogate, t: Targets) -> Floats:
    """What every member predicts at full length, fractions, shape (members, n, M)."""
    full = int(t.epochs[-1])
    members = range(surrogate.members)
    return np.stack([surrogate.predict_many(t.inputs, full, member=k)[0] for k in members])
