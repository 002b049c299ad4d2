"""At which budget the answer changes: only where both sides of a change are more than noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hemobench.reports.comparison.comparison import Comparison
from hemobench.reports.comparison.verdicts import judged_seeds, left_out
from hemobench.reports.statistics.bootstrap import Array
from hemobench.reports.statistics.pairwise import LEAST_SEEDS
from hemobench.reports.statistics.verdict import surely_better


@dataclass(frozen=True, slots=True)
class Span:
    """Budgets over which no other strategy is surely better than one that is ahead.

    Attributes:
        start: GPU-hours at which its mean overtakes that of the strategy before; of the first span, where all runs
            have a result.
        end: GPU-hours.
        strategy: Label.
    """

    start: float
    end: float
    strategy: str


def answers_over(comparison: Comparison, outside: pd.Series[float] | None = None) -> tuple[Span, ...]:
    """The strategies that are ahead along the GPU-hours of a comparison, the same whatever budget was asked for.

    It starts from the highest mean at the end and goes back over the comparison's grid of hours. A change is stated
    where another strategy is surely better at an earlier hour (adjusted for all pairs), and surely worse at a later
    one: both sides of the crossing are more than noise.

    Args:
        comparison: The longest runs.
        outside: See `comparison.verdicts.verdict_of`.

    Returns:
        Ascending, without gaps; empty where fewer than two strategies or five seeds can be judged.
    """
    not_judged = left_out(comparison, np.isnan(comparison.final), outside)
    judged = [place for place, name in enumerate(comparison.strategies) if name not in not_judged]
    if len(judged) < 2 or judged_seeds(comparison, outside).sum() < LEAST_SEEDS:
        return ()
    kept = judged_seeds(comparison, outside)
    points = 100 * (1 - comparison.worth(comparison.grid)[kept][:, judged])
    started = ~np.isnan(points).any(axis=(0, 1))
    hours, points = comparison.grid[started], points[:, :, started]
    names = [comparison.strategies[place] for place in judged]
    ahead = changes(points)
    starts = [float(hours[place]) for place, _ in ahead]
    ends = [*starts[1:], float(hours[-1])]
    return tuple(Span(start, end, names[name]) for start, end, (_, name) in zip(starts, ends, ahead, strict=True))


def changes(points: Array) -> list[tuple[int, int]]:
    """Where the strategy that is ahead changes.

    Args:
        points: `(seeds, strategies, hours)`, higher is better, finite.

    Returns:
        Pairs, ascending: the first hour's place, and the strategy.
    """
    better = np.stack([_better(points[:, :, hour]) for hour in range(points.shape[2])], axis=2)
    means = points.mean(axis=0)
    now, until = int(means[:, -1].argmax()), points.shape[2]  # who is ahead, and up to which hour
    found: list[tuple[int, int]] = []
    for hour in range(until - 1, -1, -1):
        overtaken = better[now, :, hour:until]  # by the one that is ahead now, while it is
        rivals = np.flatnonzero(better[:, now, hour] & overtaken.any(axis=1))
        if len(rivals):
            rival = int(rivals[means[rivals, hour].argmax()])
            surely = hour + int(np.flatnonzero(overtaken[rival])[-1])
            behind = np.flatnonzero(means[now, hour:surely] <= means[rival, hour:surely])
            until = hour + int(behind[-1]) + 1
            found.append((until, now))
            now = rival
    return [(0, now), *found[::-1]]


def _better(points: Array) -> NDArray[np.bool_]:
    return np.asarray(surely_better(points[:, :, None] - points[:, None, :]), dtype=bool)
