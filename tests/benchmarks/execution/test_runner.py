"""The runner: what is asked, charged, cut and told, worked out by hand and as properties."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import numpy as np
import pytest
from contracts.scripted import Scripted
from hypothesis import given, settings
from hypothesis import strategies as st

from hemobench.benchmarks.budget import ACCOUNTS, Budget
from hemobench.benchmarks.execution.plan import require_support
from hemobench.benchmarks.execution.runner import run
from hemobench.benchmarks.tasks import load_task
from hemobench.errors import BenchmarkError
from hemobench.strategies import load_strategy
from hemobench.strategies.base import Proposal, Status, Supports, UnsupportedTask
from hemobench.strategies.random_search import RandomSearch
from hemobench.strategies.space import active, default

TASK = load_task("c-nmc")


def outcome_of(strategy, evaluator, budget, seed=0):
    trials = run(strategy, evaluator, budget, task=TASK, seed=seed)
    records = []
    while True:
        try:
            records.append(next(trials))
        except StopIteration as stop:
            return records, stop.value


def random_search():
    return RandomSearch(TASK.space(), seed=0, horizon=10)


class Asks:
    """Proposes what it is given, then is done; keeps what it is told."""

    supports = Supports()

    def __init__(self, *proposals):
        self.proposals, self.told = list(proposals), []

    def ask(self):
        return self.proposals.pop(0) if self.proposals else None

    def tell(self, trial):
        self.told.append(trial)


HERE = active(TASK.space(), default(TASK.space()))


def test_one_worker_by_hand():
    """3600 s: 1000 + 1500 ok, 600 failed, then 800 of which 500 fit in."""
    answers = [(1000.0, 0.9), (1500.0, 0.8), (600.0, Status.DIVERGED), (800.0, 0.99)]
    evaluator = Scripted(answers)
    records, end = outcome_of(random_search(), evaluator, Budget(1.0))
    assert [(r.started, r.finished, r.status) for r in records] == [
        (0.0, 1000.0, "ok"),
        (1000.0, 2500.0, "ok"),
        (2500.0, 3100.0, "diverged"),
        (3100.0, 3600.0, "cut"),
    ]
    assert end.ledger == {
        "train": 1875.0, "evaluation": 625.0, "failed": 600.0, "cut": 500.0, "idle": 0.0, "unspent": 0.0,
    }  # fmt: skip
    assert end.status == "budget-spent"
    assert evaluator.limits == [3600.0, 2600.0, 1100.0, 500.0]
    assert records[0].loss == pytest.approx(0.1)
    assert records[3].loss is None
    assert records[3].test == {}


def test_all_trials_of_a_run_have_its_seed():
    """Noise is keyed by seed, configuration and epoch, not by the position of the ask."""
    evaluator = Scripted([(100.0, 0.9)])
    outcome_of(random_search(), evaluator, Budget(1.0, workers=2, max_trials=5), seed=7)
    assert evaluator.seeds == [7] * 5


def test_two_workers_by_hand():
    """1800 s each: worker A 1000 + 800 cut of 900; worker B 400, 700, 700 to the last second."""
    evaluator = Scripted([(1000.0, 0.9), (400.0, 0.8), (700.0, 0.7), (900.0, 0.6), (700.0, 0.5)])
    records, end = outcome_of(random_search(), evaluator, Budget(1.0, workers=2))
    assert [(r.number, r.started, r.finished, r.status) for r in records] == [
        (1, 0.0, 400.0, "ok"),
        (0, 0.0, 1000.0, "ok"),
        (2, 400.0, 1100.0, "ok"),
        (4, 1100.0, 1800.0, "ok"),
        (3, 1000.0, 1800.0, "cut"),
    ]
    assert end.ledger["cut"] == 800.0
    assert sum(end.ledger.values()) == 3600.0


def test_a_strategy_that_waits_leaves_workers_idle():
    settings = {"rounds": [4, 2], "retention": 1.0, "scaling": "never"}
    sssr = load_strategy("sssr")(TASK.space(), seed=0, horizon=48, **settings)
    records, end = outcome_of(sssr, Scripted([(100.0, 0.9), (300.0, 0.8)]), Budget(1.0, workers=2))
    first_round = [(0, 100), (100, 200), (0, 300), (200, 500)]
    assert [(r.started, r.finished) for r in records] == [*first_round, (500, 600), (500, 800)]
    assert end.status == "strategy-done"
    assert end.ledger["idle"] == 2 * 800 - 1200
    assert end.ledger["unspent"] == 2 * (1800 - 800)


def test_the_last_second_counts():
    records, _ = outcome_of(random_search(), Scripted([(1800.0, 0.9)]), Budget(1.0))
    assert [r.status for r in records] == ["ok", "ok"]


def test_a_cut_trial_is_not_told():
    strategy = Asks(Proposal(HERE), Proposal(HERE))
    outcome_of(strategy, Scripted([(3000.0, 0.9)]), Budget(1.0))
    assert [trial.number for trial in strategy.told] == [0]


def test_the_strategy_sees_validation_only():
    strategy = Asks(Proposal(HERE))
    outcome_of(strategy, Scripted([(10.0, 0.75)]), Budget(1.0))
    assert strategy.told[0].loss == pytest.approx(0.25)
    assert not hasattr(strategy.told[0], "test")


def test_a_limit_of_trials():
    records, end = outcome_of(random_search(), Scripted([(1.0, 0.9)]), Budget(1.0, max_trials=3))
    assert len(records) == 3
    assert end.ledger["unspent"] == 3597.0


@pytest.mark.parametrize(
    ("proposal", "says"),
    [
        (Proposal({**HERE, "dropout_1": 0.9}), "dropout_1"),
        (Proposal(HERE, epochs=11), "1 to 10"),
        (Proposal(HERE, epochs=4, resume_from=0), "resume|finished trial"),
        (Proposal({name: HERE[name] for name in list(HERE)[1:]}), "batch_size"),
        (Proposal({**HERE, "dropout_1": [0.2]}), r"dropout_1 cannot be \[0.2\]"),
        (Proposal({**HERE, "batch_size": [16]}), r"batch_size cannot be \[16\]"),
        (Proposal(HERE, epochs=np.int64(4)), r"np.int64\(4\) epochs asked for.*an int"),
        (Proposal(HERE, epochs=4.0), "4.0 epochs asked for"),
        (Proposal(HERE, epochs=2.5), "2.5 epochs asked for"),
        (Proposal(HERE, epochs=True), "True epochs asked for"),
        (Proposal(HERE, epochs="4"), "'4' epochs asked for"),
        (Proposal(HERE, epochs=0), "0 epochs asked for"),
        (Proposal(HERE, epochs=10, resume_from=np.int64(0)), r"trial np.int64\(0\) is no shorter"),
        (Proposal(HERE, epochs=10, resume_from=False), "trial False is no shorter"),
        (Proposal(HERE, epochs=10, resume_from=0.0), "trial 0.0 is no shorter"),
        (Proposal(None), "TypeError|configuration"),
        (HERE, "TypeError: a dict was asked for"),
        ((HERE, 4), "TypeError: a tuple was asked for"),
    ],
)
def test_an_impossible_proposal_ends_the_run_as_the_strategys_error(proposal, says):
    records, end = outcome_of(Asks(Proposal(HERE), proposal), Scripted([(10.0, 0.9)]), Budget(1.0))
    assert len(records) == 1
    assert end.status == "strategy-error"
    assert re.search(says, end.error)


def test_what_is_vetted_as_an_int_may_be_trained_and_resumed():
    strategy = Asks(Proposal(HERE, epochs=4), Proposal(HERE, epochs=10, resume_from=0))
    records, end = outcome_of(strategy, Scripted([(10.0, 0.9)]), Budget(1.0))
    assert end.status == "strategy-done"
    assert [type(record.epochs) for record in records] == [int, int]


@pytest.mark.parametrize("raised", [SystemExit(3), RecursionError("deep"), MemoryError(), asyncio.CancelledError()])
def test_whatever_a_strategy_raises_is_its_own_run_s_end(raised):
    class Raises(RandomSearch):
        def ask(self):
            raise raised

    records, end = outcome_of(Raises(TASK.space(), seed=0, horizon=10), Scripted([(1.0, 0.9)]), Budget(1.0))
    assert records == []
    assert end.status == "strategy-error"
    assert end.error.startswith(f"trial 0: {type(raised).__name__}")
    assert "in ask" in end.traceback
    assert str(Path.home()) + "/" not in end.traceback.replace(str(Path(__file__)), "")


def test_ctrl_c_is_the_user_s():
    class Interrupted(RandomSearch):
        def ask(self):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        outcome_of(Interrupted(TASK.space(), seed=0, horizon=10), Scripted([(1.0, 0.9)]), Budget(1.0))


def test_an_error_of_several_lines_is_one_line_and_its_traceback_the_rest():
    class Raises(RandomSearch):
        def ask(self):
            raise ValueError("\nshapes do not fit:\n  (3,) and (4,)")

    _, end = outcome_of(Raises(TASK.space(), seed=0, horizon=10), Scripted([(1.0, 0.9)]), Budget(1.0))
    assert end.error == "trial 0: ValueError: shapes do not fit:"
    assert "(3,) and (4,)" in end.traceback


def test_a_strategy_that_raises_keeps_its_trials_and_pays_for_those_in_flight():
    class Raises(RandomSearch):
        def tell(self, trial):
            raise ZeroDivisionError("no model")

    strategy = Raises(TASK.space(), seed=0, horizon=10)
    records, end = outcome_of(strategy, Scripted([(100.0, 0.9), (500.0, 0.9)]), Budget(1.0, workers=2))
    assert [r.number for r in records] == [0]
    assert end.error == "told of trial 0: ZeroDivisionError: no model"
    assert end.ledger["cut"] == 100.0
    assert sum(end.ledger.values()) == 3600.0


def test_a_resumed_trial_is_charged_by_the_evaluator_from_where_it_was():
    evaluator = Scripted([(10.0, 0.9)])
    strategy = Asks(Proposal(HERE, epochs=3), Proposal(HERE, epochs=9, resume_from=0))
    records, end = outcome_of(strategy, evaluator, Budget(1.0))
    assert end.status == "strategy-done"
    assert evaluator.trained == [0, 3]
    assert [r.epochs for r in records] == [3, 9]


@settings(max_examples=60, deadline=None)
@given(
    answers=st.lists(
        st.tuples(
            st.floats(0.001, 4000.0), st.one_of(st.floats(0, 1), st.sampled_from([Status.DIVERGED, Status.KILLED]))
        ),
        min_size=1,
        max_size=8,
    ),
    workers=st.integers(1, 7),
    gpu_hours=st.floats(0.01, 2.0),
    name=st.sampled_from(["random", "sssr", "manual"]),
)
def test_every_microsecond_is_attributed(answers, workers, gpu_hours, name):
    budget = Budget(gpu_hours, workers=workers, max_trials=200)
    strategy = load_strategy(name)(TASK.space(), seed=1, horizon=20)
    records, end = outcome_of(strategy, Scripted(answers), budget)
    micro = {account: round(seconds * 1e6) for account, seconds in end.ledger.items()}
    assert set(micro) == set(ACCOUNTS)
    assert all(amount >= 0 for amount in micro.values())
    assert sum(micro.values()) == workers * budget.end
    assert all(0 <= r.started <= r.finished <= budget.end / 1e6 for r in records)
    assert [r.finished for r in records] == sorted(r.finished for r in records)
    assert sorted(r.number for r in records) == list(range(len(records)))
    ok = sum(round((r.finished - r.started) * 1e6) for r in records if r.status == "ok")
    assert ok == micro["train"] + micro["evaluation"]


class OneAtATime(Asks):
    """Knows nothing of pending trials."""

    supports = Supports(parallel=False)


def test_what_a_strategy_cannot_do_is_refused_beforehand():
    full = load_task("bone-marrow-full")
    with pytest.raises(UnsupportedTask, match="conditional"):
        require_support("skopt-gp", full, 1)
    with pytest.raises(UnsupportedTask, match="pending"):
        require_support(f"{__name__}:OneAtATime", TASK, 2)


@pytest.mark.parametrize("budget", [(0.0, 1), (-1.0, 1), (float("nan"), 1), (float("inf"), 1), (1.0, 0)])
def test_an_impossible_budget_is_refused(budget):
    with pytest.raises(BenchmarkError, match="give"):
        Budget(*budget)
