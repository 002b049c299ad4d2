"""Boards that can be worked out by hand, and what must hold of any board."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from contracts.boards import Collect, Run, no_reference, rows_of
from hypothesis import given, settings
from hypothesis import strategies as st

from hemobench.benchmarks.evaluator import Cost
from hemobench.benchmarks.storage.load import load_results
from hemobench.benchmarks.storage.records import RunEnd, TrialRecord
from hemobench.benchmarks.storage.results import Results
from hemobench.benchmarks.storage.run_folder import SCHEMA as STORE_SCHEMA
from hemobench.benchmarks.storage.run_folder import RunFolder
from hemobench.benchmarks.storage.trial_records import configurations
from hemobench.reports.leaderboard.model import OVERALL, HoursToRandom, Spread
from hemobench.reports.leaderboard.ranking import leaderboard
from hemobench.strategies.base import Status


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


def test_one_seed_gives_no_interval(run: Run, collect: Collect) -> None:
    (board,) = leaderboard(collect([run("random", 0, (2, 0.1)), run("tpe", 0, (2, 0.2))]), no_reference)
    assert [(row.rank, row.rank_low, row.rank_high) for row in board.rows] == [(1, None, None), (2, None, None)]
    assert board.rows[0].validation == Spread(90.0, None)
    assert any("One seed" in note for note in board.notes)


def test_versions_budgets_and_workers_are_never_mixed(run: Run, collect: Collect) -> None:
    kinds = [{}, {"version": 2}, {"gpu_hours": 20.0}, {"workers": 4}]
    boards = leaderboard(collect([run("random", 0, (1, 0.1), **kind) for kind in kinds]), no_reference)
    found = {(board.version, board.gpu_hours, board.workers) for board in boards}
    assert found == {(1, 10.0, 1), (2, 10.0, 1), (1, 20.0, 1), (1, 10.0, 4)}
    assert all(board.benchmark != OVERALL for board in boards)


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


def test_identical_strategies_tie(run: Run, collect: Collect) -> None:
    losses = np.random.default_rng(3).uniform(size=(6, 2)).round(3)
    runs = [run(name, seed, (1, mine)) for seed, (mine, _) in enumerate(losses) for name in ("one", "two")]
    runs += [run("other", seed, (1, other)) for seed, (_, other) in enumerate(losses)]
    rows = rows_of(leaderboard(collect(runs), no_reference)[0])
    one, two = rows["one"], rows["two"]
    assert (one.rank, one.rank_low, one.rank_high) == (two.rank, two.rank_low, two.rank_high)


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


def test_configurations_hold_active_hyperparameters_only() -> None:
    trials = pd.DataFrame({"run": [0, 0], "config.a": [1, 2], "config.b": ["x", None]})
    assert configurations(trials) == [{"a": 1, "b": "x"}, {"a": 2}]
