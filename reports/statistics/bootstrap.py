"""Statistics over seeds: pure functions on arrays whose first axis is the seed.

Seeds are paired blocks: strategies share a seed's noise and start, so whatever is resampled is a whole seed,
with all strategies in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.random import SeedSequence, default_rng
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]
LEVEL = 0.95
DRAWS = 2000


class Statistic(Protocol):
    """Reduces one axis of an array, as `numpy.mean` does."""

    def __call__(self, values: Array, /, *, axis: int) -> Array: ...


@dataclass(frozen=True)
class Estimate:
    """A statistic with its bootstrap interval; all three have the statistic's shape."""

    value: Array
    low: Array
    high: Array


def ranks(losses: ArrayLike) -> Array:
    """Rank strategies within each seed: 1 is the lowest loss, ties share their average rank.

    Args:
        losses: `(seeds, strategies)`; NaN is a run without a result, which is worse than any result.

    Returns:
        `(seeds, strategies)`; each row sums to `k * (k + 1) / 2`.
    """
    values = worst_if_missing(losses)
    below = (values[:, None, :] < values[:, :, None]).sum(axis=-1)
    equal = (values[:, None, :] == values[:, :, None]).sum(axis=-1)
    return np.asarray(below + (equal + 1) / 2, dtype=float)


def bootstrap(
    values: ArrayLike, statistic: Statistic = np.mean, *, draws: int = DRAWS, seed: int | SeedSequence = 0
) -> Array:
    """A statistic over resampled seeds.

    Args:
        values: `(seeds, ...)`.
        statistic: What is computed of each sample of seeds, drawn with replacement.
        draws: Number of samples.
        seed: Decides the draws.

    Returns:
        `(draws, ...)`.
    """
    blocks = np.asarray(values, dtype=float)
    if not len(blocks):
        raise ValueError("nothing to resample: there is no seed")
    generator = default_rng(seed if isinstance(seed, SeedSequence) else SeedSequence(seed))
    chosen = generator.integers(0, len(blocks), (draws, len(blocks)))
    return np.asarray(statistic(blocks[chosen], axis=1), dtype=float)


def paired_bootstrap(
    values: ArrayLike, statistic: Statistic = np.mean, level: float = LEVEL, draws: int = DRAWS, seed: int = 0
) -> Estimate:
    """A statistic with its percentile interval over seeds (Efron and Tibshirani, 1993, chapter 13).

    With few seeds the interval is narrower than its level promises; with one it has no width.

    Args:
        values: `(seeds, ...)`; all columns are resampled together.
        statistic: As `numpy.mean`: takes the array and `axis`.
        level: Of the interval, in (0, 1).
        draws: Number of resamples.
        seed: Decides the draws: the same gives the same interval.
    """
    point = np.asarray(statistic(np.asarray(values, dtype=float), axis=0), dtype=float)
    return Estimate(point, *interval(bootstrap(values, statistic, draws=draws, seed=seed), level))


def mean_ranks(losses: ArrayLike, level: float = LEVEL, draws: int = DRAWS, seed: int = 0) -> Estimate:
    """Mean rank of each strategy over seeds, with its paired-bootstrap interval.

    Args:
        losses: `(seeds, strategies)`, NaN where a run has no result.
        level: Of the interval.
        draws: Number of resamples.
        seed: Decides the draws.
    """
    return paired_bootstrap(ranks(losses), np.mean, level, draws, seed)


def mean_over_groups(groups: Sequence[ArrayLike], level: float = LEVEL, draws: int = DRAWS, seed: int = 0) -> Estimate:
    """The mean over groups of each group's mean over seeds: every group counts the same.

    Seeds are resampled within each group on its own, since one number seeds unrelated noise in two benchmarks.

    Args:
        groups: One `(seeds of the group, strategies)` array a group.
        level: Of the interval.
        draws: Number of resamples.
        seed: Decides the draws.
    """
    arrays = [np.asarray(group, dtype=float) for group in groups]
    streams = SeedSequence(seed).spawn(len(arrays))
    samples = [bootstrap(array, draws=draws, seed=stream) for array, stream in zip(arrays, streams, strict=True)]
    point = np.mean([array.mean(axis=0) for array in arrays], axis=0)
    return Estimate(point, *interval(np.mean(samples, axis=0), level))


def interquartile_mean(values: ArrayLike, axis: int = 0) -> Array:
    """The mean without the lowest and the highest quarter, each rounded down to whole values.

    NaN stays NaN: a missing value is never trimmed away.
    """
    ordered = np.sort(np.moveaxis(np.asarray(values, dtype=float), axis, 0), axis=0)
    cut = len(ordered) // 4
    missing = np.isnan(ordered).any(axis=0)
    return np.where(missing, np.nan, ordered[cut : len(ordered) - cut].mean(axis=0))


def improvements(losses: ArrayLike, others: ArrayLike) -> Array:
    """Seed by seed: 1 where the loss is below the other's, 1/2 where equal, 0 where above; NaN is worst."""
    mine, theirs = worst_if_missing(losses), worst_if_missing(others)
    return np.asarray((mine < theirs) + 0.5 * (mine == theirs), dtype=float)


def probability_of_improvement(losses: ArrayLike, others: ArrayLike, seed: int = 0) -> Estimate:
    """How often a strategy beats another on the same seed, ties counting half, with its interval over seeds.

    The paired form of Agarwal et al., 2021 ("Deep RL at the edge of the statistical precipice").
    """
    return paired_bootstrap(improvements(losses, others), np.mean, seed=seed)


def bootstrap_means(values: ArrayLike, *, draws: int = DRAWS, seed: int = 0) -> Array:
    """As `bootstrap` with the mean, as one matrix product: for whole curves.

    Args:
        values: `(seeds, ...)`, without NaN.
        draws: Number of samples of seeds.
        seed: Decides the draws; the same as those of `bootstrap`.

    Returns:
        `(draws, ...)`.
    """
    blocks = np.asarray(values, dtype=float)
    count = len(blocks)
    if not count:
        raise ValueError("nothing to resample: there is no seed")
    chosen = default_rng(SeedSequence(seed)).integers(0, count, (draws, count))
    weights = np.zeros((draws, count))
    np.add.at(weights, (np.arange(draws)[:, None], chosen), 1 / count)
    return np.asarray(np.tensordot(weights, blocks, axes=1), dtype=float)


def interval(samples: Array, level: float = LEVEL) -> tuple[Array, Array]:
    """Percentile interval of bootstrap samples `(draws, ...)`: its lower and its upper end."""
    if not 0 < level < 1:
        raise ValueError(f"a level of {level}; give one between 0 and 1")
    tail = (1 - level) / 2
    low, high = np.quantile(samples, [tail, 1 - tail], axis=0)
    return np.asarray(low), np.asarray(high)


def worst_if_missing(losses: ArrayLike) -> Array:
    """Infinity for NaN: a run without a result is worse than any result."""
    values = np.asarray(losses, dtype=float)
    return np.where(np.isnan(values), np.inf, values)
