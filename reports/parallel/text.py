"""What parallelism costs, in sentences: what is seen, and what a reader must know to believe it."""

from __future__ import annotations

from collections.abc import Sequence

from hemobench.reports.comparison.comparison import RANDOM, few_seeds
from hemobench.reports.parallel.costs import Change, ParallelCost
from hemobench.reports.statistics.hypothesis_tests import holm, seeds_needed
from hemobench.reports.text_tables import counted, plain

LEVEL = 0.05


def in_points(loss: float) -> float:
    """A change of the loss in points of the score (hundredths), to two decimals, and never minus zero."""
    return round(100 * loss, 2) + 0.0


def points(change: Change) -> str:
    """A change of the loss in points of the score, with its interval; positive is worse."""
    mean, low, high = in_points(change.mean), in_points(change.low), in_points(change.high)
    return f"{mean:.2f} points [{low:.2f}, {high:.2f}]"


def seen(costs: Sequence[ParallelCost]) -> list[str]:
    """Sentences on one benchmark and budget, the answer first.

    Args:
        costs: Rows of one table, as from `parallel.by_table`.

    Returns:
        Which strategy loses most and least with the most workers; which changes are told from chance, by Holm's
        correction for the number of rows; which strategy makes workers wait most.
    """
    return [*_extremes(costs), *_told(costs), *_idle(costs)]


def _extremes(costs: Sequence[ParallelCost]) -> list[str]:
    most = max(cost.workers for cost in costs)
    last = {plain(cost.strategy): cost.loss for cost in costs if cost.workers == most and cost.loss is not None}
    if not last:
        return [f"With {most} workers no strategy has a result to compare."]
    lost = {name: in_points(change.mean) for name, change in last.items()}
    least, worst = min(lost.values()), max(lost, key=lambda name: lost[name])
    best = [name for name in lost if lost[name] == least]
    if worst in best:
        said = f"{_listed(best)} {'loses' if len(best) == 1 else 'each lose'} {points(last[worst])}"
    else:
        said = f"{worst} loses most: {points(last[worst])}; least: {_listed(best)}, {least:.2f} points"
    return [f"With {most} workers instead of one, {said}."]


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _told(costs: Sequence[ParallelCost]) -> list[str]:
    count = counted(len(costs), "comparison")
    told = [cost for cost, p in zip(costs, holm([cost.p for cost in costs]), strict=True) if p <= LEVEL]
    if told:
        names = ", ".join(f"{plain(cost.strategy)} with {cost.workers} workers" for cost in told)
        return [f"Told from chance, by Holm's correction for {count}: {names}."]
    most, needed = max(cost.seeds for cost in costs), seeds_needed(len(costs), LEVEL)
    reason = f": with {counted(most, 'seed')} none could be, and {needed} at least are needed" * (most < needed)
    return [f"No change is told from chance by Holm's correction for {count}{reason}."]


def _idle(costs: Sequence[ParallelCost]) -> list[str]:
    most = max(costs, key=lambda cost: cost.idle or 0.0)
    if most.idle is None or most.idle < 0.005:
        return []
    name = plain(most.strategy)
    return [f"{name} leaves workers waiting most: {most.idle:.0%} of the budget with {most.workers} workers."]


def notes(costs: Sequence[ParallelCost]) -> list[str]:
    """What went wrong, and what a reader must know of one benchmark and budget."""
    troubled = [
        f"! {plain(cost.strategy)}, {cost.workers} workers: in {cost.missing} of {counted(cost.seeds, 'seed')} one of "
        "the two has no result; these are in no mean, and the p counts them as worst."
        for cost in costs
        if cost.missing
    ]
    if all(cost.strategy != RANDOM for cost in costs):
        troubled.append(f"No strategy '{RANDOM}' among the results: no hours to its level.")
    return troubled + few_seeds(min(cost.seeds for cost in costs))
