"""What the best of a few random trainings is expected to reach."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

Floats = NDArray[np.float64]
RESAMPLES = 400


def expected_best(losses: Floats, count: int) -> float:
    """Expected lowest loss of `count` drawn without replacement: the mean over all subsets, by order statistics."""
    n = len(losses)
    ranks = np.arange(n - count + 1)
    # The lowest is the one of rank i where the other count - 1 are among the n - 1 - i above it.
    chances = np.exp(_log_choose(n - 1 - ranks, count - 1) - _log_choose(np.array([n]), count))
    return float(np.sort(losses)[: len(ranks)] @ chances)


def with_error(losses: Floats, count: int, seed: int = 0) -> tuple[float, float]:
    """`expected_best`, and its standard error by resampling the losses."""
    rng = np.random.default_rng(np.random.SeedSequence([seed, count]))
    drawn = losses[rng.integers(len(losses), size=(RESAMPLES, len(losses)))]
    errors = [expected_best(row, count) for row in drawn]
    return expected_best(losses, count), float(np.std(errors, ddof=1))


def error_of_so_few(population: Floats, few: int, count: int, seed: int = 0) -> float:
    """Standard error of `expected_best` of a few losses, if they were drawn from such a population.

    Resampling the few themselves would give too small a one: the best of them stays the best, however lucky it was.
    """
    rng = np.random.default_rng(np.random.SeedSequence([seed, few, count]))
    drawn = population[rng.integers(len(population), size=(RESAMPLES, few))]
    return float(np.std([expected_best(row, count) for row in drawn], ddof=1))


def _log_choose(n: NDArray[np.int64], k: int) -> Floats:
    return np.asarray(gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1))
