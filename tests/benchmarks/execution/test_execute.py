"""Runs on disk: equal bytes on one job and two, after kills, and by replay."""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
from contracts.small_suites import ends, run_all, suite, trials

from hemobench.benchmarks.execution.execute import execute
from hemobench.benchmarks.execution.plan import plans
from hemobench.benchmarks.execution.process_pool import execute_all, over_processes, process_pool
from hemobench.benchmarks.storage.run_folder import END, TRIALS, find_runs
from hemobench.errors import BenchmarkError
from hemobench.strategies import startup_trials


def run_here(todo, out: Path) -> None:
    """In this process, whose libraries are loaded already."""
    for plan in todo:
        assert execute(plan, out, "test").failure is None


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("undisturbed")
    run_here(plans(suite()), out)
    return out


def test_one_job_and_two_give_equal_bytes(tmp_path, undisturbed):
    run_all(suite(), tmp_path, jobs=2)
    assert trials(tmp_path) == trials(undisturbed)
    assert ends(tmp_path) == ends(undisturbed)
    for folder in find_runs(tmp_path):
        assert (folder / END).read_bytes() == (undisturbed / folder.relative_to(tmp_path) / END).read_bytes()


SLOW = (suite(["smac"], seeds=1, gpu_hours=2.4), suite(["skopt-gp"], seeds=1, gpu_hours=2.4))
PARALLEL = (
    suite(["sssr", "optuna-tpe", "hyperopt-tpe"], seeds=1, gpu_hours=5.0, workers=4),
    suite(["skopt-gp"], seeds=1, gpu_hours=2.4, workers=4),
)


@pytest.fixture(scope="module")
def over_two(tmp_path_factory) -> Path:
    """All of these over two processes."""
    out = tmp_path_factory.mktemp("two")
    todo = [plan for chosen in (*SLOW, *PARALLEL) for plan in plans(chosen)]
    with process_pool(2) as pool:
        assert [done.failure for done in execute_all(todo, out, "test", pool)] == [None] * 6
    return out


def same_over_two(here: Path, over_two: Path) -> None:
    """Equal trials, and more of them than the start-ups of their strategies."""
    found, there = trials(here), trials(over_two)
    for name, records in found.items():
        assert records == there[name]
    for chosen in (*SLOW, *PARALLEL):
        for plan in plans(chosen):
            if str(plan.key.folder) in found:
                assert len(found[str(plan.key.folder)]) > startup(plan)


def test_the_slow_optimizers_too(tmp_path, over_two):
    """SMAC's proposals want the hash seed that processes of a pool have."""
    smac, skopt = SLOW
    run_all(smac, tmp_path, jobs=1)
    run_here(plans(skopt), tmp_path)
    same_over_two(tmp_path, over_two)
    assert len(trials(tmp_path)) == 2


def test_four_simulated_workers_are_deterministic(tmp_path, over_two):
    run_here([plan for chosen in PARALLEL for plan in plans(chosen)], tmp_path)
    same_over_two(tmp_path, over_two)
    assert len(trials(tmp_path)) == 4
    assert all(end.status in ("budget-spent", "strategy-done") for end in ends(tmp_path))


def startup(plan) -> int:
    return startup_trials(plan.strategy, plan.settings, plan.horizon, 6) or 0


def test_what_is_there_is_not_run_again(tmp_path):
    todo = plans(suite(["random"], seeds=1))
    run_here(todo, tmp_path)
    (folder,) = find_runs(tmp_path)
    before = (folder / TRIALS).read_bytes()
    run_here(todo, tmp_path)
    assert (folder / TRIALS).read_bytes() == before  # measured times too


@pytest.mark.parametrize("lines", [0, 1, 5, -1])
@pytest.mark.parametrize("strategy", ["optuna-tpe", "sssr"])
def test_a_run_is_resumed_by_replay(tmp_path, undisturbed, strategy, lines):
    plan = next(p for p in plans(suite()) if (p.strategy, p.key.seed) == (strategy, 1))
    execute(plan, tmp_path, "test")
    (folder,) = find_runs(tmp_path)
    whole = (folder / TRIALS).read_bytes().splitlines(keepends=True)
    (folder / TRIALS).write_bytes(b"".join(whole[:lines]) + b'{"number": 3, "con')
    (folder / END).unlink()
    done = execute(plan, tmp_path, "test")
    assert done.recovered == 18
    name = str(folder.relative_to(tmp_path))
    assert trials(tmp_path)[name] == trials(undisturbed)[name]


def test_asks_that_diverge_are_named(tmp_path):
    plan = next(p for p in plans(suite(["random"], seeds=1)))
    execute(plan, tmp_path, "test")
    (folder,) = find_runs(tmp_path)
    (folder / END).unlink()
    lines = (folder / TRIALS).read_text().splitlines()
    edited = json.loads(lines[4])
    edited["config"]["dropout_1"] = 0.25
    lines[4] = json.dumps(edited)
    (folder / TRIALS).write_text("\n".join(lines) + "\n")
    with pytest.raises(BenchmarkError, match="asks diverge at trial 4"):
        execute(plan, tmp_path, "test")


def test_a_result_that_was_edited_is_named(tmp_path):
    plan = next(p for p in plans(suite(["random"], seeds=1)))
    execute(plan, tmp_path, "test")
    (folder,) = find_runs(tmp_path)
    (folder / END).unlink()
    lines = (folder / TRIALS).read_text().splitlines()
    edited = json.loads(lines[2])
    edited["loss"] = 0.0
    lines[2] = json.dumps(edited)
    (folder / TRIALS).write_text("\n".join(lines) + "\n")
    with pytest.raises(BenchmarkError, match="replay diverges at trial 2"):
        execute(plan, tmp_path, "test")


def test_a_constructor_that_raises_is_the_run_s_status(tmp_path):
    """Wrong settings never come so far; what fails on one machine or one seed alone does."""
    (plan,) = plans(suite(["random"], seeds=1))
    done = execute(replace(plan, settings={"wrong_setting": 1}), tmp_path, "test")
    assert done.end.status == "strategy-error"
    assert done.end.error.startswith("built: TypeError:")
    assert "wrong_setting" in done.end.error
    assert done.end.ledger["unspent"] == pytest.approx(3600 * plan.budget.gpu_hours)
    again = execute(replace(plan, settings={"wrong_setting": 1}), tmp_path, "test")
    assert again.end == done.end


KILLED = """
import sys
from pathlib import Path
from hemobench.benchmarks.execution.process_pool import execute_all, process_pool
from hemobench.benchmarks.execution.plan import plans
from hemobench.benchmarks.suite import load_suite, narrowed
if __name__ == "__main__":
    strategies = ["manual", "random", "sssr", "optuna-tpe", "hyperopt-tpe"]
    benchmarks = ["c-nmc@published"]
    chosen = narrowed(load_suite("papers"), benchmarks=benchmarks, strategies=strategies, seeds=2, gpu_hours=3.0)
    with process_pool(2) as pool:
        print("started", flush=True)
        for done in execute_all(plans(chosen), Path(sys.argv[1]), "test", pool):
            print("done", flush=True)
"""


def test_killed_at_any_moment_it_ends_with_the_same_files(tmp_path, undisturbed):
    script = tmp_path / "suite.py"
    script.write_text(KILLED)
    out = tmp_path / "out"
    for wait in (0.0, 0.4, 0.1, 0.8):
        process = subprocess.Popen([sys.executable, str(script), str(out)], stdout=subprocess.PIPE)
        process.stdout.readline()
        if wait:
            process.stdout.readline()  # at least one run is done, so others are on their way
        time.sleep(wait)
        process.kill()  # the parent alone: its workers must not outlive it
        process.wait()
    run_all(suite(), out, jobs=2)
    assert trials(out) == trials(undisturbed)
    assert ends(out) == ends(undisturbed)
    assert not list(out.rglob("*.partial"))


def kill_a_worker(out: Path) -> None:
    """As the kernel does when memory is short, once runs are on their way."""
    while not list(out.rglob(TRIALS)):
        time.sleep(0.05)
    os.kill(random.choice(multiprocessing.active_children()).pid, signal.SIGKILL)


def test_a_killed_worker_is_replaced(tmp_path, undisturbed):
    killer = threading.Thread(target=kill_a_worker, args=(tmp_path,))
    killer.start()
    ended = list(over_processes(plans(suite()), tmp_path, "test", 2))
    killer.join()
    assert [done.failure for done in ended] == [None] * 10
    assert trials(tmp_path) == trials(undisturbed)
    assert ends(tmp_path) == ends(undisturbed)


DEADLY = """
import os
from hemobench.strategies.random_search import RandomSearch
class Deadly(RandomSearch):
    def ask(self):
        os._exit(1) if self.asked == 3 else None
        self.asked = getattr(self, "asked", 0) + 1
        return super().ask()
    asked = 0
"""


def test_a_run_that_kills_its_process_fails_alone(tmp_path, monkeypatch):
    (tmp_path / "deadly.py").write_text(DEADLY)
    monkeypatch.syspath_prepend(tmp_path)
    chosen = suite(["random", "deadly:Deadly"], seeds=1)
    ended = {done.plan.strategy: done for done in over_processes(plans(chosen), tmp_path / "out", "test", 2)}
    assert ended["random"].failure is None
    assert "died 3 times" in ended["deadly:Deadly"].failure
    assert len(trials(tmp_path / "out")["c-nmc@published/deadly.Deadly/3h-1w/seed-0"]) == 3
