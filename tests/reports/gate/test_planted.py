"""Real regressions, planted into Optuna's TPE and run for real, are red with the right reason; what is equal is not."""

from __future__ import annotations

import planted
import pytest

from hemobench.benchmarks.execution.execute import execute
from hemobench.benchmarks.execution.plan import plans
from hemobench.benchmarks.storage.load import load_results
from hemobench.benchmarks.suite import Arm, Suite
from hemobench.reports.gate.baseline import Terms, from_results
from hemobench.reports.gate.run import chosen_arms, gate_now
from hemobench.reports.gate.text import in_words

SEEDS = 15


def run_here(out):
    def run(todo):
        for plan in todo:
            execute(plan, out, "gate")

    return run


@pytest.fixture(scope="module")
def baseline(tmp_path_factory):
    """Optuna's TPE and random search on C-NMC, as they are."""
    suite = Suite(
        seeds=SEEDS, strategies=["optuna-tpe", "random"], benchmarks=[{"name": "c-nmc@published", "gpu_hours": [5.0]}]
    )
    out = tmp_path_factory.mktemp("baseline")
    run_here(out)(plans(suite))
    return from_results(load_results(out), "small", suite, Terms())


@pytest.fixture
def gate(baseline, tmp_path):
    def judged(cls):
        arms = chosen_arms(baseline, [f"planted:{cls.__name__}"], "optuna-tpe")
        return gate_now(baseline, "small", arms, tmp_path, run_here(tmp_path))

    return judged


@pytest.mark.parametrize(
    ("cls", "says"),
    [
        (planted.Swapped, "first differing ask at trial 10 (seed 0)"),
        (planted.Clipped, "learning_rate is asked over"),
        (planted.Stuck, "of its asks repeat an earlier one of the same run (0% in the baseline)"),
        (planted.Crashing, "strategy-error, seed 0: trial 12: ValueError: the good group is empty"),
    ],
)
def test_a_planted_regression_is_red_with_the_right_reason(gate, cls, says):
    found = gate(cls)
    assert found.verdict == "regress", in_words(found)
    assert says in in_words(found)


def test_the_same_under_another_name_is_bit_identical(gate):
    found = gate(planted.Same)
    assert (found.verdict, found.arms[0].identical, found.arms[0].seeds) == ("pass", True, 3)


def test_tpe_is_not_worse_than_random_search(baseline, tmp_path):
    arms = {"random": Arm(name="optuna-tpe")}
    found = gate_now(baseline, "small", arms, tmp_path, run_here(tmp_path))
    assert found.verdict != "regress", in_words(found)
    assert found.arms[0].candidate == "optuna-tpe"
