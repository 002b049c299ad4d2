"""Who and what is judged: failures, unfinished runs, missing seeds and references, runs that stray."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from contracts.boards import Collect, Run, no_reference, rows_of

from hemobench.benchmarks.storage.results import Results
from hemobench.errors import BenchmarkError
from hemobench.reports.leaderboard.model import Board
from hemobench.reports.leaderboard.ranking import leaderboard


def test_what_went_wrong_is_told(worked: Results) -> None:
    (board,) = leaderboard(worked, no_reference)
    assert "poor, seed 2: trial 1: ValueError: [red]no[/red] <b>luck</b>" in board.notes
    assert any("ranks last in its seed" in note for note in board.notes)
    assert any("3 seeds are few" in note for note in board.notes)


def test_without_reference_or_random_search(run: Run, collect: Collect) -> None:
    (board,) = leaderboard(collect([run("tpe", seed, (2, 0.1)) for seed in range(5)]), no_reference)
    assert board.rows[0].regret is None
    assert board.rows[0].hours_to_random is None
    assert [note.partition(":")[0] for note in board.notes] == [
        "Ranked by what the search saw, luck included",
        "No reference is known for this benchmark",
        "No strategy 'random' among the results",
    ]


def test_a_reference_that_leaves_no_room_gives_no_regret(run: Run, collect: Collect, reference: Any) -> None:
    results = collect([run("random", 0, (2, 0.1), gpu_hours=math.inf)])
    (board,) = leaderboard(results, lambda name: reference)
    assert board.rows[0].regret is None
    assert any("no regret" in note for note in board.notes)


def test_only_seeds_that_all_have_are_compared(run: Run, collect: Collect) -> None:
    runs = [run("random", seed, (2, 0.1 * seed + 0.1)) for seed in range(5)]
    runs += [run("tpe", seed, (2, 0.25)) for seed in (0, 1, 3)]
    (board,) = leaderboard(collect(runs), no_reference)
    assert {row.seeds for row in board.rows} == {3}
    assert "Only seeds that every strategy has are compared (0, 1, 3): tpe lacks 2, 4." in board.notes
    assert rows_of(board)["random"].rank == pytest.approx(4 / 3)


def test_no_seed_in_common(run: Run, collect: Collect) -> None:
    (board,) = leaderboard(collect([run("random", 0, (2, 0.1)), run("tpe", 1, (2, 0.1))]), no_reference)
    assert board.rows == ()
    assert board.notes == (
        "Nothing is compared, since no seed was run by every strategy: random lacks 1; tpe lacks 0.",
    )


def test_unfinished_runs_are_shown_as_such(run: Run, collect: Collect) -> None:
    runs = [
        run("random", 0, (2, 0.1)),
        run("tpe", 0, (1, 0.2), status="unfinished"),
        run("new", 0, status="unfinished"),
    ]
    rows = rows_of(leaderboard(collect(runs), no_reference)[0])
    assert (rows["tpe"].status, rows["tpe"].rank, rows["tpe"].gpu_hours_spent) == ("1 unfinished run", 2, None)
    assert rows["new"].status == "1 unfinished run, 1 run without a successful trial"
    assert rows["new"].rank == 3


def test_nothing_but_runs_without_trials(run: Run, collect: Collect) -> None:
    (board,) = leaderboard(collect([run(name, 0, status="unfinished") for name in ("random", "tpe")]), no_reference)
    assert [row.rank for row in board.rows] == [1.5, 1.5]
    assert all(row.validation is None and row.trials == 0 for row in board.rows)


def test_an_unknown_task_is_named(run: Run, collect: Collect) -> None:
    with pytest.raises(BenchmarkError, match="no task 'blood'"):
        leaderboard(collect([run("random", 0, (1, 0.1), benchmark="blood@published")]), no_reference)


def test_a_budget_too_small_for_one_trial_is_no_answer(run: Run, collect: Collect) -> None:
    runs = [run(name, seed, (10, "cut")) for seed in range(5) for name in ("random", "tpe")]
    (board,) = leaderboard(collect(runs), no_reference)
    assert board.verdict is not None
    assert (board.verdict.kind, board.verdict.leader) == ("unknown", None)
    assert board.verdict.reason == "no strategy has a result on every seed"
    assert dict(board.verdict.left_out)["tpe"] == "5 of 5 runs have no finished trial"


def test_a_strategy_that_raised_is_not_judged_however_good_it_looks(run: Run, collect: Collect) -> None:
    generator = np.random.default_rng(2)
    runs = [
        run(name, seed, (1, loss + float(generator.normal(0, 0.005))))
        for seed in range(8)
        for name, loss in (("random", 0.3), ("tpe", 0.2))
    ]
    runs += [
        run("broken", seed, (1, 0.01), status="strategy-error" if seed == 3 else "budget-spent") for seed in range(8)
    ]
    (board,) = leaderboard(collect(runs), no_reference)
    assert board.verdict is not None
    assert (board.verdict.kind, board.verdict.strategies) == ("best", ("tpe",))
    assert dict(board.verdict.left_out) == {"broken": "the strategy raised an error in 1 of 8 runs"}
    assert board.rows[-1].strategy == "broken"


def of_three(run: Run, collect: Collect, strays: int) -> Board:
    """A board of 20 seeds, on which tpe is best, went astray once, and wild, better still, so many times."""
    generator, runs = np.random.default_rng(3), []
    for seed in range(20):
        for name, loss in (("random", 0.3), ("tpe", 0.25), ("wild", 0.2)):
            runs.append(run(name, seed, (1, loss + float(generator.normal(0, 0.005)))))
    results = collect(runs)
    trials = results.trials.assign(**{"config.x": np.arange(len(results.trials), dtype=float)})
    number = {(row.strategy, row.seed): run for run, row in results.runs.iterrows()}
    far = {float(number["tpe", 0]), *(float(number["wild", seed]) for seed in range(strays))}
    boards = leaderboard(
        Results(results.runs, trials), no_reference, outside_of=lambda _, configs: [c["x"] in far for c in configs]
    )
    return boards[0]


def test_runs_out_of_support_take_their_seed_along_and_many_of_them_the_strategy(run: Run, collect: Collect) -> None:
    board = of_three(run, collect, strays=5)
    assert board.verdict is not None
    assert (board.verdict.kind, board.verdict.strategies, board.verdict.seeds) == ("best", ("tpe",), 19)
    assert dict(board.verdict.left_out) == {"wild": "5 of 20 runs went out of support"}
    rows = rows_of(board)
    assert (rows["wild"].rank, board.rows[-1].strategy, board.judged_seeds) == (None, "wild", 19)
    assert (rows["tpe"].rank, rows["random"].rank) == (1, 2)


def test_a_tenth_of_the_runs_out_of_support_is_no_more_than_a_tenth(run: Run, collect: Collect) -> None:
    board = of_three(run, collect, strays=2)
    assert board.verdict is not None
    assert (board.verdict.strategies, dict(board.verdict.left_out)) == (("wild",), {})
    assert (rows_of(board)["wild"].rank, board.judged_seeds) == (1, 18)


def test_runs_that_stray_from_what_was_recorded_are_flagged(worked: Results, reference: Any) -> None:
    """Both trials of one run of three lie outside."""
    trials = worked.trials.assign(**{"config.x": [float(n) for n in range(len(worked.trials))]})
    tpe = worked.runs.index[(worked.runs["strategy"] == "tpe") & (worked.runs["seed"] == 0)][0]
    far = set(trials.loc[trials["run"] == tpe, "config.x"])

    def outside(benchmark: str, configs: list[dict[str, Any]]) -> list[bool]:
        assert benchmark == "c-nmc@published"
        return [config["x"] in far for config in configs]

    results = Results(worked.runs, trials)
    board = leaderboard(results, lambda _: reference, outside_of=outside)[0]
    assert {row.strategy: "out of support" in row.status for row in board.rows} == {
        "tpe": True,
        "random": False,
        "poor": False,
    }
    assert any("more than 20 %" in note or "more than 20%" in note for note in board.notes)
    silent = leaderboard(results, lambda _: reference, outside_of=lambda *_: None)[0]
    assert not any("out of support" in row.status for row in silent.rows)
