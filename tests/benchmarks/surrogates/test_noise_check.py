"""Noise as it is shown on a card, by hand and by scipy."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from scipy.stats import skew

from hemobench.benchmarks.surrogates.noise.margins import silent
from hemobench.benchmarks.surrogates.noise.repeats import Repeats
from hemobench.benchmarks.surrogates.trust import noise_check as module


def test_shapes_of_noise_are_scipys() -> None:
    values = np.random.default_rng(1).gamma(2.0, size=400)
    values -= values.mean()
    assert module._shape(values) == {
        "deviation": pytest.approx(values.std(), abs=1e-6),
        "skewness": pytest.approx(skew(values), abs=1e-3),
        "low": pytest.approx(np.quantile(values, 0.05), abs=1e-6),
        "high": pytest.approx(np.quantile(values, 0.95), abs=1e-6),
    }
    assert module._shape(np.zeros(3)) == {"deviation": 0, "skewness": 0, "low": 0, "high": 0}


def test_correlations_are_between_lengths_and_sides() -> None:
    """About 0, which differences from a mean have; the measured and the drawn each their own."""
    rng = np.random.default_rng(2)
    measured, drawn = rng.standard_normal((50, 3, 2)), rng.standard_normal((4, 50, 3, 2))

    def cosine(one: np.ndarray, other: np.ndarray) -> Any:
        return pytest.approx(one.ravel() @ other.ravel() / np.linalg.norm(one) / np.linalg.norm(other), abs=1e-4)

    found = module._correlations(measured, drawn, 1, 0)
    places = {
        "first and last epoch": ((0, 1), (2, 1)),
        "last two epochs": ((1, 1), (2, 1)),
        "validation and test": ((2, 1), (2, 0)),
    }
    assert found == {
        name: {
            "measured": cosine(measured[:, a, b], measured[:, c, d]),
            "drawn": cosine(drawn[..., a, b], drawn[..., c, d]),
        }
        for name, ((a, b), (c, d)) in places.items()
    }
    assert set(module._correlations(measured[:, :1], drawn[:, :, :1], 1, None)) == {"first and last epoch"}
    assert module._correlation(np.zeros(5), np.ones(5)) is None
    assert module._correlation(np.array([0.1, -0.1]), np.array([-3.0, 3.0])) == -1.0


def test_rows_are_of_thirds_by_what_is_predicted() -> None:
    """Of ten trainings four are among the best third, of five lengths the first, the middle and the last are shown."""
    t = SimpleNamespace(epochs=np.array([1, 2, 4, 8, 16]))
    order = np.random.default_rng(3).permutation(10)
    quality = np.stack([order / 10] * 5, axis=1)
    measured = np.where(quality < 0.3, 0.1, np.where(quality < 0.6, 0.2, 0.3)) * np.array([1, 2, 3, 4, 5])
    rows = list(module._rows(t, quality, measured, np.stack([2 * measured] * 3)))
    assert [(row["epoch"], row["quality"], row["trainings"]) for row in rows] == [
        (epoch, f"{name} third", count)
        for epoch in (1, 4, 16)
        for name, count in (("worst", 3), ("middle", 3), ("best", 4))
    ]
    for row, factor in zip(rows, (1, 1, 1, 3, 3, 3, 5, 5, 5), strict=True):
        level = {"worst third": 0.1, "middle third": 0.2, "best third": 0.3}[row["quality"]] * factor
        assert row["measured"]["deviation"] == pytest.approx(level)
        assert row["drawn"]["deviation"] == pytest.approx(2 * level)
    # of eight, two are in the middle: too few for a row
    few = list(module._rows(t, quality[:8, :1].repeat(5, axis=1), measured[:8], measured[None, :8]))
    assert {(row["quality"], row["trainings"]) for row in few} == {("worst third", 3), ("best third", 3)}


def test_what_folds_are_predicted_to_differ_by_is_no_noise() -> None:
    """Three folds of each of five configurations, predicted .1 apart, and drawn without noise."""
    quality = np.tile(np.array([0.4, 0.5, 0.6])[:, None, None], (5, 1, 1))
    groups = np.repeat(np.arange(5), 3)
    found = Repeats(np.arange(15), groups, np.full(15, 3), np.zeros((15, 1, 1)), quality, "folds")
    quiet: Any = SimpleNamespace(
        about=SimpleNamespace(full=1, epochs=(1,)),
        noise=silent(1, 1),
        curve=lambda curve, epochs: curve,
        between=[(0, 0, 0.0)] * 2,
    )
    assert module.drawn_differences(quiet, quality, found) == pytest.approx(np.zeros((20, 15, 1, 1)))
