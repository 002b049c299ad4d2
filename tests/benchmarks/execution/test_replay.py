"""Resuming where costs are measured: what was in flight costs something else the second time, and nothing diverges."""

from __future__ import annotations

import math
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hemobench.benchmarks.budget import Budget
from hemobench.benchmarks.evaluator import Cost, Outcome, Truth
from hemobench.benchmarks.execution.replay import Replay, unmeasured
from hemobench.benchmarks.execution.runner import run
from hemobench.benchmarks.tasks import load_task
from hemobench.errors import BenchmarkError
from hemobench.strategies import load_strategy
from hemobench.strategies.base import Status

TASK = load_task("c-nmc")
PLACE = Path("run")


class Measured:
    """Costs something else whenever it is asked."""

    provenance = {"source": "measured"}  # noqa: RUF012

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)

    def evaluate(self, proposal, seed, *, trained=0, limit=math.inf) -> Outcome:
        seconds, accuracy = self.rng.uniform((1, 0), (900, 1))
        cost = Cost(float(seconds), "measured", "a device", evaluation_seconds=float(seconds) / 7)
        status = Status.OK if seconds > 60 else Status.DIVERGED
        metrics = {"accuracy": float(accuracy)} if status is Status.OK else {}
        return Outcome(status, metrics, metrics, (), cost)

    def truth(self, config, seed=None):
        return Truth(round(1 - config["dropout_1"], 9), {"accuracy": config["dropout_1"]}, {})


class Nothing(Measured):
    """All is recorded, so it is never asked."""

    def evaluate(self, proposal, seed, *, trained=0, limit=math.inf) -> Outcome:
        raise AssertionError("asked for what is recorded")


def resumed(evaluator, recorded, budget, name, stop=None):
    """Replay what is recorded and go on, until so many trials are there or the run has ended."""
    cls = load_strategy(name)
    fidelity = {"epochs": TASK.epochs} if cls.supports.fidelity else {}
    strategy = cls(TASK.space(), seed=1, horizon=16, **fidelity)
    replay = Replay(evaluator, recorded, PLACE)
    running = run(strategy, replay, budget, task=TASK, seed=1)
    records = []
    while stop is None or len(records) < stop:
        try:
            record = next(running)
        except StopIteration as ended:
            return records, ended.value
        replay.tell(record)
        records.append(record)
    return records, None


@settings(max_examples=80, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    workers=st.integers(1, 6),
    stops=st.lists(st.integers(1, 12), max_size=3).map(sorted),
    name=st.sampled_from(["random", "sssr", "asha"]),
)
def test_a_run_that_died_several_times_goes_on(seed, workers, stops, name):
    budget = Budget(1.0, workers, max_trials=18)
    recorded = []
    for attempt, stop in enumerate(stops):
        found, end = resumed(Measured(seed + attempt), recorded, budget, name, max(stop, len(recorded)))
        assert [unmeasured(record) for record in found[: len(recorded)]] == [unmeasured(r) for r in recorded]
        recorded = found
        if end is not None:
            break
    whole, end = resumed(Measured(seed + 99), recorded, budget, name)
    assert [unmeasured(record) for record in whole[: len(recorded)]] == [unmeasured(r) for r in recorded]
    assert [record.finished for record in whole] == sorted(record.finished for record in whole)
    assert sum(round(seconds * 1e6) for seconds in end.ledger.values()) == workers * budget.end
    again, same_end = resumed(Nothing(0), whole, budget, name)
    assert [unmeasured(record) for record in again] == [unmeasured(record) for record in whole]
    assert same_end == end


def test_what_is_in_flight_is_not_told_before_what_is_recorded():
    """Trial 0 took 800 s and was in flight when trial 1 (300 s) had ended; now it takes 100 s, and is told at 300 s."""

    class Given(Measured):
        def __init__(self, *seconds):
            self.seconds = list(seconds)

        def evaluate(self, proposal, seed, *, trained=0, limit=math.inf):
            cost = Cost(self.seconds.pop(0), "measured", "a device")
            return Outcome(Status.OK, {"accuracy": 0.5}, {}, (), cost)

    budget = Budget(1.0, 2, max_trials=2)
    first, _ = resumed(Given(800.0, 300.0), [], budget, "random", stop=1)
    assert [(record.number, record.finished) for record in first] == [(1, 300.0)]
    whole, end = resumed(Given(100.0), first, budget, "random")
    assert [(r.number, r.started, r.finished, r.cost.gpu_seconds) for r in whole] == [
        (1, 0.0, 300.0, 300.0),
        (0, 0.0, 300.0, 100.0),
    ]
    assert (end.ledger["train"], end.ledger["idle"]) == (400.0, 200.0)


def test_a_recorded_trial_that_is_never_asked_for_is_named():
    records, _ = resumed(Measured(0), [], Budget(1.0, 2, max_trials=4), "random")
    later = [record for record in islice(records, 4) if record.number > 1]
    with pytest.raises(BenchmarkError, match=r"run: (replay|asks) diverge"):
        resumed(Measured(0), later, Budget(1.0, 2, max_trials=4), "random")
