"""Simulated gates: regrets drawn from pools of real or of nasty ones, judged by the gate's own functions."""

from __future__ import annotations

import numpy as np

from hemobench.reports.gate.baseline import Terms
from hemobench.reports.gate.boundaries import analyses
from hemobench.reports.gate.verdict import NOT_WORSE, UNDECIDED, WORSE, decide, levels

PASS, REGRESS, INCONCLUSIVE = 0, 1, 3


def gates(differences, terms: Terms = Terms()):  # noqa: B008 - frozen
    """Verdicts of many gates at once.

    Args:
        differences: How much worse the candidate is: `(gates, arms, measures, seeds)`.
        terms: Margin and error rates.

    Returns:
        Exit codes of the arms, `(gates, arms)`, and the seeds that each needed.
    """
    count, arms, measures, seeds = differences.shape
    at = analyses(seeds)
    levelled = levels(at, terms, arms)
    shown = np.full((count, arms, measures), UNDECIDED)
    verdicts, needed = np.full((count, arms), INCONCLUSIVE), np.full((count, arms), seeds)
    for place, until in enumerate(at):
        shown = decide(differences[..., :until], shown, place, terms.margin, levelled)
        red, green = (shown == WORSE).any(axis=-1), (shown == NOT_WORSE).all(axis=-1)
        fresh = (verdicts == INCONCLUSIVE) & (red | green)
        verdicts = np.where(fresh, np.where(red, REGRESS, PASS), verdicts)
        needed = np.where(fresh, until, needed)
    return verdicts, needed


def nasty(rng, shape):
    """Pools of regret by name: bounded below, skewed, with heavy tails, with ties, with zeros."""
    return {
        "skewed": rng.gamma(1.5, 0.4, shape),
        "heavy-tailed": np.minimum(0.5 * rng.pareto(1.5, shape), 50.0),
        "mostly zero": np.where(rng.random(shape) < 0.6, 0.0, rng.gamma(1.0, 1.0, shape)),
        "tied": np.round(4 * rng.gamma(2.0, 0.3, shape)) / 4,
        "two humps": np.where(rng.random(shape) < 0.1, rng.normal(5.0, 0.5, shape), rng.gamma(2.0, 0.2, shape)),
    }
