"""The answer on constructed cases with a known crossing, and what must hold of any answer."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hemobench.benchmarks.storage.results import Results
from hemobench.errors import BenchmarkError
from hemobench.reports.recommendation.recommend import Recommendation, as_json, recommend
from hemobench.reports.recommendation.switches import changes
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
    assert (early.use, early.verdict.kind, early.basis) == ("sprint", "best", "anytime")
    assert (late.use, late.verdict.kind, late.basis) == ("stayer", "best", "exact")
    assert early.spans == late.spans  # whatever budget was asked for
    assert [span.strategy for span in early.spans] == ["sprint", "stayer"]
    assert early.spans[0].end == early.spans[1].start == pytest.approx(4, rel=0.05)  # a step of the grid
    assert early.spans[1].end == pytest.approx(10)
    assert any("who is ahead changes: sprint at first, stayer from 4" in line for line in in_words(early))


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
    generator = np.random.default_rng(0)
    runs = [run("random", seed, (1, 0.200 + float(generator.normal(0, 1e-3)))) for seed in range(8)]
    runs += [run("tpe", seed, (1, 0.199 + float(generator.normal(0, 1e-3)))) for seed in range(8)]
    answer = recommend(collect(runs), "c-nmc@published", 10.0)
    assert (answer.use, answer.verdict.kind, answer.equivalent) == ("random", "any", ("tpe",))
    assert "any of random or tpe will do: within ±0.5 points of the best; the simplest is random" in in_words(answer)[0]
    narrow = recommend(collect(runs), "c-nmc@published", 10.0, rope=0.01)
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
    assert [(hours, stated.strategies) for hours, stated in answers[5.0].by_budget] == [(5.0, ("a",)), (20.0, ("b",))]
    assert any("would plan otherwise" in note for note in answers[6.0].notes)
    assert any("planned for each budget: 5 GPU-hours: a is best" in line for line in in_words(answers[5.0]))


def test_an_answer_that_the_longest_runs_lack_gives_way_to_their_best(run: Run, collect: Collect) -> None:
    short = [run("sprint", seed, (1, 0.1), gpu_hours=5.0) for seed in range(5)]
    long = [run(name, seed, (1, loss), gpu_hours=10.0) for seed in range(5) for name, loss in (("a", 0.3), ("b", 0.2))]
    short += [run("slow", seed, (1, 0.5), gpu_hours=5.0) for seed in range(5)]
    answer = recommend(collect([*short, *long]), "c-nmc@published", 5.0)
    assert answer.shown == "sprint"
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
    assert (answer.use, answer.shown, answer.random_needs) == (None, None, None)
    assert "nothing to compare it with" in answer.verdict.reason
    answer = recommend(collect([run("tpe", 0, (1, 0.1)), run("smac", 0, (1, 0.2))]), "c-nmc@published", 10.0)
    assert (answer.use, answer.verdict.reason) == (None, "one seed says nothing of how far others may lie from it")
    assert any("Random search was not run" in line for line in in_words(answer))
    json.dumps(as_json(answer), allow_nan=False)


def test_what_failed_is_not_judged_and_told(worked: Results, reference: Any) -> None:
    answer = recommend(worked, "c-nmc@published", 10.0, reference)
    assert (answer.use, answer.shown) == (None, "tpe")  # three seeds
    raised = "the strategy raised an error in 1 of 3 runs, 1 of 3 runs have no finished trial"
    assert f"poor is not judged: {raised}." in answer.notes
    assert set(answer.probabilities) == {"random", "tpe"}
    nothing = recommend(worked, "c-nmc@published", 0.5, reference)
    assert (nothing.use, nothing.shown, nothing.validation) == (None, None, None)
    assert "not known: no strategy has a result on every seed" in in_words(nothing)[0]


def test_json(crossing: Results, reference: Any) -> None:
    data = as_json(recommend(crossing, "c-nmc@published", 2.0, reference))
    assert json.loads(json.dumps(data, allow_nan=False)) == data
    assert data["schema"] == 2
    assert data["spans"][1]["strategy"] == "stayer"
    assert data["verdict"]["kind"] == "best"
    assert data["probabilities"]["sprint"] > 0.99
    assert data["answer"].startswith("sprint is best")
    assert set(data) - {"schema", "answer"} == set(Recommendation.__dataclass_fields__)


def test_a_change_needs_both_sides_to_be_more_than_noise() -> None:
    generator = np.random.default_rng(0)
    noise = generator.normal(0, 1, (12, 3, 9))
    hours = np.arange(9)
    means = np.stack([8 - hours, np.full(9, 4.0), hours], axis=0)  # the first is overtaken by the last at hour 4
    assert [name for _, name in changes(means + noise)] == [0, 2]
    (_, (place, _)) = changes(means + noise)
    assert 3 <= place <= 5
    near = np.stack([np.full(9, 4.0), np.full(9, 4.0) + 0.1 * np.sign(hours - 4), np.full(9, 0.0)], axis=0)
    assert len(changes(near + noise)) == 1
    pure = sum(len(changes(generator.normal(0, 1, (10, 4, 12)))) > 1 for _ in range(60))
    assert pure <= 3


def test_the_truth_is_what_counts(run: Run, collect: Collect) -> None:
    generator, runs = np.random.default_rng(0), []
    for seed in range(10):
        runs.append(run("random", seed, (1, 0.20 + float(generator.normal(0, 0.003))), luck=0.0))
        runs.append(run("lucky", seed, (1, 0.17 + float(generator.normal(0, 0.003))), luck=0.06))
    answer = recommend(collect(runs), "c-nmc@published", 10.0)
    assert (answer.use, answer.judged_by, answer.luck) == ("random", "noise-free accuracy", 0.0)
    assert answer.validation is not None
    assert answer.validation.mean == pytest.approx(80, abs=0.3)


def test_hours_in_words() -> None:
    assert [hours_text(hours) for hours in (0.2163, 4.157, 24.44, 3316.2)] == ["0.216", "4.16", "24.4", "3316"]


def test_a_change_is_looked_for_while_who_is_ahead_is_ahead() -> None:
    """The first overtakes the second, and is overtaken by the third; at the end the second is above the first again."""
    means = np.array([[1.0, 5, 2, 2, 2], [3.0, 3, 3, 3, 3], [0.0, 0, 9, 9, 9]])
    points = means + np.random.default_rng(0).normal(0, 0.1, (10, 3, 5))
    assert changes(points) == [(0, 1), (1, 0), (2, 2)]


@given(st.integers(0, 2**32 - 1))
def test_changes_lie_on_the_hours_and_ascend(seed: int) -> None:
    """Few values and equal seeds make ties and differences without variance."""
    rng = np.random.default_rng(seed)
    base = rng.choice([70.1, 70.2, 80.3, 81.7], size=(2, 4, 12)).cumsum(axis=2) / 7
    found = changes(np.repeat(base, 30, axis=0))
    places = [place for place, _ in found]
    assert places[0] == 0
    assert places == sorted(set(places))
    assert places[-1] < 12
    assert all(one != two for (_, one), (_, two) in pairwise(found))
