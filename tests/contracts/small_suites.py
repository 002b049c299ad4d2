"""A suite that ends in seconds, and what lies in its folder afterwards, for tests that disturb it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hemobench.benchmarks.execution.plan import plans
from hemobench.benchmarks.execution.process_pool import execute_all, process_pool
from hemobench.benchmarks.execution.replay import unmeasured
from hemobench.benchmarks.storage.records import RunEnd
from hemobench.benchmarks.storage.run_folder import TRIALS, find_runs, read_end, read_trials
from hemobench.benchmarks.suite import Suite, load_suite, narrowed

FAST = ("manual", "random", "sssr", "optuna-tpe", "hyperopt-tpe")


def suite(strategies=FAST, seeds=2, gpu_hours=3.0, **options) -> Suite:
    return narrowed(
        load_suite("papers"),
        benchmarks=["c-nmc@published"],
        strategies=list(strategies),
        seeds=seeds,
        gpu_hours=gpu_hours,
        **options,
    )


def run_all(chosen: Suite, out: Path, jobs: int) -> None:
    with process_pool(jobs) as pool:
        for done in execute_all(plans(chosen), out, "test", pool):
            assert done.failure is None, done.failure


def trials(root: Path) -> dict[str, list[dict[str, Any]]]:
    return {
        str(folder.relative_to(root)): [unmeasured(record) for record in read_trials(folder / TRIALS)]
        for folder in find_runs(root)
    }


def ends(root: Path) -> list[RunEnd | None]:
    return [read_end(folder) for folder in find_runs(root)]
