"""The board over several benchmarks."""

from __future__ import annotations

import json
from typing import Any

import pytest
from contracts.boards import Collect, Run, no_reference, rows_of

from hemobench.benchmarks.storage.results import Results
from hemobench.reports.leaderboard.model import OVERALL, as_json
from hemobench.reports.leaderboard.ranking import leaderboard


def overall_results(run: Run, collect: Collect) -> Results:
    runs = []
    for seed in range(3):
        for hours in (10.0, 20.0):  # two budgets of one benchmark, on both of which random search wins
            cells = {"benchmark": "c-nmc@recorded", "gpu_hours": hours}
            runs += [run("random", seed, (1, 0.1), **cells), run("tpe", seed, (1, 0.2), **cells)]
            runs += [run("extra", seed, (1, 0.05), **cells)]
        old = {"benchmark": "c-nmc@recorded", "version": 0}
        runs += [run("random", seed, (1, 0.01), **old), run("tpe", seed, (1, 0.2), **old)]
    for seed in range(2):
        marrow = {"benchmark": "bone-marrow-micro@recorded"}
        runs += [run("random", seed, (1, 0.2), **marrow), run("tpe", seed, (1, 0.1), **marrow)]
    return collect(runs)


def test_overall_counts_every_benchmark_the_same(run: Run, collect: Collect, reference: Any) -> None:
    *boards, overall = leaderboard(overall_results(run, collect), lambda name: reference)
    assert len(boards) == 4
    assert overall.benchmark == OVERALL
    assert [(row.strategy, row.rank, row.rank_low, row.rank_high) for row in overall.rows] == [
        ("random", 1.5, 1.5, 1.5),
        ("tpe", 1.5, 1.5, 1.5),
    ]
    # Losses less 0.05, by the 0.2 or (at 20 hours) 0.1 between the references: c-nmc 0.25 and 0.5, bone marrow 0.75.
    assert rows_of(overall)["random"].regret == pytest.approx((0.375 + 0.75) / 2)
    assert (overall.rows[0].seeds, overall.rows[0].results) == (8, 8)  # three at two budgets, and two
    text = " ".join(overall.notes)
    assert "Mean over 2 benchmarks of the mean rank (bone-marrow-micro@recorded v1, c-nmc@recorded v1)" in text
    assert "every benchmark counts the same" in text
    assert "left out here: extra" in text
    assert "c-nmc@recorded v0 does not count" in text


def test_overall_without_a_reference_for_one_benchmark_has_no_regret(
    run: Run, collect: Collect, reference: Any
) -> None:
    boards = leaderboard(overall_results(run, collect), lambda name: reference if name.startswith("c-nmc") else None)
    assert all(row.regret is None for row in boards[-1].rows)


def test_overall_without_a_common_strategy_is_empty(run: Run, collect: Collect) -> None:
    runs = [
        run("random", 0, (1, 0.1), benchmark="c-nmc@recorded"),
        run("tpe", 0, (1, 0.1), benchmark="bone-marrow-micro@recorded"),
    ]
    overall = leaderboard(collect(runs), no_reference)[-1]
    assert overall.rows == ()
    assert "Not run on every benchmark, so left out here: random, tpe." in overall.notes


def test_fitted_surfaces_do_not_count_overall(run: Run, collect: Collect) -> None:
    names = ("c-nmc@published", "bone-marrow@published", "c-nmc@recorded")
    runs = [run(arm, 0, (1, 0.1), benchmark=name) for name in names for arm in ("random", "tpe")]
    assert all(board.benchmark != OVERALL for board in leaderboard(collect(runs), no_reference))
    runs += [run(arm, 0, (1, 0.1), benchmark="bone-marrow-micro@recorded") for arm in ("random", "tpe")]
    text = " ".join(leaderboard(collect(runs), no_reference)[-1].notes)
    assert "Mean over 2 benchmarks" in text
    assert "c-nmc@published v1 does not count: a surface fitted to a paper's figures" in text


def test_json_survives_a_round_trip_and_holds_no_nan(worked: Results, run: Run, collect: Collect) -> None:
    boards = leaderboard(worked, no_reference) + leaderboard(overall_results(run, collect), no_reference)
    data = as_json(boards)
    assert json.loads(json.dumps(data, allow_nan=False)) == data
    assert data["schema"] == 2
    row = data["boards"][0]["rows"][0]
    assert row["strategy"] == "tpe"
    assert row["validation"] == {"mean": 85.0, "std": 5.0}
    assert row["hours_to_random"] == {"median": 3.0, "budget": 10.0, "reached": 3, "seeds": 3}
    assert row["measured"] == {"strategy_seconds": 1.5}
    assert "strategy_seconds" not in row
    assert data["boards"][-1]["benchmark"] == OVERALL
