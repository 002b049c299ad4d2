"""Functional ANOVA of a random forest (Hutter, Hoos and Leyton-Brown, 2014), main effects only.

Optuna's own takes seconds a forest; a report wants dozens. Tests hold the two together.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
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
    cells = [_cells(low[leaf, place], high[leaf, place]) for place in places]
    widths = np.stack([inside @ weight for inside, weight in cells], axis=1)
    volume = widths.prod(axis=1)
    value = value - volume @ value
    variance = float(volume @ value**2)
    if variance <= 0:
        return np.zeros(len(places))
    effects = [
        _effect(inside, weight, volume / np.maximum(width, 1e-300) * value)
        for (inside, weight), width in zip(cells, widths.T, strict=True)
    ]
    return np.array(effects) / variance


def _effect(inside: Array, weight: Array, mass: Array) -> float:
    """Variance of the mean over all other dimensions, along one."""
    return float(weight @ (mass @ inside) ** 2)


def _cells(low: Array, high: Array) -> tuple[Array, Array]:
    """A dimension cut where any leaf ends: whether a leaf covers a cell, `(leaves, cells)`, and the cells' shares."""
    if low.shape[1] == 1:
        cuts = np.unique(np.concatenate([low, high, [[0.0], [1.0]]]))
        return ((low <= cuts[:-1]) & (high >= cuts[1:])).astype(float), np.diff(cuts)
    count = low.shape[1]
    others = (low < 0.5).sum(axis=1, keepdims=True) - (low < 0.5)  # other levels that are not insisted on
    return ((high > 0.5) & (others == count - 1)).astype(float), np.full(count, 1 / count)


def _boxes(tree: Any) -> tuple[Array, Array]:
    """The part of the unit cube of columns that falls to each node."""
    low, high = np.zeros((tree.node_count, tree.n_features)), np.ones((tree.node_count, tree.n_features))
    for node in range(tree.node_count):  # parents come before their children
        left, right, at = tree.children_left[node], tree.children_right[node], tree.feature[node]
        if left >= 0:
            low[[left, right]], high[[left, right]] = low[node], high[node]
            high[left, at] = low[right, at] = tree.threshold[node]
    return low, high
