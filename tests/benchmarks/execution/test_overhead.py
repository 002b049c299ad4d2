"""The harness proposes what a library's own loop does, and batches answer what single predictions do.

How long either takes is measured by `tox -e performance` alone.
"""

from __future__ import annotations

from itertools import islice

import numpy as np
import pytest
from performance.in_turn import InTurn
from performance.our_strategies import ours
from performance.raw_loops import LOOPS

from hemobench.benchmarks.benchmark import load_benchmark
from hemobench.strategies.space import random_stream

ROUNDS, TRIALS = 5, 20


@pytest.mark.parametrize("name", ["optuna-tpe", "hyperopt-tpe"])
def test_a_strategy_proposes_what_its_library_does(name):
    """Losses are rounded alike, or the two would part after the first modelled trials."""
    for seed in range(ROUNDS):
        assert ours(name, TRIALS, seed)() == LOOPS[name](TRIALS, seed)()


@pytest.mark.parametrize(("times_as_long", "least", "most"), [(1.0, 0.99, 1.0), (1.2, 0.0, 0.01), (2.0, 0.0, 0.0)])
def test_a_busy_machine_is_told_from_a_slow_loop(times_as_long, least, most):
    """Half of all rounds are disturbed, by up to four times. At a limit of 5 % equal loops pass, and no slow ones."""
    rng = np.random.default_rng(0)

    def one():
        return 1 + (rng.random() < 0.5) * rng.uniform(0, 3) + rng.exponential(0.01)

    passed = []
    for _ in range(200):
        measured = InTurn()
        measured.go_on(one, lambda: times_as_long * one(), lambda: measured.ratio <= 1.05, least=9, most=60)  # noqa: B023
        passed.append(measured.ratio <= 1.05)
    assert least <= np.mean(passed) <= most


def test_many_predictions_at_once_are_those_of_one():
    surrogate = load_benchmark("c-nmc@recorded").evaluator()._surrogate
    full, configs = surrogate.about.full, list(islice(random_stream(surrogate.task.space(), 0), 20))
    inputs = np.array([surrogate.encode(config, surrogate.about.folds[0]) for config in configs])
    outputs, seconds, _ = surrogate.predict_many(inputs, full)
    for i, config in enumerate(configs):
        one = surrogate.predict(config, full)
        np.testing.assert_allclose(outputs[i], one.outputs, atol=1e-12)
        np.testing.assert_allclose(seconds[i], surrogate.seconds_at(one.seconds, full), rtol=1e-9)
