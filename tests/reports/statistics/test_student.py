"""Intervals and tests against scipy, against simulated truth, and by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import integrate, stats

from hemobench.reports.statistics.bootstrap import paired_bootstrap
from hemobench.reports.statistics.student import (
    equivalence_p,
    mean_interval,
    moments,
    p_below,
    power,
    seeds_for,
    two_sided_p,
)

REPEATS = 20_000


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), size=st.integers(2, 40), shift=st.floats(-1, 1))
def test_tests_and_intervals_are_scipys(seed: int, size: int, shift: float) -> None:
    values = np.random.default_rng(seed).normal(shift, 1, size)
    theirs = stats.ttest_1samp(values, 0.0)
    interval = theirs.confidence_interval(0.95)
    mine = mean_interval(values)
    assert two_sided_p(values) == pytest.approx(theirs.pvalue)
    assert p_below(values, 0.3) == pytest.approx(stats.ttest_1samp(values, 0.3, alternative="less").pvalue)
    np.testing.assert_allclose([mine.low, mine.high], interval)


def test_two_one_sided_tests_are_statsmodels() -> None:
    from statsmodels.stats.weightstats import DescrStatsW

    values = np.random.default_rng(3).normal(0.1, 0.5, (12, 1))
    theirs = DescrStatsW(values).ttost_mean(-0.5, 0.5)[0]
    np.testing.assert_allclose(equivalence_p(values, 0.5), theirs)


@pytest.mark.parametrize("seeds", [3, 5, 10, 30])
def test_intervals_cover_the_mean_as_often_as_they_say(seeds: int) -> None:
    values = np.random.default_rng(seeds).normal(2.0, 1.0, (seeds, REPEATS))
    interval = mean_interval(values)
    covered = float(np.mean((interval.low <= 2) & (interval.high >= 2)))
    assert covered == pytest.approx(0.95, abs=0.01)


@pytest.mark.parametrize(("seeds", "nominal"), [(3, 0.74), (5, 0.83), (10, 0.90)])
def test_the_bootstraps_do_not(seeds: int, nominal: float) -> None:
    """Why intervals of a mean over seeds are Student's: what was measured of percentile intervals before."""
    generator = np.random.default_rng(seeds)
    values = generator.normal(0.0, 1.0, (seeds, 1500))
    interval = paired_bootstrap(values, draws=500)
    assert float(np.mean((interval.low <= 0) & (interval.high >= 0))) == pytest.approx(nominal, abs=0.04)


@pytest.mark.parametrize("seeds", [5, 10, 30])
def test_skewed_differences_cost_little(seeds: int) -> None:
    """Differences of two skewed losses are less skewed than either: exponential against exponential."""
    generator = np.random.default_rng(seeds)
    values = generator.exponential(1.0, (seeds, REPEATS)) - generator.exponential(1.0, (seeds, REPEATS))
    interval = mean_interval(values)
    assert 0.93 <= float(np.mean((interval.low <= 0) & (interval.high >= 0))) <= 0.97


def test_one_seed_says_nothing() -> None:
    one = mean_interval([[1.0, 2.0]])
    assert np.isinf([one.low, one.high]).all()
    assert two_sided_p([3.0]) == p_below([-3.0]) == equivalence_p([0.0], 0.5) == 1
    with pytest.raises(ValueError, match="no seed"):
        moments(np.empty((0, 2)))
    for level in (95, 1, 0, -0.5):
        with pytest.raises(ValueError, match="level"):
            mean_interval([1.0, 2.0], level=level)


def test_equal_differences_are_as_sure_as_a_sign_test() -> None:
    np.testing.assert_array_equal(two_sided_p(np.full((6, 2), [0.1, 0.0])), [2 / 64, 1.0])
    assert equivalence_p(np.zeros(5), 0.5) == 1 / 32
    assert equivalence_p(np.full(5, 0.5), 0.5) == 1  # at the edge
    assert two_sided_p(np.full(10, 0.1) + 1e-17) == 2 / 1024  # rounding is no spread
    assert two_sided_p(np.resize([1e6, np.nextafter(1e6, 2e6)], 10)) == 2 / 1024
    some = np.array([1.0, 2.0, 4.0])
    assert two_sided_p(1e-15 * some) == pytest.approx(two_sided_p(some))  # nor are small numbers rounding


@given(values=arrays(float, st.integers(2, 9), elements=st.sampled_from([-2.0, -1.0, 0.0, 1.0, 2.0])))
def test_turned_round_it_is_the_same(values: np.ndarray) -> None:
    assert two_sided_p(values) == two_sided_p(-values)
    assert 0 <= two_sided_p(values) <= 1
    one, other = mean_interval(values), mean_interval(-values)
    assert one.low == -other.high


@pytest.mark.parametrize(("difference", "deviation", "alpha"), [(1.0, 2.0, 0.05), (0.5, 0.7, 0.05 / 21)])
def test_that_many_seeds_tell_the_difference_as_often_as_promised(
    difference: float, deviation: float, alpha: float
) -> None:
    seeds = seeds_for(difference, deviation, alpha)
    assert seeds is not None
    values = np.random.default_rng(7).normal(difference, deviation, (seeds, 4000))
    called = float(np.mean((two_sided_p(values) <= alpha) & (values.mean(axis=0) > 0)))
    assert called == pytest.approx(0.8, abs=0.03)
    assert called == pytest.approx(power(seeds, difference, deviation, alpha), abs=0.02)
    assert power(seeds - 1, difference, deviation, alpha) < 0.8


@pytest.mark.parametrize(("seeds", "alpha"), [(2, 0.05 / 21), (2, 0.001), (3, 1e-5), (5, 1e-7), (5, 0.05)])
@pytest.mark.parametrize("shift", [30.0, 36.9, 37.1, 60.0, 300.0])
def test_power_is_the_integral_over_the_deviations_error(seeds: int, alpha: float, shift: float) -> None:
    degrees = seeds - 1
    critical = stats.t.isf(alpha / 2, degrees)

    def called(chi_square: float) -> float:
        return stats.norm.sf(critical * np.sqrt(chi_square / degrees) - shift) * stats.chi2.pdf(chi_square, degrees)

    turn = degrees * (shift / critical) ** 2  # about where it falls from 1 to 0
    whole, _ = integrate.quad(called, 0, 60 + 4 * turn, points=[1e-3 * turn, turn, 60], limit=400)
    assert power(seeds, shift / np.sqrt(seeds), 1.0, alpha) == pytest.approx(whole, abs=2e-3)


def test_power_agrees_with_statsmodels_and_has_ends() -> None:
    from statsmodels.stats.power import TTestPower

    theirs = TTestPower().power(0.5, 20, 0.05, alternative="larger")
    assert power(20, 0.5, 1.0, 0.1) == pytest.approx(theirs)
    assert power(2, 20.0, 1.0, 0.1) == pytest.approx(TTestPower().power(20.0, 2, 0.05, alternative="larger"))
    assert seeds_for(20.0, 1.0, 0.1) == 2  # power .97
    assert power(1, 1.0, 1.0, 0.05) == 0
    assert power(100, 100.0, 1.0, 0.05) == 1
    assert seeds_for(1.0, 0.0, 0.05) == 6  # a sign test: 2 / 2**6 is below 5 %, 2 / 2**5 is not
    assert [power(5, 1.0, 0.0, alpha) for alpha in (0.06, 2 / 32, 0.07)] == [0, 1, 1]
    assert seeds_for(1e-6, 1.0, 0.05) is None
