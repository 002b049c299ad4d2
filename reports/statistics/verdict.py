"""The verdict: what the seeds of one comparison say, and nothing that they do not.

One of three is stated:

- *best*: one strategy is better than every other, each time by a two-sided paired t-test at 5 %. It takes all of
  these tests together (an intersection-union test; Berger, 1982), so that they need no division by their number; that
  the strategy was chosen by the same seeds costs most where two are truly equal and all others far behind, and
  there it is twice 2.5 %. With all equal a best is named in 0.1 % of suites.
- *any*: each strategy of a set is at most `rope` points worse than the best, whichever that is. For a strategy of
  the set every other one was tested, one-sided, at 5 % divided by the number of others: whichever of them is truly
  the best, it was among the tests, so that a strategy outside the region gets in with a chance of 5 % at most. This is
  the upper bound of a comparison with the best (Hsu, 1984), with Bonferroni's factor in the place of Dunnett's.
- *unknown*: neither. Then the strategies that may still be the best are named, those that no other is better than
  by tests adjusted for all pairs (Holm, 1979), with the number of further seeds that would tell a difference.

Where several hold, *any* of two or more comes first (it does not matter), then *best*.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from hemobench.reports.statistics.bootstrap import Array
from hemobench.reports.statistics.hypothesis_tests import holm
from hemobench.reports.statistics.pairwise import ALPHA, LEAST_SEEDS, ROPE
from hemobench.reports.statistics.posterior import posterior
from hemobench.reports.statistics.student import p_below, seeds_for, two_sided_p

Kind = Literal["best", "any", "unknown"]
STEPS = (1.0, 0.5, 0.2, 0.1)
"""Points that further seeds are asked to tell: the first of these that the seeds at hand do not tell already."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is known of which strategy to use.

    Attributes:
        kind: `best`, `any` or `unknown`.
        strategies: Of `best`, that one. Of `any`, those that will do, the simplest first. Of `unknown`, those that
            may still be the best, the highest mean first; empty where nothing can be said.
        leader: The highest mean over seeds; `None` where nothing can be said, or several share it.
        probability: Of the posterior. Of `best` and `unknown`, that the leader is the best; of `any`, that the
            first one named is within the region of the best.
        rope: Points within which strategies are as good as each other.
        seeds: Paired seeds.
        more_seeds: Further seeds that would tell a difference of `tells` points with a chance of 80 %; `None`
            where the verdict is not `unknown`, or nothing can be said.
        tells: Points.
        left_out: Strategies that are not judged, with the reason.
        reason: Why nothing can be said; else empty.
    """

    kind: Kind
    strategies: tuple[str, ...]
    leader: str | None
    probability: float | None
    rope: float
    seeds: int
    more_seeds: int | None = None
    tells: float | None = None
    left_out: tuple[tuple[str, str], ...] = ()
    reason: str = ""


@dataclass(frozen=True)
class Decision:
    """What the tests say, as places of strategies.

    Attributes:
        best: The strategy that is better than every other, if there is one.
        enough: Those within the region of the best, ascending.
        open: Those that no other is surely better than, ascending.
    """

    best: int | None
    enough: tuple[int, ...]
    open: tuple[int, ...]


def decide(points: ArrayLike, rope: float = ROPE, alpha: float = ALPHA) -> Decision:
    """What tests say of strategies on paired seeds; below five seeds nothing.

    Args:
        points: `(seeds, strategies)`, higher is better, finite.
        rope: Region of equivalence, in the same unit.
        alpha: Chance of a wrong statement of each kind.
    """
    values = np.asarray(points, dtype=float)
    seeds, count = values.shape
    if seeds < LEAST_SEEDS or count < 2:
        return Decision(None, (), tuple(range(count)))
    differences = values[:, :, None] - values[:, None, :]
    one_beats = two_sided_p(differences) <= alpha
    one_beats &= differences.mean(axis=0) > 0
    np.fill_diagonal(one_beats, True)
    # "worse by at least the region": rejected against every other at its share of alpha
    not_worse = p_below(-differences, rope) <= alpha / (count - 1)
    np.fill_diagonal(not_worse, True)
    best = np.flatnonzero(one_beats.all(axis=1))
    worse_than_another = surely_better(differences, alpha).any(axis=0)
    return Decision(
        best=int(best[0]) if len(best) else None,
        enough=tuple(np.flatnonzero(not_worse.all(axis=1)).tolist()),
        open=tuple(np.flatnonzero(~worse_than_another).tolist()),
    )


def surely_better(differences: Array, alpha: float = ALPHA) -> Array:
    """Which strategy is better than which, by tests adjusted for all pairs (Holm): `(strategies, strategies)`.

    Args:
        differences: `(seeds, strategies, strategies)`: points by which the first is above the second.
        alpha: Chance of any wrong one.
    """
    count = differences.shape[1]
    one, other = np.triu_indices(count, 1)
    adjusted = np.ones((count, count))
    adjusted[one, other] = holm(two_sided_p(differences[:, one, other]))
    adjusted[other, one] = adjusted[one, other]
    return np.asarray((adjusted <= alpha) & (differences.mean(axis=0) > 0))


def verdict(
    losses: ArrayLike,
    strategies: Sequence[str],
    *,
    rope: float = ROPE,
    left_out: Mapping[str, str] | None = None,
    complexity: Mapping[str, int] | None = None,
    seed: int = 0,
) -> Verdict:
    """The verdict on strategies that were run on the same seeds.

    Args:
        losses: `(seeds, strategies)`, as a fraction; NaN is a run without a result.
        strategies: Labels.
        rope: Points within which strategies are as good as each other.
        left_out: Strategies that must not be judged, with the reason. One without a result on some seed is left
            out anyway: the mean of the seeds that it did get through would flatter it.
        complexity: By label; the lowest is advised first among equals, then the highest mean. Others come last.
        seed: Of the posterior's draws.
    """
    values = np.asarray(losses, dtype=float)
    reasons = _left_out(values, strategies, left_out or {})
    judged = [place for place, name in enumerate(strategies) if name not in reasons]
    names = [strategies[place] for place in judged]
    points = 100 * (1 - values[:, judged])
    outside = tuple(reasons.items())
    reason = _why_nothing(len(values), names)
    if reason:
        return Verdict("unknown", (), None, None, rope, len(values), left_out=outside, reason=reason)
    decision = decide(points, rope)
    return _stated(points, names, decision, rope, outside, complexity or {}, seed)


def _stated(
    points: Array,
    names: Sequence[str],
    decision: Decision,
    rope: float,
    left_out: tuple[tuple[str, str], ...],
    complexity: Mapping[str, int],
    seed: int,
) -> Verdict:
    means = points.mean(axis=0)
    belief = posterior(points, seed=seed)
    chances = belief.probability_of_best()
    top = np.flatnonzero(np.isclose(means, means.max(), rtol=0, atol=1e-9))
    leader = int(top[0]) if len(top) == 1 else None
    known = Verdict(
        kind="unknown",
        strategies=(),
        leader=None if leader is None else names[leader],
        probability=float(chances[top].max()),
        rope=rope,
        seeds=len(points),
        left_out=left_out,
    )
    if decision.best is not None and len(decision.enough) < 2:
        best = decision.best
        return replace(known, kind="best", strategies=(names[best],), probability=float(chances[best]))
    if decision.enough:
        order = _simplest_first(decision.enough, names, means, complexity)
        within = float(belief.probability_within(rope)[names.index(order[0])])
        return replace(known, kind="any", strategies=order, probability=within)
    still_open = tuple(names[place] for place in sorted(decision.open, key=lambda place: -means[place]))
    more, tells = _more_seeds(points, decision.open)
    return replace(known, strategies=still_open, more_seeds=more, tells=tells)


def _left_out(losses: Array, strategies: Sequence[str], known: Mapping[str, str]) -> dict[str, str]:
    """Reasons by strategy: what the caller knows, and results that are missing."""
    reasons = {name: known[name] for name in strategies if name in known}
    missing = np.isnan(losses).sum(axis=0)
    for name, count in zip(strategies, missing.tolist(), strict=True):
        if count and name not in reasons:
            reasons[name] = f"no result in {count} of {len(losses)} run{'s' * (len(losses) != 1)}"
    return reasons


def _why_nothing(seeds: int, names: Sequence[str]) -> str:
    if not names:
        return "no strategy has a result on every seed"
    if len(names) == 1:
        return f"only {names[0]} can be judged, and there is nothing to compare it with"
    if seeds < 2:
        return "one seed says nothing of how far others may lie from it"
    return ""


def _simplest_first(
    places: Sequence[int], names: Sequence[str], means: Array, complexity: Mapping[str, int]
) -> tuple[str, ...]:
    last = max(complexity.values(), default=0) + 1

    def order(place: int) -> tuple[int, float, str]:
        # rounded, so that equal means are equal
        return complexity.get(names[place], last), -round(float(means[place]), 9), names[place]

    chosen = sorted(places, key=order)
    return tuple(names[place] for place in chosen)


def _more_seeds(points: Array, contenders: Sequence[int]) -> tuple[int | None, float | None]:
    """Seeds beside those at hand that would tell a difference between contenders, and the difference.

    The deviation is the root mean square of that of all pairs of contenders. Each of the tests of a best must
    succeed, so that each is asked for 80 % at the level of one.
    """
    seeds = len(points)
    one, other = np.triu_indices(len(contenders), 1)
    chosen = points[:, list(contenders)]
    variances = (chosen[:, one] - chosen[:, other]).var(axis=0, ddof=1)
    deviation = float(np.sqrt(variances.mean())) if len(variances) else 0.0
    for difference in STEPS:
        needed = seeds_for(difference, deviation, ALPHA)
        if needed is None:
            return None, None
        needed = max(needed, LEAST_SEEDS)
        if needed > seeds:
            return needed - seeds, difference
    return None, None
