"""How strategies begin is said as they were set, not as they are by default."""

from __future__ import annotations

import pytest

from hemobench.benchmarks.execution.execute import execute
from hemobench.benchmarks.execution.plan import plans
from hemobench.benchmarks.storage.load import load_results
from hemobench.benchmarks.suite import Arm, Suite
from hemobench.reports.leaderboard.beginnings import beginnings
from hemobench.strategies import STRATEGIES, beginning


def test_legend_follows_the_suite_and_the_arm(tmp_path):
    suite = Suite(
        seeds=1,
        startup_trials=3,
        strategies=["random", "optuna-tpe", Arm(name="optuna-tpe", label="late", settings={"startup_trials": 1})],
        benchmarks=[{"name": "c-nmc@published", "gpu_hours": [0.3]}],
    )
    for plan in plans(suite):
        execute(plan, tmp_path, "test")
    assert beginnings(load_results(tmp_path)) == {
        "random": "does not learn",
        "optuna-tpe": "3 random trials",
        "late": "1 random trial",
    }


@pytest.mark.parametrize("name", STRATEGIES)
def test_without_settings_the_table_speaks(name):
    assert beginning(name, {}) == STRATEGIES[name].startup


def test_a_design_is_told_from_random_trials():
    assert beginning("smac", {"startup_trials": 5}) == "design of 5 trials"
    assert beginning("hyperopt-tpe", {"startup_trials": 5}) == "5 random trials"
    assert beginning("nobody's", {"startup_trials": 5}) == ""
