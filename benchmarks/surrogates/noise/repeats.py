"""How far repeated trainings lie apart: what noise is measured on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hemobench.benchmarks.surrogates.targets import Targets, fraction

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Repeats:
    """Trainings of one configuration and fold that differ in their seed alone; r trainings, T lengths, M outputs.

    Attributes:
        rows: Numbers of the trainings, shape (r,).
        groups: Which of them belong together, shape (r,).
        counts: How many belong together, shape (r,).
        differences: From the mean over seeds, scaled up for the degree of freedom that the mean takes: their mean
            square is the unbiased variance between seeds. Shape (r, T, M).
        means: The means, shape (r, T, M).
    """

    rows: Ints
    groups: Ints
    counts: Ints
    differences: Floats
    means: Floats

    def __len__(self) -> int:
        return len(self.rows)


def repeats(t: Targets) -> Repeats:
    """The trainings of a table that went on to the end with at least two seeds."""
    rows = np.flatnonzero(t.reached.all(axis=1))
    _, place, counts = np.unique(
        np.stack([t.groups[rows], t.folds[rows]], axis=1), axis=0, return_inverse=True, return_counts=True
    )
    place = place.reshape(-1)
    several = counts[place] > 1
    rows = rows[several]
    _, place, counts = np.unique(place[several], return_inverse=True, return_counts=True)
    return _repeats(fraction(t.values[rows]), rows, place, counts)


def differences_of(values: Floats, found: Repeats) -> Floats:
    """Differences of other values of the same trainings, shape (r, T, M), as `Repeats.differences`."""
    return values_apart(values, found.groups)[0]


def _repeats(values: Floats, rows: Ints, place: Ints, counts: Ints) -> Repeats:
    differences, means = values_apart(values, place)
    return Repeats(rows, place, counts[place], differences, means)


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
