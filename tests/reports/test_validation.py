"""Repeated trainings: the C-NMC paper's Table 3, and scipy's own answers."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from hemobench.reports.validation import comparisons, summary

accuracies = st.lists(st.floats(0.1, 1.0), min_size=3, max_size=12)


def test_the_papers_table_3():
    """Test accuracy of its three runs; it prints 84.84 ± 1.66 and 1.96 %, its values give 1.68 and 1.98 %."""
    found = summary([86.72, 82.64, 85.17])
    assert found.mean == pytest.approx(84.84, abs=0.005)
    assert found.population_std == pytest.approx(1.66, abs=0.03)
    assert 100 * found.population_std / found.mean == pytest.approx(1.96, abs=0.03)
    assert found.std == pytest.approx(2.06, abs=0.005)
    assert (found.low, found.high) == pytest.approx((79.73, 89.96), abs=0.01)


@given(accuracies)
def test_the_interval_is_scipys(values):
    found = summary(values)
    if found.std > 1e-9:
        low, high = stats.t.interval(0.95, len(values) - 1, loc=found.mean, scale=stats.sem(values))
        assert (found.low, found.high) == pytest.approx((low, high))
        assert found.cv == pytest.approx(100 * stats.variation(values, ddof=1))


def test_one_value_has_no_spread():
    found = summary([0.8])
    assert (found.mean, found.population_std) == (0.8, 0.0)
    assert math.isnan(found.std)
    assert math.isnan(found.low)


def test_comparisons_by_hand():
    """Differences 1, 2, 3, 4, 5: all positive, so Wilcoxon's p is 2 / 2**5; t is 3 / (sqrt(2.5) / sqrt(5))."""
    (found,) = comparisons({"a": [2, 4, 6, 8, 10], "b": [1, 2, 3, 4, 5]})
    assert (found.first, found.second, found.difference) == ("a", "b", 3.0)
    assert found.wilcoxon_p == pytest.approx(2 / 2**5)
    assert found.t_p == pytest.approx(2 * stats.t.sf(3 / math.sqrt(0.5), 4))


def test_equal_ones_do_not_differ():
    (found,) = comparisons({"a": [0.5, 0.6], "b": [0.5, 0.6]})
    assert found.wilcoxon_p == 1.0
    assert math.isnan(found.t_p)


def test_every_pair_is_compared():
    rng = np.random.default_rng(0)
    values = {name: rng.random(6) for name in "abcd"}
    assert len(comparisons(values)) == 6
