"""Digests of asks and answers, and where two runs part."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as some

from hemobench.benchmarks.evaluator import Cost
from hemobench.benchmarks.storage.records import TrialRecord
from hemobench.benchmarks.tasks import load_task
from hemobench.reports.gate.divergence import (
    ANSWER,
    ASK,
    Divergence,
    answer_digests,
    ask_digests,
    coverage,
    divergence,
    first_difference,
    repeats,
)
from hemobench.strategies.base import Status


def record(number, rate=0.1, loss=0.5, **more):
    cost = Cost(10.0, "predicted", "a device")
    config = {"learning_rate": rate, "batch_size": 32}
    return TrialRecord(number, config, 10, None, Status.OK, loss, {}, {}, (), cost, 0.0, 1.0, **more)


RUN = [record(0, 0.1), record(1, 0.2), record(2, 0.3)]


def parted(now, seed=7):
    return divergence(seed, (ask_digests(RUN), ask_digests(now)), (answer_digests(RUN), answer_digests(now)))


def test_equal_runs_have_equal_digests_in_whatever_order_they_finished():
    later = [replace(RUN[1], measured={"ask_s": 3.0}), RUN[2], RUN[0]]
    assert ask_digests(later) == ask_digests(RUN)
    assert len(ask_digests(RUN)) == 3 * ASK
    assert len(answer_digests(RUN)) == 3 * ANSWER
    assert parted(later) is None


def test_the_order_of_a_configuration_s_names_does_not_matter():
    turned = replace(RUN[0], config=dict(reversed(RUN[0].config.items())))
    assert ask_digests([turned]) == ask_digests(RUN[:1])


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        ([RUN[0], record(1, 0.2000000000000001), RUN[2]], Divergence(7, 1, "ask")),
        ([RUN[0], replace(RUN[1], epochs=9), RUN[2]], Divergence(7, 1, "ask")),
        ([RUN[0], record(1, 0.2, loss=0.4), record(2, 0.9)], Divergence(7, 1, "answer")),
        ([RUN[0], record(1, 0.2), record(2, 0.3, loss=0.4)], Divergence(7, 2, "answer")),
        (RUN[:2], Divergence(7, 2, "end")),
        ([*RUN, record(3, 0.4)], Divergence(7, 3, "end")),
        ([], Divergence(7, 0, "end")),
    ],
)
def test_where_runs_part_and_by_whose_doing(now, expected):
    assert parted(now) == expected


@given(some.text("ab", max_size=12), some.text("ab", max_size=12))
def test_first_difference_is_the_first(one, other):
    found = first_difference(one, other, 2)
    if found is None:
        assert one == other
    else:
        assert one[: 2 * found] == other[: 2 * found]
        assert one[2 * found : 2 * found + 2] != other[2 * found : 2 * found + 2]


def test_repeats():
    assert repeats(ask_digests(RUN)) == 0
    assert repeats(ask_digests([RUN[0], record(1, 0.1), record(2, 0.1)])) == 2


def test_coverage_is_on_the_hyperparameter_s_own_scale():
    space = load_task("c-nmc").space()
    configs = [
        {"learning_rate": space["learning_rate"].lower, "batch_size": 32},
        {"learning_rate": space["learning_rate"].to_value(0.5), "batch_size": 64},
    ]
    found = coverage(space, configs)
    assert found["learning_rate"] == pytest.approx(0.5, abs=0.01)
    assert found["batch_size"] == pytest.approx(2 / len(space["batch_size"].choices), abs=1e-3)
    assert found["dropout_1"] == 0.0
