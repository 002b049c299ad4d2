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
from hemobench.benchmarks.storage.results import Results
from hemobench.reports.papers import (
    BONE_MARROW,
    C_NMC,
    Claim,
    as_json,
    beside,
    compare_with_papers,
    in_words,
    measured,
    readings,
)
from hemobench.reports.papers.bone_marrow import single_effects
from hemobench.reports.papers.figures import paper_figures, parts
from hemobench.reports.papers.folds import paired_difference, trainings
from hemobench.reports.papers.reference_values import EFFECTS, FIRST_LATE, SHARES, TABLE_1, THREE_RUNS, TOP_FIVE
from hemobench.reports.validation.repeats import concluded, summary

SHARED = Path(__file__).resolve().parents[4] / "shared" / "papers"


@pytest.fixture
def results(quick_results: Results) -> Results:
    return quick_results


RUNS = ["benchmark", "version", "strategy", "gpu_hours", "workers", "seed", "status"]


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
    for value in (*TOP_FIVE.values(), *THREE_RUNS):
        assert f"{value}" in leukaemia
    for name in ("learning_rate", "dropout_1", "weight_decay"):
        assert f"{SHARES[name]:.0f}% importance" in leukaemia or f"({SHARES[name]:.0f}%" in leukaemia


def renamed(results: Results, names: dict[str, str]) -> Results:
    """The same runs as if other benchmarks had answered."""
    return Results(results.runs.assign(benchmark=results.runs["benchmark"].replace(names)), results.trials)


def both(results: Results) -> Results:
    """Every run twice: of a published benchmark, and as if it had been trained at micro scale."""
    other = renamed(results, {"bone-marrow@published": "bone-marrow-micro@live", "c-nmc@published": "c-nmc@live"})
    count = len(results.runs)
    trials = results.trials.assign(run=results.trials["run"] + count)
    metrics = [name for name in trials if str(name).startswith("validation.")]
    trials[metrics] = trials[metrics].astype(float) * 0.8
    runs = pd.concat([results.runs, other.runs.set_axis(other.runs.index + count)])
    return Results(runs.rename_axis("run"), pd.concat([results.trials, trials], ignore_index=True))


def test_calibrated_figures_agree_and_both_verdicts_occur(results: Results) -> None:
    claims = compare_with_papers(results, reference_of)
    by_name = {claim.what: claim for claim in claims}
    assert by_name["micro F1 of the best set of random"].agrees
    assert by_name["micro F1 of the best set of manual"].agrees
    assert by_name["mean test accuracy of what TPE selects"].agrees
    assert {claim.agrees for claim in claims} == {True, False, None}
    for claim in claims:
        verb = {True: ("Agrees on ",), False: ("Disagrees on ",), None: ("Runs on ", "Not in the paper, on ")}
        assert claim.words.startswith(tuple(f"{start}{claim.benchmark}" for start in verb[claim.agrees]))
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


def test_the_micro_task_gets_the_same_claims(results: Results) -> None:
    claims = compare_with_papers(both(results), reference_of)
    published, micro = (
        [claim for claim in claims if claim.benchmark == name]
        for name in ("bone-marrow@published", "bone-marrow-micro@live")
    )
    assert [claim.what for claim in published] == [claim.what for claim in micro]
    assert [claim.published for claim in published] == [claim.published for claim in micro]
    by_name = {claim.what: claim for claim in micro}
    assert by_name["micro F1 of the best set of random"].agrees is False
    assert by_name["lead of the best set of sssr over that of random, micro F1"].agrees
    assert by_name["effect of learning_rate alone"].ours is not None
    assert {claim.source for claim in micro} == {"live"}


def test_sources_stand_side_by_side(results: Results) -> None:
    claims = compare_with_papers(both(results), reference_of)
    figures = {(figure.paper, figure.place): figure for figure in beside(claims)}
    table = figures[BONE_MARROW, "Table 1"]
    assert table.table.header == ("What", "Paper", "bone-marrow@published", "bone-marrow-micro@live", "Agrees within")
    row = next(row for row in table.table.rows if row[0] == "micro F1 of the best set of random")
    assert (row[1], row[4]) == ("83.4 %", "± 0.5")
    assert row[2].endswith(" agrees")
    assert row[3].endswith(" disagrees")
    words = next(words for words in table.words if words.startswith("Micro F1 of the best set of random is 83.4 %"))
    assert "bone-marrow@published agrees with" in words
    assert "bone-marrow-micro@live disagrees with" in words
    assert table.reading.startswith(f"Of the figures that can be told ({len(table.words)})")
    for figure in figures.values():
        assert len(figure.words) == len(figure.table.rows)
        assert {len(row) for row in figure.table.rows} == {len(figure.table.header)}


def test_a_source_is_read_in_a_line(results: Results) -> None:
    claims = compare_with_papers(both(results), reference_of)
    said = readings(claims)
    assert [(paper, words.split(":")[0]) for paper, words in said] == [
        (BONE_MARROW, "bone-marrow@published"),
        (BONE_MARROW, "bone-marrow-micro@live"),
        (C_NMC, "c-nmc@published"),
        (C_NMC, "c-nmc@live"),
    ]
    told = [c for c in claims if c.benchmark == "bone-marrow-micro@live" and c.agrees is not None]
    assert f": {sum(bool(c.agrees) for c in told)} of {len(told)} figures agree" in said[1][1]
    assert "not its levels" in said[1][1]
    lines = in_words(claims)
    assert lines[0] == BONE_MARROW
    assert all(any(words in line for line in lines) for _, words in said)
    kinds = [line for line in lines if line.startswith("  - ")]
    assert len(kinds) == sum(len(figure.words) for figure in beside(claims))


def folded(run: Callable[..., Any], collect: Callable[..., Results], scores: list[float], **more: Any) -> Results:
    """One run of random search, a configuration a score."""
    results = collect([run("random", 0, *((k + 1, 1 - s) for k, s in enumerate(scores)), benchmark="bone-marrow@live")])
    header = json.dumps({"benchmark_settings": more})
    rates = [10.0**-k for k in range(3, 3 + len(scores))]
    trials = results.trials.assign(**{"config.learning_rate": rates, "validation.micro_f1_std": 0.006})
    return Results(results.runs.assign(header=header), trials)


def test_six_folds_against_six_times_five(run: Callable[..., Any], collect: Callable[..., Results]) -> None:
    """Differences of 0.02 and 0.04 points; the third configuration was trained under one of them only."""
    six = folded(run, collect, [0.80, 0.82, 0.81])
    extended = folded(run, collect, [0.8002, 0.8196], extended=True)
    assert paired_difference(six, extended, "bone-marrow@live") == (pytest.approx(0.03), 2)
    assert paired_difference(six, extended, "bone-marrow-micro@live") == (None, 0)
    place = "difference of mean micro F1 between 6-fold and 6 x 5-fold"

    def claim(results: Results, other: Results | None) -> Claim:
        return next(c for c in compare_with_papers(results, lambda name: None, extended=other) if c.what == place)

    assert claim(six, extended).agrees
    assert "2 configurations" in claim(six, extended).words
    assert claim(six, folded(run, collect, [0.81], extended=True)).agrees is False
    for unknown in (claim(six, None), claim(extended, None)):
        assert unknown.agrees is None
        assert "cannot tell" in unknown.words
        assert "extended = true" in unknown.words


def test_the_standard_error_of_a_mean_over_folds(run: Callable[..., Any], collect: Callable[..., Results]) -> None:
    assert [trainings(settings) for settings in ({}, {"extended": True}, {"folds": 3})] == [6, 30, 3]
    for more, folds in (({}, 6), ({"extended": True}, 30)):
        claims = compare_with_papers(folded(run, collect, [0.8], **more), lambda name: None)
        error = next(claim for claim in claims if claim.what.startswith("standard error"))
        assert error.published == 0.2
        assert error.ours == pytest.approx(0.6 / folds**0.5)


def test_three_runs_interval_against_interval() -> None:
    tests = {"optuna-tpe": [86.0, 84.0, 85.0], "smac": [80.0, 82.0, 81.0]}
    validation = concluded({"validation": tests, "test": tests}, "c-nmc@live", "accuracy", 10)
    empty = Results(pd.DataFrame(columns=RUNS).rename_axis("run"), pd.DataFrame())
    claims = {c.what: c for c in compare_with_papers(empty, lambda name: None, validations=[validation])}
    mean = claims["mean test accuracy of repeated trainings"]
    assert (mean.published, mean.ours, mean.agrees) == (84.84, 85.0, True)
    assert "Trained for 10 epochs here, and 40 in the paper." in mean.words
    assert claims["deviation of test accuracy of repeated trainings"].ours == pytest.approx((2 / 3) ** 0.5)
    assert claims["coefficient of variation of test accuracy of repeated trainings"].ours == pytest.approx(
        100 * (2 / 3) ** 0.5 / 85
    )
    interval = claims["95 % interval of the mean test accuracy of repeated trainings"]
    assert (interval.published_text, interval.ours_text) == ("79.73 to 89.96 %", "82.52 to 87.48 %")
    assert interval.agrees
    for part in ("they overlap", "2 degrees of freedom", "normally distributed", "The paper prints no interval"):
        assert part in interval.words
    other = claims["test accuracy of repeated trainings, smac against Optuna's TPE"]
    assert other.ours == pytest.approx(-4.0)
    assert "0.25" in other.words  # the least that Wilcoxon's p can be with three


def test_intervals_that_do_not_overlap_and_trainings_that_are_none() -> None:
    values = {"optuna-tpe": [70.0, 70.1, 70.2]}
    empty = Results(pd.DataFrame(columns=RUNS).rename_axis("run"), pd.DataFrame())

    def told(values: dict[str, list[float]], benchmark: str) -> list[bool | None]:
        validation = concluded({"validation": values, "test": values}, benchmark, "accuracy", 40)
        return [claim.agrees for claim in compare_with_papers(empty, lambda name: None, validations=[validation])]

    assert told(values, "c-nmc@live") == [False, False, False, False]
    assert told({"smac": [70.0, 71.0]}, "c-nmc@live") == [None] * 4
    assert told({"optuna-tpe": [84.0]}, "c-nmc@live") == [True, None, None, None]
    assert told(values, "bone-marrow@live") == []
    assert summary(THREE_RUNS).low == pytest.approx(79.73, abs=0.01)


def test_charts_draw_the_papers_numbers_beside_ours(results: Results) -> None:
    found = measured(both(results), reference_of)
    charts = paper_figures(found)
    assert [chart.title for chart in charts[BONE_MARROW]] == [
        "Table 1 beside bone-marrow@published",
        "Table 1 beside bone-marrow-micro@live",
        "Effects of single hyperparameters (section 4.1)",
    ]
    assert [chart.title for chart in charts[C_NMC]] == [
        "Fig. 1 beside c-nmc@published",
        "Fig. 1 beside c-nmc@live",
        "Importances (Fig. 2)",
    ]
    for chart in (chart for of in charts.values() for chart in of):
        named = [trace for trace in chart.data if trace.get("name")]
        looks = [(t["mode"], t.get("marker", {}).get("symbol"), t.get("line", {}).get("dash")) for t in named]
        assert len(looks) == len(set(looks))
        assert any(trace["name"].startswith("paper") for trace in named)
        assert {len(row) for row in chart.table.rows} == {len(chart.table.header)}
    table = charts[BONE_MARROW][0]
    paper, ours = table.data
    assert paper["x"][:3] == [82.9, 83.4, 83.4]
    assert paper["error_x"]["array"][:3] == [1.1, 0.5, 0.5]
    claims = {c.what: c for c in compare_with_papers(results, reference_of)}
    assert ours["x"][1] == pytest.approx(claims["micro F1 of the best set of random"].ours, abs=1e-3)
    assert ours["error_x"]["array"][1] == pytest.approx(
        claims["deviation over folds of micro F1 of the best set of random"].ours, abs=1e-3
    )
    shares = charts[C_NMC][2].data
    assert shares[0]["x"] == list(SHARES.values())
    assert shares[1]["error_x"]["array"][0] > 0


def test_the_history_has_both_phases_of_both(results: Results) -> None:
    chart = paper_figures(measured(results, reference_of))[C_NMC][0]
    lines = {trace["name"]: trace for trace in chart.data if trace.get("name")}
    assert lines["paper, mean of a phase"]["y"] == [88.84, 88.84, None, 95.21, 95.21, None]
    assert lines["paper, its five best trials"]["y"] == [TOP_FIVE[k] for k in sorted(TOP_FIVE)]
    ours = lines["c-nmc@published, mean of a phase"]
    claims = {c.what: c for c in compare_with_papers(results, reference_of)}
    assert ours["y"][0] == pytest.approx(claims["mean accuracy of trials 0 to 9"].ours, abs=1e-3)
    assert ours["x"][:2] == [-0.5, FIRST_LATE - 0.5]
    assert len(lines["c-nmc@published, mean of a trial"]["x"]) == 20
    assert len(chart.table.rows) == 22


def test_no_chart_without_anything_of_ours(
    worked: Results, run: Callable[..., Any], collect: Callable[..., Results]
) -> None:
    assert all(not charts for charts in paper_figures(measured(worked, lambda name: None)).values())
    bare = collect([run("random", 0, (1, 0.3), benchmark="bone-marrow@live")])
    found = measured(bare, lambda name: None)
    (chart,) = paper_figures(found)[BONE_MARROW]
    assert "error_x" not in chart.data[1]  # a run without deviations over folds has no whiskers
    assert [part.paper for part in parts(found, compare_with_papers(bare, lambda name: None))] == [BONE_MARROW]


def test_json(results: Results, worked: Results) -> None:
    data = as_json(compare_with_papers(results, reference_of))
    assert json.loads(json.dumps(data, allow_nan=False)) == data
    assert data["schema"] == 1
    assert {claim["source"] for claim in data["claims"]} == {"published"}
    assert len(data["readings"]) == 2
    assert {claim.agrees for claim in compare_with_papers(worked, lambda name: None)} == {None}
