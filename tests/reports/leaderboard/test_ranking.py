"""Boards that can be worked out by hand, and what must hold of any board."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hemobench.benchmarks.evaluator import Cost
from hemobench.benchmarks.storage.load import load_results
from hemobench.benchmarks.storage.records import RunEnd, TrialRecord
from hemobench.benchmarks.storage.results import Results
from hemobench.benchmarks.storage.run_folder import SCHEMA as STORE_SCHEMA
from hemobench.benchmarks.storage.run_folder import RunFolder
from hemobench.benchmarks.storage.trial_records import configurations
from hemobench.errors import BenchmarkError
from hemobench.reports.leaderboard.model import OVERALL, Board, HoursToRandom, Row, Spread, as_json
from hemobench.reports.leaderboard.ranking import leaderboard
from hemobench.strategies.base import Status

Run = Callable[..., Any]
Collect = Callable[..., Results]


def rows_of(board: Board) -> dict[str, Row]:
    return {row.strategy: row for row in board.rows}


def no_reference(name: str) -> None:
    return None


def test_a_board_worked_out_by_hand(worked: Results, reference: Any) -> None:
    (board,) = leaderboard(worked, lambda name: reference, startup={"tpe": "10 random trials"})
    assert (board.benchmark, board.version, board.gpu_hours, board.workers) == ("c-nmc@published", 1, 10.0, 1)
    assert board.headline == ("accuracy", "accuracy")
    assert [row.strategy for row in board.rows] == ["tpe", "random", "poor"]  # by the mean, and `poor` is not judged
    assert [row.points and row.points.mean for row in board.rows] == pytest.approx([85, 80, 60])
    assert [row.rank for row in board.rows] == [1.5, 1.5, 3.0]  # seeds: 1.5 1.5 3, 1 2 3, 2 1 3
    assert [row.regret for row in board.rows] == pytest.approx([0.5, 0.75, 1.75])
    rows = rows_of(board)
    assert rows["random"].hours_to_random == HoursToRandom(8.0, 10.0, 2, 3)
    assert rows["tpe"].hours_to_random == HoursToRandom(2.0, 10.0, 3, 3)
    assert rows["poor"].hours_to_random == HoursToRandom(None, 10.0, 0, 3)
    assert (rows["tpe"].startup, rows["random"].startup) == ("10 random trials", None)


def test_metrics_and_counts_by_hand(worked: Results, reference: Any) -> None:
    rows = rows_of(leaderboard(worked, lambda name: reference)[0])
    tpe, poor = rows["tpe"], rows["poor"]
    assert tpe.validation is not None
    assert tpe.test is not None
    assert (tpe.validation.mean, tpe.validation.std) == pytest.approx((85, 5))
    assert (tpe.test.mean, tpe.test.std) == pytest.approx((75, 5))
    assert poor.validation is not None
    assert poor.validation == Spread(pytest.approx(60), None)
    assert (tpe.trials, tpe.failures, tpe.results, tpe.status) == (2, 0, 3, "")
    assert (poor.trials, poor.failures, poor.results) == (1, 1, 1)  # the cut trial neither finished nor failed
    assert poor.status == "1 strategy error, 1 run without a successful trial"
    assert tpe.strategy_seconds == pytest.approx(1.5)
    assert poor.strategy_seconds == pytest.approx((0.75 + 1.25 + 0.75) / 3)  # a cut trial was asked for
    assert tpe.gpu_hours_spent == pytest.approx(8)


def test_what_went_wrong_is_told(worked: Results) -> None:
    (board,) = leaderboard(worked, no_reference)
    assert "poor, seed 2: trial 1: ValueError: [red]no[/red] <b>luck</b>" in board.notes
    assert any("ranks last in its seed" in note for note in board.notes)
    assert any("3 seeds are few" in note for note in board.notes)


def test_a_median_among_misses_is_more_than_the_budget(run: Run, collect: Collect) -> None:
    runs = [run("random", seed, (5, 0.1)) for seed in range(4)]
    runs += [run("tpe", seed, (2, 0.1 if seed < 2 else 0.2)) for seed in range(4)]
    rows = rows_of(leaderboard(collect(runs), no_reference)[0])
    assert rows["tpe"].hours_to_random == HoursToRandom(None, 10.0, 2, 4)


def test_random_search_with_one_result_sets_the_target_for_all(run: Run, collect: Collect) -> None:
    runs = [run("random", 0, (5, 0.1)), run("random", 1, (5, "diverged"))]
    runs += [run("tpe", seed, (2, 0.1)) for seed in range(2)]
    rows = rows_of(leaderboard(collect(runs), no_reference)[0])
    assert rows["tpe"].hours_to_random == HoursToRandom(2.0, 10.0, 2, 2)


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


def test_one_seed_gives_no_interval(run: Run, collect: Collect) -> None:
    (board,) = leaderboard(collect([run("random", 0, (2, 0.1)), run("tpe", 0, (2, 0.2))]), no_reference)
    assert [(row.rank, row.rank_low, row.rank_high) for row in board.rows] == [(1, None, None), (2, None, None)]
    assert board.rows[0].validation == Spread(90.0, None)
    assert any("One seed" in note for note in board.notes)


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


def test_versions_budgets_and_workers_are_never_mixed(run: Run, collect: Collect) -> None:
    kinds = [{}, {"version": 2}, {"gpu_hours": 20.0}, {"workers": 4}]
    boards = leaderboard(collect([run("random", 0, (1, 0.1), **kind) for kind in kinds]), no_reference)
    found = {(board.version, board.gpu_hours, board.workers) for board in boards}
    assert found == {(1, 10.0, 1), (2, 10.0, 1), (1, 20.0, 1), (1, 10.0, 4)}
    assert all(board.benchmark != OVERALL for board in boards)


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


cells = st.sampled_from([0.1, 0.2, 0.3, "diverged"])
tables = st.integers(2, 4).flatmap(
    lambda width: st.lists(st.lists(cells, min_size=width, max_size=width), min_size=2, max_size=4)
)


def of_table(run: Run, collect: Collect, table: list[list[float | str]]) -> Results:
    names = ["random", "tpe", "smac", "gp"]
    runs = [run(names[k], seed, (1 + k, cell)) for seed, row in enumerate(table) for k, cell in enumerate(row)]
    return collect(runs)


@settings(max_examples=25, deadline=None)
@given(table=tables, order=st.randoms(use_true_random=False))
def test_order_and_numbering_of_rows_change_nothing(
    run: Run, collect: Collect, reference: Any, table: list[list[float | str]], order: Any
) -> None:
    results = of_table(run, collect, table)
    runs, trials = list(results.runs.index), list(range(len(results.trials)))
    order.shuffle(runs)
    order.shuffle(trials)
    renumbered = {old: new for new, old in enumerate(runs)}
    shuffled = Results(
        results.runs.loc[runs].reset_index(drop=True).rename_axis("run"),
        results.trials.iloc[trials].assign(run=lambda frame: frame["run"].map(renumbered)),
    )
    assert leaderboard(shuffled, lambda name: reference) == leaderboard(results, lambda name: reference)


@settings(max_examples=25, deadline=None)
@given(table=tables)
def test_ranks_are_shared_out_and_lie_in_their_intervals(
    run: Run, collect: Collect, table: list[list[float | str]]
) -> None:
    (board,) = leaderboard(of_table(run, collect, table), no_reference)
    strategies = len(board.rows)
    assert sum(row.rank for row in board.rows) == pytest.approx(strategies * (strategies + 1) / 2)
    assert all(row.rank_low <= row.rank <= row.rank_high for row in board.rows)  # type: ignore[operator]
    not_judged = {name for name, _ in board.verdict.left_out} if board.verdict else set()
    means = [row.points.mean for row in board.rows if row.points and row.strategy not in not_judged]
    assert means == sorted(means, reverse=True)


def test_what_is_ranked_is_the_truth_and_luck_is_shown(run: Run, collect: Collect, reference: Any) -> None:
    """`lucky` looks better than random search on every seed, and is worse."""
    generator, runs = np.random.default_rng(0), []
    for seed in range(12):
        jitter = float(generator.normal(0, 0.003))
        runs.append(run("random", seed, (1, 0.20 + jitter), luck=0.0))
        runs.append(run("lucky", seed, (1, 0.17 + float(generator.normal(0, 0.003))), luck=0.06))
    (board,) = leaderboard(collect(runs), lambda name: reference)
    assert [row.strategy for row in board.rows] == ["random", "lucky"]
    assert (board.ranked, board.judged_by) == ("truth", "noise-free accuracy")
    assert board.verdict is not None
    assert (board.verdict.kind, board.verdict.strategies) == ("best", ("random",))
    lucky = rows_of(board)["lucky"]
    assert lucky.luck == pytest.approx(6)
    assert lucky.seen is not None
    assert lucky.validation is not None
    assert lucky.seen.mean - lucky.validation.mean == pytest.approx(6)
    assert lucky.gain is not None
    assert lucky.gain_test is not None
    assert (lucky.gain.mean, lucky.gain_test.mean) == pytest.approx((-3, -3), abs=0.3)
    assert rows_of(board)["random"].gain is None
    assert not any("luck included" in note for note in board.notes)
    partly = collect([*runs[1:], run("random", 0, (1, 0.2))])  # one run without the truth: all by what was seen
    (mixed,) = leaderboard(partly, lambda name: reference)
    assert (mixed.ranked, mixed.rows[0].strategy) == ("loss", "lucky")


def test_regret_of_the_truth_is_never_below_zero(run: Run, collect: Collect, reference: Any) -> None:
    runs = [run(name, seed, (1, 0.01), luck=0.03) for seed in range(3) for name in ("random", "tpe")]
    (board,) = leaderboard(collect(runs), lambda name: reference)  # a truth of 0.04, and 0.05 was the best known
    assert [row.regret for row in board.rows] == [0.0, 0.0]


def test_gains_are_paired(run: Run, collect: Collect) -> None:
    """Seeds differ by far more than strategies do: on the same seed the gain is always about two points."""
    generator, runs = np.random.default_rng(1), []
    for seed in range(6):
        level = float(generator.uniform(0.2, 0.6))
        runs += [
            run("random", seed, (1, level)),
            run("tpe", seed, (1, level - 0.02 + float(generator.normal(0, 1e-3)))),
        ]
    (board,) = leaderboard(collect(runs), no_reference)
    tpe = rows_of(board)["tpe"]
    assert tpe.gain is not None
    assert tpe.points is not None
    assert 1.7 < (tpe.gain.low or 0) < 2 < (tpe.gain.high or 0) < 2.3
    assert (tpe.points.high or 0) - (tpe.points.low or 0) > 10


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


def test_identical_strategies_tie(run: Run, collect: Collect) -> None:
    losses = np.random.default_rng(3).uniform(size=(6, 2)).round(3)
    runs = [run(name, seed, (1, mine)) for seed, (mine, _) in enumerate(losses) for name in ("one", "two")]
    runs += [run("other", seed, (1, other)) for seed, (_, other) in enumerate(losses)]
    rows = rows_of(leaderboard(collect(runs), no_reference)[0])
    one, two = rows["one"], rows["two"]
    assert (one.rank, one.rank_low, one.rank_high) == (two.rank, two.rank_low, two.rank_high)


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


def test_a_hundred_thousand_trials(reference: Any) -> None:
    generator = np.random.default_rng(0)
    count, each = 100, 1000
    run = np.repeat(np.arange(count), each)
    loss = generator.uniform(0.1, 0.9, count * each)
    trials = pd.DataFrame(
        {
            "run": run,
            "number": np.tile(np.arange(each), count),
            "status": "ok",
            "loss": loss,
            "finished": np.tile(np.arange(1, each + 1) * 36.0, count),
            "validation.accuracy": 1 - loss,
        }
    )
    names = ["random", "tpe", "smac", "gp", "sssr"]
    runs = pd.DataFrame(
        {
            "benchmark": "c-nmc@published",
            "version": 1,
            "strategy": np.tile(names, count // 5),
            "gpu_hours": 10.0,
            "workers": 1,
            "seed": np.repeat(np.arange(count // 5), 5),
            "status": "budget-spent",
            "error": None,
        }
    ).rename_axis("run")
    (board,) = leaderboard(Results(runs, trials), lambda name: reference)
    best = pd.Series(loss).groupby(run).min().to_numpy().reshape(-1, 5)
    expected = dict(zip(names, 100 * (1 - best.mean(axis=0)), strict=True))
    assert {row.strategy: row.validation.mean for row in board.rows if row.validation} == pytest.approx(expected)
    assert all(row.trials == each for row in board.rows)


def stored(root: Path, strategy: str, seed: int, losses: list[float | None]) -> None:
    header = {
        "schema": STORE_SCHEMA,
        "benchmark": "c-nmc@live",
        "version": 1,
        "strategy": {"label": strategy},
        "budget": {"gpu_hours": 2.0, "workers": 1},
        "seed": seed,
    }
    folder = RunFolder(root / strategy / str(seed), header)
    for number, loss in enumerate(losses):
        metrics = {} if loss is None else {"accuracy": 1 - loss}
        folder.append(
            TrialRecord(
                number=number,
                config={"dropout_1": 0.1},
                epochs=10,
                resume_from=None,
                status=Status.DIVERGED if loss is None else Status.OK,
                loss=loss,
                validation=metrics,
                test=metrics,
                curve=(),
                cost=Cost(1800.0, "measured", "a device"),
                started=1800.0 * number,
                finished=1800.0 * (number + 1),
                measured={"ask_s": 1.0, "tell_s": 1.0},
            )
        )
    folder.finish(RunEnd("budget-spent", {"train": 7200.0, "unspent": 0.0}))
    folder.close()


def test_from_run_folders_to_the_board(tmp_path: Path) -> None:
    stored(tmp_path, "random", 0, [0.5, None, 0.3, 0.4])
    stored(tmp_path, "random", 1, [None, None, None, None])
    stored(tmp_path, "tpe", 0, [0.3, 0.2, 0.2, None])
    stored(tmp_path, "tpe", 1, [0.3, 0.2, 0.2, None])
    rows = rows_of(leaderboard(load_results(tmp_path), no_reference)[0])
    assert (rows["tpe"].rank, rows["random"].rank) == (1, 2)
    assert rows["tpe"].hours_to_random == HoursToRandom(0.5, 2.0, 2, 2)
    assert rows["random"].hours_to_random == HoursToRandom(None, 2.0, 1, 2)
    assert (rows["random"].failures, rows["tpe"].failures) == (5, 2)
    assert (rows["tpe"].strategy_seconds, rows["tpe"].gpu_hours_spent) == (8.0, 2.0)


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


def test_configurations_hold_active_hyperparameters_only() -> None:
    trials = pd.DataFrame({"run": [0, 0], "config.a": [1, 2], "config.b": ["x", None]})
    assert configurations(trials) == [{"a": 1, "b": "x"}, {"a": 2}]
