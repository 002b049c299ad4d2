"""Tests and survival: what may be called a difference, and how long a target takes when some never reach it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import friedmanchisquare, rankdata, studentized_range

from hemobench.errors import BenchmarkError
from hemobench.reports.statistics import Array, ranks, worst_if_missing

MINIMUM_TASKS = 10


def signed_rank_test(differences: ArrayLike) -> float:
    """Two-sided p of Wilcoxon's signed-rank test, exact for any number of seeds, ties included.

    Zero differences are dropped, as Wilcoxon does. Ties share their ranks, and the distribution is that of these
    very ranks under random signs, so the test keeps its level; scipy's `exact` assumes that there are no ties.

    Args:
        differences: One a seed; infinite where one of the two has no result.

    Returns:
        1.0 if no difference is left.
    """
    values = np.asarray(differences, dtype=float)
    values = values[values != 0]
    if not len(values):
        return 1.0
    doubled = np.rint(2 * rankdata(np.abs(values))).astype(int)  # ranks are halves at worst, so these are integers
    chances = np.ones(1)
    for rank in doubled:
        longer = np.zeros(len(chances) + rank)
        longer[: len(chances)] += chances / 2
        longer[rank:] += chances / 2
        chances = longer
    positive = int(doubled[values > 0].sum())
    extreme = min(positive, int(doubled.sum()) - positive)
    return float(min(1.0, 2 * chances[: extreme + 1].sum()))


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


def kaplan_meier(hours: ArrayLike, reached: ArrayLike) -> tuple[Array, Array]:
    """The share of runs that have not yet reached a target (Kaplan and Meier, 1958).

    Args:
        hours: When a run reached it, or until when it was watched.
        reached: Whether it did; the others are censored.

    Returns:
        The distinct hours at which some run got there, ascending, and the share just after each.
    """
    times, events = np.asarray(hours, dtype=float), np.asarray(reached, dtype=bool)
    steps = np.unique(times[events])
    at_risk = (times[None, :] >= steps[:, None]).sum(axis=1)
    died = (events & (times[None, :] == steps[:, None])).sum(axis=1)
    return steps, np.cumprod(1 - died / np.maximum(at_risk, 1))


def median_hours(hours: ArrayLike, budget: ArrayLike) -> float | None:
    """Kaplan-Meier median of GPU-hours to a target; `None` (longer than was watched) where over half missed it.

    Args:
        hours: One a seed; NaN is a miss.
        budget: Until when a miss was watched; one number or one a seed.
    """
    times = np.asarray(hours, dtype=float)
    missed = np.isnan(times)
    steps, left = kaplan_meier(np.where(missed, budget, times), ~missed)
    below = np.flatnonzero(left <= 0.5 + 1e-12)
    return float(steps[below[0]]) if len(below) else None


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
