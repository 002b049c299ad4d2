"""How far trainings of one configuration lie apart by noise: what noise is measured on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from hemobench.benchmarks.surrogates.noise.margins import smoothed
from hemobench.benchmarks.surrogates.targets import Targets, fraction

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Repeats:
    """Trainings that differ by noise alone; r trainings, T lengths, M outputs.

    Attributes:
        rows: Numbers of the trainings, shape (r,).
        groups: Which of them belong together, shape (r,).
        counts: How many belong together, shape (r,).
        differences: From the mean of those that belong together, scaled up for the degree of freedom that the mean
            takes: their mean square is the unbiased variance of the noise. Shape (r, T, M).
        means: The means, as they are on each one's fold, shape (r, T, M).
        between: What those that belong together differ in.
    """

    rows: Ints
    groups: Ints
    counts: Ints
    differences: Floats
    means: Floats
    between: Literal["seeds", "folds"] = "seeds"

    def __len__(self) -> int:
        return len(self.rows)


def repeats(t: Targets) -> Repeats:
    """The trainings of a table, all that went on to the end, which tell of its noise.

    Those of one configuration and fold with several seeds, if folds have them alike. Often one fold alone has any. The
    others' noise may be larger, and how folds deviate from each other is part of many a score: then it is those of one
    configuration and seed on all folds, less what folds differ by on average.
    """
    seeds = _by_seed(t)
    numbers = np.unique(t.folds)
    known = [int((t.folds[seeds.rows] == fold).sum()) for fold in numbers.tolist()]
    if 2 * min(known) >= max(known):  # as where no seed was repeated at all
        return seeds
    folds = _by_fold(t, len(numbers))
    return folds if len(folds) >= len(seeds) else seeds


def _by_seed(t: Targets) -> Repeats:
    """Trainings of one configuration and fold, of at least two seeds."""
    rows, place = _together(t, [t.groups, t.folds], lambda counts: counts > 1)
    values = fraction(t.values[rows])
    differences, means = values_apart(values, place)
    return Repeats(rows, place, np.bincount(place)[place], differences, means)


def _by_fold(t: Targets, folds: int) -> Repeats:
    """Trainings of one configuration and seed, on all of the folds."""
    rows, place = _together(t, [t.groups, t.seeds], lambda counts: counts == folds)
    values = fraction(t.values[rows])
    means = values_apart(values, place)[1]
    effects = _effects(values - means, means, t.folds[rows])
    differences, means = values_apart(values - effects, place)
    return Repeats(rows, place, np.bincount(place)[place], differences, means + effects, "folds")


def _together(t: Targets, parts: list[Ints], wanted: Callable[[Ints], Bools]) -> tuple[Ints, Ints]:
    """Rows that went on to the end, with the number of their group, of groups of wanted sizes."""
    rows = np.flatnonzero(t.reached.all(axis=1))
    keys = np.stack([part[rows] for part in parts], axis=1)
    _, place, counts = np.unique(keys, axis=0, return_inverse=True, return_counts=True)
    place = place.reshape(-1)
    kept = wanted(counts[place])
    _, place = np.unique(place[kept], return_inverse=True)
    return rows[kept], place


def _effects(deviations: Floats, means: Floats, folds: Ints) -> Floats:
    """What each fold differs by from all, on average near a quality, shape (r, T, M)."""
    found = np.zeros_like(deviations)
    for fold in np.unique(folds).tolist():
        here = folds == fold
        for look, output in np.ndindex(*deviations.shape[1:]):
            at = means[here, look, output]
            found[here, look, output] = smoothed(deviations[here, look, output], at, at)
    return found


def differences_of(values: Floats, found: Repeats) -> Floats:
    """Differences of other values of the same trainings, shape (r, T, M), as `Repeats.differences`."""
    return values_apart(values, found.groups)[0]


def values_apart(values: Floats, groups: Ints) -> tuple[Floats, Floats]:
    """Differences from the groups' means, their mean square the unbiased variance; and these means.

    Args:
        values: Shape (r, ...).
        groups: Number of each one's group, from 0, shape (r,); every group has at least two.
    """
    counts = np.bincount(groups)
    sums = np.zeros((len(counts), *values.shape[1:]))
    np.add.at(sums, groups, values)
    shape = (-1, *[1] * (values.ndim - 1))
    means = (sums / np.maximum(counts, 1).reshape(shape))[groups]
    seeds = counts[groups].reshape(shape)
    return (values - means) * np.sqrt(seeds / (seeds - 1)), means
