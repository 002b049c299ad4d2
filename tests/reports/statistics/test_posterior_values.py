"""The posterior against numbers that were reached another way: by hand, by scipy's densities and by dense matrices."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from scipy import stats
from scipy.linalg import helmert

from hemobench.reports.statistics import posterior as module
from hemobench.reports.statistics.posterior import noise_variances, posterior

DATA = np.random.default_rng(11)
SCORES = {
    "much alike": DATA.standard_normal((8, 5)) + 0.1 * np.arange(5),
    "far apart": DATA.standard_normal((8, 5)) + 0.8 * np.arange(5),
    "three seeds": DATA.standard_normal((3, 4)) + np.array([0.0, 0.0, 0.5, 1.0]),
    "of unequal noise": DATA.standard_normal((20, 4)) * np.array([0.2, 0.5, 1.0, 2.0]),
}


def by_contrasts(observed: np.ndarray, errors: np.ndarray, spread: float) -> float:
    """The log density of the orthonormal contrasts of observed means; those do not hold the centre."""
    basis = helmert(len(observed))
    covariance = basis @ np.diag(errors + spread**2) @ basis.T
    return float(stats.multivariate_normal(cov=covariance).logpdf(basis @ observed))


@cache
def chance_of_equal(name: str) -> float:
    """That all means are equal: half-Cauchy by scipy on another grid, variances drawn 60 times."""
    scores = SCORES[name]
    seeds, strategies = scores.shape
    degrees = 4 + seeds - 1
    law = stats.invgamma(degrees / 2, scale=degrees / 2)  # inverse chi-square, scaled
    variances = noise_variances(scores)
    noise = np.sqrt(variances.mean())
    grid = np.geomspace(0.03, 4.0, 40)
    prior = stats.halfcauchy(scale=0.5).pdf(grid) * grid
    prior /= prior.sum()
    equal = apart = 0.0
    for drawn in law.rvs((60, strategies), random_state=np.random.default_rng(4)):
        errors = variances * drawn / seeds
        likely = [by_contrasts(scores.mean(axis=0), errors, noise * spread) for spread in grid]
        equal += 0.05 * np.exp(by_contrasts(scores.mean(axis=0), errors, 0.0))
        apart += 0.95 * (prior @ np.exp(likely))
    return equal / (equal + apart)


@pytest.mark.parametrize("name", SCORES)
def test_how_probable_equal_means_are(name: str) -> None:
    stated = posterior(SCORES[name], draws=20_000).equal.mean()
    expected = chance_of_equal(name)
    odds = np.log(stated / (1 - stated)) - np.log(expected / (1 - expected)) if expected > 1e-3 else 0.0
    assert abs(odds) < 0.25
    assert stated == pytest.approx(expected, abs=0.03)


def test_the_data_decide_in_these_examples() -> None:
    """Else the test above could not fail."""
    chances = {name: chance_of_equal(name) for name in SCORES}
    assert chances["far apart"] < 0.01
    assert 0.1 < chances["much alike"] < 0.6


def test_the_prior_is_five_hundredths_of_equal_and_a_half_cauchy() -> None:
    prior = module._prior()
    assert prior[0] == 0.05
    assert prior.sum() == pytest.approx(1)
    spreads = module.SPREADS[1:]
    assert (spreads[0], spreads[-1]) == (pytest.approx(0.03), pytest.approx(4.0))
    law = stats.halfcauchy(scale=0.5)
    # each point of the grid stands for what lies around it
    ends = np.sqrt(spreads[:-1] * spreads[1:])
    below = law.cdf(np.concatenate([[spreads[0] ** 1.5 / spreads[1] ** 0.5], ends]))
    above = law.cdf(np.concatenate([ends, [spreads[-1] ** 1.5 / spreads[-2] ** 0.5]]))
    share = (above - below) / (above - below).sum()
    np.testing.assert_allclose(prior[1:] / 0.95, share, atol=0.003)


def test_weights_are_densities_of_contrasts() -> None:
    """Up to what all weights share."""
    generator = np.random.default_rng(6)
    observed, errors = generator.standard_normal(4), generator.uniform(0.05, 2.0, (3, 4))
    spreads = np.array([0.0, 0.3, 1.5])
    weights = module._log_likelihoods(observed, errors, spreads**2)
    expected = [[by_contrasts(observed, row, spread) for spread in spreads] for row in errors]
    np.testing.assert_allclose(weights - weights[0, 0], np.array(expected) - expected[0][0], atol=1e-9)


def test_means_given_errors_and_a_spread_are_normal_as_dense_matrices_say() -> None:
    observed, errors, spread = np.array([0.0, 1.0, 3.0]), np.array([0.5, 1.0, 0.25]), 0.7
    # what is unknown: three means, and the centre, which is flat
    precision = np.diag(np.append(1 / errors, 0.0))
    tie = np.column_stack([np.eye(3), -np.ones(3)])
    precision += tie.T @ tie / spread**2
    covariance = np.linalg.inv(precision)
    expected = covariance @ np.append(observed / errors, 0.0)
    draws = 40_000
    drawn = module._means_given(
        observed, np.tile(errors, (draws, 1)), np.full(draws, spread**2), np.random.default_rng(7)
    )
    np.testing.assert_allclose(drawn.mean(axis=0), expected[:3], atol=0.015)
    np.testing.assert_allclose(np.cov(drawn.T), covariance[:3, :3], atol=0.015)


def test_without_a_spread_all_means_are_the_centre() -> None:
    drawn = module._means_given(np.array([0.0, 1.0]), np.ones((9, 2)), np.zeros(9), np.random.default_rng(8))
    np.testing.assert_array_equal(drawn[:, 0], drawn[:, 1])
    assert drawn.std() > 0


def test_variances_by_hand() -> None:
    scores = np.array([[0.0, 1.0, 5.0], [1.0, 1.0, 1.0], [2.0, 4.0, 0.0]])
    # less the means of seeds 2, 1 and 2: columns (-2, 0, 0), (-1, 0, 2), (3, 0, -2)
    squares = np.array([4 / 3, 7 / 3, 19 / 3])
    mean = 10 / 2
    own = np.array([0.0, 2.0, 14.0])  # (square - 5 / 3) * 3, not below 0
    np.testing.assert_allclose((squares - mean / 3) * 3, [-1, 2, 14])
    # the mean counts for four seeds, a strategy's own for two
    np.testing.assert_allclose(noise_variances(scores), (4 * mean + 2 * own) / 6)


def test_drawn_variances_are_inverse_chi_squares_of_four_degrees_more_than_the_seeds_have() -> None:
    variances = np.full(400, 3.0)
    drawn = module._variance_draws(variances, 7, np.random.default_rng(9)) / 3.0
    degrees = 10
    expected = stats.invgamma(degrees / 2, scale=degrees / 2)
    assert drawn.mean() == pytest.approx(expected.mean(), rel=0.02)
    assert stats.kstest(drawn.ravel()[::7], expected.cdf).pvalue > 0.001


def test_places_are_drawn_as_often_as_their_weights_say() -> None:
    weights = np.array([[0.1, 0.0, 0.2], [0.3, 0.15, 0.25]])
    rows, columns = module._chosen(np.log(np.maximum(weights, 1e-300)), 2000, np.random.default_rng(0))
    counts = np.zeros_like(weights)
    np.add.at(counts, (rows, columns), 1)
    np.testing.assert_allclose(counts / 2000, weights, atol=0.001)
