"""What the papers print, and how ours is held against it: on runs whose figures are known."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from hemobench.benchmarks.benchmark import load_benchmark
from hemobench.benchmarks.execute import execute
from hemobench.benchmarks.narrow import narrowed
from hemobench.benchmarks.results import Results, load_results
from hemobench.benchmarks.suite import load_suite, plans
from hemobench.reports.papers import (
    EFFECTS,
    SHARES,
    TABLE_1,
    THREE_RUNS,
    TOP_FIVE,
    as_json,
    compare_with_papers,
    single_effects,
)

SHARED = Path(__file__).resolve().parents[3] / "shared" / "papers"


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    out = tmp_path_factory.mktemp("results")
    chosen = narrowed(
        load_suite("quick"), strategies=["random", "sssr", "manual", "optuna-tpe", "hyperopt-tpe"], seeds=3
    )
    for plan in plans(chosen):
        execute(plan, out, "test")
    return load_results(out)


def reference_of(name: str) -> Any:
    return load_benchmark(name).reference()


def test_the_figures_are_the_papers() -> None:
    if not SHARED.is_dir():
        pytest.skip("no shared/papers beside the checkout")
    bone, leukaemia = (path.read_text(encoding="utf-8") for path in sorted(SHARED.glob("0*.txt")))
    for row in TABLE_1.values():
        assert " ".join(f"{mean} ±{deviation}" for mean, deviation in row) in bone
    for points in EFFECTS.values():
        assert f"{points}%" in bone
    for value in (*TOP_FIVE, *THREE_RUNS):
        assert f"{value}" in leukaemia
    for name in ("learning_rate", "dropout_1", "weight_decay"):
        assert f"{SHARES[name]:.0f}% importance" in leukaemia or f"({SHARES[name]:.0f}%" in leukaemia


def test_calibrated_figures_agree_and_both_verdicts_occur(results: Results) -> None:
    claims = compare_with_papers(results, reference_of)
    by_name = {claim.what: claim for claim in claims}
    assert by_name["micro_f1 of the best set of random"].agrees
    assert by_name["micro_f1 of the best set of manual"].agrees
    assert by_name["mean test accuracy of what TPE selects"].agrees
    assert {claim.agrees for claim in claims} == {True, False, None}
    for claim in claims:
        verb = {True: "Agrees: ", False: "Disagrees: ", None: ("These runs cannot tell: ", "Not in the paper: ")}
        assert claim.words.startswith(verb[claim.agrees])
        if claim.agrees is not None:
            assert claim.published is not None
            assert claim.ours is not None
            assert claim.agrees == (abs(claim.ours - claim.published) <= claim.margin)


def test_figures_are_those_of_the_tables(results: Results) -> None:
    by_name = {claim.what: claim for claim in compare_with_papers(results, reference_of)}
    runs, trials = results.runs, results.trials
    mine = trials[
        trials["run"].isin(runs.index[(runs["benchmark"] == "c-nmc@published") & (runs["strategy"] == "optuna-tpe")])
    ]
    early = mine[mine["number"] < 10]["validation.accuracy"].astype(float) * 100
    assert by_name["mean accuracy of trials 0 to 9"].ours == pytest.approx(early.mean())
    assert by_name["deviation of trials 0 to 9"].ours == pytest.approx(early.std())
    assert by_name["share of random search's 100 trials that SSSR saves"].agrees is None  # fifty trials cannot tell
    assert "hyperopt-tpe against Optuna's TPE" in by_name


def test_same_sets_are_recognised(run: Callable[..., Any], collect: Callable[..., Results]) -> None:
    kind = {"benchmark": "bone-marrow@published"}
    runs = [run(name, seed, (1, 0.3), (2, 0.2), **kind) for seed in range(4) for name in ("random", "sssr")]
    results = collect(runs)
    differs = results.trials.index[results.trials["run"] == 7]
    depth = pd.Series(121, index=results.trials.index).mask(results.trials.index.isin(differs), 169)
    results = Results(results.runs, results.trials.assign(**{"config.densenet_depth": depth, "config.dropout": np.nan}))
    claims = {claim.what: claim for claim in compare_with_papers(results, lambda name: None)}
    assert claims["share of seeds in which random search and SSSR find the same set"].ours == 75


def test_single_effects_by_hand() -> None:
    rows = [
        (0, 1e-3, 32, "adam", 0.80, "ok"),
        (1, 1e-7, 32, "adam", 0.20, "ok"),  # below what is useful
        (2, 1e-4, 32, "adam", 0.83, "ok"),
        (3, 1e-3, 1, "adam", 0.50, "ok"),  # left out by the paper
        (4, 1e-3, 8, "adam", 0.79, "ok"),
        (5, 1e-3, 32, "sgd", None, "diverged"),
        (6, 1e-4, 8, "adam", 0.90, "ok"),  # the combination
    ]
    names = ["number", "config.learning_rate", "config.batch_size", "config.optimizer", "validation.micro_f1", "status"]
    effects = single_effects(pd.DataFrame(rows, columns=names), "validation.micro_f1")
    assert effects == {"learning_rate": pytest.approx(3.0), "batch_size": pytest.approx(1.0)}
    assert single_effects(pd.DataFrame(rows[1:], columns=names), "validation.micro_f1") == {}


def test_json(results: Results, worked: Results) -> None:
    data = as_json(compare_with_papers(results, reference_of))
    assert json.loads(json.dumps(data, allow_nan=False)) == data
    assert data["schema"] == 1
    assert {claim.agrees for claim in compare_with_papers(worked, lambda name: None)} == {None}
