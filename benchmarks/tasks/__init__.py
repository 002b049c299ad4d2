"""The tasks: search spaces, objectives and training lengths, as the two papers give them."""

from __future__ import annotations

from importlib import import_module

from hemobench.benchmarks.tasks.base import Task
from hemobench.errors import BenchmarkError

TASKS = {
    "bone-marrow": "hemobench.benchmarks.tasks.bone_marrow:TASK",
    "bone-marrow-full": "hemobench.benchmarks.tasks.bone_marrow:FULL_TASK",
    "bone-marrow-micro": "hemobench.benchmarks.tasks.bone_marrow:MICRO_TASK",
    "c-nmc": "hemobench.benchmarks.tasks.c_nmc:TASK",
}


def load_task(name: str) -> Task:
    """The task of that name.

    Raises:
        BenchmarkError: If there is none.
    """
    if name not in TASKS:
        raise BenchmarkError(f"there is no task '{name}'", f"choose one of: {', '.join(TASKS)}")
    module, _, attribute = TASKS[name].partition(":")
    task: Task = getattr(import_module(module), attribute)
    return task
