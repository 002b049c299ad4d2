"""How well a surrogate foresaw what live searches tried."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import rankdata

from hemobench.benchmarks.parity.retraining import Retrained
from hemobench.reports.parity.calibration import NAMES, Calibration, Check, Mean, calibrated, check
from hemobench.reports.statistics.bootstrap import Array, bootstrap, interval

LEAST = 3
"""Configurations without which there is no order to compare."""


@dataclass(frozen=True, slots=True)
class Foreseen:
    """One figure of the configurations that a strategy tried.

    Attributes:
        calibration: Whether trials lie where they were predicted.
        error: Mean distance of a configuration's trials from what was predicted.
        order: Spearman's correlation of predicted and live; `None` with fewer than three configurations, or where
            all are equal.
    """

    calibration: Calibration
    error: float
    order: Mean | None


def foreseen(tried: Sequence[Retrained], seed: int = 0) -> dict[str, dict[str, Foreseen]]:
    """How well what was tried was foreseen, by strategy and figure.

    Args:
        tried: Predictions and trials; see `benchmarks.parity.foresight`.
        seed: Of the bootstrap.
    """
    checks: dict[str, list[Check]] = {}
    for one in tried:
        checks.setdefault(one.candidate.strategy, []).append(check(one))
    return {strategy: _figures(members, seed) for strategy, members in checks.items()}


def _figures(checks: Sequence[Check], seed: int) -> dict[str, Foreseen]:
    found = {}
    for name in NAMES:
        ended = [one for one in checks if name in one.figures and one.figures[name].live]
        if ended:
            found[name] = _foreseen(ended, name, seed)
    return found


def _foreseen(checks: Sequence[Check], name: str, seed: int) -> Foreseen:
    figures = [one.figures[name] for one in checks]
    predicted = np.array([figure.predicted for figure in figures])
    live = np.array([np.mean(figure.live) for figure in figures])
    return Foreseen(
        calibration=calibrated(checks, name, seed),
        error=float(np.abs(predicted - live).mean()),
        order=_order(predicted, live, seed),
    )


def _order(predicted: Array, live: Array, seed: int) -> Mean | None:
    """Spearman's correlation, with its interval over configurations."""
    pairs = np.stack([predicted, live], axis=1)
    if len(pairs) < LEAST or (np.ptp(pairs, axis=0) == 0).any():
        return None
    drawn = bootstrap(pairs, spearman, seed=seed)
    low, high = interval(drawn[np.isfinite(drawn)])
    return Mean(float(spearman(pairs, axis=0)), float(low), float(high))


def spearman(pairs: Array, *, axis: int) -> Array:
    """Spearman's correlation of the two columns, over an axis; NaN where a column is constant."""
    ranks = rankdata(pairs, axis=axis)
    centred = ranks - ranks.mean(axis=axis, keepdims=True)
    products = (centred[..., 0] * centred[..., 1]).sum(axis=axis)
    squares = (centred**2).sum(axis=axis)
    with np.errstate(invalid="ignore"):
        return np.asarray(products / np.sqrt(squares.prod(axis=-1)))
