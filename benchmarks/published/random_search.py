"""What random search is expected to reach within a budget: simulated searches over a pool of random trials."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class RandomTrials:
    """Uniformly random trials, each with its own noise.

    Attributes:
        observed: Losses as a search sees them, shape (n,), infinite where a training failed.
        truth: The same without noise; where a training failed it is not looked at.
        hours: GPU-hours that each trial is charged.
    """

    observed: Floats
    truth: Floats
    hours: Floats


def random_search(
    trials: RandomTrials, budgets: Floats, *, runs: int, longest: int, rng: np.random.Generator
) -> Floats:
    """Mean noise-free loss of random search's incumbent at each budget, with one worker.

    The incumbent is the trial with the lowest observed loss; what it is worth is its noise-free one. A trial in
    flight at the end of the budget does not count. Until its first result a search counts with what a first random
    trial is worth on average, as runs do (`reports.comparison.Comparison.untuned`).

    Args:
        trials: The pool that searches draw from, with replacement. It has to be many times as large as a search is
            long: what its best trials happen to be is an error that more searches do not lessen.
        budgets: GPU-hours, shape (budgets,).
        runs: Number of simulated searches.
        longest: Trials' worth of the largest budget; searches have twice as many to draw.
        rng: Draws from the pool.

    Raises:
        ValueError: If a search ran out of trials before the largest budget.
    """
    count = len(trials.observed)
    untuned = float(trials.truth[np.isfinite(trials.observed)].mean())
    total = np.zeros(len(budgets))
    for _ in range(runs):
        order = rng.integers(count, size=2 * longest)
        finished = np.searchsorted(np.cumsum(trials.hours[order]), budgets, side="right")
        if finished.max() == len(order):
            raise ValueError("a simulated search ran out of trials before its budget")
        total += _incumbents(trials.observed[order], trials.truth[order], untuned)[finished]
    return total / runs


def _incumbents(observed: Floats, truth: Floats, untuned: float) -> Floats:
    """What the incumbent is worth after 0, 1, 2, … trials: shape (trials + 1,)."""
    lowest = np.minimum.accumulate(observed)
    # The incumbent is the trial at which the running minimum last fell.
    fell = np.concatenate([[True], lowest[1:] < lowest[:-1]])
    incumbent = np.maximum.accumulate(np.where(fell, np.arange(len(observed)), 0))
    return np.concatenate([[untuned], np.where(np.isfinite(lowest), truth[incumbent], untuned)])
