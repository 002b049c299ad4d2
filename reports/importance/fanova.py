"""Functional ANOVA of a random forest (Hutter, Hoos and Leyton-Brown, 2014), main effects only.

Optuna's own takes seconds a forest; a report wants dozens. Tests hold the two together.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hemobench.reports.statistics.bootstrap import Array

TREES = 32


def main_effects(points: Array, losses: Array, levels: NDArray[np.int64], seed: int = 0) -> Array:
    """Each dimension's share of the variance, as main effect; the shares add up to 1.

    Args:
        points: `(trials, dimensions)` in the unit cube; level k of n stands at `(k + 1/2) / n`.
        losses: `(trials,)`.
        levels: Number of levels of each dimension; 0 is a continuous one.
        seed: Of the forest.

    Returns:
        `(dimensions,)`; zeros if the losses do not vary.
    """
    from sklearn.ensemble import RandomForestRegressor

    parts = [_columns(points[:, d], count) for d, count in enumerate(levels.tolist())]
    forest = RandomForestRegressor(n_estimators=TREES, random_state=seed).fit(np.hstack(parts), losses)
    ends = np.cumsum([part.shape[1] for part in parts])
    places = [slice(end - part.shape[1], end) for part, end in zip(parts, ends, strict=True)]
    mean = np.mean([_tree_shares(tree.tree_, places) for tree in forest.estimators_], axis=0)
    return np.asarray(mean / mean.sum() if mean.sum() > 0 else mean)


def explained(points: Array, losses: Array, levels: NDArray[np.int64], seed: int = 0) -> float:
    """What share of the variance a forest explains of trials that it has not seen: R2 out of bag (Breiman, 2001).

    Shares of a forest that explains nothing divide up noise, and look like findings: where this is not above 0,
    there is nothing to share out. Trials must be different ones, not drawn with replacement.

    Args:
        points: See `main_effects`.
        losses: Likewise.
        levels: Likewise.
        seed: Of the forest.

    Returns:
        At most 1; 0 for a forest that predicts the mean, below for a worse one, and 0 if the losses do not vary.
    """
    from sklearn.ensemble import RandomForestRegressor

    if np.ptp(losses) == 0:
        return 0.0
    parts = [_columns(points[:, d], count) for d, count in enumerate(levels.tolist())]
    forest = RandomForestRegressor(n_estimators=2 * TREES, random_state=seed, oob_score=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a trial that every tree saw, which counts as predicted by 0
        return float(forest.fit(np.hstack(parts), losses - losses.mean()).oob_score_)


def _columns(values: Array, levels: int) -> Array:
    """A dimension as the forest sees it: a column a level, so that one split can single out any."""
    if not levels:
        return values[:, None]
    return np.asarray(np.floor(values * levels)[:, None] == np.arange(levels), dtype=float)


def _tree_shares(tree: Any, places: Sequence[slice]) -> Array:
    low, high = _boxes(tree)
    leaf = tree.children_left < 0
    value = tree.value[leaf].ravel()
    cuts = [_cut(low[leaf, place], high[leaf, place]) for place in places]
    widths = np.stack([cut.widths for cut in cuts], axis=1)
    volume = widths.prod(axis=1)
    value = value - volume @ value
    variance = float(volume @ value**2)
    if variance <= 0:
        return np.zeros(len(places))
    effects = []
    for cut in cuts:
        # the mean over all other dimensions, along this one, and its variance
        along = cut.summed(volume / np.maximum(cut.widths, 1e-300) * value)
        effects.append(float(cut.cells @ along**2))
    return np.array(effects) / variance


@dataclass(frozen=True, slots=True)
class Cut:
    """A dimension cut into cells where any leaf ends.

    Attributes:
        cells: Their shares of it.
        widths: Of the leaves.
        summed: Gives, of one number a leaf, the sum over the leaves that cover each cell.
    """

    cells: Array
    widths: Array
    summed: Callable[[Array], Array]


def _cut(low: Array, high: Array) -> Cut:
    """The cells of a dimension, from the leaves' lower and upper ends in its columns."""
    if low.shape[1] == 1:
        return _cut_line(low[:, 0], high[:, 0])
    count = low.shape[1]
    others = (low < 0.5).sum(axis=1, keepdims=True) - (low < 0.5)  # other levels that are not insisted on
    inside = ((high > 0.5) & (others == count - 1)).astype(float)
    cells = np.full(count, 1 / count)
    return Cut(cells, inside @ cells, lambda numbers: np.asarray(numbers @ inside))


def _cut_line(low: Array, high: Array) -> Cut:
    """A continuous dimension: a leaf covers the cells between its ends, so sums are those of what begins and ends."""
    ends = np.unique(np.concatenate([low, high, [0.0, 1.0]]))
    first, last = np.searchsorted(ends, low), np.searchsorted(ends, high)

    def summed(numbers: Array) -> Array:
        begun, over = (np.bincount(place, numbers, len(ends)) for place in (first, last))
        return np.asarray(np.cumsum(begun - over)[:-1])

    return Cut(np.diff(ends), high - low, summed)


def _boxes(tree: Any) -> tuple[Array, Array]:
    """The part of the unit cube of columns that falls to each node."""
    low, high = np.zeros((tree.node_count, tree.n_features)), np.ones((tree.node_count, tree.n_features))
    columns = (tree.children_left, tree.children_right, tree.feature, tree.threshold)  # each look makes an array
    for node, (left, right, at, threshold) in enumerate(zip(*(column.tolist() for column in columns), strict=True)):
        if left >= 0:  # parents come before their children
            low[left] = low[right] = low[node]
            high[left] = high[right] = high[node]
            high[left, at] = low[right, at] = threshold
    return low, high
