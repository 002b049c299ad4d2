"""The statistics against scipy, against arithmetic by hand, and for what must hold of any data."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy import stats

from hemobench.reports.statistics.bootstrap import (
    bootstrap,
    improvements,
    interquartile_mean,
    mean_over_groups,
    mean_ranks,
    paired_bootstrap,
    probability_of_improvement,
    ranks,
)

few_values = st.sampled_from([0.0, 0.1, 0.2, 0.3])
matrices = arrays(float, array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=7), elements=few_values)
gappy = arrays(
    float,
    array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=7),
    elements=st.sampled_from([0.0, 0.1, 0.2, np.nan]),
)
seeds = st.integers(0, 2**32 - 1)


@given(losses=matrices)
def test_ranks_are_scipys(losses: np.ndarray) -> None:
    np.testing.assert_array_equal(ranks(losses), stats.rankdata(losses, axis=1))


@given(losses=gappy)
def test_each_seed_shares_out_the_same_ranks_and_the_missing_come_last(losses: np.ndarray) -> None:
    found, strategies = ranks(losses), losses.shape[1]
    np.testing.assert_allclose(found.sum(axis=1), strategies * (strategies + 1) / 2)
    for row, rank in zip(losses, found, strict=True):
        missing = np.isnan(row)
        assert not missing.any() or missing.all() or rank[missing].min() > rank[~missing].max()


def test_ranks_by_hand() -> None:
    losses = [[0.2, 0.2, 0.4], [0.1, 0.15, np.nan], [np.nan, 0.1, np.nan]]
    np.testing.assert_array_equal(ranks(losses), [[1.5, 1.5, 3], [1, 2, 3], [2.5, 1, 2.5]])


@settings(max_examples=20, deadline=None)
@given(values=arrays(float, st.integers(2, 12), elements=st.floats(-10, 10)), seed=seeds)
def test_the_interval_is_scipys_percentile_bootstrap(values: np.ndarray, seed: int) -> None:
    mine = paired_bootstrap(values, draws=200, seed=seed)
    generator = np.random.default_rng(np.random.SeedSequence(seed))
    theirs = stats.bootstrap(
        (values,), np.mean, n_resamples=200, method="percentile", rng=generator, vectorized=True
    ).confidence_interval
    np.testing.assert_allclose([mine.low, mine.high], theirs, rtol=1e-12, atol=1e-12)


@settings(max_examples=30, deadline=None)
@given(values=matrices, seed=seeds)
def test_seeds_are_drawn_whole(values: np.ndarray, seed: int) -> None:
    doubled = np.hstack([values, 2 * values])
    samples = bootstrap(doubled, draws=50, seed=seed)
    width = values.shape[1]
    np.testing.assert_allclose(samples[:, width:], 2 * samples[:, :width])


@settings(max_examples=30, deadline=None)
@given(losses=gappy, shuffle=st.randoms(use_true_random=False))
def test_the_order_of_strategies_changes_nothing(losses: np.ndarray, shuffle: object) -> None:
    order = list(range(losses.shape[1]))
    shuffle.shuffle(order)  # type: ignore[attr-defined]
    one, other = mean_ranks(losses, draws=100), mean_ranks(losses[:, order], draws=100)
    for name in ("value", "low", "high"):
        np.testing.assert_array_equal(getattr(one, name)[order], getattr(other, name))


def test_an_interval_is_repeatable_and_depends_on_its_seed() -> None:
    values = np.random.default_rng(5).normal(size=20)
    first, again, other = (paired_bootstrap(values, seed=seed) for seed in (1, 1, 2))
    assert (first.low, first.high) == (again.low, again.high)
    assert first.low != other.low
    assert first.low < first.value < first.high


def test_an_interval_covers_the_mean_about_as_often_as_it_says() -> None:
    generator = np.random.default_rng(11)
    intervals = [paired_bootstrap(generator.normal(size=30), draws=300, seed=k) for k in range(300)]
    covered = np.mean([interval.low <= 0 <= interval.high for interval in intervals])
    assert 0.88 < covered < 0.98


def test_one_seed_gives_no_width_and_no_seed_is_refused() -> None:
    single = paired_bootstrap([[1.0, 2.0]])
    np.testing.assert_array_equal([single.low, single.high], [[1.0, 2.0]] * 2)
    with pytest.raises(ValueError, match="no seed"):
        bootstrap(np.empty((0, 3)))
    for level in (95, 1, 0, -0.5):
        with pytest.raises(ValueError, match="level"):
            paired_bootstrap([1.0, 2.0], level=level)


@given(values=arrays(float, st.integers(1, 30), elements=st.floats(-1e6, 1e6)))
def test_interquartile_mean_is_scipys_trimmed_mean(values: np.ndarray) -> None:
    assert interquartile_mean(values) == pytest.approx(stats.trim_mean(values, 0.25), abs=1e-6)


def test_interquartile_mean_by_hand() -> None:
    assert interquartile_mean([8.0, 0.0, 3.0, 1000.0]) == 5.5
    assert np.isnan(interquartile_mean([1.0, 2.0, 3.0, np.nan]))
    rows = np.array([[8.0, 0.0, 3.0, 1000.0], [4.0, 5.0, 6.0, 7.0]])
    np.testing.assert_array_equal(interquartile_mean(rows, axis=1), [5.5, 5.5])
    np.testing.assert_array_equal(interquartile_mean(rows, axis=0), rows.mean(axis=0))  # of two none is left out
    interval = paired_bootstrap(np.arange(40.0), interquartile_mean)
    assert interval.low < interval.value == 19.5 < interval.high


def test_probability_of_improvement_by_hand() -> None:
    mine, theirs = [0.1, 0.2, 0.3, 0.4, np.nan], [0.2, 0.2, 0.1, np.nan, np.nan]
    np.testing.assert_array_equal(improvements(mine, theirs), [1, 0.5, 0, 1, 0.5])
    assert probability_of_improvement(mine, theirs).value == pytest.approx(0.6)


@given(pairs=arrays(float, st.tuples(st.just(2), st.integers(1, 8)), elements=few_values))
def test_one_improves_on_the_other_or_the_other_on_the_one(pairs: np.ndarray) -> None:
    one, other = pairs
    forth, back = probability_of_improvement(one, other), probability_of_improvement(other, one)
    assert forth.value + back.value == pytest.approx(1)
    assert 0 <= forth.low <= forth.value <= forth.high <= 1


def test_every_group_counts_the_same() -> None:
    small, large = np.array([[1.0, 2.0], [1.0, 2.0]]), np.tile([2.0, 1.0], (50, 1))
    estimate = mean_over_groups([small, large])
    np.testing.assert_array_equal([estimate.value, estimate.low, estimate.high], np.full((3, 2), 1.5))


def test_groups_are_resampled_independently() -> None:
    values = np.array([[0.0], [1.0]])
    alone, together = paired_bootstrap(values, draws=4000), mean_over_groups([values] * 8, draws=4000)
    assert (alone.low, alone.high) == (0, 1)
    assert 0.1 < together.low < 0.5 < together.high < 0.9
