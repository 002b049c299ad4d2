"""How alike two sources of answers rank strategies, and how alike one ranks twice.

A ranking is by mean final loss over seeds. Seeds are paired, across strategies and across sources, and are what is
resampled. Where strategies lie closer together than the noise of so few seeds, no ranking repeats itself, not even
that of one source: so each tau stands beside the tau that the same noise would give if the true means were equal.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike

from hemobench.reports.statistics.bootstrap import LEVEL, Array, bootstrap_means, interval
from hemobench.reports.statistics.pairwise import ROPE

DRAWS = 4000


@dataclass(frozen=True, slots=True)
class Span:
    """A figure with its 95 % interval over seeds; both ends are `None` with one seed."""

    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class Swap:
    """Two strategies whose order differs between two sources.

    Attributes:
        first: The one with the lower mean loss in the first source.
        second: The one with the lower mean loss in the second source.
        in_one: Loss of `second` less that of `first`, in the first source: positive.
        in_other: The same in the second source: negative.
        certain: Whether neither interval holds 0: then it is no matter of few seeds.
    """

    first: str
    second: str
    in_one: Span
    in_other: Span
    certain: bool


@dataclass(frozen=True, slots=True)
class Agreement:
    """How alike two sources rank.

    Attributes:
        one: First source.
        other: Second source.
        tau: Kendall's tau-b between the mean losses; `None` if all are equal in one source. Its interval is the outer
            ends of the percentile interval and of its reflection at the estimate, since resampling adds noise that
            draws tau towards 0.
        expected: Tau that the same noise gives if the true means are equal in both sources: mean and 95 % interval.
        p: Probability of a tau as low as this, or lower, if they are.
        same_best: Probability that the same strategy is best in both, when seeds are drawn anew.
        alike: Pairs of strategies whose order is the same in both, with no 0 in either interval.
        swaps: Pairs whose order differs.
        pairs: All pairs.
        apart: Pairs whose mean losses lie further apart than the region of equivalence in the first source.
        kept: How many of these have the same order in the second.
        near: Pairs within the region in the first source.
        both_near: How many of these are within it in the second, too.
    """

    one: str
    other: str
    tau: Span | None
    expected: Span | None
    p: float | None
    same_best: float
    alike: int
    swaps: tuple[Swap, ...]
    pairs: int
    apart: int
    kept: int
    near: int
    both_near: int


@dataclass(frozen=True, slots=True)
class Members:
    """How much of the ranking is the surrogate's own uncertainty.

    Attributes:
        count: Members of the ensemble.
        seeds: With which each was searched.
        tau: Mean Kendall's tau between the rankings of two members.
        lowest: The lowest of these.
        repeatability: Mean over members of `Ranking.repeatability`: tau that seeds alone would leave.
        deviation: Of a strategy's mean loss (less that of all) between members, seeds' share taken off.
        seed_deviation: The same between seeds of one member.
        best: By strategy, how many members have it first.
    """

    count: int
    seeds: int
    tau: float | None
    lowest: float | None
    repeatability: float | None
    deviation: float
    seed_deviation: float
    best: Mapping[str, int]


def agreement(
    one: tuple[str, ArrayLike], other: tuple[str, ArrayLike], strategies: Sequence[str], seed: int = 0
) -> Agreement:
    """How alike two sources rank.

    Args:
        one: Name and losses, shape (seeds, strategies), without NaN.
        other: Likewise; row k is of the same seed.
        strategies: Labels.
        seed: Of the bootstrap.
    """
    a, b = np.asarray(one[1], dtype=float), np.asarray(other[1], dtype=float)
    both = bootstrap_means(np.stack([a, b], axis=1), draws=DRAWS, seed=seed)
    tau = float(kendall(a.mean(axis=0), b.mean(axis=0)))
    known = not np.isnan(tau)
    null = _under_equal_means(a, b, seed) if known and len(a) > 1 else None
    swaps, alike = _pairs(both, a.mean(axis=0), b.mean(axis=0), strategies, len(a))
    return Agreement(
        one=one[0],
        other=other[0],
        tau=_reflected(tau, kendall(both[:, 0], both[:, 1]), len(a)) if known else None,
        expected=None if null is None else span(null.mean(), null, len(a)),
        p=None if null is None else float((1 + (null <= tau + 1e-9).sum()) / (1 + len(null))),
        same_best=float((firsts(a, seed) * firsts(b, seed)).sum(axis=1).mean()),
        alike=alike,
        swaps=swaps,
        pairs=len(strategies) * (len(strategies) - 1) // 2,
        **_by_region(a.mean(axis=0), b.mean(axis=0)),
    )


def kendall(a: ArrayLike, b: ArrayLike) -> Array:
    """Kendall's tau-b between the last axes of two arrays; NaN where all values of one are equal.

    Equal up to 1e-12: sums of equal losses in another order differ in the last bit.
    """
    x, y = _orders(np.asarray(a, dtype=float)), _orders(np.asarray(b, dtype=float))
    size = np.sqrt((x**2).sum(axis=-1) * (y**2).sum(axis=-1))
    with np.errstate(invalid="ignore"):
        return np.asarray((x * y).sum(axis=-1) / np.where(size > 0, size, np.nan))


def _orders(values: Array) -> Array:
    """The sign of every difference of two along the last axis."""
    i, j = np.triu_indices(values.shape[-1], 1)
    return np.asarray(np.sign(np.round(values[..., i] - values[..., j], 12)))


def repeatability(losses: Array, seed: int = 0) -> float | None:
    """Mean tau between the rankings of two independent samples of the seeds; `None` with one seed."""
    if len(losses) < 2:
        return None
    one, other = (bootstrap_means(losses, draws=DRAWS, seed=2 * seed + k + 1) for k in (0, 1))
    taus = kendall(one, other)
    return float(np.nanmean(taus)) if not np.isnan(taus).all() else None


def firsts(losses: Array, seed: int = 0) -> Array:
    """Which strategy has the lowest mean in each resample; those that tie share. Shape (draws, strategies)."""
    means = bootstrap_means(losses, draws=DRAWS, seed=seed)
    lowest = np.isclose(means, means.min(axis=1, keepdims=True), rtol=1e-12, atol=1e-12)
    return np.asarray(lowest / lowest.sum(axis=1, keepdims=True))


def _under_equal_means(a: Array, b: Array, seed: int) -> Array:
    """Taus of resampled seeds, had both sources the same true means, shape (draws without a tie of all,).

    These are the mean of both sources' centred means; deviations from each source's own are resampled, in pairs.
    """
    centred = [(x.mean(axis=0) - x.mean(), x - x.mean(axis=0)) for x in (a, b)]
    shared = (centred[0][0] + centred[1][0]) / 2
    noise = bootstrap_means(np.stack([centred[0][1], centred[1][1]], axis=1), draws=DRAWS, seed=seed)
    scale = np.sqrt(len(a) / (len(a) - 1))  # deviations from a sample's own mean are too small
    taus = kendall(shared + scale * noise[:, 0], shared + scale * noise[:, 1])
    return np.asarray(taus[~np.isnan(taus)])


def _pairs(both: Array, a: Array, b: Array, strategies: Sequence[str], seeds: int) -> tuple[tuple[Swap, ...], int]:
    """Pairs that change their order, and how many certainly do not; `both` has the shape (draws, 2, strategies)."""
    swaps, alike = [], 0
    for i, j in combinations(range(len(strategies)), 2):
        first, second = (i, j) if a[i] <= a[j] else (j, i)
        drawn = both[:, :, second] - both[:, :, first]
        in_one = span(a[second] - a[first], drawn[:, 0], seeds)
        in_other = span(b[second] - b[first], drawn[:, 1], seeds)
        certain = _decided(in_one) and _decided(in_other)
        if round(in_one.value, 12) > 0 > round(in_other.value, 12):
            swaps.append(Swap(strategies[first], strategies[second], in_one, in_other, certain))
        alike += certain and in_one.value * in_other.value > 0
    return tuple(swaps), alike


def _by_region(a: Array, b: Array, region: float = ROPE / 100) -> dict[str, int]:
    """How pairs that matter, and pairs that do not, are found again: see `Agreement`; losses of shape (strategies,)."""
    i, j = np.triu_indices(len(a), 1)
    one, other = a[i] - a[j], b[i] - b[j]
    apart = np.abs(one) > region
    return {
        "apart": int(apart.sum()),
        "kept": int((apart & (one * other > 0)).sum()),
        "near": int((~apart).sum()),
        "both_near": int((~apart & (np.abs(other) <= region)).sum()),
    }


def _decided(found: Span) -> bool:
    return found.low is not None and found.high is not None and (found.low > 0 or found.high < 0)


def span(value: float, drawn: Array, seeds: int) -> Span:
    """A figure with its percentile interval; NaN among the draws is left out."""
    known = drawn[~np.isnan(drawn)]
    if seeds < 2 or not len(known):
        return Span(float(value), None, None)
    low, high = interval(known, LEVEL)
    return Span(float(value), float(low), float(high))


def _reflected(value: float, drawn: Array, seeds: int) -> Span:
    found = span(value, drawn, seeds)
    if found.low is None or found.high is None:
        return found
    low, high = min(found.low, 2 * value - found.high), max(found.high, 2 * value - found.low)
    return Span(value, max(low, -1.0), min(high, 1.0))


def members(losses: ArrayLike, strategies: Sequence[str], seed: int = 0) -> Members:
    """How much rankings differ between members of an ensemble.

    Variances are those of a two-way layout: of means between members, less what seeds leave of it.

    Args:
        losses: Shape (members, seeds, strategies), without NaN.
        strategies: Labels.
        seed: Of the bootstrap.
    """
    values = np.asarray(losses, dtype=float)
    count, seeds = values.shape[:2]
    means = values.mean(axis=1)
    taus = np.array([float(kendall(means[i], means[j])) for i, j in combinations(range(count), 2)])
    repeats = [found for found in (repeatability(one, seed) for one in values) if found is not None]
    centred = values - values.mean(axis=2, keepdims=True)
    within = float(centred.var(axis=1, ddof=1).mean()) if seeds > 1 else 0.0
    between = float(centred.mean(axis=1).var(axis=0, ddof=1).mean()) - within / seeds
    first = [strategies[int(k)] for k in means.argmin(axis=1)]
    return Members(
        count=count,
        seeds=seeds,
        tau=None if np.isnan(taus).all() else float(np.nanmean(taus)),
        lowest=None if np.isnan(taus).all() else float(np.nanmin(taus)),
        repeatability=float(np.mean(repeats)) if repeats else None,
        deviation=float(np.sqrt(max(between, 0.0))),
        seed_deviation=float(np.sqrt(within)),
        best={name: first.count(name) for name in strategies if name in first},
    )
