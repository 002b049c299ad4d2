"""Stated probabilities against how often they come true, and what must hold of any posterior."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from hemobench.reports.statistics.posterior import Posterior, noise_variances, posterior

SPREADS = (0.0, 0.3, 0.7)
SEEDS = (3, 5, 10, 30)
STRATEGIES = 7
SUITES = 120
"""Of each spread and number of seeds."""


@pytest.fixture(scope="module")
def claims() -> dict[tuple[float, int], np.ndarray]:
    """By spread and seeds: what was stated of the likeliest best, and whether that was right.

    Where all are equal, each is the best with its share: one in seven is right.
    """
    found = {}
    for spread in SPREADS:
        for seeds in SEEDS:
            generator = np.random.default_rng([int(10 * spread), seeds])
            rows = [_claim(generator, spread, seeds) for _ in range(SUITES)]
            found[spread, seeds] = np.array(rows)
    return found


def _claim(generator: np.random.Generator, spread: float, seeds: int) -> tuple[float, float]:
    means = spread * generator.standard_normal(STRATEGIES)
    blocks = 2 * generator.standard_normal((seeds, 1))
    scores = blocks + means + generator.standard_normal((seeds, STRATEGIES))
    chances = posterior(scores, draws=500).probability_of_best()
    named = int(chances.argmax())
    return float(chances[named]), float(named == means.argmax()) if spread else 1 / STRATEGIES


@pytest.mark.parametrize("seeds", SEEDS)
def test_the_stated_probability_is_the_share_of_right_answers(claims, seeds: int) -> None:
    rows = np.concatenate([claims[spread, seeds] for spread in SPREADS])
    stated, right = rows.mean(axis=0)
    assert stated == pytest.approx(right, abs=0.07)


@pytest.mark.parametrize("spread", [0.3, 0.7])
def test_for_one_spread_alone_it_claims_too_little_rather_than_too_much(claims, spread: float) -> None:
    """No number of seeds tells a small spread from none at once, so that single spreads are off more than all."""
    rows = np.concatenate([claims[spread, seeds] for seeds in SEEDS])
    stated, right = rows.mean(axis=0)
    assert right - 0.12 <= stated <= right + 0.05


def test_a_claim_of_nine_tenths_is_right_in_85_percent_at_least(claims) -> None:
    rows = np.concatenate(list(claims.values()))
    sure = rows[rows[:, 0] >= 0.9]
    assert len(sure) >= 50
    assert sure[:, 1].mean() >= 0.85


def test_nothing_is_sure_where_all_are_equal(claims) -> None:
    stated = np.concatenate([claims[0.0, seeds][:, 0] for seeds in SEEDS])
    assert np.mean(stated >= 0.9) <= 0.02
    assert stated.mean() < 0.35  # bootstrapping seeds says 0.59


def test_pairs_are_calibrated_too() -> None:
    generator, rows = np.random.default_rng(5), []
    for _ in range(150):
        means = 0.3 * generator.standard_normal(4)
        scores = means + generator.standard_normal((5, 4))
        better = posterior(scores, draws=500).probability_of_better()[0, 1:]
        likely = np.maximum(better, 1 - better)
        rows += list(zip(likely, (better > 0.5) == (means[0] > means[1:]), strict=True))
    stated, right = np.array(rows, dtype=float).mean(axis=0)
    assert stated == pytest.approx(right, abs=0.07)


def test_a_noisy_strategy_is_believed_less() -> None:
    """Two strategies of the same high mean: the one whose seeds scatter less is likelier to be far above the rest."""
    generator = np.random.default_rng(2)
    deviations = np.array([0.3, 2.0, 0.3, 0.3, 0.3])
    noise = generator.standard_normal((30, 5)) * deviations
    scores = noise - noise.mean(axis=0) + np.array([0.0, 0.4, 0.4, 0.0, 0.0])
    chances = posterior(scores).probability_of_better()
    assert chances[2, 0] > 0.97 > 0.9 > chances[1, 0] > 0.5


def test_variances_are_known_without_the_blocks() -> None:
    generator = np.random.default_rng(3)
    deviations = np.array([0.5, 1.0, 2.0, 1.0])
    scores = 5 * generator.standard_normal((4000, 1)) + generator.standard_normal((4000, 4)) * deviations
    np.testing.assert_allclose(noise_variances(scores), deviations**2, rtol=0.15)
    pair = noise_variances(scores[:, [0, 2]])
    np.testing.assert_allclose(pair, [(0.25 + 4) / 2] * 2, rtol=0.1)


ROUND = st.floats(-10, 10).map(lambda value: round(value, 4))
"""Numbers that a shift does not swallow."""


@settings(max_examples=25, deadline=None)
@given(
    scores=arrays(float, st.tuples(st.integers(2, 6), st.integers(2, 5)), elements=ROUND),
    shift=ROUND,
)
def test_probabilities_are_probabilities_and_blocks_do_not_matter(scores: np.ndarray, shift: float) -> None:
    belief = posterior(scores, draws=200)
    chances = belief.probability_of_best()
    assert chances.sum() == pytest.approx(1)
    better = belief.probability_of_better()
    np.testing.assert_allclose(better + better.T, 1)
    assert ((chances >= 0) & (chances <= 1)).all()
    np.testing.assert_array_less(chances - 1e-12, belief.probability_within(0.5) + 1e-9)
    blocks = shift * np.arange(len(scores))[:, None]
    moved = posterior(scores + blocks, draws=200).probability_of_best()
    np.testing.assert_allclose(moved, chances, atol=0.05)


def test_ties_share_by_hand() -> None:
    drawn = Posterior(np.array([[2.0, 2.0, 1.0], [0.0, 1.0, 0.0], [3.0, 1.0, 2.0]]), np.array([False, False, True]))
    np.testing.assert_allclose(drawn.probability_of_best(), [5 / 18, 11 / 18, 2 / 18])
    assert drawn.probability_of_better()[0, 1] == pytest.approx((0.5 + 0 + 0.5) / 3)
    np.testing.assert_allclose(drawn.probability_within(0.5), [2 / 3, 1, 1 / 3])
    np.testing.assert_allclose(drawn.probability_within(1.0), [1, 1, 1])  # what lies at the region's edge is within


def test_without_noise_the_best_is_known_and_equals_share() -> None:
    same = posterior(np.full((5, 4), 0.1))
    np.testing.assert_allclose(same.probability_of_best(), [0.25] * 4)
    assert same.equal.all()
    levels = posterior(np.arange(6.0)[:, None] + np.array([0.3, 0.3, 0.1]))  # the same on every seed, up to rounding
    np.testing.assert_allclose(levels.probability_of_best(), [0.5, 0.5, 0])
    assert not levels.equal.any()


def test_it_repeats_and_needs_two_of_each() -> None:
    scores = np.random.default_rng(0).normal(size=(5, 3))
    first, again, other = (posterior(scores, seed=seed).probability_of_best() for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
    np.testing.assert_allclose(first, other, atol=0.04)
    for shape in [(1, 3), (3, 1)]:
        with pytest.raises(ValueError, match="two of each"):
            posterior(np.zeros(shape))
