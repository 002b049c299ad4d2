"""Noise that is drawn against noise that is known: size, shape, correlations, and the lengths of training between."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
from contracts import synthetic_tables as synthetic
from scipy.stats import skew

from hemobench.benchmarks.evaluators.surrogate import SurrogateEvaluator
from hemobench.benchmarks.surrogates.fit import fit
from hemobench.benchmarks.surrogates.network import Training
from hemobench.benchmarks.surrogates.noise.copula import KNOTS
from hemobench.benchmarks.surrogates.noise.lines import Lines
from hemobench.benchmarks.surrogates.noise.repeats import repeats
from hemobench.benchmarks.surrogates.spread import likeliest
from hemobench.benchmarks.surrogates.surrogate import Surrogate
from hemobench.benchmarks.surrogates.targets import targets
from hemobench.strategies.base import Proposal
from hemobench.strategies.space import random_stream

HOW = Training(steps=600, decay=0.6)
HUMPS = 0.06
FIRST, LAST = 0.07, 0.01


def noise(level: float, rng: np.random.Generator) -> np.ndarray:
    """Two humps after one epoch; later skewed and, at full length, larger the worse the configuration.

    Validation and test are correlated by 0.8, the last two lengths by 0.6.
    """
    hump = HUMPS * rng.choice([-1, 1])
    common = rng.gamma(2.0, size=1)[0] - 2.0  # skewness 1.41, variance 2
    late = 0.6 * common + 0.8 * (rng.gamma(2.0, size=1)[0] - 2.0)
    test_middle, test_late = (0.8 * x + 0.6 * (rng.gamma(2.0) - 2.0) for x in (common, late))
    size = last_deviation(level) / math.sqrt(2)
    first = [hump + 0.01 * rng.standard_normal(), hump + 0.01 * rng.standard_normal()]
    middle = [0.02 / math.sqrt(2) * common, 0.02 / math.sqrt(2) * test_middle]
    return np.array([first, middle, [size * late, size * test_late]])


def last_deviation(level: float) -> float:
    """At full length."""
    return 0.005 + 0.06 * (0.9 - level)


@pytest.fixture(scope="module")
def noisy() -> Surrogate:
    table = synthetic.recorded(synthetic.smooth_truth, noise, configs=200, seeds=5)
    return fit(table, how=HOW)


def drawn(surrogate: Surrogate, config: dict, epochs: int, seeds: int = 1500) -> np.ndarray:
    """Validation and test accuracy of many seeds, shape (seeds, 2)."""
    evaluator = SurrogateEvaluator(surrogate, "x@surrogate", 1, member="mean")
    outcomes = [evaluator.evaluate(Proposal(config, epochs), seed) for seed in range(seeds)]
    return np.array([(o.validation["accuracy"], o.test["accuracy"]) for o in outcomes])


def configs_of_level(low: float, high: float) -> list:
    """A few configurations of a true quality."""
    stream = islice(random_stream(synthetic.SPACE, 77), 400)
    return [c for c in stream if low < synthetic.smooth_truth(c) < high][:3]


@pytest.mark.parametrize(("low", "high"), [(0.70, 0.76), (0.86, 0.90)])
def test_noise_at_full_length_is_that_of_full_length_and_of_the_quality(noisy, low, high):
    """Not the first epoch's, which is many times as large; not that of all configurations, which is in between."""
    for config in configs_of_level(low, high):
        figures = drawn(noisy, config, 10)
        wanted = last_deviation(synthetic.smooth_truth(config))
        assert figures[:, 0].std() == pytest.approx(wanted, rel=0.25)
        assert skew(figures[:, 0]) > 0.4
        assert np.corrcoef(figures.T)[0, 1] == pytest.approx(0.8, abs=0.12)


def test_what_was_two_humped_is(noisy):
    """After one epoch hardly any training lies where the mean is."""
    for config in configs_of_level(0.80, 0.88):
        figures = drawn(noisy, config, 1)[:, 0]
        apart = np.abs(figures - figures.mean())
        assert figures.std() == pytest.approx(math.hypot(HUMPS, 0.01), rel=0.15)
        assert (apart < HUMPS / 3).mean() < 0.15  # of a normal distribution: 0.26


def test_lengths_of_training_go_together_as_recorded(noisy):
    """The last two by 0.6; the first with none."""
    config = configs_of_level(0.80, 0.88)[0]
    one, middle, last = (drawn(noisy, config, epochs)[:, 0] for epochs in (1, 4, 10))
    assert np.corrcoef(middle, last)[0, 1] == pytest.approx(0.6, abs=0.12)
    assert abs(np.corrcoef(one, last)[0, 1]) < 0.15


def test_what_is_free_of_noise_is_the_mean_of_what_is_drawn(noisy):
    evaluator = SurrogateEvaluator(noisy, "x@surrogate", 1)
    for config in configs_of_level(0.70, 0.90):
        figures = drawn(noisy, config, 10)
        assert evaluator.noise_free(config)[0]["accuracy"] == pytest.approx(figures[:, 0].mean(), abs=2e-3)
        assert evaluator.noise_free(config)[0]["accuracy"] == pytest.approx(synthetic.smooth_truth(config), abs=0.015)


def plain(level: float, rng: np.random.Generator) -> np.ndarray:
    """Normal noise, independent everywhere: large after one epoch, small at full length."""
    return rng.standard_normal((3, 2)) * np.array([[FIRST], [0.03], [LAST]])


def test_two_seeds_of_a_configuration_are_enough_for_their_deviation():
    """About their own mean they deviate by half the variance; the degree of freedom makes it whole."""
    table = synthetic.recorded(synthetic.smooth_truth, plain, configs=250, seeds=2)
    found = repeats(targets(table))
    deviations = np.sqrt((found.differences[..., 0] ** 2).mean(axis=0))
    assert deviations == pytest.approx([FIRST, 0.03, LAST], rel=0.12)
    surrogate = fit(table, how=HOW)
    for epochs, wanted in ((1, FIRST), (10, LAST)):
        pooled = [drawn(surrogate, config, epochs, 400)[:, 0].std() for config in configs_of_level(0.75, 0.85)]
        assert np.mean(pooled) == pytest.approx(wanted, rel=0.15)


def between(low: int, high: int, epoch: int) -> float:
    return math.log(epoch / low) / math.log(high / low)


@pytest.mark.parametrize(("low", "high", "epoch"), [(1, 4, 3), (4, 10, 5)])
def test_lengths_between_recorded_ones_lie_nearer_to_the_nearer(noisy, low, high, epoch):
    """Predictions, costs, noise and curve after an epoch that nobody looked at."""
    share = between(low, high, epoch)
    assert abs(share - 0.5) > 0.15
    config = configs_of_level(0.80, 0.88)[0]
    ends = [np.log(p / (1 - p)) for p in (noisy.predict(config, e).outputs for e in (low, high))]
    middle = noisy.predict(config, epoch).outputs
    assert np.log(middle / (1 - middle)) == pytest.approx((1 - share) * ends[0] + share * ends[1], abs=2e-3)
    assert noisy.seconds_at(noisy.predict(config, 10).seconds, epoch) == pytest.approx(2.0 * epoch, rel=0.03)
    sizes = [drawn(noisy, config, e, 800)[:, 0].std() for e in (low, high, epoch)]
    assert sizes[2] == pytest.approx((1 - share) * sizes[0] + share * sizes[1], rel=0.12)
    evaluator = SurrogateEvaluator(noisy, "x@surrogate", 1, member="mean")
    curves = np.array([evaluator.evaluate(Proposal(config, 10), seed).curve for seed in range(800)])
    assert curves[:, epoch - 1].std() == pytest.approx((1 - share) * sizes[0] + share * sizes[1], rel=0.15)
    means = curves.mean(axis=0)
    wanted = (1 - share) * means[low - 1] + share * means[high - 1]
    assert means[epoch - 1] == pytest.approx(wanted, abs=0.006)


def test_every_seed_meets_its_own_member(noisy):
    """In turn; without noise its answer is the member's own, and no other's."""
    quiet = Surrogate(noisy.about, {**noisy.arrays, "margins": np.zeros_like(noisy.arrays["margins"])})
    evaluator = SurrogateEvaluator(quiet, "x@surrogate", 1)
    config = configs_of_level(0.70, 0.90)[0]
    alone = [quiet.predict(config, 10, member=k).outputs[0] for k in range(quiet.members)]
    assert len({round(value, 6) for value in alone}) == quiet.members
    for seed in range(2 * quiet.members):
        answered = evaluator.evaluate(Proposal(config, 10), seed).validation["accuracy"]
        assert answered == pytest.approx(alone[seed % quiet.members], abs=1e-6)


def test_members_lie_as_far_apart_as_widened(noisy):
    """Deviations in logits, so many times as large; costs stay the members' own."""
    plainly = Surrogate(replace(noisy.about, widening=1.0), noisy.arrays)
    wide = Surrogate(replace(noisy.about, widening=3.0), noisy.arrays)
    config = configs_of_level(0.70, 0.90)[0]
    mean = plainly.predict(config, 10)
    for k in range(noisy.members):
        one, other = (s.predict(config, 10, member=k) for s in (plainly, wide))
        logits = [np.log(p / (1 - p)) for p in (mean.outputs, one.outputs, other.outputs)]
        assert logits[2] - logits[0] == pytest.approx(3 * (logits[1] - logits[0]), abs=0.02)
        assert other.seconds == pytest.approx(one.seconds)


def test_the_curve_ends_with_what_is_answered(noisy):
    """As in recorded trainings, whose curve is the headline metric."""
    evaluator = SurrogateEvaluator(noisy, "x@surrogate", 1)
    for seed, config in enumerate(configs_of_level(0.70, 0.90)):
        for epochs in (1, 3, 10):
            outcome = evaluator.evaluate(Proposal(config, epochs), seed)
            assert outcome.curve[-1] == pytest.approx(outcome.validation["accuracy"], abs=3e-3 if epochs == 3 else 2e-6)


def test_moments_between_knots_are_those_of_numpys_interpolation():
    """To the last bit where knots are met, and beyond the ends: what is ranked rests on them."""
    rng = np.random.default_rng(4)
    knots = np.sort(rng.random((3, KNOTS)), axis=1)
    values = rng.standard_normal((2, 3, KNOTS))
    places = np.concatenate([rng.uniform(-0.5, 1.5, (200, 3)), knots.T])
    found = Lines.through(knots, values).at(places)
    wanted = [[np.interp(places[:, m], knots[m], values[kind, m]) for m in range(3)] for kind in range(2)]
    np.testing.assert_array_equal(found, np.swapaxes(wanted, 1, 2))


@pytest.mark.parametrize(("freedom", "factor"), [(4.0, 2.0), (1000.0, 3.0)])
def test_the_spread_of_the_members_is_that_of_errors_of_a_known_truth(freedom, factor):
    rng = np.random.default_rng(5)
    own, noise = rng.uniform(0.5e-4, 4e-4, 3000), np.full(3000, 1e-4)
    scales = np.sqrt(factor**2 * own + noise)
    errors = scales * rng.standard_t(freedom, 3000)
    assert likeliest(errors, own, noise) == pytest.approx(factor, rel=0.1)


def test_one_configuration_that_nobody_could_foresee_does_not_spread_the_members_everywhere():
    rng = np.random.default_rng(6)
    own, noise = rng.uniform(0.5e-4, 4e-4, 256), np.full(256, 1e-4)
    errors = np.sqrt(4.0 * own + noise) * rng.standard_normal(256)
    errors[7] = 0.5  # it never learned
    assert likeliest(errors, own, noise) == pytest.approx(2.0, rel=0.2)


def test_a_run_is_judged_by_the_member_that_it_meets(noisy):
    """What is seen of a configuration over runs of one member averages to what it is worth to them."""
    wide = Surrogate(replace(noisy.about, widening=4.0), noisy.arrays)
    evaluator = SurrogateEvaluator(wide, "x@surrogate", 1)
    config = configs_of_level(0.70, 0.90)[0]
    worth = [evaluator.truth(config, member).validation["accuracy"] for member in range(wide.members)]
    assert len(set(worth)) == wide.members
    for member in range(wide.members):
        runs = range(member, 200 * wide.members, wide.members)
        seen = np.array([evaluator.evaluate(Proposal(config, 10), run).validation["accuracy"] for run in runs])
        error = seen.std(ddof=1) / math.sqrt(len(seen))
        assert seen.mean() == pytest.approx(worth[member], abs=4.5 * error + 5e-4)
    alone = SurrogateEvaluator(wide, "x@surrogate", 1, member=1)
    assert alone.truth(config, 3) == alone.truth(config) == evaluator.truth(config, 1)
    mean = SurrogateEvaluator(wide, "x@surrogate", 1, member="mean")
    assert mean.truth(config, 3) == mean.truth(config) == evaluator.truth(config)
