"""Tests and survival: what may be called a difference, and how long a target takes when some never reach it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike

from hemobench.errors import BenchmarkError
from hemobench.reports.statistics.bootstrap import Array, ranks, worst_if_missing

MINIMUM_TASKS = 10
EXACT_UP_TO = 200
"""Seeds above which the signed-rank test is the normal approximation, from p = .001 up within a tenth of the exact."""


def signed_rank_test(differences: ArrayLike) -> float:
    """Two-sided p of Wilcoxon's signed-rank test, exact for up to 200 seeds, ties included.

    Zero differences are dropped, as Wilcoxon does. Ties share their ranks, and the distribution is that of these
    very ranks under random signs, so the test keeps its level; scipy's `exact` assumes that there are no ties. It
    takes the third power of the number of seeds: more of them go to the normal approximation.

    Args:
        differences: One a seed; infinite where one of the two has no result.

    Returns:
        1.0 if no difference is left.
    """
    values = np.asarray(differences, dtype=float)
    values = values[values != 0]
    if not len(values):
        return 1.0
    from scipy.stats import rankdata, wilcoxon  # half a second, which few that import this module need

    if len(values) > EXACT_UP_TO:
        return float(wilcoxon(values, method="asymptotic", correction=True).pvalue)
    doubled = np.rint(2 * rankdata(np.abs(values))).astype(int)  # ranks are halves at worst, so these are integers
    positive = int(doubled[values > 0].sum())
    extreme = min(positive, int(doubled.sum()) - positive)
    return min(1.0, 2 * float(_rank_sums(tuple(np.sort(doubled).tolist()))[extreme]))


@lru_cache(maxsize=256)
def _rank_sums(ranks: tuple[int, ...]) -> Array:
    """The distribution function, at 0, 1, 2, ..., of the sum of a random half of the ranks: each in or out."""
    chances = np.ones(1)
    for rank in ranks:
        longer = np.zeros(len(chances) + rank)
        longer[: len(chances)] += chances / 2
        longer[rank:] += chances / 2
        chances = longer
    return np.asarray(np.cumsum(chances))


def signed_rank_sum(differences: ArrayLike) -> float:
    """The sum of the signed ranks: positive where positive differences prevail."""
    from scipy.stats import rankdata

    values = np.asarray(differences, dtype=float)
    values = values[values != 0]
    return float((np.sign(values) * rankdata(np.abs(values))).sum()) if len(values) else 0.0


def paired_differences(losses: ArrayLike, others: ArrayLike) -> Array:
    """Seed by seed, how much lower the loss is than the other's; infinite where just one has no result, else 0."""
    mine, theirs = worst_if_missing(losses), worst_if_missing(others)
    both = np.isinf(mine) & np.isinf(theirs)
    with np.errstate(invalid="ignore"):
        return np.where(both, 0.0, theirs - mine)


def holm(p_values: ArrayLike) -> Array:
    """P-values adjusted for their number (Holm, 1979): below alpha with chance alpha at most, whatever is true."""
    p = np.asarray(p_values, dtype=float)
    order = np.argsort(p, kind="stable")
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate((len(p) - np.arange(len(p))) * p[order]))
    return adjusted


def seeds_needed(tests: int, alpha: float = 0.05) -> int:
    """The fewest seeds with which a signed-rank test can fall below alpha / tests: where all signs agree."""
    return int(np.ceil(np.log2(2 * tests / alpha)))


def censored_median(hours: ArrayLike, axis: int = 0) -> Array:
    """Median of GPU-hours to a target, NaN being a miss: later than all that was seen.

    Returns:
        Infinity where the median falls among the misses. All runs of a race are watched for the same budget, so
        this is Kaplan and Meier's median too (the middle of the two hours where theirs is an interval).
    """
    times = np.asarray(hours, dtype=float)
    return np.asarray(np.median(np.where(np.isnan(times), np.inf, times), axis=axis), dtype=float)


@dataclass(frozen=True)
class CriticalDifference:
    """Friedman's test over tasks, and Nemenyi's critical difference of mean ranks (Demsar, 2006)."""

    mean_ranks: Array
    friedman_p: float
    critical_difference: float


def critical_difference(losses: ArrayLike, alpha: float = 0.05) -> CriticalDifference:
    """What a critical-difference diagram shows.

    Args:
        losses: `(tasks, strategies)`.
        alpha: Chance of calling a difference where there is none.

    Raises:
        BenchmarkError: Below ten tasks, with the reason.
    """
    from scipy.stats import friedmanchisquare, studentized_range

    values = np.asarray(losses, dtype=float)
    tasks, count = values.shape
    width = float(studentized_range.ppf(1 - alpha, count, np.inf)) / np.sqrt(2)
    needed = width * np.sqrt(count * (count + 1) / (6 * tasks))
    if tasks < MINIMUM_TASKS:
        raise BenchmarkError(
            f"no critical-difference diagram of {tasks} task{'s' * (tasks != 1)}: with {count} strategies, mean ranks "
            f"must lie {needed:.2f} apart, and {count - 1} is the largest gap there can be; seeds of one task are no "
            "tasks",
            f"compare within each task instead, or bring at least {MINIMUM_TASKS} tasks",
        )
    table = ranks(values)
    friedman_p = float(friedmanchisquare(*worst_if_missing(values).T).pvalue) if count > 2 else float("nan")
    return CriticalDifference(table.mean(axis=0), friedman_p, float(needed))
