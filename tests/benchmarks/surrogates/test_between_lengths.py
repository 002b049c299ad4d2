"""How a surrogate's parts are put together: between lengths of training, of members, within bounds of the cost."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import expit

from hemobench.benchmarks.surrogates import surrogate as module
from hemobench.benchmarks.surrogates.surrogate import Surrogate
from hemobench.strategies.space import random_stream

LENGTHS = np.array([1.0, 5.0, 10.0])


@pytest.mark.parametrize(
    ("epoch", "expected"),
    [
        (0, (0, 0, 0.0)),
        (1, (0, 0, 0.0)),
        (3, (0, 1, np.log(3) / np.log(5))),
        (5, (1, 1, 0.0)),
        (7, (1, 2, np.log(7 / 5) / np.log(2))),
        (10, (2, 2, 0.0)),
        (12, (2, 2, 0.0)),
    ],
)
def test_a_length_lies_between_recorded_ones_by_its_logarithm(epoch: int, expected: tuple[int, int, float]) -> None:
    assert module._between(LENGTHS, epoch) == pytest.approx(expected)


def test_a_members_answer_is_the_mean_and_its_own_deviation_so_many_times() -> None:
    answers = np.array([1.0, 4.0, 7.0])
    found = module._shares(3, 2.0) @ answers / 3
    np.testing.assert_allclose(found, [4 - 2 * 3, 4.0, 4 + 2 * 3, 4.0])  # in the last place all of them
    np.testing.assert_allclose(module._shares(3, 1.0) @ answers / 3, [1.0, 4.0, 7.0, 4.0])


def test_costs_are_the_members_own_however_wide_the_answers_are(small: Surrogate) -> None:
    """The logarithm of the mean's seconds is the mean of the members' logarithms."""
    config = next(random_stream(small.task.space(), 3))
    wide = Surrogate(replace(small.about, widening=5.0), small.arrays)
    for fitted in (small, wide):
        own = [fitted.predict(config, 10, member=member).seconds for member in range(fitted.members)]
        assert len({seconds[-1] for seconds in own}) == fitted.members
        np.testing.assert_allclose(np.log(own).mean(axis=0), np.log(fitted.predict(config, 10).seconds), atol=1e-4)
        np.testing.assert_array_equal(own, [small.predict(config, 10, member=m).seconds for m in range(small.members)])


@pytest.mark.parametrize(("shift", "place", "factor"), [(50.0, 1, 2.0), (-50.0, 0, 0.5)])
def test_costs_stay_within_a_factor_of_two_of_recorded_ones(
    small: Surrogate, shift: float, place: int, factor: float
) -> None:
    about = small.about
    known = len(about.epochs) * len(about.outputs)
    biases = small.arrays["b3"].copy()
    biases[..., known : known + len(about.epochs)] += shift
    moved = Surrogate(about, {**small.arrays, "b3": biases})
    config = next(random_stream(small.task.space(), 3))
    end = moved.predict(config, about.full).seconds[-place]
    assert end == pytest.approx(factor * about.seconds[place], rel=1e-4)


@pytest.mark.parametrize("logit", [-40.0, -2.0, 0.0, 1.5])
def test_the_chance_of_failure_is_the_logistic_function_of_its_logit_and_never_falls(
    small: Surrogate, logit: float
) -> None:
    about, looks = small.about, len(small.about.epochs)
    weights, biases = small.arrays["w3"].copy(), small.arrays["b3"].copy()
    weights[..., -looks:] = 0
    biases[..., -looks:] = logit + np.array([0, -1, 1, 0])
    moved = Surrogate(about, {**small.arrays, "w3": weights, "b3": biases})
    config = next(random_stream(small.task.space(), 3))
    found = moved.predict(config, about.full).failure
    np.testing.assert_allclose(found, expit(logit + np.array([0, 0, 1, 1])), rtol=1e-6, atol=1e-12)


def test_a_curve_is_given_at_every_epoch(small: Surrogate) -> None:
    """Straight lines over the logarithm, through the recorded lengths."""
    about = small.about
    given = np.linspace(0.2, 0.8, len(about.epochs))
    found = small.curve(given[None], about.full)[0]
    expected = np.interp(np.log(np.arange(1, about.full + 1)), np.log(about.epochs), given)
    np.testing.assert_allclose(found, expected)
