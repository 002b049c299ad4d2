"""Functional ANOVA of a random forest (Hutter, Hoos and Leyton-Brown, 2014), main effects only.

Optuna's own takes seconds a forest; a report wants dozens. Tests hold the two together.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hemobench.reports.statistics import Array

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

    forest = RandomForestRegressor(n_estimators=TREES, random_state=seed).fit(points, losses)
    shares = [_tree_shares(tree.tree_, levels) for tree in forest.estimators_]
    mean = np.mean(shares, axis=0)
    return np.asarray(mean / mean.sum() if mean.sum() > 0 else mean)


def _tree_shares(tree: Any, levels: NDArray[np.int64]) -> Array:
    low, high = _boxes(tree, levels)
    leaf = tree.children_left < 0
    low, high, value = low[leaf], high[leaf], tree.value[leaf].ravel()
    widths = high - low
    volume = widths.prod(axis=1)
    mean = float(volume @ value)
    variance = float(volume @ (value - mean) ** 2)
    if variance <= 0:
        return np.zeros(len(levels))
    effects = [_effect(low[:, d], high[:, d], widths[:, d], volume, value - mean) for d in range(len(levels))]
    return np.array(effects) / variance


def _effect(low: Array, high: Array, width: Array, volume: Array, value: Array) -> float:
    """Variance of the mean over all other dimensions, along one."""
    cuts = np.unique(np.concatenate([low, high]))
    inside = (low[:, None] <= cuts[:-1]) & (high[:, None] >= cuts[1:])
    others = np.divide(volume, width, out=np.zeros_like(volume), where=width > 0)
    marginal = (value * others) @ inside
    return float(np.diff(cuts) @ marginal**2)


def _boxes(tree: Any, levels: NDArray[np.int64]) -> tuple[Array, Array]:
    """The part of the unit cube that falls to each node; a threshold between levels is put on their border."""
    low, high = np.zeros((tree.node_count, len(levels))), np.ones((tree.node_count, len(levels)))
    for node in range(tree.node_count):  # parents come before their children
        left, right, at = tree.children_left[node], tree.children_right[node], tree.feature[node]
        if left < 0:
            continue
        threshold = tree.threshold[node]
        if levels[at]:
            threshold = round(threshold * levels[at]) / levels[at]
        low[[left, right]], high[[left, right]] = low[node], high[node]
        high[left, at] = low[right, at] = threshold
    return low, high
