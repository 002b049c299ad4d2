"""Noise that is drawn, and its moments, against scipy's interpolation and integrals, loops and figures by hand."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.interpolate import RegularGridInterpolator
from scipy.stats import norm

from hemobench.benchmarks import noise
from hemobench.benchmarks.surrogates.noise.copula import (
    EPOCH_FACTORS,
    KNOTS,
    REACH,
    SCORE_GRID,
    SCORES,
    TRIAL_FACTORS,
    Copula,
    Drawn,
    moments,
)
from hemobench.benchmarks.surrogates.noise.gaussian import Gaussian, spread
from hemobench.benchmarks.surrogates.noise.margins import silent

LOOKS, OUTPUTS = 3, 4
BETWEEN = [(0, 0, 0.0), (0, 0, 0.0), (0, 1, 0.25), (1, 1, 0.0), (1, 2, 0.7), (2, 2, 0.0)]
"""Of epochs from 0: the first, the third and the fifth were recorded."""
POWERS = [0.5, 1.0, 0.25, 0.75]
CONFIG = {"learning_rate": 0.001, "batch_size": 32}


def random_copula(seed: int = 3) -> Copula:
    """Knots between 0.2 and 0.8, quantiles in no order at all, so that none can stand for another."""
    rng = np.random.default_rng(seed)
    trial = rng.standard_normal((LOOKS, TRIAL_FACTORS, OUTPUTS))
    epoch = rng.standard_normal((LOOKS, EPOCH_FACTORS, OUTPUTS))
    size = np.sqrt((trial**2).sum(axis=1) + (epoch**2).sum(axis=1))[:, None]
    return Copula(
        knots=np.sort(rng.uniform(0.2, 0.8, (LOOKS, OUTPUTS, KNOTS)), axis=2),
        margins=rng.uniform(-0.1, 0.1, (LOOKS, OUTPUTS, KNOTS, SCORES)),
        trial=trial / size,
        epoch=epoch / size,
    )


def numbers(folds: int, epochs: int, seed: int = 0, size: float = 1.0) -> Drawn:
    rng = np.random.default_rng(seed)
    trial, epoch = (
        size * rng.standard_normal(shape) for shape in ((folds, TRIAL_FACTORS), (folds, epochs, EPOCH_FACTORS))
    )
    return Drawn(trial, epoch, [0.0] * folds)


def added(copula: Copula, look: int, output: int, predicted: float, score: float) -> float:
    """Linear both ways between knots and scores, constant beyond the ends of either."""
    knots = copula.knots[look, output]
    grid = RegularGridInterpolator((knots, SCORE_GRID), copula.margins[look, output])
    return float(grid((min(max(predicted, knots[0]), knots[-1]), min(max(score, -3.0), 3.0))))


def after(copula: Copula, epoch: int, output: int, predicted: float, trial: np.ndarray, own: np.ndarray) -> float:
    """One output with noise after one epoch, from the numbers of its trial and of this epoch."""
    low, high, share = BETWEEN[epoch]
    loadings = [
        (1 - share) * each[low, :, output] + share * each[high, :, output] for each in (copula.trial, copula.epoch)
    ]
    score = (loadings[0] @ trial + loadings[1] @ own) / np.sqrt(sum((each**2).sum() for each in loadings))
    ends = [added(copula, look, output, predicted, score) for look in (low, high)]
    return min(max(predicted + (1 - share) * ends[0] + share * ends[1], 0.0), 1.0)


@pytest.mark.parametrize("epochs", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("size", [1.0, 3.0])
def test_figures_and_curve_are_interpolated_between_knots_scores_and_lengths(epochs: int, size: float) -> None:
    """Also beyond the outermost knots, and, of larger numbers, of the outermost scores."""
    copula, drawn = random_copula(), numbers(20, epochs, epochs, size)
    rng = np.random.default_rng(5)
    outputs, curve = rng.random((20, OUTPUTS)), rng.random((20, epochs))
    figures, along = copula.answer(outputs, curve, copula.plan(BETWEEN, epochs), drawn)
    for f in range(20):
        wanted = [after(copula, epochs, m, outputs[f, m], drawn.trial[f], drawn.epoch[f, -1]) for m in range(OUTPUTS)]
        assert figures[f] == pytest.approx(wanted, abs=1e-6)
        wanted = [
            after(copula, e + 1, OUTPUTS - 1, curve[f, e], drawn.trial[f], drawn.epoch[f, e]) for e in range(epochs)
        ]
        assert along[f] == pytest.approx(wanted, abs=1e-6)


def alone(copula: Copula) -> Copula:
    """The same, its scores the trial's first number."""
    trial = np.zeros_like(copula.trial)
    trial[:, 0] = 1.0
    return replace(copula, trial=trial, epoch=np.zeros_like(copula.epoch))


def scored(copula: Copula, predicted: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """What is added to the second output after the first recorded length, for any scores."""
    trial = np.zeros((len(scores), TRIAL_FACTORS))
    trial[:, 0] = scores
    drawn = Drawn(trial, np.zeros((len(scores), 1, EPOCH_FACTORS)), [0.0] * len(scores))
    outputs = np.tile(predicted[:, None], (1, OUTPUTS))
    figures, _ = copula.answer(outputs, outputs[:, :1], copula.plan(BETWEEN, 1), drawn)
    return figures[:, 1] - predicted


def test_at_knots_and_scores_stand_the_quantiles_themselves() -> None:
    copula = alone(random_copula())
    for k in range(KNOTS):
        found = scored(copula, np.full(SCORES, copula.knots[0, 1, k]), SCORE_GRID)
        np.testing.assert_allclose(found, copula.margins[0, 1, k], atol=1e-8)


@pytest.mark.parametrize(("side", "knot"), [(-1, 0), (1, KNOTS - 1)])
def test_beyond_the_ends_nothing_changes(side: int, knot: int) -> None:
    """Neither beyond a knot, nor beyond a score, nor beyond both."""
    copula = alone(random_copula())
    end = copula.knots[0, 1, knot]
    places = end + side * np.linspace(0, 0.1, 7)
    scores = np.full(7, 1.23)
    assert scored(copula, places, scores) == pytest.approx(np.full(7, added(copula, 0, 1, end, 1.23)), abs=1e-8)
    far = side * np.array([REACH, REACH + 1e-12, 3.5, 5.0, 50.0, 1e9, np.inf])
    middle = np.full(7, 0.5)
    assert scored(copula, middle, far) == pytest.approx(np.full(7, added(copula, 0, 1, 0.5, 3.0 * side)), abs=1e-8)
    corner = copula.margins[0, 1, knot, 0 if side < 0 else -1]
    assert scored(copula, places, far) == pytest.approx(np.full(7, corner), abs=1e-8)


def test_what_is_answered_is_a_fraction() -> None:
    """A little below 0 is 0, a little above 1 is 1; in between nothing is drawn in."""
    copula = silent(1, 2)
    for by, places, wanted in (
        (0.3, [0.0, 0.6, 0.8], [0.3, 0.9, 1.0]),
        (-0.3, [0.2, 0.4, 1.0], [0.0, 0.1, 0.7]),
    ):
        moved = replace(copula, margins=np.full_like(copula.margins, by))
        outputs = np.tile(np.array(places)[:, None], (1, 2))
        figures, curve = moved.answer(outputs, outputs, moved.plan([(0, 0, 0.0)] * 3, 2), numbers(3, 2))
        assert figures == pytest.approx(np.tile(np.array(wanted)[:, None], (1, 2)))
        assert curve == pytest.approx(figures)


def integral(quantiles: np.ndarray, power: int) -> float:
    """Of a power of quantiles over a standard normal score, piece by piece."""
    ends = [-8.0, *SCORE_GRID.tolist(), 8.0]
    return sum(
        quad(lambda s: np.interp(s, SCORE_GRID, quantiles) ** power * norm.pdf(s), *piece)[0]
        for piece in pairwise(ends)
    )


def test_moments_are_integrals_over_normal_scores() -> None:
    quantiles = np.random.default_rng(6).standard_normal(SCORES) + 1.0
    mean, deviation = moments(quantiles)
    first, second = (integral(quantiles, power) for power in (1, 2))
    assert mean == pytest.approx(first, abs=1e-5)
    assert deviation == pytest.approx(np.sqrt(second - first**2), rel=5e-4)


def test_moments_of_simple_shapes() -> None:
    """A constant; a line, of deviation 1 but for what lies beyond three; and a sign, as far as a line can be one."""
    mean, deviation = moments(np.stack([np.full(SCORES, 0.2), 0.1 * SCORE_GRID + 0.3, np.sign(SCORE_GRID)]))
    assert mean == pytest.approx([0.2, 0.3, 0.0], abs=1e-9)
    assert deviation[0] == pytest.approx(0.0, abs=1e-7)
    # the variance of a normal number that is held within three
    within = norm.cdf(3) - norm.cdf(-3) - 6 * norm.pdf(3) + 9 * 2 * norm.sf(3)
    assert deviation[1] == pytest.approx(0.1 * np.sqrt(within), rel=1e-4)
    # between -0.2 and 0.2 the sign's square is that of five times the score
    inner = quad(lambda s: (25 * s**2 - 1) * norm.pdf(s), -0.2, 0.2)[0]
    assert deviation[2] == pytest.approx(np.sqrt(1 + inner), rel=1e-4)


def test_moments_between_lengths_are_mixed_by_the_share() -> None:
    copula = random_copula()
    places = np.random.default_rng(7).random((5, OUTPUTS))
    known = moments(copula.margins)
    for low, high, share in ((0, 0, 0.0), (2, 2, 0.0), (0, 1, 0.25), (1, 2, 0.7)):
        found = copula.moments(places, (low, high, share))
        for m in range(OUTPUTS):
            for kind in range(2):
                ends = [np.interp(places[:, m], copula.knots[look, m], known[kind][look, m]) for look in (low, high)]
                assert found[kind][:, m] == pytest.approx((1 - share) * ends[0] + share * ends[1])


def test_moments_are_those_of_what_is_drawn() -> None:
    """Of many trials with the same prediction, between two knots whose quantiles have one shape and two sizes."""
    copula, drawn = random_copula(), numbers(20_000, 3)
    sizes = np.linspace(0.01, 0.05, KNOTS)[:, None]
    copula = replace(copula, margins=np.broadcast_to(sizes * np.exp(SCORE_GRID / 2), copula.margins.shape).copy())
    outputs = np.full((20_000, OUTPUTS), 0.5)
    figures, _ = copula.answer(outputs, np.full((20_000, 3), 0.5), copula.plan(BETWEEN, 3), drawn)
    mean, deviation = copula.moments(outputs[:1], BETWEEN[3])
    error = deviation[0].max() / 20_000**0.5
    assert figures.mean(axis=0) - 0.5 == pytest.approx(mean[0], abs=4 * error)
    assert figures.std(axis=0) == pytest.approx(deviation[0], rel=0.03)


def test_numbers_are_drawn_in_order_and_none_is_used_twice() -> None:
    """Those of all epochs, then the failure's, then epoch by epoch; each fold has its own generator."""
    drawn = random_copula().draw(["x/0", "x/1"], 2, 5, CONFIG, 4)
    assert drawn.trial.shape == (2, 23)
    assert drawn.epoch.shape == (2, 4, 6)
    for fold, name in enumerate(("x/0", "x/1")):
        stream = noise.generator(name, 2, 5, CONFIG)
        assert drawn.trial[fold].tolist() == stream.standard_normal(23).tolist()
        assert drawn.failure[fold] == stream.standard_normal()
        for epoch in range(4):
            assert drawn.epoch[fold, epoch].tolist() == stream.standard_normal(6).tolist()


def test_a_shorter_trial_gets_the_beginning_of_a_longer_ones_numbers() -> None:
    for kind in (random_copula(), random_gaussian()):
        short, long = (kind.draw(["x"], 1, 0, CONFIG, epochs) for epochs in (2, 5))
        np.testing.assert_array_equal(short.trial, long.trial)
        np.testing.assert_array_equal(short.epoch, long.epoch[:, :2])
        assert short.failure == long.failure


def random_gaussian() -> Gaussian:
    rng = np.random.default_rng(9)
    factors, rest = rng.normal(0, 0.1, (LOOKS, 12, OUTPUTS)), rng.uniform(0.1, 0.3, (LOOKS, OUTPUTS))
    return Gaussian(factors, rest, np.array(POWERS))


def test_gaussian_noise_is_drawn_of_twelve_numbers_and_one_of_each_epoch() -> None:
    drawn = random_gaussian().draw(["x/0", "x/1"], 2, 5, CONFIG, 3)
    assert drawn.trial.shape == (2, 12)
    assert drawn.epoch.shape == (2, 3, 1)
    for fold, name in enumerate(("x/0", "x/1")):
        wanted = noise.generator(name, 2, 5, CONFIG).standard_normal(19)
        assert drawn.trial[fold].tolist() == wanted[:12].tolist()
        assert drawn.failure[fold] == wanted[15]
        assert drawn.epoch[fold, :, 0].tolist() == wanted[16:].tolist()


@pytest.mark.parametrize("epochs", [1, 2, 4])
def test_gaussian_noise_is_linear_in_its_numbers_and_in_the_length(epochs: int) -> None:
    kind, rng = random_gaussian(), np.random.default_rng(epochs)
    outputs, curve = rng.random((4, OUTPUTS)), rng.random((4, epochs))
    drawn = Drawn(4 * rng.standard_normal((4, 12)), 4 * rng.standard_normal((4, epochs, 1)), [0.0] * 4)
    figures, along = kind.answer(outputs, curve, kind.plan(BETWEEN, epochs), drawn)

    def one(epoch: int, m: int, p: float, f: int) -> float:
        low, high, share = BETWEEN[epoch]
        ends = [
            sum(kind.factors[t, k, m] * drawn.trial[f, k] for k in range(12))
            + kind.rest[t, m] * drawn.epoch[f, epoch - 1, 0]
            for t in (low, high)
        ]
        size = max(p * (1 - p), 1e-4) ** POWERS[m]
        return min(max(p + size * ((1 - share) * ends[0] + share * ends[1]), 0.0), 1.0)

    for f in range(4):
        assert figures[f] == pytest.approx([one(epochs, m, outputs[f, m], f) for m in range(OUTPUTS)])
        assert along[f] == pytest.approx([one(e + 1, OUTPUTS - 1, curve[f, e], f) for e in range(epochs)])


def test_gaussian_deviations_by_hand() -> None:
    """Of 0.03, 0.04 and, of one epoch, 0.12: together 0.13, times the variance of a yes or no to a power."""
    factors, rest = np.zeros((2, 12, 1)), np.zeros((2, 1))
    factors[0, :2, 0], rest[0] = (0.03, 0.04), 0.12
    factors[1, :2, 0], rest[1] = (0.09, 0.12), 0.36
    kind = Gaussian(factors, rest, np.array([0.5]))
    for between, wanted in (((0, 0, 0.0), 0.13), ((1, 1, 0.0), 0.39), ((0, 1, 0.25), 0.195)):
        mean, deviation = kind.moments(np.array([[0.5], [0.2], [0.0]]), between)
        assert not mean.any()
        assert deviation[:, 0] == pytest.approx(wanted * np.array([0.5, 0.4, 0.01]))


def test_the_variance_of_a_yes_or_no_is_kept_away_from_nothing() -> None:
    assert spread(np.array([0.0, 1e-5, 0.2, 0.5, 1.0])) == pytest.approx([1e-4, 1e-4, 0.16, 0.25, 1e-4])
