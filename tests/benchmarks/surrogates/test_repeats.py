"""Which trainings tell of noise, and how far they lie apart, where the truth is known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hemobench.benchmarks.surrogates.noise.repeats import differences_of, repeats, values_apart
from hemobench.benchmarks.surrogates.targets import Targets, fraction, logit


def trained(
    values: np.ndarray, groups: np.ndarray, seeds: np.ndarray, folds: np.ndarray, reached: np.ndarray
) -> Targets:
    """Trainings of one output; values and whether they were reached of shape (n, T)."""
    nothing = np.zeros(values.shape)
    return Targets(
        inputs=nothing,
        outputs=("curve",),
        epochs=np.arange(1, values.shape[1] + 1),
        values=logit(values[..., None]),
        reached=reached,
        seconds=nothing,
        timed=reached,
        failed=~reached,
        groups=groups,
        seeds=seeds,
        folds=folds,
    )


@settings(max_examples=8, deadline=None)
@given(st.lists(st.integers(2, 5), min_size=1, max_size=4), st.integers(0, 99))
def test_the_mean_square_of_differences_is_the_variance_without_bias(sizes: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    groups = rng.permutation(np.repeat(np.arange(len(sizes)), sizes))
    values = rng.standard_normal((len(groups), 2, 3))
    differences, means = values_apart(values, groups)
    for group in range(len(sizes)):
        own = values[groups == group]
        np.testing.assert_allclose((differences[groups == group] ** 2).mean(axis=0), own.var(axis=0, ddof=1))
        np.testing.assert_allclose(means[groups == group], [own.mean(axis=0)] * len(own))
        np.testing.assert_allclose(differences[groups == group].sum(axis=0), 0, atol=1e-9)


def test_two_apart_by_hand() -> None:
    """Two that lie 0.2 apart: each 0.1 from the mean, times the root of two."""
    differences, means = values_apart(np.array([0.5, 0.7]), np.array([0, 0]))
    assert differences == pytest.approx([-0.141421, 0.141421], abs=1e-6)
    assert means == pytest.approx([0.6, 0.6])


def test_repeats_are_whole_trainings_of_one_configuration_and_fold() -> None:
    """Two seeds of the first on fold 0, three of the second on fold 1; the others are alone or went no further."""
    rows = [
        # group, fold, seed, whole, accuracy
        (0, 0, 0, True, 0.50),
        (0, 1, 0, True, 0.60),
        (1, 1, 0, True, 0.70),
        (1, 0, 0, True, 0.10),
        (0, 0, 1, True, 0.54),
        (1, 1, 1, True, 0.73),
        (2, 0, 0, True, 0.20),
        (2, 0, 1, False, 0.90),
        (1, 1, 2, True, 0.76),
        (1, 1, 3, False, 0.90),
    ]
    groups, folds, seeds, whole, level = (np.array(part) for part in zip(*rows, strict=True))
    reached = np.stack([np.ones(10, bool), whole], axis=1)
    figures = np.stack([level, level / 2], axis=1)
    t = trained(figures, groups, seeds, folds, reached)
    found = repeats(t)
    assert len(found) == 5
    assert found.rows.tolist() == [0, 2, 4, 5, 8]
    assert found.counts.tolist() == [2, 3, 2, 3, 3]
    assert len({*found.groups[[0, 2]]}) == len({*found.groups[[1, 3, 4]]}) == 1
    assert found.groups[0] != found.groups[1]
    assert found.means[:, 0, 0] == pytest.approx([0.52, 0.73, 0.52, 0.73, 0.73])
    wanted = np.array([-0.02 * 2**0.5, -0.03 * 1.5**0.5, 0.02 * 2**0.5, 0.0, 0.03 * 1.5**0.5])
    assert found.differences[:, 0, 0] == pytest.approx(wanted)
    assert found.differences[:, 1, 0] == pytest.approx(wanted / 2)
    assert differences_of(figures[found.rows][..., None] + 0.1, found) == pytest.approx(found.differences)


FOLD_NOISE = (0.01, 0.03, 0.02)


def on_folds(repeated: tuple[int, ...], configs: int = 400) -> Targets:
    """Configurations of many qualities on three folds that differ, and in their noise too; 40 with a second seed.

    Args:
        repeated: Folds that the second seeds were trained on.
        configs: How many.
    """
    rng = np.random.default_rng(11)
    level = rng.uniform(0.3, 0.8, configs)
    asked = [(c, 0, fold) for c in range(configs) for fold in range(3)]
    asked += [(c, 1, fold) for c in range(0, configs, 10) for fold in repeated]
    groups, seeds, folds = np.array(asked).T
    effect = np.stack([0.1 * level, np.zeros(configs), -0.05 * np.ones(configs)], axis=1)[groups, folds]
    noise_of_fold = np.array(FOLD_NOISE)[folds] * rng.standard_normal(len(asked))
    values = level[groups] + effect + noise_of_fold
    return trained(values[:, None], groups, seeds, folds, np.ones((len(asked), 1), bool))


def test_seeds_of_one_fold_do_not_stand_for_the_noise_of_all() -> None:
    """It is measured between folds then, less what these differ by at each quality."""
    t = on_folds((0,))
    found = repeats(t)
    assert (found.between, len(found), set(found.counts.tolist())) == ("folds", 1200, {3})
    assert set(t.seeds[found.rows].tolist()) == {0}
    truth = np.mean(np.square(FOLD_NOISE))
    assert (found.differences**2).mean() == pytest.approx(truth, rel=0.1)
    for fold in range(3):  # a mean is that of the configuration, as it is on this fold
        here = t.folds[found.rows] == fold
        misses = fraction(t.values[found.rows])[here] - found.means[here]
        assert misses.mean() == pytest.approx(0.0, abs=0.002)
        assert misses.std() < 0.03
    folds_known = on_folds((0, 1, 2))
    by_seed = repeats(folds_known)
    assert (by_seed.between, len(by_seed), set(by_seed.counts.tolist())) == ("seeds", 240, {2})
    assert (by_seed.differences**2).mean() == pytest.approx(truth, rel=0.25)


def test_where_nothing_was_repeated_nothing_tells_of_noise() -> None:
    assert len(repeats(on_folds(()))) == 0


def test_few_configurations_on_all_folds_tell_less_than_repeated_ones() -> None:
    """Ten on all three folds beside three hundred trainings of one fold."""
    t = on_folds((0,), configs=100)
    alone = np.concatenate([np.flatnonzero(t.folds == 0), np.flatnonzero((t.folds > 0) & (t.groups < 3))])
    found = repeats(t.part(alone))
    assert set(t.folds[alone][found.rows].tolist()) == {0}
    assert set(found.counts.tolist()) == {2}
