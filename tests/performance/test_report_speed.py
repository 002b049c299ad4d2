"""The leaderboard of ten thousand and of a million trials, against one bare group-by of the same table."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from hemobench.benchmarks.benchmark import load_benchmark
from hemobench.benchmarks.storage.results import Results
from hemobench.reports.leaderboard.ranking import leaderboard

STRATEGIES, TRIALS = 10, 100
SIZES = {"10,000": (10, 1), "1,000,000": (100, 10)}
"""Trials in all, by seeds and budgets."""


def results(seeds, budgets):
    """Ten strategies of 100 trials a run, with random losses."""
    rng = np.random.default_rng(0)
    budget, strategy, seed = (part.ravel() for part in np.indices((budgets, STRATEGIES, seeds)))
    hours = 20.0 + budget
    runs = pd.DataFrame(
        {
            "benchmark": "c-nmc@published",
            "version": 1,
            "strategy": np.where(strategy == 0, "random", np.char.add("s", strategy.astype(str))),
            "gpu_hours": hours,
            "workers": 1,
            "seed": seed,
            "status": "budget-spent",
            "error": None,
            "folder": "",
            "ledger.train": 3600 * hours,
            "ledger.idle": 0.0,
            "ledger.unspent": 0.0,
        }
    ).rename_axis("run")
    run = np.repeat(np.arange(len(runs)), TRIALS)
    number = np.tile(np.arange(TRIALS), len(runs))
    loss = rng.gamma(2.0, 0.05, len(run))
    trials = pd.DataFrame(
        {
            "run": run,
            "number": number,
            "status": "ok",
            "loss": loss,
            "started": 3600 * hours[run] * number / TRIALS,
            "finished": 3600 * hours[run] * (number + 1) / TRIALS,
            "measured.ask_s": 1e-3,
            "measured.tell_s": 1e-3,
            "validation.accuracy": 1 - loss,
            "test.accuracy": 0.98 - loss,
        }
    )
    return Results(runs, trials)


@pytest.fixture(scope="module", params=list(SIZES))
def sized(request):
    seeds, budgets = SIZES[request.param]
    return request.param, results(seeds, budgets)


def rounds(size):
    return 5 if size == "10,000" else 2


@pytest.mark.benchmark
def test_bare_best_of_each_run(benchmark, sized):
    size, found = sized
    benchmark.group = f"leaderboard of {size} trials"
    best = benchmark.pedantic(lambda: found.trials.groupby("run")["loss"].min(), rounds=rounds(size))
    assert len(best) == len(found.runs)


@pytest.mark.benchmark
def test_leaderboard(benchmark, sized):
    size, found = sized
    benchmark.group = f"leaderboard of {size} trials"
    boards = benchmark.pedantic(
        lambda: leaderboard(found, lambda name: load_benchmark(name).reference()), rounds=rounds(size)
    )
    assert sum(row.results for board in boards if board.benchmark != "overall" for row in board.rows) == len(found.runs)
