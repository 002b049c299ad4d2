"""Wilcoxon's signed-rank test as a score, with the estimate and the interval that belong to it.

It is exact where the two sides of a pair may be exchanged, whatever the distribution of regret: heavy tails, ties and
zeros included. What it estimates is Hodges and Lehmann's pseudo-median of the differences: half of all pairs of seeds
have a mean difference below it. (Hollander, Wolfe and Chicken, 2014, chapter 3.)
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import rankdata

from hemobench.reports.statistics.bootstrap import Array


def score(differences: ArrayLike) -> Array:
    """How far the sum of signed ranks lies above zero, in its standard deviations under random signs.

    Zeros are dropped, ties share their ranks, and the variance is that of these very ranks. A correction for
    continuity is subtracted, which keeps the normal approximation on the safe side from eight seeds on.

    Args:
        differences: `(..., seeds)`.

    Returns:
        `(...)`; large where positive differences prevail, and never above 0 where all are zero.
    """
    values = np.asarray(differences, dtype=float)
    zero = values == 0
    ranks = np.where(zero, 0.0, rankdata(np.abs(values), axis=-1) - zero.sum(axis=-1, keepdims=True))
    spread = np.sqrt((ranks**2).sum(axis=-1))
    total = (np.sign(values) * ranks).sum(axis=-1) - 1.0
    return np.asarray(np.where(spread > 0, total / np.where(spread > 0, spread, 1.0), -np.inf))


def walsh_averages(differences: ArrayLike) -> Array:
    """The means of all pairs of differences, each with itself too, ascending: `n (n + 1) / 2` of them."""
    values = np.asarray(differences, dtype=float)
    rows, columns = np.triu_indices(len(values))
    return np.sort((values[rows] + values[columns]) / 2)


def pseudo_median(differences: ArrayLike) -> float:
    """Hodges and Lehmann's estimate: the median of the Walsh averages."""
    return float(np.median(walsh_averages(differences)))


def lower_bound(differences: ArrayLike, critical: float) -> float:
    """The highest shift of which the test says, at that critical score, that the differences lie above it.

    Returns:
        Minus infinity where so few seeds can say nothing at all.
    """
    values = np.asarray(differences, dtype=float)
    steps = np.unique(walsh_averages(values))
    between = np.concatenate([[steps[0] - 1.0], (steps[1:] + steps[:-1]) / 2])
    # at the step itself its own average is zero and dropped; between two steps the score is constant
    above = _first_false(lambda place: float(score(values - between[place])) >= critical, len(between))
    return float(steps[above - 1]) if above else -np.inf


def upper_bound(differences: ArrayLike, critical: float) -> float:
    """The lowest shift of which the test says that the differences lie below it; plus infinity, likewise."""
    return -lower_bound(-np.asarray(differences, dtype=float), critical)


def standard_error(differences: ArrayLike) -> float:
    """Of the pseudo-median: a quarter of the width of its interval at two standard deviations (Lehmann, 1963)."""
    return (upper_bound(differences, 2.0) - lower_bound(differences, 2.0)) / 4


def _first_false(holds: Callable[[int], bool], count: int) -> int:
    """Where a condition that holds from the start stops to hold, by bisection."""
    low, high = 0, count
    while low < high:
        middle = (low + high) // 2
        low, high = (middle + 1, high) if holds(middle) else (low, middle)
    return low
