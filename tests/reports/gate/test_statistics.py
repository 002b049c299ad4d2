"""The test, its interval, its analyses: against exact enumeration and against a simulated Brownian motion."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from scipy.stats import norm

from hemobench.reports.gate.boundaries import analyses, critical_scores
from hemobench.reports.gate.signed_rank import lower_bound, pseudo_median, score, standard_error, upper_bound

SIGNS = np.array(list(product([-1.0, 1.0], repeat=12)))


@pytest.mark.parametrize("level", [0.05, 0.025, 0.0125, 0.002])
@pytest.mark.parametrize(
    "sizes",
    [np.arange(1, 13), [1] * 4 + [2] * 3 + [3, 3, 5, 5, 5], [0.3] * 9 + [1, 2, 50], [0, 0, 0, *range(1, 10)]],
    ids=["distinct", "tied", "as zeros at a margin", "zeros"],
)
def test_under_random_signs_the_level_is_kept_exactly(sizes, level):
    """All 4,096 assignments of signs are as likely if the two sides of a pair may be exchanged."""
    called = score(SIGNS * np.asarray(sizes, dtype=float)) >= norm.isf(level)
    assert called.mean() <= level
    if level >= 0.0125:
        assert called.mean() > level / 4  # and not by never calling anything


def test_nothing_but_zeros_shows_nothing():
    assert score(np.zeros(20)) == -np.inf
    assert lower_bound(np.zeros(20), 1.96) <= 0 <= upper_bound(np.zeros(20), 1.96)


@given(some.lists(some.integers(-40, 40), min_size=8, max_size=25), some.floats(0.5, 2.3))
@settings(max_examples=60, deadline=None)
def test_the_interval_is_what_the_test_does_not_reject(values, critical):
    differences = np.array(values) / 8
    low, high = lower_bound(differences, critical), upper_bound(differences, critical)
    assert low <= pseudo_median(differences) <= high
    if np.isfinite(low):
        assert score(differences - (low - 1e-6)) >= critical
        assert score(differences - (low + 1e-6)) < critical
    if np.isfinite(high):
        assert score((high + 1e-6) - differences) >= critical
        assert score((high - 1e-6) - differences) < critical


def test_the_standard_error_is_that_of_the_estimate():
    rng = np.random.default_rng(0)
    samples = rng.normal(0, 1, (200, 24))
    estimates = [pseudo_median(sample) for sample in samples]
    assert np.mean([standard_error(sample) for sample in samples]) == pytest.approx(np.std(estimates), rel=0.2)


def test_looks_halve_down_to_eight():
    assert analyses(120) == (15, 30, 60, 120)
    assert analyses(24) == (12, 24)
    assert analyses(15) == (15,)
    assert analyses(3) == (3,)


@pytest.mark.parametrize("level", [0.05, 0.025, 0.0125])
def test_over_all_looks_the_level_is_spent_and_no_more(level):
    at = analyses(120)
    steps = np.random.default_rng(1).normal(size=(20_000, 120)).cumsum(axis=1)
    scores = steps[:, np.array(at) - 1] / np.sqrt(at)
    called = (scores >= np.array(critical_scores(level, at))).any(axis=1).mean()
    assert called == pytest.approx(level, abs=4 * np.sqrt(level / 20_000))


def test_one_look_is_the_plain_test():
    assert critical_scores(0.05, (40,)) == pytest.approx((norm.isf(0.05),))
