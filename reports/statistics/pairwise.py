"""Which strategies differ, which are equivalent, and which cannot be told apart yet: within one race.

The unit is the point: a hundredth of the task's score, `100 * (1 - loss)`, which on C-NMC is a percentage point of
accuracy, and on bone marrow one of the paper's criterion.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np

from hemobench.reports.statistics.bootstrap import Array, paired_bootstrap, probability_of_improvement
from hemobench.reports.statistics.hypothesis_tests import (
    holm,
    paired_differences,
    seeds_needed,
    signed_rank_sum,
    signed_rank_test,
)

ALPHA = 0.05
ROPE = 0.5
"""Points within which two strategies are as good as each other.

It is the deviation over the folds of the bone-marrow paper's best set (Table 1: micro F1 83.4 ± 0.5): what a change
of the split alone does to a configuration is no reason to prefer a strategy.
"""

Verdict = Literal["better", "worse", "equivalent", "undecided"]


@dataclass(frozen=True, slots=True)
class Comparison:
    """One strategy against another on the same seeds.

    Attributes:
        one: Label.
        other: Label.
        difference: Mean points by which `one` is better; `None` if no seed has a result of both.
        low: Lower end of its 95 % paired-bootstrap interval.
        high: Upper end.
        improvement: Probability that `one` is better on a seed, ties counting half.
        p: Of Wilcoxon's signed-rank test, exact, zero differences dropped.
        p_holm: The same, adjusted for the number of comparisons.
        zeros: Seeds in which both are equal.
        missing: Seeds in which one of the two has no result; that is worse than any result.
        verdict: Of `one`. `equivalent`: the interval lies within the region of practical equivalence, whatever
            `p_holm` says. `better` or `worse`: `p_holm` is at most 0.05. Else `undecided`.
    """

    one: str
    other: str
    difference: float | None
    low: float | None
    high: float | None
    improvement: float
    p: float
    p_holm: float
    zeros: int
    missing: int
    verdict: Verdict


def all_pairs(losses: Array, strategies: Sequence[str], rope: float = ROPE, seed: int = 0) -> list[Comparison]:
    """Every strategy against every later one, adjusted for all of them together.

    Args:
        losses: `(seeds, strategies)`; NaN is a run without a result.
        strategies: Labels.
        rope: Points within which strategies are equivalent.
        seed: Of the bootstrap.
    """
    return _compared(losses, strategies, list(combinations(range(len(strategies)), 2)), rope, seed)


def against(
    control: str, losses: Array, strategies: Sequence[str], rope: float = ROPE, seed: int = 0
) -> list[Comparison]:
    """Every other strategy against one, adjusted for these comparisons only; see `all_pairs`."""
    base = list(strategies).index(control)
    pairs = [(place, base) for place in range(len(strategies)) if place != base]
    return _compared(losses, strategies, pairs, rope, seed)


def mirrored(comparison: Comparison) -> Comparison:
    """The same comparison, seen from the other strategy."""
    turned: dict[Verdict, Verdict] = {"better": "worse", "worse": "better"}
    low, high = comparison.low, comparison.high
    return Comparison(
        one=comparison.other,
        other=comparison.one,
        difference=None if comparison.difference is None else -comparison.difference,
        low=None if high is None else -high,
        high=None if low is None else -low,
        improvement=1 - comparison.improvement,
        p=comparison.p,
        p_holm=comparison.p_holm,
        zeros=comparison.zeros,
        missing=comparison.missing,
        verdict=turned.get(comparison.verdict, comparison.verdict),
    )


def power_note(seeds: int, tests: int) -> str:
    """Why no difference can be called, if there are too few seeds for it; else empty."""
    needed = seeds_needed(tests, ALPHA)
    if seeds >= needed:
        return ""
    return (
        f"With {seeds} seed{'s' * (seeds != 1)} no test can call a difference among {tests} "
        f"comparison{'s' * (tests != 1)}, however large it is: that takes {needed} seeds."
    )


def _compared(
    losses: Array, strategies: Sequence[str], pairs: Sequence[tuple[int, int]], rope: float, seed: int
) -> list[Comparison]:
    differences = [paired_differences(losses[:, one], losses[:, other]) for one, other in pairs]
    p_values = [signed_rank_test(difference) for difference in differences]
    adjusted = holm(p_values)
    return [
        _comparison(losses, strategies, pair, differences[k], (p_values[k], float(adjusted[k])), rope, seed)
        for k, pair in enumerate(pairs)
    ]


def _comparison(
    losses: Array,
    strategies: Sequence[str],
    pair: tuple[int, int],
    differences: Array,
    p: tuple[float, float],
    rope: float,
    seed: int,
) -> Comparison:
    one, other = pair
    points = 100 * differences[np.isfinite(differences)]
    missing = int(np.isnan(losses[:, [one, other]]).any(axis=1).sum())
    ends: tuple[float | None, float | None, float | None] = (None, None, None)
    if len(points):
        estimate = paired_bootstrap(points, seed=seed)
        ends = (float(estimate.value), float(estimate.low), float(estimate.high))
    return Comparison(
        strategies[one],
        strategies[other],
        *ends,
        improvement=float(probability_of_improvement(losses[:, one], losses[:, other], seed).value),
        p=p[0],
        p_holm=p[1],
        zeros=int((differences == 0).sum()),
        missing=missing,
        verdict=_verdict(differences, ends, p[1], missing, rope),
    )


def _verdict(
    differences: Array, ends: tuple[float | None, float | None, float | None], p_holm: float, missing: int, rope: float
) -> Verdict:
    _, low, high = ends
    if len(differences) > 1 and not missing and low is not None and high is not None and -rope <= low <= high <= rope:
        return "equivalent"
    if p_holm > ALPHA:
        return "undecided"
    return "better" if signed_rank_sum(differences) > 0 else "worse"
