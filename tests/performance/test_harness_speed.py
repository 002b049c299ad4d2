"""What the harness adds to a strategy and an evaluator, against the bare loop in the same run.

Run with `pytest tests/performance --benchmark-enable --benchmark-only`; each test puts the figure per trial into
`extra_info`.
"""

from __future__ import annotations

import pytest

from hemobench.benchmarks.benchmark import load_benchmark
from hemobench.benchmarks.budget import Budget
from hemobench.benchmarks.execution.runner import run
from hemobench.benchmarks.storage.run_folder import RunFolder
from hemobench.strategies import load_strategy
from hemobench.strategies.base import Proposal, Trial

TRIALS = 300
BENCHMARK = load_benchmark("c-nmc@published")
TASK = BENCHMARK.task


def parts():
    strategy = load_strategy("random")(TASK.space(), seed=0, horizon=TRIALS)
    return (strategy, BENCHMARK.evaluator()), {}


def bare_loop(strategy, evaluator):
    for number in range(TRIALS):
        proposal = Proposal(strategy.ask().config, TASK.epochs)
        outcome = evaluator.evaluate(proposal, 0)
        loss = TASK.objective.loss(outcome.validation) if outcome.validation else None
        strategy.tell(Trial(number, proposal, loss, outcome.status, outcome.cost.gpu_seconds))


def harness(strategy, evaluator):
    return list(run(strategy, evaluator, Budget(1e6, max_trials=TRIALS), task=TASK, seed=0))


@pytest.mark.benchmark(group="300 trials of random search")
def test_bare_loop(benchmark):
    benchmark.pedantic(bare_loop, setup=parts, rounds=15)
    benchmark.extra_info["microseconds_a_trial"] = 1e6 * benchmark.stats.stats.min / TRIALS


@pytest.mark.benchmark(group="300 trials of random search")
def test_runner(benchmark):
    benchmark.pedantic(harness, setup=parts, rounds=15)
    benchmark.extra_info["microseconds_a_trial"] = 1e6 * benchmark.stats.stats.min / TRIALS


@pytest.mark.benchmark(group="300 trials of random search")
def test_runner_and_run_folder(benchmark, tmp_path):
    def setup():
        folder = RunFolder(tmp_path / str(len(list(tmp_path.iterdir()))), {"schema": 1})
        return (*parts()[0], folder), {}

    def stored(strategy, evaluator, folder):
        for record in run(strategy, evaluator, Budget(1e6, max_trials=TRIALS), task=TASK, seed=0):
            folder.append(record)
        folder.close()

    benchmark.pedantic(stored, setup=setup, rounds=15)
    benchmark.extra_info["microseconds_a_trial"] = 1e6 * benchmark.stats.stats.min / TRIALS
