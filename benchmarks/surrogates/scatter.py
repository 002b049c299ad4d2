"""How far repeated seeds lie apart: measured on configurations that were trained with several, and drawn alike."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hemobench.benchmarks.surrogates.targets import Targets, fraction

Floats = NDArray[np.float64]
FACTORS = 12
"""Directions that noise is drawn along, of the 16 numbers that `noise.draw` gives a trial."""
POWERS = (0.0, 0.5, 1.0)
"""Noise of a fraction p grows as (p (1 - p)) to one of these: constant, as in counting, constant in logits."""
FLOOR = 1e-4


@dataclass(frozen=True, slots=True)
class Scatter:
    """Noise of M outputs after each of T lengths of training, as fractions.

    An output's noise is `(p (1 - p)) ** power * (trial @ factors + epoch * rest)`, of standard normal numbers: some
    that all lengths of a trial share, and one of its own for each epoch.

    Attributes:
        factors: Shape (T, FACTORS, M).
        rest: Shape (T, M).
        power: Shape (M,).
    """

    factors: Floats
    rest: Floats
    power: Floats


def spread(p: Floats) -> Floats:
    """The variance p (1 - p) of one yes or no, kept away from 0."""
    return np.asarray(np.maximum(p * (1 - p), FLOOR))


def deviations(t: Targets) -> tuple[Floats, Floats]:
    """Of trainings that were repeated in full: deviations from their mean over seeds, and that mean.

    Deviations are scaled up for the degree of freedom that the mean takes. Both of shape (r, T, M).
    """
    values = fraction(t.values)
    whole = t.reached.all(axis=1)
    keys = np.stack([t.groups, t.folds], axis=1)
    found, means = [np.zeros((0, *values.shape[1:]))], [np.zeros((0, *values.shape[1:]))]
    for key in np.unique(keys[whole], axis=0):
        rows = values[whole & (keys == key).all(axis=1)]
        if len(rows) > 1:
            mean = rows.mean(axis=0)
            found.append((rows - mean) * np.sqrt(len(rows) / (len(rows) - 1)))
            means.append(np.broadcast_to(mean, rows.shape))
    return np.concatenate(found), np.concatenate(means)


def scatter(differences: Floats, means: Floats) -> Scatter:
    """The noise that gives such differences.

    Args:
        differences: Shape (r, T, M).
        means: What they differ from, likewise.
    """
    power = _power(differences, means)
    scaled = differences / spread(means) ** power
    r, looks, outputs = scaled.shape
    flat = scaled.reshape(r, -1)
    _, singular, directions = np.linalg.svd(flat, full_matrices=False)
    kept = min(FACTORS, len(singular))
    loadings = np.zeros((FACTORS, flat.shape[1]))
    loadings[:kept] = singular[:kept, None] * directions[:kept] / np.sqrt(r)
    total = (flat**2).mean(axis=0)
    rest = np.sqrt(np.maximum(total - (loadings**2).sum(axis=0), 0.0))
    return Scatter(
        factors=np.ascontiguousarray(loadings.reshape(FACTORS, looks, outputs).swapaxes(0, 1)),
        rest=rest.reshape(looks, outputs),
        power=power,
    )


def _power(differences: Floats, means: Floats) -> Floats:
    """The likeliest power of each output, of normal noise."""
    size = np.log(spread(means))
    fits = []
    for power in POWERS:
        variance = (differences**2 * np.exp(-2 * power * size)).mean(axis=0)
        fits.append((0.5 * np.log(np.maximum(variance, 1e-18)) + power * size.mean(axis=0)).mean(axis=0))
    return np.asarray(np.array(POWERS)[np.argmin(fits, axis=0)])
