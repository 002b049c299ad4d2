"""Anytime curves against a plain loop, and against what can be seen with the eye."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hemobench.benchmarks.storage.results import Results
from hemobench.reports.comparison.anytime import areas
from hemobench.reports.comparison.comparison import comparisons
from hemobench.reports.comparison.incumbents import (
    final_incumbent,
    hours_to_target,
    hours_to_targets,
    incumbents,
    incumbents_at,
    loss_at,
    only_incumbents,
)
from hemobench.reports.html.figures import MOST_MARKS, final_figure, gap_figure
from hemobench.reports.html.trial_figures import MOST_LINES, parallel_figure

outcomes = st.one_of(st.sampled_from([0.1, 0.2, 0.3, 0.4]), st.sampled_from(["cut", "diverged"]))
some_runs = st.lists(st.lists(st.tuples(st.integers(1, 9), outcomes), max_size=8), min_size=1, max_size=4)


def by_loop(trials: list[tuple[float, float | str]]) -> list[tuple[int, float, float]]:
    steps, best = [], math.inf
    for number, (hours, outcome) in sorted(enumerate(trials), key=lambda item: (item[1][0], item[0])):
        if not isinstance(outcome, str) and outcome < best:
            best = outcome
            steps.append((number, float(hours), best))
    return steps


@settings(max_examples=60, deadline=None)
@given(lists=some_runs, order=st.randoms(use_true_random=False), workers=st.sampled_from([1, 4]))
def test_incumbents_are_those_of_a_plain_loop(
    run: Callable[..., Any],
    collect: Callable[..., Results],
    lists: list[list[tuple[float, float | str]]],
    order: Any,
    workers: int,
) -> None:
    results = collect([run("tpe", seed, *trials, workers=workers) for seed, trials in enumerate(lists)])
    rows = list(range(len(results.trials)))
    order.shuffle(rows)
    steps = incumbents(Results(results.runs, results.trials.iloc[rows]))
    for number, trials in enumerate(lists):
        mine = steps[steps["run"] == number]
        found = list(zip(mine["number"], mine["hours"].round(9), mine["loss"], strict=True))
        assert found == by_loop(trials)


def test_the_final_incumbent_is_the_first_of_equal_losses(worked: Results) -> None:
    final = final_incumbent(worked)
    assert final.loc[7, ["number", "hours", "loss"]].tolist() == [2, 7.0, 0.10]
    assert final.loc[7, "validation.accuracy"] == pytest.approx(0.90)
    assert final.loc[7, "test.accuracy"] == pytest.approx(0.80)
    assert 5 not in final.index  # no successful trial


def test_equal_losses_keep_the_earlier_trial(run: Callable[..., Any], collect: Callable[..., Results]) -> None:
    final = final_incumbent(collect([run("tpe", 0, (3, 0.2), (1, 0.2), (2, 0.2))]))
    assert final.loc[0, ["number", "hours"]].tolist() == [1, 1.0]


def test_hours_to_target(worked: Results) -> None:
    assert hours_to_target(worked, 0, 0.30) == 2.0
    assert hours_to_target(worked, 0, 0.20) == 6.0
    assert math.isnan(hours_to_target(worked, 0, 0.19))
    assert math.isnan(hours_to_target(worked, 5, 0.9))
    several = hours_to_targets(incumbents(worked), pd.Series({7: 0.2, 5: 0.9, 0: np.nan}))
    assert several.index.tolist() == [7, 5, 0]
    assert several[7] == 2.0
    assert several[[5, 0]].isna().all()


def test_hours_count_all_workers(run: Callable[..., Any], collect: Callable[..., Results]) -> None:
    results = collect([run("tpe", 0, (8, 0.2), workers=4)])
    assert results.trials["finished"].iloc[0] == 2 * 3600
    assert hours_to_target(results, 0, 0.2) == 8.0


def test_loss_at_is_a_step_function(worked: Results) -> None:
    losses = loss_at(worked, 0, [0.0, 1.99, 2.0, 5.99, 6.0, 99.0])
    np.testing.assert_array_equal(losses, [np.nan, np.nan, 0.3, 0.3, 0.2, 0.2])
    assert np.isnan(loss_at(worked, 5, [1.0, 10.0])).all()
    with pytest.raises(KeyError):
        loss_at(worked, 99, [1.0])


def test_no_trials_at_all(run: Callable[..., Any], collect: Callable[..., Results]) -> None:
    results = collect([run("tpe", 0, status="unfinished")])
    assert incumbents(results).empty
    assert final_incumbent(results).empty
    assert np.isnan(loss_at(results, 0, [1.0])).all()


def test_only_successful_trials_count(worked: Results) -> None:
    status = worked.trials["status"].where(worked.trials["run"] != 7, "cut")  # their losses stay
    assert 7 not in set(incumbents(Results(worked.runs, worked.trials.assign(status=status)))["run"])


def test_trials_of_other_runs_are_left_out(worked: Results) -> None:
    selected = Results(worked.runs[worked.runs["strategy"] == "tpe"], worked.trials)
    assert set(incumbents(selected)["run"]) == {1, 4, 7}


@settings(max_examples=40, deadline=None)
@given(lists=some_runs)
def test_incumbents_alone_say_the_same(
    run: Callable[..., Any], collect: Callable[..., Results], lists: list[list[tuple[float, float | str]]]
) -> None:
    results = collect([run("tpe", seed, *trials) for seed, trials in enumerate(lists)])
    best = only_incumbents(results)
    assert len(best.trials) == len(incumbents(results))
    pd.testing.assert_frame_equal(incumbents(best), incumbents(results))
    pd.testing.assert_frame_equal(final_incumbent(best), final_incumbent(results))
    pd.testing.assert_frame_equal(incumbents_at(best, 4.0), incumbents_at(results, 4.0))


@settings(max_examples=40, deadline=None)
@given(
    lists=st.lists(st.lists(st.tuples(st.integers(1, 12), outcomes), max_size=8), min_size=2, max_size=8),
    hours=st.lists(st.sampled_from([0.5, 1.0, 2.0, 3.5, 9.0, 10.0, 20.0]), min_size=1, max_size=5),
)
def test_a_race_is_its_runs(
    run: Callable[..., Any],
    collect: Callable[..., Results],
    lists: list[list[tuple[float, float | str]]],
    hours: list[float],
) -> None:
    """Losses at any hours, in any order; and areas, against a sum over every hour at which any run has a step."""
    results = collect([run("ab"[place % 2], place // 2, *trials) for place, trials in enumerate(lists)])
    (comparison,) = comparisons(results, lambda name: None)
    for place, number in np.ndenumerate(comparison.table):
        np.testing.assert_array_equal(comparison.at(hours)[place], loss_at(results, int(number), hours))
    cuts = np.unique(
        np.concatenate([comparison.grid[[0, -1]], comparison.steps["hours"].clip(*comparison.grid[[0, -1]])])
    )
    widths = np.diff(np.log(cuts))
    np.testing.assert_allclose(areas(comparison), comparison.started(cuts[:-1]) @ widths / widths.sum(), rtol=1e-12)


def test_figures_of_many_seeds_and_trials_stay_small(run: Callable[..., Any], collect: Callable[..., Results]) -> None:
    """What a browser draws is bounded, and the quartiles are those of all seeds."""
    rng = np.random.default_rng(0)
    losses = np.round(rng.gamma(2.0, 0.05, (500, 2)), 6)
    long = tuple((1.0 + k / 500, 0.5 + k / 10_000) for k in range(3000))
    runs = [
        run(name, seed, (1.0, float(losses[seed, place])), *(long if seed == 0 else ()))
        for place, name in enumerate(("random", "tpe"))
        for seed in range(500)
    ]
    results = collect(runs)
    (comparison,) = comparisons(results, lambda name: None)
    final, gap = final_figure(comparison), gap_figure(comparison, results)
    assert [len(trace["x"]) for trace in final.data] == [MOST_MARKS] * 2
    assert all(len(trace["text"]) == MOST_MARKS for trace in final.data)
    assert all(len(trace["x"]) <= MOST_MARKS for trace in gap.data)
    assert "Of 500 seeds, 200 are shown" in final.caption
    by_name = {trace["name"]: trace for trace in final.data}
    for name, expected in zip(("random", "tpe"), losses.T, strict=True):
        trace = by_name[name]
        np.testing.assert_allclose(
            np.quantile(trace["x"], [0, 0.25, 0.5, 0.75, 1]), np.quantile(expected, [0, 0.25, 0.5, 0.75, 1]), atol=0.002
        )
    # no hyperparameters in these results, so all axes but the first and the last are left out
    lines = parallel_figure(comparison, results)
    assert lines is not None
    assert len(lines.data[0]["line"]["color"]) <= MOST_LINES + 10


def test_a_trial_counts_from_the_hour_at_which_it_ends(
    run: Callable[..., Any], collect: Callable[..., Results]
) -> None:
    results = collect([run("tpe", 0, (2, 0.3), (4, 0.2))])
    assert [float(incumbents_at(results, hours)["loss"].sum()) for hours in (1.9, 2.0, 3.9, 4.0)] == [
        0.0,
        0.3,
        0.3,
        0.2,
    ]
    (comparison,) = comparisons(results, lambda name: None)
    np.testing.assert_array_equal(comparison.at([1.9, 2.0, 3.9, 4.0])[0, 0], [np.nan, 0.3, 0.3, 0.2])


def test_what_an_incumbent_is_worth_may_rise_and_the_target_takes_the_first_that_has_it(
    run: Callable[..., Any], collect: Callable[..., Results]
) -> None:
    """Trial 1 looks better than trial 0, and is worse: the truth is held, not the lowest of it."""
    results = collect([run("random", 0, (2, 0.3), (4, 0.2), luck=0.1), run("tpe", 0, (1, 0.4), luck=0.0)])
    trials = results.trials.assign(**{"truth.loss": [0.3, 0.35, 0.4]})
    (comparison,) = comparisons(Results(results.runs, trials), lambda name: None)
    assert comparison.knows_truth
    random = comparison.strategies.index("random")
    np.testing.assert_array_equal(comparison.worth([1, 2, 4])[0, random], [np.nan, 0.3, 0.35])
    np.testing.assert_array_equal(comparison.at([1, 2, 4])[0, random], [np.nan, 0.3, 0.2])
    assert comparison.final[0, random] == 0.35
    assert comparison.final_seen[0, random] == 0.2
