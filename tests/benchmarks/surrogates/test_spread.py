"""What the members' spread is measured by, against plain loops and scipy's densities."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from contracts.small_tables import FEW_TRAININGS, held_out, table_of
from scipy import stats

from hemobench.benchmarks.surrogates.losses import losses
from hemobench.benchmarks.surrogates.noise.repeats import repeats
from hemobench.benchmarks.surrogates.spread import (
    FREEDOM,
    TRIED,
    held_out_errors,
    likeliest,
    loss_noise,
    widening,
)
from hemobench.benchmarks.surrogates.targets import targets

RNG = np.random.default_rng(2)


def test_held_out_errors_are_of_configurations() -> None:
    """Of a criterion of two halves: the mean error, the members about their mean prediction, the noise of a mean."""
    table = table_of("bone-marrow", FEW_TRAININGS)
    t = targets(table)
    held, found = held_out(t), repeats(t)
    places = [t.outputs.index(f"validation.{name}") for name in ("macro_f1", "micro_f1")]
    # of each configuration's rows in the order of their numbers; the failed one's are none
    own = {0: [0, 2, 4], 1: [1], 3: [5, 6]}
    wanted = []
    for rows in own.values():
        recorded = [1 - sum(FEW_TRAININGS[row][3]) / 2 for row in rows]
        predicted = [1 - held.outputs[row, -1, places].sum() / 2 for row in rows]
        error = sum(recorded) / len(rows) - sum(predicted) / len(rows)
        by_member = [1 - np.mean([held.members[k, row, places].sum() / 2 for row in rows]) for k in range(3)]
        variance = sum((one - sum(predicted) / len(rows)) ** 2 for one in by_member) / 3
        deviations = loss_noise(table, t, held, found)[rows]
        wanted.append((error, variance, sum(deviations**2) / len(rows) / len(rows)))
    errors, members, noise = held_out_errors(table, t, held, found)
    assert len(errors) == 3
    np.testing.assert_allclose(np.stack([errors, members, noise], axis=1), wanted)
    assert (noise > 0).all()
    assert errors.min() < 0 < errors.max()


def test_held_out_errors_are_of_what_went_on_to_the_end() -> None:
    table = table_of("bone-marrow", FEW_TRAININGS)
    t = targets(table)
    held, found = held_out(t), repeats(t)
    whole = held_out_errors(table, t, held, found)
    cut = np.array([k == 1 for k in range(len(FEW_TRAININGS))])  # the only training of its configuration
    early = replace(t, reached=t.reached & ~(cut[:, None] & np.array([False, False, True])))
    np.testing.assert_allclose(held_out_errors(table, early, held, found), np.delete(whole, 1, axis=1))


def test_noise_of_the_loss_by_hand() -> None:
    """Where all is predicted alike, it is the root of the mean square, of both metrics' halves together."""
    table = table_of("bone-marrow", FEW_TRAININGS)
    t = targets(table)
    # losses of .35, .32, .32, and of .19, .17: less their means, times three halves and times two
    first = [(0.35 - 0.33) ** 2 * 1.5, 2 * (0.32 - 0.33) ** 2 * 1.5]
    second = [2 * 0.01**2 * 2]
    wanted = math.sqrt((sum(first) + sum(second)) / 5)
    found = loss_noise(table, t, held_out(t, 0.6), repeats(t))
    assert found == pytest.approx(np.full(len(FEW_TRAININGS), wanted), rel=1e-6)


def test_noise_of_the_loss_is_that_of_trainings_with_such_predictions() -> None:
    """Ninety trainings that are good lie near each other, ninety that are bad far apart."""
    rows = [(2 * k, seed, 0, 0.8 + 0.01 * seed) for k in range(30) for seed in (-1, 0, 1)]
    rows += [(2 * k + 1, seed, 0, 0.4 + 0.10 * seed) for k in range(30) for seed in (-1, 0, 1)]
    table = table_of("c-nmc", rows)
    t = targets(table)
    good = np.array([level > 0.6 for *_, level in rows])
    # earlier predictions are the other way round
    held = held_out(t, np.where(good[:, None] == np.array([False, False, True]), 0.8, 0.4)[..., None])
    found = loss_noise(table, t, held, repeats(t))
    assert found[good] == pytest.approx(np.full(90, 0.01), rel=1e-3)
    assert found[~good] == pytest.approx(np.full(90, 0.10), rel=1e-3)


@pytest.mark.parametrize("freedom", [3.0, 1000.0])
def test_the_likeliest_factor_is_scipys(freedom: float) -> None:
    """At the best number of degrees of freedom for each of a few factors about it."""
    own, noise = RNG.uniform(1e-5, 1e-3, 40), RNG.uniform(1e-5, 1e-4, 40)
    errors = np.sqrt(9 * own + noise) * RNG.standard_t(freedom, 40)
    found = likeliest(errors, own, noise)
    place = int(np.argmin(np.abs(TRIED - found)))
    assert 5 < place < 70
    likely = {}
    for factor in TRIED[place - 5 : place + 6].tolist():
        scales = [math.sqrt(factor**2 * a + b) for a, b in zip(own.tolist(), noise.tolist(), strict=True)]
        likely[factor] = max(stats.t(k, scale=scales).logpdf(errors).sum() for k in FREEDOM)
    assert found == pytest.approx(max(likely, key=likely.__getitem__), abs=5e-4)


def test_factors_from_a_half_to_twenty_are_tried() -> None:
    own = np.full(200, 1e-4)
    errors = 1e-2 * stats.norm.ppf((np.arange(200) + 0.5) / 200)
    nothing = np.zeros(200)
    assert likeliest(errors, own, nothing) == pytest.approx(1.0, abs=0.06)
    assert likeliest(4 * errors, own, nothing) == pytest.approx(4.0, rel=0.06)
    assert likeliest(errors / 100, own, nothing) == 0.5
    assert likeliest(errors * 100, own, nothing) == 20.0
    # noise that explains them all leaves nothing to the members
    assert likeliest(errors, own, np.full(200, 1e-4)) == 0.5


def test_widening_is_the_likeliest_factor_of_held_out_errors() -> None:
    table = table_of("bone-marrow", FEW_TRAININGS)
    t = targets(table)
    held = held_out(t)
    held = replace(held, members=held.outputs[:, -1] + 0.01 * (held.members - 0.6))
    found = repeats(t)
    assert widening(table, t, held, found) == likeliest(*held_out_errors(table, t, held, found)) > 1
    assert losses(table, t, held.outputs[:, -1]).shape == (len(FEW_TRAININGS),)
