"""Anytime curves, areas and speed-up on runs whose figures can be worked out by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from hemobench.benchmarks.storage.results import Results
from hemobench.reports.comparison.anytime import areas, rank_curves, regret_curves, speed_ups
from hemobench.reports.comparison.comparison import comparisons, criterion_text, hours_to_random, leaderboard_columns
from hemobench.reports.statistics.bootstrap import ranks

Run = Callable[..., Any]
Collect = Callable[..., Results]


def test_races_take_paired_seeds_and_keep_budgets_apart(run: Run, collect: Collect) -> None:
    runs = [run("random", seed, (2, 0.3)) for seed in range(3)] + [run("tpe", seed, (2, 0.2)) for seed in (1, 2, 5)]
    runs += [run("random", 0, (2, 0.3), gpu_hours=20.0), run("tpe", 7, (2, 0.3), gpu_hours=20.0)]
    (comparison,) = comparisons(collect(runs), lambda name: None)  # the larger budget has no seed in common
    assert (comparison.gpu_hours, comparison.strategies, comparison.seeds) == (10.0, ("random", "tpe"), (1, 2))
    assert comparison.runs.loc[comparison.table.ravel(), "seed"].tolist() == [1, 1, 2, 2]
    assert comparison.title == "c-nmc@published, 10 GPU-hours"


def test_losses_at_given_hours(worked: Results, reference: Any) -> None:
    (comparison,) = comparisons(worked, lambda name: reference)
    losses = comparison.at([0.5, 2.0, 10.0])
    place = comparison.strategies.index
    np.testing.assert_array_equal(losses[0, place("random")], [np.nan, 0.30, 0.20])
    np.testing.assert_array_equal(losses[2, place("tpe")], [np.nan, 0.20, 0.10])
    assert np.isnan(losses[2, place("poor")]).all()  # it raised
    assert comparison.untuned == pytest.approx(0.30)  # what random search's first trials are worth
    assert comparison.started([0.5]).max() == comparison.untuned
    assert (comparison.grid[0], comparison.grid[-1], len(comparison.grid)) == (1.0, pytest.approx(10.0), 60)


def test_curves_end_where_the_leaderboard_stands(worked: Results, reference: Any) -> None:
    (comparison,) = comparisons(worked, lambda name: reference)
    rank, regret = rank_curves(comparison), regret_curves(comparison)
    np.testing.assert_allclose(rank.value[:, -1], [3.0, 1.5, 1.5])  # poor, random, tpe
    np.testing.assert_allclose(rank.value.sum(axis=0), 6)
    assert (rank.low <= rank.value).all()
    assert (rank.value <= rank.high).all()
    final = (comparison.started(10.0)[:, :, 0] - 0.05) / 0.2
    np.testing.assert_allclose(regret.value[:, -1], stats.trim_mean(final, 0.25))
    assert (np.diff(regret.value[1:], axis=1) <= 1e-12).all()  # `poor` begins worse than an untuned run counts
    assert (regret.low <= regret.high).all()


def test_rank_curves_are_ranks_at_each_hour(worked: Results) -> None:
    (comparison,) = comparisons(worked, lambda name: None)
    for hour in (0, 20, 59):
        expected = ranks(comparison.at(comparison.grid[hour])[:, :, 0]).mean(axis=0)
        np.testing.assert_allclose(rank_curves(comparison, draws=10).value[:, hour], expected)


def test_area_by_hand(run: Run, collect: Collect, reference: Any) -> None:
    """One step at sqrt(10) hours, half way between 1 and 10 on a log scale: regret (1.25 + 0.25) / 2."""
    results = collect([run("tpe", 0, (1.0, 0.30), (10**0.5, 0.10)), run("random", 0, (1.0, 0.05))])
    (comparison,) = comparisons(results, lambda name: reference)
    np.testing.assert_allclose(areas(comparison), [[0.0, 0.75]])


def test_area_counts_the_time_before_the_first_result(run: Run, collect: Collect, reference: Any) -> None:
    runs = [run("tpe", 0, (10**0.5, 0.05)), run("random", 0, (1.0, 0.45))]
    (comparison,) = comparisons(collect(runs), lambda name: reference)
    untuned = 0.4 / 0.2  # (random search's first trial - best) / scale
    np.testing.assert_allclose(areas(comparison), [[untuned, untuned / 2]])


def test_without_a_reference_the_area_is_of_the_loss(run: Run, collect: Collect) -> None:
    (comparison,) = comparisons(collect([run("tpe", 0, (1.0, 0.3), (5.0, 0.1))]), lambda name: None)
    (area,) = areas(comparison)[0]
    assert 0.1 < area < 0.3
    assert comparison.scale is None


def test_speed_up_by_hand(worked: Results, reference: Any) -> None:
    (comparison,) = comparisons(worked, lambda name: reference)
    hours = dict(zip(comparison.strategies, hours_to_random(comparison).T, strict=True))
    assert comparison.target == 0.25  # what random search is expected to reach, for every run
    np.testing.assert_array_equal(hours["random"], [6, 8, np.nan])
    np.testing.assert_array_equal(hours["tpe"], [1, 3, 2])
    found = {row.strategy: row for row in speed_ups(comparison)}
    assert (found["tpe"].hours, found["tpe"].factor, found["tpe"].reached) == (2.0, 4.0, 3)
    assert (found["random"].hours, found["random"].factor) == (8.0, 1.0)
    assert (found["poor"].hours, found["poor"].factor, found["poor"].reached) == (None, 0, 0)
    assert found["tpe"].low <= 4.0 <= found["tpe"].high


def test_an_exact_twin_of_random_search_needs_as_long_as_it(run: Run, collect: Collect, reference: Any) -> None:
    """Measured against the same seed's own end a twin was shown as "never" in half of the cases."""
    generator, runs = np.random.default_rng(0), []
    for seed in range(30):
        for name in ("random", "twin"):
            steps = [(float(hour), float(generator.uniform(0.05, 0.9))) for hour in range(1, 11)]
            runs.append(run(name, seed, *steps))
    (comparison,) = comparisons(collect(runs), lambda name: reference)
    found = {row.strategy: row for row in speed_ups(comparison)}
    assert abs(found["twin"].reached - found["random"].reached) <= 6
    assert found["twin"].low <= 1 <= found["twin"].high


def test_where_random_search_misses_the_target_the_factor_is_at_least_that(run: Run, collect: Collect) -> None:
    runs = [run("random", seed, (1, 0.5)) for seed in range(4)] + [run("tpe", seed, (2, 0.2)) for seed in range(4)]

    class Hard:
        best_loss, trial_gpu_hours = 0.05, 1.0

        def random_expected(self, gpu_hours: float) -> float:
            return 0.3

    (comparison,) = comparisons(collect(runs), lambda name: Hard())
    found = {row.strategy: row for row in speed_ups(comparison)}
    assert (found["tpe"].hours, found["tpe"].factor, found["tpe"].low) == (2.0, 5.0, 5.0)
    assert (found["random"].hours, found["random"].factor) == (None, 0.0)


def test_no_random_search_no_speed_up(run: Run, collect: Collect) -> None:
    (comparison,) = comparisons(collect([run("tpe", 0, (1, 0.1))]), lambda name: None)
    assert speed_ups(comparison) == []
    (failed,) = comparisons(collect([run("tpe", 0, (1, 0.1)), run("random", 0, (1, "diverged"))]), lambda name: None)
    assert speed_ups(failed) == []


def test_an_objective_in_words() -> None:
    assert criterion_text({"micro_f1": 1.0}) == "micro F1"
    paper = criterion_text({"macro_f1": 0.5, "micro_f1": 0.5, "macro_f1_std": -1.0})
    assert paper == "0.5 macro F1 + 0.5 micro F1 - deviation of macro F1 over folds"
    assert criterion_text({"accuracy": -2.0}) == "- 2 accuracy"


def test_columns_of_a_benchmark_that_is_not_known_here_need_no_configurations() -> None:
    known, unknown = (pd.DataFrame({"benchmark": [name]}) for name in ("c-nmc@recorded", "c-nmc@elsewhere"))
    assert "config." in leaderboard_columns(known)
    assert "config." not in leaderboard_columns(unknown)


def test_where_nothing_finished_curves_begin_at_a_tenth_of_the_budget(run: Run, collect: Collect) -> None:
    (comparison,) = comparisons(collect([run("tpe", 0), run("random", 0)]), lambda name: None)
    assert comparison.grid[0] == pytest.approx(comparison.gpu_hours / 10)
    assert comparison.grid[-1] == pytest.approx(comparison.gpu_hours)


def test_no_trial_at_all(run: Run, collect: Collect) -> None:
    (comparison,) = comparisons(collect([run("tpe", 0, status="unfinished"), run("random", 0)]), lambda name: None)
    assert np.isnan(comparison.at([1.0])).all()
    assert np.isfinite(areas(comparison)).all()
    np.testing.assert_array_equal(rank_curves(comparison, draws=10).value, 1.5)
