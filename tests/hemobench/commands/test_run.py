"""How many workers a suite is given."""

from __future__ import annotations

import pytest

from hemobench.benchmarks.execution.plan import plans
from hemobench.benchmarks.suite import Suite
from hemobench.commands.run import workers_of


def suite(benchmark: str, workers: int, seeds: int) -> Suite:
    entry = {"name": benchmark, "gpu_hours": [1.0], "horizon": 4}
    return Suite.model_validate({"seeds": seeds, "workers": [workers], "strategies": ["random"], "benchmarks": [entry]})


@pytest.mark.parametrize(
    ("dask", "jobs", "name", "workers", "seeds", "count"),
    [
        ("", 8, "c-nmc@published", 1, 3, 3),  # no more processes than runs
        ("", 8, "c-nmc@published", 4, 1, 1),  # workers are simulated
        ("local", 8, "c-nmc@published", 4, 2, 2),
        ("local", 8, "c-nmc@live", 4, 1, 4),  # one run's trials keep four busy
        ("slurm", 3, "c-nmc@live", 4, 1, 3),
        ("slurm", None, "c-nmc@live", 4, 1, 1),  # and a login node needs no torch
    ],
)
def test_workers_are_as_many_as_are_of_use(dask, jobs, name, workers, seeds, count):
    chosen = suite(name, workers, seeds)
    assert workers_of(dask, jobs, plans(chosen), chosen) == count
