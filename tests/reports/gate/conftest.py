"""Arms by hand, and a pool of real regrets."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))  # `planted` and `simulated`, for the tests and the gate alike

from hemobench.benchmarks.execution.execute import execute
from hemobench.benchmarks.execution.plan import plans
from hemobench.benchmarks.storage.load import load_results
from hemobench.benchmarks.suite import Suite
from hemobench.reports.gate.runs import ArmKey, ArmRuns, GateRun, arms_of


def one_arm(regrets, label="tpe", areas=None, asks=None, errors=None, coverage=None):
    key = ArmKey("c-nmc@published", 1, label, 5.0, 1)
    areas = regrets if areas is None else areas
    asks = asks or ["".join(f"{seed:04x}{trial:04x}" for trial in range(3)) for seed in range(len(regrets))]
    runs = tuple(
        GateRun(seed, float(regret), float(area), asks[seed], "abcd" * 3, (errors or {}).get(seed))
        for seed, (regret, area) in enumerate(zip(regrets, areas, strict=True))
    )
    return ArmRuns(key, runs, coverage or {"x": 1.0})


@pytest.fixture
def arm():
    """`arm([0.5, 0.7, …])` gives an `ArmRuns`."""
    return one_arm


@pytest.fixture(scope="session")
def random_search(tmp_path_factory):
    """Regret and area of random search on 60 seeds of C-NMC, `(2, seeds)`: as real as they are cheap."""
    suite = Suite(seeds=60, strategies=["random"], benchmarks=[{"name": "c-nmc@published", "gpu_hours": [5.0]}])
    folder = tmp_path_factory.mktemp("pool")
    for plan in plans(suite):
        execute(plan, folder, "pool")
    (found,) = arms_of(load_results(folder))
    return np.array([[getattr(run, name) for run in found.runs] for name in ("regret", "area")])
