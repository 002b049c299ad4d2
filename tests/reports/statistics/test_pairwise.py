"""Pairs of strategies against scipy, statsmodels and simulated truth."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from scipy import stats

from hemobench.reports.statistics.pairwise import ALPHA, ROPE, Pair, against, all_pairs, mirrored

NAMES = "abcd"


def test_all_pairs_are_paired_t_tests_adjusted_by_statsmodels() -> None:
    from statsmodels.stats.multitest import multipletests

    losses = np.random.default_rng(2).normal([0.0, 0.3, 1.2, 1.5], 1.0, (18, 4)) / 100
    pairs = list(combinations(range(4), 2))
    theirs = [stats.ttest_rel(losses[:, one], losses[:, other]) for one, other in pairs]
    found = all_pairs(losses, NAMES)
    np.testing.assert_allclose([pair.p for pair in found], [test.pvalue for test in theirs])
    adjusted = multipletests([test.pvalue for test in theirs], method="holm")[1]
    np.testing.assert_allclose([pair.p_holm for pair in found], adjusted)
    for pair, test in zip(found, theirs, strict=True):
        interval = test.confidence_interval(0.95)
        assert pair.low == pytest.approx(-100 * interval.high)
        assert pair.high == pytest.approx(-100 * interval.low)
    ends = []
    for one, other in pairs:
        points = 100 * (losses[:, other] - losses[:, one])
        below = stats.ttest_1samp(points, ROPE, alternative="less").pvalue
        above = stats.ttest_1samp(points, -ROPE, alternative="greater").pvalue
        ends.append(max(below, above))
    equivalent = multipletests(ends, method="holm")[1]
    np.testing.assert_allclose([pair.p_equivalent for pair in found], equivalent)


def test_identical_strategies_are_told_apart_at_most_at_the_nominal_rate() -> None:
    generator, called = np.random.default_rng(77), 0
    for _ in range(400):
        shared = generator.normal(size=(12, 1))  # what all strategies have in common on a seed
        losses = shared + generator.normal(size=(12, 5))
        called += any(pair.verdict != "undecided" for pair in all_pairs(losses, "abcde"))
    assert 0 < called <= 400 * ALPHA


@pytest.mark.parametrize("seeds", [5, 12, 30])
def test_at_the_edge_of_the_region_pairs_are_called_equivalent_at_most_at_the_nominal_rate(seeds: int) -> None:
    generator, wrong = np.random.default_rng(seeds), 0
    for _ in range(400):
        losses = generator.normal([0.1, 0.1 + ROPE / 100, 0.1, 0.1 + ROPE / 100], 0.004, (seeds, 4))
        found = all_pairs(losses, NAMES)
        wrong += any(
            pair.verdict == "equivalent" for pair in found if {pair.one, pair.other} not in ({"a", "c"}, {"b", "d"})
        )
    assert wrong <= 0.065 * 400


def test_a_true_difference_is_called_and_a_small_one_is_equivalent() -> None:
    generator = np.random.default_rng(4)
    base = generator.normal(0.1, 0.02, 20)
    near = base + 0.001 + generator.normal(0, 0.0004, 20)
    losses = np.stack([base, base - 0.05 + generator.normal(0, 0.01, 20), near, base], axis=1)
    found = {(c.one, c.other): c for c in all_pairs(losses, ["a", "good", "near", "same"])}
    assert found["a", "good"].verdict == "worse"
    assert found["good", "near"].verdict == "better"
    alike = found["a", "near"]
    assert (alike.verdict, alike.difference) == ("equivalent", pytest.approx(0.1, abs=0.03))  # points
    assert alike.p_holm < ALPHA  # a difference, and one that does not matter
    same = found["a", "same"]
    assert (same.verdict, same.zeros, same.p, same.improvement) == ("equivalent", 20, 1.0, 0.5)


@pytest.mark.parametrize("points", [0.8, 5.0])
def test_who_is_better_is_told_of_small_differences_too(points: float) -> None:
    noise = np.random.default_rng(6).normal(0, 0.0005, (20, 2))
    losses = noise + np.array([0.1, 0.1 + points / 100])
    (pair,) = all_pairs(losses, ["low", "high"])
    (turned,) = all_pairs(losses[:, ::-1], ["high", "low"])
    assert (pair.verdict, turned.verdict) == ("better", "worse")


def test_against_one_keeps_the_adjustment_for_all() -> None:
    losses = np.random.default_rng(8).normal([0.0, 0.05, 0.1, 0.2], 0.05, (12, 4))
    every = all_pairs(losses, NAMES)
    mine = against("c", every)
    assert [(c.one, c.other) for c in mine] == [("a", "c"), ("b", "c"), ("d", "c")]
    by_pair = {frozenset((c.one, c.other)): c for c in every}
    for comparison in mine:
        same = by_pair[frozenset((comparison.one, "c"))]
        assert (comparison.p, comparison.p_holm) == (same.p, same.p_holm)
        assert abs(comparison.difference or 0) == abs(same.difference or 0)


def test_with_missing_results_nothing_is_called() -> None:
    losses = np.full((12, 2), 0.1)
    losses[0, 1] = np.nan
    (comparison,) = all_pairs(losses, "ab")
    assert (comparison.verdict, comparison.missing, comparison.difference) == ("undecided", 1, 0.0)
    assert comparison.improvement == pytest.approx((11 * 0.5 + 1) / 12)
    (nothing,) = all_pairs(np.array([[0.1, np.nan]] * 12), "ab")
    assert (nothing.verdict, nothing.difference, nothing.low, nothing.p) == ("undecided", None, None, 1.0)


def test_few_seeds_call_nothing() -> None:
    (comparison,) = all_pairs(np.array([[0.1, 0.9], [0.11, 0.9], [0.1, 0.91], [0.1, 0.9]]), "ab")
    assert comparison.p_holm < 1e-4
    assert comparison.verdict == "undecided"
    (single,) = all_pairs(np.array([[0.1, 0.9]]), "ab")
    assert (single.difference, single.low, single.high, single.p) == (pytest.approx(80), None, None, 1.0)


def test_mirrored_twice_is_the_same() -> None:
    losses = np.random.default_rng(3).normal([0.0, 0.5], 0.1, (12, 2))
    (comparison,) = all_pairs(losses, "ab")
    turned = mirrored(comparison)
    assert isinstance(turned, Pair)
    assert (comparison.verdict, turned.verdict) == ("better", "worse")
    assert turned.low is not None
    assert turned.low < 0
    assert mirrored(turned) == comparison
