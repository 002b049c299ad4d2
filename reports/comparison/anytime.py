"""Strategies over the GPU-hours of a budget: regret, ranks, areas and speed-up over random search."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hemobench.reports.comparison.comparison import RANDOM, Comparison, hours_to_random
from hemobench.reports.statistics.bootstrap import (
    Array,
    Estimate,
    bootstrap,
    bootstrap_means,
    interval,
    ranks,
)
from hemobench.reports.statistics.hypothesis_tests import censored_median
from hemobench.reports.statistics.student import mean_interval


def regret_curves(comparison: Comparison) -> Estimate:
    """Mean over seeds of normalised regret on the comparison's grid with Student's interval, `(strategies, hours)`.

    0 is the best known loss, 1 what random search is expected to reach at the whole budget. Without a reference
    it is the loss itself. At the end it is what the leaderboard shows, where every run has a result.
    """
    return mean_interval(comparison.normalised(comparison.started(comparison.grid)))


def rank_curves(comparison: Comparison, draws: int = 1000, seed: int = 0) -> Estimate:
    """Mean rank over seeds on the comparison's grid, `(strategies, hours)`; a run without a result comes last."""
    losses = comparison.worth(comparison.grid)
    ranked = np.stack([ranks(losses[:, :, hour]) for hour in range(losses.shape[2])], axis=2)
    return Estimate(ranked.mean(axis=0), *interval(bootstrap_means(ranked, draws=draws, seed=seed)))


def areas(comparison: Comparison) -> Array:
    """Area under each run's regret curve over log GPU-hours, divided by the width: `(seeds, strategies)`.

    It is the mean regret when every doubling of the budget counts the same, from one trial's cost to the budget;
    the loss where there is no reference. Steps are kept: nothing is interpolated between trials.
    """
    # A run's loss is a step function of log hours: each step holds from its own time until the next one of the run
    # (or the end), and before the first the run counts as untuned. The area is the sum of loss times duration.
    places, hours, _, worth = comparison.path
    begin, end = np.log(comparison.grid[[0, -1]])
    since = np.log(hours).clip(begin, end)
    is_last = np.append(np.diff(places) != 0, True)[: len(places)]
    next_since = np.append(since[1:], end)[: len(since)]
    until = np.where(is_last, end, next_since)
    runs = comparison.table.size
    held = np.bincount(places, worth * (until - since), minlength=runs)
    first = np.full(runs, end)
    np.minimum.at(first, places, since)
    untuned = comparison.untuned * (first - begin)
    mean = (held + untuned) / (end - begin)
    return comparison.normalised(mean).reshape(comparison.table.shape)


@dataclass(frozen=True, slots=True)
class SpeedUp:
    """How much sooner than random search a strategy is as good as random search gets.

    Attributes:
        strategy: Label.
        hours: Median GPU-hours until as good as random search is expected to be at the budget
            (`Comparison.target`); `None` is longer than the budget.
        factor: Random search's own median to the same target over `hours`: at least that, where random search's
            is longer than the budget, which counts then. 0 where `hours` is `None`.
        low: Lower end of its 95 % bootstrap interval over seeds.
        high: Upper end.
        reached: Seeds that got there.
        seeds: Paired seeds.
    """

    strategy: str
    hours: float | None
    factor: float
    low: float
    high: float
    reached: int
    seeds: int


def speed_ups(comparison: Comparison, draws: int = 1000, seed: int = 0) -> list[SpeedUp]:
    """Speed-up over random search, by strategy; empty without random search, or where it has no result."""
    hours = hours_to_random(comparison)
    if not len(hours) or RANDOM not in comparison.strategies:
        return []
    if np.isnan(comparison.final[:, comparison.strategies.index(RANDOM)]).all():
        return []
    own = comparison.strategies.index(RANDOM)
    medians = censored_median(hours)
    samples = bootstrap(hours, censored_median, draws=draws, seed=seed)
    factors = np.minimum(medians[own], comparison.gpu_hours) / medians
    low, high = interval(np.minimum(samples[:, [own]], comparison.gpu_hours) / samples)
    return [
        SpeedUp(
            strategy=name,
            hours=float(medians[place]) if np.isfinite(medians[place]) else None,
            factor=float(factors[place]),
            low=float(low[place]),
            high=float(high[place]),
            reached=int((~np.isnan(hours[:, place])).sum()),
            seeds=len(hours),
        )
        for place, name in enumerate(comparison.strategies)
    ]
