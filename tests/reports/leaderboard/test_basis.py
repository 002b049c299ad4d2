"""What stands behind a live result, in words."""

from __future__ import annotations

import json

import pytest

from hemobench.benchmarks.tasks import load_task
from hemobench.reports.leaderboard.basis import basis_of, sentences, warnings

TASK = load_task("c-nmc")
CONSTANT = json.dumps({"validation": {"accuracy": 0.666667}, "test": {"accuracy": 0.5}})
LIVE = {"source": "live", "weights": "ImageNet", "split": "paper, fold 0", "constant_answer": CONSTANT}


def test_weights_split_and_constant_answer_are_said():
    first, second = sentences(basis_of(LIVE, TASK), TASK)
    assert first == "First weights: ImageNet. Split: paper, fold 0."
    assert second == "Always naming the commonest class gives accuracy 66.67 % on validation, 50.00 % on test."


def test_what_is_not_above_the_constant_answer_is_called_no_result():
    means = {"validation": {"good": 90.0, "equal": 200 / 3, "none": None}, "test": {"good": 49.9, "equal": 50.1}}
    assert warnings(basis_of(LIVE, TASK), means) == [
        "Not above the constant answer on validation, so no result: equal.",
        "Not above the constant answer on test, so no result: good.",
    ]


@pytest.mark.parametrize("text", [None, "", "no JSON", "[]", "3", '{"validation": {}}', '{"test": {"accuracy": "x"}}'])
def test_without_a_constant_answer_the_rest_is_said(text):
    basis = basis_of({**LIVE, "constant_answer": text}, TASK)
    assert len(sentences(basis, TASK)) == 1
    assert warnings(basis, {"validation": {"a": 0.0}}) == []


@pytest.mark.parametrize("provenance", [{}, {"source": "published"}, {**LIVE, "source": "surrogate"}])
def test_what_is_not_live_has_no_such_basis(provenance):
    assert basis_of(provenance, TASK) is None
