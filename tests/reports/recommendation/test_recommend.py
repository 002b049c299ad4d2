"""The answer on constructed cases with a known crossing, and what must hold of any answer."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from hemobench.benchmarks.storage.results import Results
from hemobench.errors import BenchmarkError
from hemobench.reports.recommendation.recommend import Recommendation, as_json, overtakings, recommend
from hemobench.reports.recommendation.text import in_words
from hemobench.reports.text_tables import hours_text

Run = Callable[..., Any]
Collect = Callable[..., Results]


@pytest.fixture
def crossing(run: Run, collect: Collect) -> Results:
    """`sprint` is at 0.20 from 1 h on; `stayer` begins at 0.40 and passes it at 4 h, with 0.10, on all of 8 seeds."""
    generator, runs = np.random.default_rng(0), []
    for seed in range(8):
        jitter = generator.uniform(0, 0.01)
        runs.append(run("sprint", seed, (1, 0.20 + jitter), (9, 0.19 + jitter)))
        runs.append(run("stayer", seed, (1, 0.40 + jitter), (4, 0.10 + jitter)))
        runs.append(run("random", seed, (1, 0.40 + jitter), (8, 0.195 + jitter)))
    return collect(runs)


def test_a_known_crossing_is_found(crossing: Results) -> None:
    early = recommend(crossing, "c-nmc@published", 2.0)
    late = recommend(crossing, "c-nmc@published", 10.0)
    assert (early.use, early.probability_best, early.basis) == ("sprint", 1.0, "anytime")
    assert (late.use, late.probability_best, late.basis) == ("stayer", 1.0, "exact")
    for answer in (early, late):
        assert [(span.start, span.end, span.strategy) for span in answer.spans] == [
            (1.0, 4.0, "sprint"),
            (4.0, 10.0, "stayer"),
        ]
    assert "From 1 to 10 GPU-hours the answer changes: sprint at first, stayer from 4 GPU-hours on." in in_words(early)


def test_what_random_search_needs(crossing: Results) -> None:
    early, late = (recommend(crossing, "c-nmc@published", hours).random_needs for hours in (2.0, 10.0))
    assert early is not None
    assert late is not None
    assert (late.hours, late.watched, late.reached, late.runs) == (None, 10.0, 0, 8)
    assert early.hours == 8.0
    assert early.by_reference is None


def test_expected_metrics(crossing: Results) -> None:
    answer = recommend(crossing, "c-nmc@published", 10.0)
    assert answer.validation is not None
    assert answer.test is not None
    assert answer.validation.low is not None
    assert answer.validation.high is not None
    assert 89 < answer.validation.low < answer.validation.mean < answer.validation.high < 90
    assert answer.validation.mean - answer.test.mean == pytest.approx(10)
    assert (answer.equivalent, answer.undecided) == ((), ())
    assert {c.verdict for c in answer.comparisons} == {"worse"}


def test_ties_are_called_ties(run: Run, collect: Collect) -> None:
    runs = [run("random", seed, (1, 0.200 + seed / 1000)) for seed in range(8)]
    runs += [run("tpe", seed, (1, 0.199 + seed / 1000)) for seed in range(8)]
    answer = recommend(collect(runs), "c-nmc@published", 10.0)
    assert (answer.use, answer.equivalent) == ("tpe", ("random",))
    assert "As good within 0.5 points: random." in in_words(answer)
    narrow = recommend(collect(runs), "c-nmc@published", 10.0, rope=0.05)
    assert narrow.equivalent == ()


def test_the_smallest_sufficient_budget_is_taken(run: Run, collect: Collect) -> None:
    runs = [run("a", seed, (1, 0.3), gpu_hours=hours) for seed in range(6) for hours in (5.0, 20.0)]
    runs += [
        run("b", seed, (1, 0.2 if hours == 20 else 0.4), gpu_hours=hours) for seed in range(6) for hours in (5.0, 20.0)
    ]
    results = collect(runs)
    answers = {hours: recommend(results, "c-nmc@published", hours) for hours in (5.0, 6.0, 20.0)}
    assert [(a.use, a.run_gpu_hours, a.basis) for a in answers.values()] == [
        ("a", 5.0, "exact"),
        ("b", 20.0, "anytime"),
        ("b", 20.0, "exact"),
    ]
    assert answers[5.0].by_budget == ((5.0, "a"), (20.0, "b"))
    assert any("would plan otherwise" in note for note in answers[6.0].notes)
    assert "Best in the runs planned for each budget: 5 GPU-hours: a; 20 GPU-hours: b." in in_words(answers[5.0])


def test_an_answer_that_the_longest_runs_lack_gives_way_to_their_best(run: Run, collect: Collect) -> None:
    short = [run("sprint", seed, (1, 0.1), gpu_hours=5.0) for seed in range(5)]
    long = [run(name, seed, (1, loss), gpu_hours=10.0) for seed in range(5) for name, loss in (("a", 0.3), ("b", 0.2))]
    answer = recommend(collect([*short, *long]), "c-nmc@published", 5.0)
    assert answer.use == "sprint"
    assert {span.strategy for span in answer.spans} == {"b"}


def test_what_cannot_be_answered_says_what_would(crossing: Results, run: Run, collect: Collect) -> None:
    with pytest.raises(BenchmarkError, match="the longest have 10"):
        recommend(crossing, "c-nmc@published", 11.0)
    with pytest.raises(BenchmarkError, match="no results of 'bone-marrow@published'"):
        recommend(crossing, "bone-marrow@published", 5.0)
    with pytest.raises(BenchmarkError, match="with 4 workers"):
        recommend(crossing, "c-nmc@published", 5.0, workers=4)
    with pytest.raises(BenchmarkError, match="no seed that every strategy has"):
        recommend(collect([run("a", 0, (1, 0.1)), run("b", 1, (1, 0.1))]), "c-nmc@published", 5.0)
    for hours in (0.0, float("nan"), float("inf")):
        with pytest.raises(BenchmarkError):
            recommend(crossing, "c-nmc@published", hours)


def test_one_seed_and_one_strategy(run: Run, collect: Collect) -> None:
    answer = recommend(collect([run("tpe", 0, (1, 0.1))]), "c-nmc@published", 10.0)
    assert (answer.use, answer.probability_best, answer.random_needs) == ("tpe", None, None)
    assert answer.validation is not None
    assert (answer.validation.low, answer.validation.std) == (None, None)
    assert any("Random search was not run" in line for line in in_words(answer))
    json.dumps(as_json(answer), allow_nan=False)


def test_failed_runs_are_told_and_count_as_untuned(worked: Results, reference: Any) -> None:
    answer = recommend(worked, "c-nmc@published", 10.0, reference)
    assert answer.use == "tpe"
    assert any(note.startswith("2 runs had no result by then") for note in answer.notes)
    nothing = recommend(worked, "c-nmc@published", 0.5, reference)
    assert nothing.validation is None
    assert len(in_words(nothing)) > 2


def test_json(crossing: Results, reference: Any) -> None:
    data = as_json(recommend(crossing, "c-nmc@published", 2.0, reference))
    assert json.loads(json.dumps(data, allow_nan=False)) == data
    assert data["schema"] == 1
    assert data["spans"][1] == {"start": 4.0, "end": 10.0, "strategy": "stayer"}
    assert data["probabilities"] == {"random": 0.0, "sprint": 1.0, "stayer": 0.0}
    assert set(data) - {"schema"} == set(Recommendation.__dataclass_fields__)


@settings(deadline=None)
@given(points=arrays(float, st.tuples(st.integers(1, 4), st.integers(1, 12)), elements=st.floats(0, 5)))
def test_the_answer_is_always_within_the_margin_and_only_changes_for_a_better_one(points: np.ndarray) -> None:
    now = int(points[:, 0].argmin())
    found = overtakings(points, now, 1.0)
    bounds = [0, *(place for place, _ in found), points.shape[1]]
    for k, name in enumerate([now, *(name for _, name in found)]):
        stretch = points[:, bounds[k] : bounds[k + 1]]
        assert (stretch[name] <= stretch.min(axis=0) + 1.0 + 1e-12).all()
    for before, (place, name) in zip([now, *(name for _, name in found)], found, strict=False):
        assert points[name, place] < points[before, place]


def test_hours_in_words() -> None:
    assert [hours_text(hours) for hours in (0.2163, 4.157, 24.44, 3316.2)] == ["0.216", "4.16", "24.4", "3316"]
