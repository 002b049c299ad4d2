"""Which strategies differ, which are equivalent, and which cannot be told apart yet: within one pair.

The unit is the point: a hundredth of the task's score, `100 * (1 - loss)`, which on C-NMC is a percentage point of
accuracy, and on bone marrow one of the paper's criterion.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np

from hemobench.reports.statistics.bootstrap import Array, improvements
from hemobench.reports.statistics.hypothesis_tests import holm
from hemobench.reports.statistics.student import equivalence_p, mean_interval, two_sided_p

ALPHA = 0.05
ROPE = 0.5
"""Points within which two strategies are as good as each other.

It is the deviation over the folds of the bone-marrow paper's best set (Table 1: micro F1 83.4 ± 0.5): what a change
of the split alone does to a configuration is no reason to prefer a strategy.
"""
LEAST_SEEDS = 5
"""Seeds below which nothing is called different or equivalent: a t-test of fewer rests on normal noise alone."""

Relation = Literal["better", "worse", "equivalent", "undecided"]


@dataclass(frozen=True, slots=True)
class Pair:
    """One strategy against another on the same seeds.

    Attributes:
        one: Label.
        other: Label.
        difference: Mean points by which `one` is better; `None` if no seed has a result of both.
        low: Lower end of its 95 % interval (Student's t, paired); `None` below two such seeds.
        high: Upper end.
        improvement: Share of seeds on which `one` is better, ties counting half; a missing result is the worst.
        p: Of the two-sided paired t-test; 1 below two seeds.
        p_holm: The same, adjusted for the number of comparisons.
        p_equivalent: Of two one-sided tests of the region, adjusted likewise.
        zeros: Seeds in which both are equal.
        missing: Seeds in which one of the two has no result.
        verdict: Of `one`. `equivalent`: `p_equivalent` is at most 0.05, whatever `p_holm` says. `better` or
            `worse`: `p_holm` is. Else, below five seeds, and where a result is missing, `undecided`.
    """

    one: str
    other: str
    difference: float | None
    low: float | None
    high: float | None
    improvement: float
    p: float
    p_holm: float
    p_equivalent: float
    zeros: int
    missing: int
    verdict: Relation


def all_pairs(losses: Array, strategies: Sequence[str], rope: float = ROPE) -> list[Pair]:
    """Every strategy against every later one, adjusted for all of them together.

    Args:
        losses: `(seeds, strategies)`; NaN is a run without a result.
        strategies: Labels.
        rope: Points within which strategies are equivalent.
    """
    pairs = list(combinations(range(len(strategies)), 2))
    points = [_points(losses[:, one], losses[:, other]) for one, other in pairs]
    tests = [
        (float(two_sided_p(found)), float(equivalence_p(found, rope))) if len(found) else (1.0, 1.0) for found in points
    ]
    differ = holm([test[0] for test in tests])
    same = holm([test[1] for test in tests])
    return [
        _pair(losses, strategies, pair, points[k], (tests[k][0], float(differ[k]), float(same[k])))
        for k, pair in enumerate(pairs)
    ]


def against(control: str, pairs: Sequence[Pair]) -> list[Pair]:
    """Every other strategy against one, in the order of the pairs, with the adjustment for all of them."""
    turned = [mirrored(pair) if pair.one == control else pair for pair in pairs]
    return [pair for pair in turned if pair.other == control]


def mirrored(pair: Pair) -> Pair:
    """The same comparison, seen from the other strategy."""
    turned: dict[Relation, Relation] = {"better": "worse", "worse": "better"}
    low, high = pair.low, pair.high
    return Pair(
        one=pair.other,
        other=pair.one,
        difference=None if pair.difference is None else -pair.difference,
        low=None if high is None else -high,
        high=None if low is None else -low,
        improvement=1 - pair.improvement,
        p=pair.p,
        p_holm=pair.p_holm,
        p_equivalent=pair.p_equivalent,
        zeros=pair.zeros,
        missing=pair.missing,
        verdict=turned.get(pair.verdict, pair.verdict),
    )


def _points(losses: Array, others: Array) -> Array:
    """Points by which the first is better, on the seeds on which both have a result."""
    found = 100 * (others - losses)
    return found[np.isfinite(found)]


def _pair(
    losses: Array,
    strategies: Sequence[str],
    pair: tuple[int, int],
    points: Array,
    p: tuple[float, float, float],
) -> Pair:
    one, other = losses[:, pair[0]], losses[:, pair[1]]
    missing = int((np.isnan(one) | np.isnan(other)).sum())
    mean, low, high = _ends(points)
    return Pair(
        one=strategies[pair[0]],
        other=strategies[pair[1]],
        difference=mean,
        low=low,
        high=high,
        improvement=float(improvements(one, other).mean()),
        p=p[0],
        p_holm=p[1],
        p_equivalent=p[2],
        zeros=int((points == 0).sum()),
        missing=missing,
        verdict="undecided" if missing or len(points) < LEAST_SEEDS else _relation(points, p[1], p[2]),
    )


def _ends(points: Array) -> tuple[float | None, float | None, float | None]:
    if not len(points):
        return None, None, None
    estimate = mean_interval(points)
    if len(points) == 1:
        return float(estimate.value), None, None
    return float(estimate.value), float(estimate.low), float(estimate.high)


def _relation(points: Array, p_holm: float, p_equivalent: float) -> Relation:
    if p_equivalent <= ALPHA:
        return "equivalent"
    if p_holm > ALPHA:
        return "undecided"
    return "better" if points.mean() > 0 else "worse"
