"""Fitting the noise: quantiles of residuals by epoch and predicted quality, and how they go together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from hemobench.benchmarks.surrogates.noise.copula import (
    EPOCH_FACTORS,
    KNOTS,
    SCORE_GRID,
    SCORES,
    TRIAL_FACTORS,
    Copula,
    moments,
)

Floats = NDArray[np.float64]
FEWEST_NEIGHBOURS = 40
NARROWEST = 1e-6
EMPHASIS = 4.0
"""How many times as much the metrics that matter count where correlations are summed up in a few factors."""


@dataclass(frozen=True, slots=True)
class Residuals:
    """What noise is fitted to; r trainings, T lengths, M outputs.

    Attributes:
        predicted: What a surrogate predicts, shape (r, T, M).
        shapes: How trainings lie around what is expected of them, shape (r, T, M); of any size.
        squares: Their squares, without bias, shape (r, T, M): what the size is fitted to.
        offsets: By how much trainings lie above what is predicted, on average, shape (n, T, M).
        offsets_at: Predictions that the offsets belong to, shape (n, T, M).
    """

    predicted: Floats
    shapes: Floats
    squares: Floats
    offsets: Floats
    offsets_at: Floats


def copula(found: Residuals, important: list[int]) -> Copula:
    """The noise that gives such residuals.

    Args:
        found: The residuals.
        important: Numbers of the outputs whose correlations matter most.
    """
    _, looks, outputs = found.predicted.shape
    knots = np.zeros((looks, outputs, KNOTS))
    margins = np.zeros((looks, outputs, KNOTS, SCORES))
    scores = np.zeros(found.predicted.shape)
    for t in range(looks):
        for m in range(outputs):
            predicted = found.predicted[:, t, m]
            knots[t, m] = _knots(predicted)
            margins[t, m] = _margin(found, t, m, knots[t, m])
            scores[:, t, m] = _scores(found.shapes[:, t, m], predicted, knots[t, m], margins[t, m])
    trial, epoch = _loadings(scores, important)
    return Copula(knots, margins, trial, epoch)


def silent(looks: int, outputs: int) -> Copula:
    """No noise at all."""
    epoch = np.zeros((looks, EPOCH_FACTORS, outputs))
    epoch[:, 0] = 1.0
    return Copula(
        knots=np.broadcast_to(np.linspace(0, 1, KNOTS), (looks, outputs, KNOTS)).copy(),
        margins=np.zeros((looks, outputs, KNOTS, SCORES)),
        trial=np.zeros((looks, TRIAL_FACTORS, outputs)),
        epoch=epoch,
    )


def _knots(predicted: Floats) -> Floats:
    """Where quantiles are kept: as many trainings between one and the next, each at least a little higher."""
    found = np.quantile(predicted, np.linspace(0, 1, KNOTS))
    steps = NARROWEST * np.arange(KNOTS)
    return np.asarray(np.maximum.accumulate(found - steps) + steps)


def _margin(found: Residuals, t: int, m: int, knots: Floats) -> Floats:
    """Quantiles at every knot, of the trainings near it, with the mean and the size that they should have."""
    shapes, squares = found.shapes[:, t, m], found.squares[:, t, m]
    near, around = _nearness(found.predicted[:, t, m], knots), _nearness(found.offsets_at[:, t, m], knots)
    quantiles = _quantiles(shapes, near)
    mean, deviation = moments(quantiles)
    size = np.sqrt(near @ squares)
    offset = around @ found.offsets[:, t, m]
    standard = (quantiles - mean[:, None]) / np.maximum(deviation, 1e-12)[:, None]
    return np.asarray(standard * size[:, None] + offset[:, None])


def _nearness(values: Floats, knots: Floats) -> Floats:
    """Weights of trainings by how near they are predicted to a knot, shape (KNOTS, n): tricube, rows sum to 1.

    Each knot looks as far as its nearest few, as local regression does (Cleveland, 1979).
    """
    distances = np.abs(values - knots[:, None])
    count = min(max(FEWEST_NEIGHBOURS, 2 * len(values) // KNOTS), len(values))
    reach = np.partition(distances, count - 1, axis=1)[:, count - 1 : count]
    weights = (1 - np.minimum(distances / np.maximum(1.001 * reach, NARROWEST), 1.0) ** 3) ** 3
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))


def _quantiles(values: Floats, weights: Floats) -> Floats:
    """Weighted quantiles at the grid's scores, shape (KNOTS, SCORES)."""
    order = np.argsort(values, kind="stable")
    ordered = weights[:, order]
    heights = np.cumsum(ordered, axis=1) - ordered / 2
    levels = ndtr(SCORE_GRID)
    return np.stack([np.interp(levels, height, values[order]) for height in heights])


def _scores(shapes: Floats, predicted: Floats, knots: Floats, margins: Floats) -> Floats:
    """Normal scores of residuals among what may be expected at their predicted values, of deviation 1."""
    weights = np.stack([np.interp(predicted, knots, row) for row in np.eye(KNOTS)], axis=1)
    expected = weights @ margins
    mean, deviation = moments(expected)
    standard = (expected - mean[:, None]) / np.maximum(deviation, 1e-12)[:, None]
    size = np.sqrt((shapes**2).mean())
    if size < 1e-9:
        return np.zeros_like(shapes)
    local = np.sqrt(np.maximum(smoothed(shapes**2, predicted, predicted), 1e-18))
    scores = np.array([np.interp(s, row, SCORE_GRID) for s, row in zip(shapes / local, standard, strict=True)])
    scores -= scores.mean()
    return np.asarray(scores / max(scores.std(), 1e-9))


def smoothed(values: Floats, at: Floats, wanted: Floats) -> Floats:
    """Mean of the values near wanted places: linear between means near a few knots, constant beyond them.

    Args:
        values: Shape (n,).
        at: Their places, shape (n,).
        wanted: Places, shape (k,).
    """
    knots = _knots(at)
    return np.interp(wanted, knots, _nearness(at, knots) @ values)


def _loadings(scores: Floats, important: list[int]) -> tuple[Floats, Floats]:
    """Loadings on the numbers of a trial, and of its epochs, that give the scores' correlations.

    The trial's are the scores' first principal directions over all epochs and outputs; what is left at each epoch has
    principal directions of its own, scaled such that every score has variance 1.
    """
    r, looks, outputs = scores.shape
    emphasis = np.ones(outputs)
    emphasis[important] = EMPHASIS
    weighted = (scores * emphasis).reshape(r, -1)
    trial = _directions(weighted, TRIAL_FACTORS).reshape(TRIAL_FACTORS, looks, outputs) / emphasis
    trial = np.ascontiguousarray(trial.swapaxes(0, 1))
    epoch = np.zeros((looks, EPOCH_FACTORS, outputs))
    for t in range(looks):
        covariance = scores[:, t].T @ scores[:, t] / r - trial[t].T @ trial[t]
        values, vectors = np.linalg.eigh(covariance * np.outer(emphasis, emphasis))
        first = slice(None, -EPOCH_FACTORS - 1, -1)
        kept = np.sqrt(np.maximum(values[first], 0.0))[:, None] * vectors[:, first].T
        epoch[t, : len(kept)] = kept / emphasis
    return _completed(trial, epoch)


def _directions(flat: Floats, count: int) -> Floats:
    """Loadings on the first principal directions, shape (count, columns); zeros beyond as many as there are."""
    _, singular, directions = np.linalg.svd(flat, full_matrices=False)
    kept = min(count, len(singular))
    loadings = np.zeros((count, flat.shape[1]))
    loadings[:kept] = singular[:kept, None] * directions[:kept] / np.sqrt(len(flat))
    return loadings


def _completed(trial: Floats, epoch: Floats) -> tuple[Floats, Floats]:
    """Loadings whose squares sum to 1: what is missing falls to the epoch's own."""
    common = (trial**2).sum(axis=1, keepdims=True)
    trial = trial / np.sqrt(np.maximum(common, 1.0))
    missing = 1 - np.minimum(common, 1.0)
    own = (epoch**2).sum(axis=1, keepdims=True)
    alone = np.zeros_like(epoch)
    alone[:, :1] = 1.0
    scaled = np.where(own > 1e-9, epoch / np.sqrt(np.maximum(own, 1e-9)), alone)
    return trial, scaled * np.sqrt(missing)
