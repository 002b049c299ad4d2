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

from hemobench.benchmarks.results import Results
from hemobench.reports.curves import final_incumbent, hours_to_target, hours_to_targets, incumbents, loss_at

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
