"""How long a surrogate takes to answer, against a scikit-learn forest fitted to the same table.

Run with `pytest tests/performance/test_surrogate_speed.py --benchmark-only`; the ratios stand under `extra_info` of
`--benchmark-json FILE`.
"""

from __future__ import annotations

import time
from itertools import islice
from typing import Any

import numpy as np
import pytest
from sklearn.ensemble import RandomForestRegressor

from hemobench.benchmarks.benchmark import load_benchmark
from hemobench.benchmarks.evaluators.surrogate import SurrogateEvaluator
from hemobench.benchmarks.recording.design import Design
from hemobench.benchmarks.recording.points import points
from hemobench.benchmarks.recording.rows import look
from hemobench.benchmarks.surrogates.fit import fit
from hemobench.benchmarks.surrogates.network import Training
from hemobench.benchmarks.surrogates.surrogate import Surrogate
from hemobench.benchmarks.surrogates.targets import targets
from hemobench.benchmarks.tables.schema import Header, Table
from hemobench.strategies.base import Proposal
from hemobench.strategies.space import random_stream

pytest.importorskip("pytest_benchmark")

ROWS, SINGLE, BATCH = 400, 100, 50_000
LEAST_RATIO = 20
"""How many times faster than the forest's a single prediction must be; about 100 to 200 were measured."""

LEAST_BATCH_RATIO = 3
"""How many times faster one of many predictions must be than a single one; 8 to 15 were measured."""


@pytest.fixture(scope="module", params=["c-nmc", "bone-marrow-full"])
def table(request: pytest.FixtureRequest) -> Table:
    """Random trainings on a published surface."""
    benchmark = load_benchmark(f"{request.param}@published")
    task, evaluator = benchmark.task, benchmark.evaluator()
    design = Design(sobol=0, random=ROWS)
    asked = points(design, task.space())
    rows = tuple(look(evaluator, design.looks(task.epochs), origin, config, 0, -1) for origin, config in asked)
    header = Header(task.name, benchmark.name, 1, "paper", task.epochs, "none", "", {}, {}, {})
    return Table(header, rows)


@pytest.fixture(scope="module")
def surrogate(table: Table) -> Surrogate:
    """Its speed does not depend on how long it was trained."""
    return fit(table, how=Training(steps=50))


def configs(surrogate: Surrogate, count: int) -> list[Any]:
    return list(islice(random_stream(surrogate.task.space(), 1), count))


def forest_seconds(table: Table) -> float:
    """Of one row's prediction: a hundred trees, all metrics at full length."""
    t = targets(table)
    forest = RandomForestRegressor(100, random_state=0).fit(t.inputs, t.values[:, -1])
    started = time.perf_counter()
    for row in t.inputs[:10]:
        forest.predict(row[None])
    return (time.perf_counter() - started) / 10


def test_a_single_prediction(benchmark: Any, surrogate: Surrogate, table: Table) -> None:
    """Curve, cost, failures and all metrics of one configuration, encoding included."""
    asked, full = configs(surrogate, SINGLE), surrogate.about.full
    benchmark(lambda: [surrogate.predict(config, full) for config in asked])
    if benchmark.stats:  # none with --benchmark-disable
        seconds = benchmark.stats.stats.min / SINGLE
        benchmark.extra_info["microseconds"] = 1e6 * seconds
        benchmark.extra_info["forest_over_surrogate"] = forest_seconds(table) / seconds
        assert benchmark.extra_info["forest_over_surrogate"] > LEAST_RATIO


def test_predictions_in_batches(benchmark: Any, surrogate: Surrogate) -> None:
    """Predictions a second of many configurations at full length."""
    inputs = np.array([surrogate.encode(config, -1) for config in configs(surrogate, 1000)])
    inputs = np.tile(inputs, (BATCH // len(inputs), 1))
    outputs, seconds, _ = benchmark(surrogate.predict_many, inputs, surrogate.about.full)
    assert outputs.shape == (BATCH, len(surrogate.about.outputs))
    assert seconds.shape == (BATCH,)
    if benchmark.stats:
        started = time.perf_counter()
        for config in configs(surrogate, SINGLE):
            surrogate.predict(config, surrogate.about.full)
        single = (time.perf_counter() - started) / SINGLE
        each = benchmark.stats.stats.min / BATCH
        benchmark.extra_info.update(per_second=1 / each, single_over_batch=single / each)
        assert single / each > LEAST_BATCH_RATIO


def test_a_whole_answer(benchmark: Any, surrogate: Surrogate) -> None:
    """An evaluator's outcome, noise and curve included."""
    evaluator, asked = SurrogateEvaluator(surrogate, "x@surrogate", 1), configs(surrogate, SINGLE)
    benchmark(lambda: [evaluator.evaluate(Proposal(config, None), 0) for config in asked])
    if benchmark.stats:
        benchmark.extra_info["microseconds"] = 1e6 * benchmark.stats.stats.min / SINGLE
