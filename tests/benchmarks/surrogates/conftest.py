"""Tables recorded from published surfaces, whose truth is known, and surrogates fitted to them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import islice

import pytest

from hemobench.benchmarks.benchmark import load_benchmark
from hemobench.benchmarks.recording.design import Design
from hemobench.benchmarks.recording.rows import look
from hemobench.benchmarks.surrogates.fit import cross_validated, fit
from hemobench.benchmarks.surrogates.network import Training
from hemobench.benchmarks.surrogates.surrogate import Surrogate
from hemobench.benchmarks.surrogates.targets import targets
from hemobench.benchmarks.tables.schema import Row, Table
from hemobench.benchmarks.tasks import load_task
from hemobench.benchmarks.tasks.base import Task
from hemobench.strategies.space import random_stream

CONFIGS = 600
STEPS = {"c-nmc": 600, "bone-marrow": 1000, "bone-marrow-full": 1200}
"""Of a fit, by task; enough for the figures that the tests ask for."""


@dataclass(frozen=True)
class Known:
    """A table of a task, a surrogate of it, and trainings that neither has seen."""

    task: Task
    table: Table
    surrogate: Surrogate
    unseen: tuple[Row, ...]


@pytest.fixture(scope="session", params=STEPS)
def known(request: pytest.FixtureRequest, recorded: Callable[[str, Design], Table]) -> Known:
    name = request.param
    table = recorded(name, Design(sobol=400, random=CONFIGS - 400, strategies=(), repeats=30))
    task, evaluator = load_task(name), load_benchmark(f"{name}@published").evaluator()
    configs = islice(random_stream(task.space(), 999), 300)
    unseen = tuple(look(evaluator, (task.epochs,), "random", config, 5, -1) for config in configs)
    return Known(task, table, fitted_fast(table, Training(steps=STEPS[name])), unseen)


def fitted_fast(table: Table, how: Training) -> Surrogate:
    """A surrogate whose held-out predictions, by which members are widened, come of shorter fits than its own."""
    held = cross_validated(targets(table), table, replace(how, steps=how.steps // 4))
    return fit(table, how=how, held=held)


@pytest.fixture(scope="session")
def small_table(recorded: Callable[[str, Design], Table]) -> Table:
    """Enough to fit something to, in a moment: conditions and failures among it."""
    return recorded(
        "bone-marrow-full", Design(sobol=150, random=0, strategies=(), repeats=5, repeat_seeds=4, epochs=(1, 10, 40))
    )


@pytest.fixture(scope="session")
def small(small_table: Table) -> Surrogate:
    return fit(small_table, how=Training(steps=150))
