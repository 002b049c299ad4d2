"""Runs and trials over Dask workers, which die: the results are those of one process, and nothing is charged twice."""

from __future__ import annotations

import math
import multiprocessing
import os
import random
import re
import signal
import sys
import threading
import time
from itertools import pairwise
from pathlib import Path

import cloudpickle
import pytest
from contracts.small_suites import ends, run_all, suite, trials
from distributed import WorkerPlugin

from hemobench.benchmarks.budget import Budget
from hemobench.benchmarks.evaluator import Cost, Outcome, Truth
from hemobench.benchmarks.evaluators import remote
from hemobench.benchmarks.evaluators.remote import DEATHS, Remote
from hemobench.benchmarks.execution.dask_cluster import cluster, over_cluster
from hemobench.benchmarks.execution.plan import plans
from hemobench.benchmarks.execution.replay import unmeasured
from hemobench.benchmarks.execution.runner import run
from hemobench.benchmarks.noise import generator
from hemobench.benchmarks.storage.files import lock
from hemobench.benchmarks.storage.run_folder import TRIALS
from hemobench.benchmarks.tasks import load_task
from hemobench.errors import BenchmarkError
from hemobench.strategies import load_strategy
from hemobench.strategies.base import Status

cloudpickle.register_pickle_by_value(sys.modules[__name__])  # workers cannot import tests
TASK = load_task("c-nmc")
LIVE = "c-nmc@live"


class Slow:
    """Trains nothing, takes its time, and takes its worker down where a file says so.

    The file `deaths-N` in the folder holds how often trial number N, counted by the order of asks, still does that.
    """

    def __init__(self, folder: str = "") -> None:
        self.folder = folder

    @property
    def provenance(self):
        return {"source": "slow", "device": "a device"}

    def truth(self, config, seed=None):
        return Truth(round(config["learning_rate"], 9), {"accuracy": 0.75}, {"accuracy": 0.5})

    def evaluate(self, proposal, seed, *, trained=0, limit=math.inf, on_charge=None) -> Outcome:
        began = time.time()
        seconds, accuracy = generator("slow", 1, seed, proposal.config).uniform((20, 0.5), (200, 1.0))
        for share in (0.25, 0.5, 0.75):
            time.sleep(seconds / 4000)  # real time goes 1,000 times as fast
            if on_charge:
                on_charge(seconds * share)
            if share == 0.5 and self.folder:
                self.die(f"{proposal.config['learning_rate']:.12g}")
        cost = Cost(float(seconds), "measured", "a device", evaluation_seconds=float(seconds) / 8)
        wall = {"began": began, "ended": time.time()}
        return Outcome(Status.OK, {"accuracy": float(accuracy)}, {"accuracy": 0.5}, (), cost, extra=wall)

    def die(self, name: str) -> None:
        path = Path(self.folder) / name
        if path.exists() and int(path.read_text()):
            path.write_text(str(int(path.read_text()) - 1))
            time.sleep(0.05)  # the message that it has begun is on its way
            os._exit(1)


class InstallSlow(WorkerPlugin):
    """Has a worker answer by `Slow`."""

    def setup(self, worker) -> None:
        remote.shared = lambda benchmark, settings: Slow(**settings)


@pytest.fixture(scope="module")
def client():
    with cluster("local", 3) as found:
        found.register_plugin(InstallSlow())
        yield found


def outcome_of(evaluator, workers, trials=12, name="random"):
    strategy = load_strategy(name)(TASK.space(), seed=3, horizon=12)
    running = run(strategy, evaluator, Budget(1.0, workers, trials), task=TASK, seed=3)
    records = []
    while True:
        try:
            records.append(next(running))
        except StopIteration as stop:
            return records, stop.value


def rate(record) -> str:
    """What names a trial to `Slow.die`."""
    return f"{record.config['learning_rate']:.12g}"


@pytest.mark.parametrize(("workers", "name"), [(1, "random"), (3, "random"), (3, "sssr"), (5, "optuna-tpe")])
def test_trials_on_workers_are_those_of_one_process(client, workers, name):
    expected, end = outcome_of(Slow(), workers, name=name)
    found, there = outcome_of(Remote(client, LIVE, {}), workers, name=name)
    assert [unmeasured(record) for record in found] == [unmeasured(record) for record in expected]
    assert there == end


def test_trials_really_run_side_by_side(client):
    records, _ = outcome_of(Remote(client, LIVE, {}), 3)
    spans = sorted((record.measured["began"], record.measured["ended"]) for record in records)
    assert any(after < ended for (_, ended), (after, _) in pairwise(spans))


def test_a_dead_worker_costs_nothing(client, tmp_path):
    """Two trials lose a worker, one of them two: neither the records nor the ledger know of it."""
    expected, end = outcome_of(Slow(), 3)
    (tmp_path / rate(expected[1])).write_text("1")
    (tmp_path / rate(expected[6])).write_text("2")
    found, there = outcome_of(Remote(client, LIVE, {"folder": str(tmp_path)}), 3)
    assert [(tmp_path / rate(expected[n])).read_text() for n in (1, 6)] == ["0", "0"]
    assert [unmeasured(record) for record in found] == [unmeasured(record) for record in expected]
    assert there == end


def deaths(text):
    """How many workers a message says died."""
    return int(re.search(r"(\d+) workers", text)[1])


def test_a_configuration_that_kills_its_workers_is_told_apart(client, tmp_path):
    expected, _ = outcome_of(Slow(), 1, trials=4)
    (tmp_path / rate(expected[1])).write_text("99")
    found, end = outcome_of(Remote(client, LIVE, {"folder": str(tmp_path)}), 1, trials=4)
    assert [record.status for record in found] == ["ok", "killed", "ok", "ok"]
    assert deaths(found[1].error) >= DEATHS  # more, where a worker died before it could say that it had begun
    assert found[1].cost.gpu_seconds >= 0.5 * expected[1].cost.gpu_seconds  # what it was charged when it died
    assert end.ledger["failed"] == pytest.approx(found[1].cost.gpu_seconds, abs=1e-6)
    assert sum(round(seconds * 1e6) for seconds in end.ledger.values()) == 3600 * 10**6


def test_workers_that_do_nothing_but_die_end_the_run(client, tmp_path):
    expected, _ = outcome_of(Slow(), 1, trials=3)
    for record in expected[1:]:
        (tmp_path / rate(record)).write_text("99")
    with pytest.raises(BenchmarkError, match=r"two trials in a row took \d+ workers down") as refused:
        outcome_of(Remote(client, LIVE, {"folder": str(tmp_path)}), 1, trials=3)
    assert deaths(refused.value.problem) >= DEATHS


def test_messages_that_come_late_or_twice_change_nothing(client):
    evaluator = Remote(client, LIVE, {})
    answer = evaluator.submit(next(iter(asked())), seed=0)
    while answer.outcome is None:
        answer.wait()
    assert 0 < answer.at_least < answer.outcome.cost.gpu_seconds
    for charged in (5.0, answer.at_least, 0.0):
        answer.hear("an attempt that was lost", charged)
    assert 0 < answer.at_least < answer.outcome.cost.gpu_seconds


def asked():
    strategy = load_strategy("random")(TASK.space(), seed=0, horizon=1)
    while True:
        proposal = strategy.ask()
        yield type(proposal)(proposal.config, 10)


def test_a_run_that_somebody_else_holds_fails_alone(client, tmp_path):
    """As when a worker that was given up for dead is still at it."""
    held, free = plans(suite(["random"], seeds=2))
    folder = tmp_path / held.key.folder
    folder.mkdir(parents=True)
    with open(folder / TRIALS, "ab") as journal:
        lock(journal, folder)
        ended = {done.plan.key: done for done in over_cluster([held, free], tmp_path, "test", client)}
    assert "another process is at work" in ended[held.key].failure
    assert ended[free.key].failure is None


def test_whole_runs_on_workers_that_are_killed(tmp_path):
    """The same files as those of the pool, whichever worker dies."""
    chosen = suite()
    run_all(chosen, tmp_path / "pool", jobs=1)
    with cluster("local", 2) as client:
        stop = threading.Event()
        killer = threading.Thread(target=kill_now_and_then, args=(stop,))
        killer.start()
        ended = list(over_cluster(plans(chosen), tmp_path / "dask", "test", client))
        stop.set()
        killer.join()
    assert [done.failure for done in ended] == [None] * 10
    assert trials(tmp_path / "dask") == trials(tmp_path / "pool")
    assert ends(tmp_path / "dask") == ends(tmp_path / "pool")


def kill_now_and_then(stop: threading.Event) -> None:
    while not stop.wait(1.5):
        os.kill(random.choice(multiprocessing.active_children()).pid, signal.SIGKILL)
        stop.wait(3.0)
