"""What is said below a board of the task's default, where every run begins with it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from hemobench.benchmarks.storage.results import Results
from hemobench.reports.leaderboard.notes import surely_above_zero
from hemobench.reports.leaderboard.ranking import leaderboard

Run = Callable[..., Any]
Collect = Callable[..., Results]


def begun_at_the_default(run: Run, collect: Collect, truths: dict[str, tuple[float, ...]]) -> str:
    """What is said of the default, worth a loss of 0.2, when second trials look better and are worth `truths`."""
    runs = []
    for strategy, worth in truths.items():
        for seed, truth in enumerate(worth):
            header, rows = run(strategy, seed, (1, 0.2), (2, 0.1), luck=0.0)
            rows[1]["truth.loss"] = truth
            runs.append(({**header, "header": '{"default_first": true}'}, rows))
    (board,) = leaderboard(collect(runs), lambda name: None)
    return next(note for note in board.notes if "default" in note)


@pytest.mark.parametrize(
    ("truths", "said"),
    [
        ({"random": (0.21, 0.22, 0.23), "tpe": (0.22, 0.2, 0.24)}, "no strategy surely ends above it"),
        ({"random": (0.1, 0.3, 0.2), "tpe": (0.15, 0.16, 0.17)}, "tpe surely ends above it"),
        ({"random": (0.15, 0.16, 0.15), "tpe": (0.15, 0.16, 0.17)}, "all strategies surely end above it"),
        # alone a t-test would call it sure (p .04), not as one of two
        ({"random": (0.21, 0.22, 0.23), "tpe": (0.1, 0.15, 0.14)}, "no strategy surely ends above it"),
    ],
)
def test_who_ends_above_the_default_is_said(run: Run, collect: Collect, truths: Any, said: str) -> None:
    assert begun_at_the_default(run, collect, truths).endswith(
        f"default first: that alone is worth 80.00 points, and {said}."
    )


def test_a_budget_too_small_for_the_default_says_nothing_of_its_worth(run: Run, collect: Collect) -> None:
    runs = [run(name, seed) for name in ("random", "tpe") for seed in range(3)]
    begun = [({**header, "header": '{"default_first": true}'}, rows) for header, rows in runs]
    (board,) = leaderboard(collect(begun), lambda name: None)
    assert "Every run tries the task's default first." in board.notes
    assert not any("nan" in note for note in board.notes)


def test_equal_strategies_are_seldom_called_better_than_the_default() -> None:
    """Seven with no gain: any of them in at most 5 % of suites, half of these by a loss, which is none of them."""
    gains = np.random.default_rng(0).normal(0, 1, (2000, 6, 7))
    wrong = np.mean([surely_above_zero(suite).any() for suite in gains])
    assert 0.01 < wrong < 0.04


def test_one_without_a_result_is_not_judged() -> None:
    assert surely_above_zero([[1.0, np.nan], [1.1, 2.0], [0.9, 2.1]]).tolist() == [True, False]
    assert surely_above_zero([[np.nan], [1.0]]).tolist() == [False]
