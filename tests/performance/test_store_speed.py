"""Run folders: appending and reading trials, against bare lines of JSON in the same run."""

from __future__ import annotations

import json
from dataclasses import asdict

import pytest

from hemobench.benchmarks.benchmark import load_benchmark
from hemobench.benchmarks.budget import Budget
from hemobench.benchmarks.execution.runner import run
from hemobench.benchmarks.storage.load import load_results
from hemobench.benchmarks.storage.run_folder import TRIALS, RunFolder, read_trials
from hemobench.strategies import load_strategy

COUNT, ROUNDS = 1000, 7
BENCHMARK = load_benchmark("c-nmc@published")


@pytest.fixture(scope="module")
def records():
    strategy = load_strategy("random")(BENCHMARK.task.space(), seed=0, horizon=COUNT)
    return list(run(strategy, BENCHMARK.evaluator(), Budget(1e6, max_trials=COUNT), task=BENCHMARK.task, seed=0))


def header(seed):
    """Of a run, as far as results are read from it."""
    return {
        "schema": 1,
        "benchmark": "c-nmc@published",
        "version": 1,
        "strategy": {"label": "random"},
        "budget": {"gpu_hours": 1.0, "workers": 1},
        "seed": seed,
    }


@pytest.fixture(scope="module")
def stored(records, tmp_path_factory):
    root = tmp_path_factory.mktemp("stored")
    folder = RunFolder(root / "run", header(0))
    for record in records:
        folder.append(record)
    folder.close()
    return root


@pytest.mark.benchmark(group="1000 trials appended")
def test_bare_append(benchmark, records, tmp_path):
    plain = [asdict(record) for record in records]

    def append():
        with open(tmp_path / "bare.jsonl", "wb") as file:
            for record in plain:
                file.write(json.dumps(record).encode() + b"\n")
                file.flush()

    benchmark.pedantic(append, rounds=ROUNDS)


@pytest.mark.benchmark(group="1000 trials appended")
def test_append(benchmark, records, tmp_path):
    made = iter(range(1000))

    def setup():
        return (RunFolder(tmp_path / str(next(made)), header(0)),), {}

    def append(folder):
        for record in records:
            folder.append(record)
        folder.close()

    benchmark.pedantic(append, setup=setup, rounds=ROUNDS)
    if benchmark.stats:
        benchmark.extra_info["microseconds_a_trial"] = 1e6 * benchmark.stats.stats.min / COUNT


@pytest.mark.benchmark(group="1000 trials read")
def test_bare_read(benchmark, stored):
    path = stored / "run" / TRIALS
    found = benchmark.pedantic(lambda: [json.loads(line) for line in path.read_bytes().splitlines()], rounds=ROUNDS)
    assert len(found) == COUNT


@pytest.mark.benchmark(group="1000 trials read")
def test_read_strictly(benchmark, stored):
    """As a resumed run reads them."""
    assert len(benchmark.pedantic(read_trials, args=(stored / "run" / TRIALS,), rounds=ROUNDS)) == COUNT


@pytest.mark.benchmark(group="1000 trials read")
def test_read_as_tables(benchmark, stored):
    """As the reports read them."""
    assert len(benchmark.pedantic(load_results, args=(stored,), rounds=ROUNDS).trials) == COUNT
