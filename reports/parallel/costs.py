"""What parallelism costs each strategy: W workers against one, under the same budget of GPU-hours.

W workers finish W times as soon, and a strategy then decides with up to W - 1 results pending, and may leave
workers idle. What that costs is the difference between runs that are equal but for W: the same strategy, benchmark,
budget and seed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from hemobench.benchmarks.benchmark import Reference
from hemobench.benchmarks.storage.results import Results
from hemobench.reports.comparison.comparison import Comparison, comparisons
from hemobench.reports.comparison.incumbents import hours_to_targets
from hemobench.reports.statistics.bootstrap import Array, bootstrap, paired_bootstrap
from hemobench.reports.statistics.hypothesis_tests import censored_median, paired_differences, signed_rank_test
from hemobench.strategies import STRATEGIES


@dataclass(frozen=True, slots=True)
class Change:
    """A mean over paired seeds with its 95 % bootstrap interval; positive is worse with W workers.

    Of a factor any of the three may be infinite: never, within the budget. In JSON that is `null`.
    """

    mean: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class ParallelCost:
    """One strategy with W workers against itself with one.

    Attributes:
        benchmark: As in `c-nmc@published`.
        version: Of the benchmark.
        gpu_hours: Budget, the same of both.
        strategy: Label.
        workers: W.
        seeds: Seeds that both have.
        missing: Of these, seeds in which one of the two has no result; they are in no mean.
        loss: Change of the final incumbent's loss; `None` if no seed has a result of both.
        regret: The same, where 1 is the loss between the best known and random search's expectation at the budget;
            `None` without a reference.
        p: Of the change of the loss: Wilcoxon's signed-rank test, exact, not adjusted for the number of rows.
        hours_one: Median GPU-hours with one worker until as good as random search with one worker gets on the same
            seed; `None` if the median is a miss, or random search is not there.
        hours: The same with W workers; divided by W it is the time on the clock.
        factor: `hours / hours_one`, with its interval over seeds, in which a miss is infinitely late; `None` if
            `hours_one` is.
        idle: Mean share of the budget in which workers waited for the strategy, with W workers; `None` if unknown.
        pending: What the strategy makes of trials that are still running; `None` if it is not one of ours.
    """

    benchmark: str
    version: int
    gpu_hours: float
    strategy: str
    workers: int
    seeds: int
    missing: int
    loss: Change | None
    regret: Change | None
    p: float
    hours_one: float | None
    hours: float | None
    factor: Change | None
    idle: float | None
    pending: str | None = None


def parallel_costs(
    results: Results, reference_of: Callable[[str], Reference | None], *, seed: int = 0
) -> list[ParallelCost]:
    """Compare every strategy at every number of workers with itself at one.

    Args:
        results: Runs and trials of several numbers of workers, one among them.
        reference_of: Gives the reference of a benchmark by name, or `None` if it has none.
        seed: Of the bootstrap: the same results and seed give the same intervals.

    Returns:
        By benchmark, version, budget, strategy and workers; empty where there is nothing to compare.
    """
    if results.runs["workers"].nunique() < 2:
        return []
    found = comparisons(results, reference_of)
    ones = {_table_of(comparison): comparison for comparison in found if comparison.workers == 1}
    costs = [
        cost
        for comparison in found
        if comparison.workers > 1 and _table_of(comparison) in ones
        for cost in _costs(ones[_table_of(comparison)], comparison, seed)
    ]
    return sorted(costs, key=lambda cost: (cost.benchmark, cost.version, cost.gpu_hours, cost.strategy, cost.workers))


def by_table(costs: Iterable[ParallelCost]) -> list[list[ParallelCost]]:
    """The rows of each benchmark, version and budget, which belong into one table."""
    found: dict[tuple[str, int, float], list[ParallelCost]] = {}
    for cost in costs:
        found.setdefault((cost.benchmark, cost.version, cost.gpu_hours), []).append(cost)
    return list(found.values())


def _table_of(comparison: Comparison) -> tuple[str, int, float]:
    return comparison.benchmark, comparison.version, comparison.gpu_hours


def _costs(one: Comparison, many: Comparison, seed: int) -> Iterator[ParallelCost]:
    seeds = [number for number in one.seeds if number in many.seeds]
    for strategy in one.strategies:
        if strategy not in many.strategies or not seeds:
            continue
        before, after = (_of(comparison.final, comparison, strategy, seeds) for comparison in (one, many))
        difference = (after - before)[~np.isnan(after - before)]
        hours = np.stack([_hours(comparison, one, strategy, seeds) for comparison in (one, many)], axis=1)
        medians = censored_median(hours)
        yield ParallelCost(
            benchmark=one.benchmark,
            version=one.version,
            gpu_hours=one.gpu_hours,
            strategy=strategy,
            workers=many.workers,
            seeds=len(seeds),
            missing=len(seeds) - len(difference),
            loss=_change(difference, 1.0, seed),
            regret=_change(difference, one.scale, seed) if one.scale else None,
            p=signed_rank_test(paired_differences(before, after)),
            hours_one=_known(medians[0]),
            hours=_known(medians[1]),
            factor=_factor(hours, seed) if np.isfinite(medians[0]) else None,
            idle=_idle(many, strategy, seeds),
            pending=STRATEGIES[strategy].pending if strategy in STRATEGIES else None,
        )


def _of(table: Array, comparison: Comparison, strategy: str, seeds: list[int]) -> Array:
    """A strategy's column of `(seeds, strategies)`, at the seeds given."""
    rows = [comparison.seeds.index(number) for number in seeds]
    return np.asarray(table[rows, comparison.strategies.index(strategy)], dtype=float)


def _change(differences: Array, scale: float, seed: int) -> Change | None:
    if not len(differences):
        return None
    estimate = paired_bootstrap(differences / scale, seed=seed)
    return Change(float(estimate.value), float(estimate.low), float(estimate.high))


def _hours(comparison: Comparison, one: Comparison, strategy: str, seeds: list[int]) -> Array:
    """GPU-hours until worth what random search is expected to reach with one worker; NaN is a miss."""
    if one.target is None:
        return np.full(len(seeds), np.nan)
    runs = [int(run) for run in _of(comparison.table.astype(float), comparison, strategy, seeds)]
    wanted = pd.Series(one.target, index=pd.Index(runs), dtype=float)
    return np.asarray(hours_to_targets(comparison.steps, wanted, comparison.ranked), dtype=float)


def _factor(hours: Array, seed: int) -> Change:
    """Ratio of the medians `(seeds, 2)`, many workers to one; where both are misses, a ratio of 1."""
    medians = censored_median(hours)
    samples = bootstrap(hours, censored_median, seed=seed)
    with np.errstate(invalid="ignore"):
        ratios = samples[:, 1] / samples[:, 0]
    ratios = np.where(np.isnan(ratios), 1.0, ratios)
    ratios = np.sort(ratios)  # quantiles between two infinities are NaN; nearest ones are not
    low, high = (float(ratios[round(share * (len(ratios) - 1))]) for share in (0.025, 0.975))
    return Change(float(medians[1] / medians[0]), low, high)


def _known(median: float) -> float | None:
    return float(median) if np.isfinite(median) else None


def _idle(comparison: Comparison, strategy: str, seeds: list[int]) -> float | None:
    runs = comparison.runs[(comparison.runs["strategy"] == strategy) & comparison.runs["seed"].isin(seeds)]
    if "ledger.idle" not in runs or not runs["ledger.idle"].notna().any():
        return None
    return float((runs["ledger.idle"].astype(float) / 3600 / comparison.gpu_hours).mean())
