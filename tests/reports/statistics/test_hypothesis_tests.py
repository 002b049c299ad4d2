"""Tests and targets against scipy, statsmodels, scikit-posthocs, Demsar's example, and arithmetic by hand."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from hemobench.errors import BenchmarkError
from hemobench.reports.statistics.bootstrap import bootstrap, bootstrap_means
from hemobench.reports.statistics.hypothesis_tests import (
    EXACT_UP_TO,
    censored_median,
    critical_difference,
    holm,
    paired_differences,
    seeds_needed,
    signed_rank_sum,
    signed_rank_test,
)
from hemobench.reports.statistics.pairwise import ALPHA


@settings(max_examples=60, deadline=None)
@given(size=st.integers(1, 40), seed=st.integers(0, 2**32 - 1), shift=st.floats(-1, 1))
def test_signed_ranks_are_scipys_where_there_are_no_ties(size: int, seed: int, shift: float) -> None:
    values = np.random.default_rng(seed).normal(shift, 1, size)
    assert signed_rank_test(values) == pytest.approx(stats.wilcoxon(values, method="exact").pvalue, abs=1e-12)


@settings(max_examples=40, deadline=None)
@given(values=arrays(float, st.integers(2, 9), elements=st.sampled_from([-2.0, -1.0, 0.0, 1.0, 2.0, 3.0])))
def test_with_ties_they_are_scipys_permutation_test(values: np.ndarray) -> None:
    if not values.any():
        assert signed_rank_test(values) == 1.0
        return
    every_sign = stats.PermutationMethod(n_resamples=np.inf)
    theirs = stats.wilcoxon(values, zero_method="wilcox", method=every_sign).pvalue
    assert signed_rank_test(values) == pytest.approx(theirs, abs=1e-12)


@pytest.mark.parametrize("shift", [0.0, 0.1, 0.2])
def test_many_seeds_go_over_to_the_normal_approximation_smoothly(monkeypatch, shift: float) -> None:
    values = np.round(np.random.default_rng(1).normal(shift, 1, EXACT_UP_TO + 20), 1)  # with ties and zeros
    approximate = signed_rank_test(values)
    monkeypatch.setattr("hemobench.reports.statistics.hypothesis_tests.EXACT_UP_TO", 1000)
    assert approximate == pytest.approx(signed_rank_test(values), rel=0.1, abs=1e-5)
    assert approximate != signed_rank_test(values)


def test_signed_ranks_by_hand() -> None:
    assert signed_rank_test([1, 2, 3, 4, 5]) == pytest.approx(2 / 32)
    assert signed_rank_test([0, 0, 1, 2, 3, 4, 5]) == pytest.approx(2 / 32)  # zeros are dropped
    assert signed_rank_test([np.inf, 1, 2]) == pytest.approx(2 / 8)
    assert signed_rank_sum([-1, 2, 2, 0]) == 4


def test_a_missing_result_is_worse_than_any() -> None:
    np.testing.assert_array_equal(
        paired_differences([0.5, 0.5, np.nan, np.nan], [0.75, np.nan, 0.5, np.nan]), [0.25, np.inf, -np.inf, 0.0]
    )


@settings(max_examples=100, deadline=None)
@given(p=arrays(float, st.integers(1, 6), elements=st.floats(0, 1)))
def test_holm_is_the_closed_test_of_bonferronis(p: np.ndarray) -> None:
    """A hypothesis falls if all intersections with it fall: the largest of their adjusted p values."""
    places = range(len(p))
    some = [list(chosen) for size in range(1, len(p) + 1) for chosen in combinations(places, size)]
    closed = [max(min(1.0, len(chosen) * p[chosen].min()) for chosen in some if i in chosen) for i in places]
    np.testing.assert_allclose(holm(p), closed)


def test_holm_is_statsmodels() -> None:
    from statsmodels.stats.multitest import multipletests  # collects garbage at every call

    for size in (1, 5, 21):
        p = np.random.default_rng(size).uniform(0, 0.1, size)
        np.testing.assert_allclose(holm(p), multipletests(p, method="holm")[1])


def test_identical_strategies_are_told_apart_at_most_at_the_nominal_rate() -> None:
    generator, called = np.random.default_rng(77), 0
    for _ in range(1000):
        shared = generator.normal(size=(12, 1))  # what all strategies have in common on a seed
        losses = shared + generator.normal(size=(12, 5))
        pairs = [(one, other) for one in range(5) for other in range(one)]
        p = [signed_rank_test(paired_differences(losses[:, one], losses[:, other])) for one, other in pairs]
        called += bool((holm(p) <= ALPHA).any())
    assert 0 < called <= 1000 * ALPHA


def test_so_many_seeds_it_takes() -> None:
    assert seeds_needed(1) == 6  # 2 / 2**5 is above 5 %, 2 / 2**6 is not
    extreme = [signed_rank_test(np.ones(seeds_needed(tests) + k)) * tests for tests in (1, 21) for k in (-1, 0)]
    assert [p <= ALPHA for p in extreme] == [False, True, False, True]


@settings(max_examples=30, deadline=None)
@given(values=arrays(float, st.tuples(st.integers(1, 6), st.integers(1, 4)), elements=st.floats(-5, 5)))
def test_bootstrap_means_are_the_bootstrap_of_means(values: np.ndarray) -> None:
    np.testing.assert_allclose(
        bootstrap_means(values, draws=50, seed=3), bootstrap(values, draws=50, seed=3), atol=1e-9
    )


@given(
    hours=arrays(float, st.integers(1, 12), elements=st.one_of(st.integers(1, 9).map(float), st.just(np.nan))),
)
def test_the_censored_median_lies_in_kaplan_and_meiers(hours: np.ndarray) -> None:
    observed, missed = hours[~np.isnan(hours)], np.full(int(np.isnan(hours).sum()), 10.0)
    median = float(censored_median(hours))
    left = stats.ecdf(stats.CensoredData(uncensored=observed, right=missed)).sf
    reached = [time for time in np.unique(observed) if left.evaluate(time) <= 0.5 + 1e-9]
    if len(hours) % 2:
        assert median == (reached[0] if reached else np.inf)
    else:  # theirs is an interval
        assert not np.isfinite(median) or reached[0] <= median
        assert np.isfinite(median) or left.evaluate(9.5) >= 0.5 - 1e-9


def test_the_censored_median_by_hand() -> None:
    assert censored_median([1.0, np.nan, 3.0]) == 3.0
    assert np.isinf(censored_median([1.0, np.nan]))
    np.testing.assert_array_equal(censored_median([[1.0, np.nan], [2.0, 4.0], [9.0, np.nan]]), [2.0, np.inf])


def test_the_critical_difference_is_demsars() -> None:
    """Demsar (2006), section 3.2.2: four classifiers on fourteen data sets, 1.25 at alpha = 0.05."""
    losses = np.random.default_rng(1).normal(size=(14, 4))
    found = critical_difference(losses)
    assert found.critical_difference == pytest.approx(1.25, abs=0.005)
    assert found.friedman_p == pytest.approx(stats.friedmanchisquare(*losses.T).pvalue)
    np.testing.assert_allclose(found.mean_ranks, stats.rankdata(losses, axis=1).mean(axis=0))


def test_ten_tasks_are_enough_for_one() -> None:
    losses = np.random.default_rng(1).random((10, 3))
    assert critical_difference(losses).critical_difference > 0
    with pytest.raises(BenchmarkError, match="9 tasks"):
        critical_difference(losses[:9])


def test_few_tasks_get_no_critical_difference_diagram() -> None:
    with pytest.raises(BenchmarkError, match=r"2 tasks: with 7 strategies.* 6\.37 apart, and 6 is the largest gap"):
        critical_difference(np.zeros((2, 7)))
    with pytest.raises(BenchmarkError, match="9 tasks"):
        critical_difference(np.zeros((9, 3)))
