"""Fitted noise against plain loops, figures by hand, and factor models whose correlations are known."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from hemobench.benchmarks.surrogates.noise import margins
from hemobench.benchmarks.surrogates.noise.copula import EPOCH_FACTORS, KNOTS, SCORE_GRID, TRIAL_FACTORS, moments
from hemobench.benchmarks.surrogates.noise.margins import Residuals, copula, silent, smoothed

RNG = np.random.default_rng(8)
LEAST = 1e-6


def tricube(values: list[float], knot: float) -> list[float]:
    """Weights around one knot: up to a little beyond the 40th nearest, or two ninths of them where those are more."""
    distances = [abs(value - knot) for value in values]
    few = min(max(40, 2 * len(values) // 9), len(values))
    reach = max(1.001 * sorted(distances)[few - 1], LEAST)
    weights = [(1 - (d / reach) ** 3) ** 3 if d < reach else 0.0 for d in distances]
    return [weight / sum(weights) for weight in weights]


@settings(max_examples=12, deadline=None)
@given(st.lists(st.integers(0, 5).map(lambda k: k / 5), min_size=1, max_size=30))
def test_knots_are_quantiles_that_rise(values: list[float]) -> None:
    found = margins._knots(np.array(values)).tolist()
    wanted = [float(np.quantile(values, k / 8)) for k in range(KNOTS)]
    for k in range(1, KNOTS):
        wanted[k] = max(wanted[k], wanted[k - 1] + LEAST)
    assert found == pytest.approx(wanted, abs=1e-12)


def test_knots_of_even_values_are_even() -> None:
    assert margins._knots(np.arange(17) / 16) == pytest.approx(np.arange(9) / 8)
    assert margins._knots(np.full(5, 0.5)) == pytest.approx([0.5 + k * 1e-6 for k in range(9)], abs=1e-12)


@pytest.mark.parametrize("count", [3, 40, 60, 400])
def test_nearness_is_tricube(count: int) -> None:
    values, knots = RNG.random(count), np.sort(RNG.random(KNOTS))
    found = margins._nearness(values, knots)
    np.testing.assert_allclose(found, [tricube(values.tolist(), knot) for knot in knots.tolist()], atol=1e-12)
    np.testing.assert_allclose(found.sum(axis=1), 1)


def test_nearness_by_hand() -> None:
    """Of five, all are near: the reach is that of the farthest, and half of it away counts (1 - 1/8) cubed."""
    found = margins._nearness(np.array([0.0, 0.5, 1.0, 0.0, 1.0]), np.zeros(KNOTS))[0]
    middle = (1 - (0.5 / 1.001) ** 3) ** 3
    far = (1 - (1 / 1.001) ** 3) ** 3
    assert found == pytest.approx(np.array([1, middle, far, 1, far]) / (2 + middle + 2 * far))
    assert found[1] / found[0] == pytest.approx((7 / 8) ** 3, rel=2e-3)
    assert margins._nearness(np.full(4, 0.3), np.full(KNOTS, 0.3)) == pytest.approx(np.full((KNOTS, 4), 0.25))


def test_weighted_quantiles_by_hand() -> None:
    """A value stands at the middle of its weight; between lies a line, and beyond the ends nothing changes."""
    weights = np.array([[0.2, 0.5, 0.3], [0.6, 0.2, 0.2]])
    found = margins._quantiles(np.array([3.0, 1.0, 2.0]), weights)
    assert found.shape == (2, len(SCORE_GRID))
    at = {score: k for k, score in enumerate(SCORE_GRID.round(6).tolist())}
    # 1 stands at .25, 2 at .65, 3 at .9; and then 1 at .1, 2 at .3, 3 at .7
    for score, wanted in (
        (-3.0, (1.0, 1.0)),
        (0.0, (1 + 0.25 / 0.4, 2 + 0.2 / 0.4)),
        (-0.4, (1 + (0.344578 - 0.25) / 0.4, 2 + (0.344578 - 0.3) / 0.4)),
        (1.0, (2 + (0.841345 - 0.65) / 0.25, 3.0)),
        (3.0, (3.0, 3.0)),
    ):
        assert found[:, at[score]] == pytest.approx(wanted, abs=1e-5)


def residuals(count: int = 120, looks: int = 2, outputs: int = 3) -> Residuals:
    """Of any size and shape, different at every length and output; more offsets than residuals."""
    rng = np.random.default_rng(4)
    shape = (count, looks, outputs)
    return Residuals(
        predicted=rng.random(shape),
        shapes=rng.gamma(2.0, size=shape) - 1.0,
        squares=rng.exponential(1e-4, shape) * (1 + np.arange(outputs)),
        offsets=rng.normal(0.01, 0.02, (count + 30, looks, outputs)),
        offsets_at=rng.random((count + 30, looks, outputs)),
    )


@pytest.mark.parametrize(("look", "output"), [(0, 2), (1, 0)])
def test_margins_have_the_size_and_the_mean_that_were_found_nearby(look: int, output: int) -> None:
    found = residuals()
    knots = margins._knots(found.predicted[:, look, output])
    margin = margins._margin(found, look, output, knots)
    mean, deviation = moments(margin)
    for k, knot in enumerate(knots.tolist()):
        near = tricube(found.predicted[:, look, output].tolist(), knot)
        around = tricube(found.offsets_at[:, look, output].tolist(), knot)
        square = sum(w * s for w, s in zip(near, found.squares[:, look, output].tolist(), strict=True))
        offset = sum(w * o for w, o in zip(around, found.offsets[:, look, output].tolist(), strict=True))
        assert deviation[k] == pytest.approx(math.sqrt(square), rel=1e-6)
        assert mean[k] == pytest.approx(offset, abs=1e-9)
        # and the shape of the residuals: moved and stretched, nothing else
        pairs = sorted(zip(found.shapes[:, look, output].tolist(), near, strict=True))
        below = [sum(w for _, w in pairs[:i]) + pairs[i][1] / 2 for i in range(len(pairs))]
        shape = np.interp(norm.cdf(SCORE_GRID), below, [value for value, _ in pairs])
        assert np.corrcoef(shape, margin[k])[0, 1] == pytest.approx(1)


def test_residuals_without_any_difference_have_their_offset_alone() -> None:
    nothing = np.zeros((50, 1, 1))
    places = np.linspace(0, 1, 50).reshape(50, 1, 1)
    found = Residuals(places, nothing, nothing, nothing + 0.02, places)
    assert margins._margin(found, 0, 0, margins._knots(places[:, 0, 0])) == pytest.approx(0.02)


def test_means_nearby_are_smoothed_between_knots_and_constant_beyond() -> None:
    at, values = RNG.random(70), RNG.standard_normal(70)
    knots = margins._knots(at)
    means = [sum(w * v for w, v in zip(tricube(at.tolist(), k), values.tolist(), strict=True)) for k in knots.tolist()]
    assert smoothed(values, at, knots) == pytest.approx(means)
    middles = (knots[1:] + knots[:-1]) / 2
    assert smoothed(values, at, middles) == pytest.approx([(a + b) / 2 for a, b in pairwise(means)])
    assert smoothed(values, at, np.array([-5.0, 5.0])) == pytest.approx([means[0], means[-1]])
    assert smoothed(np.full(70, 3.0), at, at) == pytest.approx(np.full(70, 3.0))


def test_scores_are_those_of_the_shape_at_the_predicted_value() -> None:
    """Skewed upwards where little is predicted, downwards and ten times as large where much is."""
    knots, size = np.linspace(0, 1, KNOTS), 400
    share = knots[:, None]
    shape = (1 - share) * np.exp(SCORE_GRID / 2) - share * np.exp(-SCORE_GRID / 2)
    known = norm.ppf((np.arange(size) + 0.5) / size)
    low = np.interp(known, SCORE_GRID, shape[0])
    low -= low.mean()
    shapes = np.concatenate([low, -10 * low])
    predicted = np.repeat([0.0, 1.0], size)
    found = margins._scores(shapes, predicted, knots, shape)
    assert found.mean() == pytest.approx(0, abs=1e-12)
    assert found.std() == pytest.approx(1)
    np.testing.assert_allclose(found, np.concatenate([known, -known]) / known.std(), atol=0.05)
    assert not margins._scores(np.zeros(size), known, knots, shape).any()


def test_scores_of_normal_residuals_are_the_residuals_themselves() -> None:
    """Also of such that are exactly as often above as below. Where none is expected, it is above or below all."""
    residual = np.array([-4.0, -3.0, -1.0, 0.5, 1.0, 1.5, 2.0, 3.0]) / 64
    residual = np.tile(np.concatenate([residual, -residual]), 4)
    knots, places = np.linspace(0, 1, KNOTS), np.full(64, 0.4)
    found = margins._scores(residual, places, knots, np.tile(0.01 * SCORE_GRID - 0.3, (KNOTS, 1)))
    np.testing.assert_allclose(found, residual / residual.std(), atol=1e-9)
    found = margins._scores(residual, places, knots, np.zeros((KNOTS, len(SCORE_GRID))))
    np.testing.assert_array_equal(found, np.sign(residual))


def test_where_nothing_differs_scores_are_those_of_no_difference() -> None:
    """Half of the residuals are 0 where others are predicted; or all are alike."""
    knots, line = np.linspace(0, 1, KNOTS), np.tile(SCORE_GRID, (KNOTS, 1))
    known = norm.ppf((np.arange(50) + 0.5) / 50)
    found = margins._scores(np.concatenate([known, np.zeros(50)]), np.repeat([0.0, 1.0], 50), knots, line)
    np.testing.assert_allclose(found[:50], known / known.std() * math.sqrt(2), atol=1e-9)
    np.testing.assert_allclose(found[50:], 0, atol=1e-9)
    np.testing.assert_allclose(margins._scores(np.full(50, 0.125), known, knots, line), 0, atol=1e-6)


def test_scores_between_two_knots_are_those_of_both_shapes_mixed() -> None:
    """Half way, of margins that are a line and a cube: the same as of their mean."""
    knots = np.linspace(0, 1, KNOTS)
    shape = np.tile(SCORE_GRID, (KNOTS, 1))
    shape[5] = SCORE_GRID**3
    known = norm.ppf((np.arange(300) + 0.5) / 300)
    residual = np.interp(known, SCORE_GRID, (shape[4] + shape[5]) / 2)
    found = margins._scores(residual, np.full(300, 9 / 16), knots, shape)
    np.testing.assert_allclose(found, known / known.std(), atol=0.02)


def scores_of(covariance: np.ndarray, shape: tuple[int, int], count: int = 200) -> np.ndarray:
    """Scores whose sample covariance is exactly so, shape (count, looks, outputs)."""
    drawn = np.random.default_rng(6).standard_normal((count, len(covariance)))
    white = np.linalg.qr(drawn - drawn.mean(axis=0))[0] * math.sqrt(count)
    return (white @ np.linalg.cholesky(covariance).T).reshape(count, *shape)


def correlations_of(trial: np.ndarray, epoch: np.ndarray) -> np.ndarray:
    """Between all lengths and outputs, of numbers that a trial shares and numbers of one length."""
    looks, outputs = len(trial), trial.shape[2]
    found = np.zeros((looks, outputs, looks, outputs))
    for t in range(looks):
        for u in range(looks):
            found[t, :, u] = trial[t].T @ trial[u] + (epoch[t].T @ epoch[t] if t == u else 0)
    return found.reshape(looks * outputs, looks * outputs)


def correlated(looks: int, outputs: int) -> np.ndarray:
    loadings = np.random.default_rng(7).standard_normal((looks * outputs, 3))
    covariance = loadings @ loadings.T + np.eye(looks * outputs)
    size = np.sqrt(np.diag(covariance))
    return covariance / np.outer(size, size)


def test_known_correlations_are_given_back() -> None:
    known = correlated(3, 4)
    trial, epoch = margins._loadings(scores_of(known, (3, 4)), [1])
    assert trial.shape == (3, TRIAL_FACTORS, 4)
    assert epoch.shape == (3, EPOCH_FACTORS, 4)
    np.testing.assert_allclose(correlations_of(trial, epoch), known, atol=1e-9)


@pytest.mark.parametrize("important", [[], [0], [1, 2]])
def test_fewer_factors_than_correlations_keep_the_first_directions(
    important: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those of the covariance with the emphasis on it; what belongs to one length is given back whole."""
    monkeypatch.setattr(margins, "TRIAL_FACTORS", 2)
    known = correlated(3, 4)
    trial, epoch = margins._loadings(scores_of(known, (3, 4)), important)
    assert trial.shape == (3, 2, 4)
    found = correlations_of(trial, epoch).reshape(3, 4, 3, 4)
    emphasis = np.tile([4.0 if m in important else 1.0 for m in range(4)], 3)
    values, vectors = np.linalg.eigh(known * np.outer(emphasis, emphasis))
    first = (vectors[:, -2:] * values[-2:]) @ vectors[:, -2:].T / np.outer(emphasis, emphasis)
    for t in range(3):
        for u in range(3):
            wanted = known if t == u else first
            np.testing.assert_allclose(found[t, :, u], wanted.reshape(3, 4, 3, 4)[t, :, u], atol=1e-9)


@pytest.mark.parametrize("important", [[], [2]])
def test_an_epochs_own_directions_are_its_largest(important: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    """Without any of the trial, two of each epoch's, with the emphasis on them; then made whole to variances of 1."""
    monkeypatch.setattr(margins, "TRIAL_FACTORS", 0)
    monkeypatch.setattr(margins, "EPOCH_FACTORS", 2)
    known = correlated(2, 5)
    trial, epoch = margins._loadings(scores_of(known, (2, 5)), important)
    assert trial.shape == (2, 0, 5)
    emphasis = np.array([4.0 if m in important else 1.0 for m in range(5)])
    for t in range(2):
        own = known[5 * t : 5 * t + 5, 5 * t : 5 * t + 5] * np.outer(emphasis, emphasis)
        values, vectors = np.linalg.eigh(own)
        first = (vectors[:, -2:] * values[-2:]) @ vectors[:, -2:].T
        size = np.sqrt(np.diag(first))
        np.testing.assert_allclose(epoch[t].T @ epoch[t], first / np.outer(size, size), atol=1e-9)


def test_two_outputs_that_are_one_stay_one() -> None:
    """At every length, of more lengths and outputs than a trial has numbers."""
    scores = np.random.default_rng(9).standard_normal((100, 16, 4))
    scores[:, :, 3] = scores[:, :, 0]
    scores = (scores - scores.mean(axis=0)) / scores.std(axis=0)
    trial, epoch = margins._loadings(scores, [])
    for t in range(16):
        found = trial[t].T @ trial[t] + epoch[t].T @ epoch[t]
        np.testing.assert_allclose(found, np.corrcoef(scores[:, t].T), atol=1e-9)
        assert np.abs(epoch[t]).max() > 0.1


def test_what_is_missing_falls_to_the_epochs_own() -> None:
    trial = np.array([[[0.6, 3.0, 0.0, 0.8], [0.0, 4.0, 0.0, 0.0]]])
    epoch = np.array([[[3.0, 1.0, 0.0, 0.1], [4.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0]]])
    found = margins._completed(trial, epoch)
    assert found[0] == pytest.approx(np.array([[[0.6, 0.6, 0.0, 0.8], [0.0, 0.8, 0.0, 0.0]]]))
    assert found[1] == pytest.approx(np.array([[[0.48, 0.0, 1.0, 0.6], [0.64, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0]]]))


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 999), st.integers(1, 4), st.integers(1, 9), st.integers(2, 60))
def test_squares_of_loadings_sum_to_one(seed: int, looks: int, outputs: int, count: int) -> None:
    """Of scores of any number, also fewer than there are factors; two of them alike, and one that is always 0."""
    scores = np.random.default_rng(seed).standard_normal((count, looks, outputs))
    scores[:, :, -1] = scores[:, :, 0]
    scores[:, 0, 0] = 0
    size = scores.std(axis=0)
    scores = (scores - scores.mean(axis=0)) / np.where(size > 0, size, 1)
    trial, epoch = margins._loadings(scores, [0])
    np.testing.assert_allclose((trial**2).sum(axis=1) + (epoch**2).sum(axis=1), 1, atol=1e-9)


def test_a_copula_is_fitted_length_by_length_and_output_by_output() -> None:
    """Standard normal residuals, correlated as known and of sizes of their own."""
    known = correlated(2, 3)
    shapes = scores_of(known, (2, 3), 300)
    sizes = 0.01 * np.array([[1, 2, 3], [4, 5, 6]])
    places = np.random.default_rng(3).random((300, 2, 3)) * (1 + np.arange(3))
    found = Residuals(places, shapes, np.tile(sizes**2, (300, 1, 1)), np.full((9, 2, 3), 0.003), places[:9])
    fitted = copula(found, [0])
    for t in range(2):
        for m in range(3):
            np.testing.assert_allclose(fitted.knots[t, m], np.quantile(places[:, t, m], np.linspace(0, 1, KNOTS)))
            mean, deviation = moments(fitted.margins[t, m])
            assert deviation == pytest.approx(np.full(KNOTS, sizes[t, m]))
            assert mean == pytest.approx(np.full(KNOTS, 0.003))
    np.testing.assert_allclose(correlations_of(fitted.trial, fitted.epoch), known, atol=0.05)


def test_silence_adds_nothing() -> None:
    quiet = silent(2, 3)
    assert not quiet.margins.any()
    assert (np.diff(quiet.knots, axis=2) > 0).all()
    assert ((quiet.trial**2).sum(axis=1) + (quiet.epoch**2).sum(axis=1) == 1).all()
    assert quiet.knots[..., 0].max() == 0
    assert quiet.knots[..., -1].min() == 1
