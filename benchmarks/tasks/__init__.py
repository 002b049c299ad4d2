"""The tasks: search spaces, objectives and training lengths, as the two papers give them."""

from __future__ import annotations

from importlib import import_module

from hemobench.benchmarks.tasks.base import Task
from hemobench.errors import BenchmarkError
from hemobench.extensions import declared

TASKS = {
    "bone-marrow": "hemobench.benchmarks.tasks.bone_marrow:TASK",
    "bone-marrow-full": "hemobench.benchmarks.tasks.bone_marrow:FULL_TASK",
    "bone-marrow-micro": "hemobench.benchmarks.tasks.bone_marrow:MICRO_TASK",
    "bone-marrow-head": "hemobench.benchmarks.tasks.bone_marrow:HEAD_TASK",
    "bone-marrow-lite": "hemobench.benchmarks.tasks.bone_marrow:LITE_TASK",
    "c-nmc": "hemobench.benchmarks.tasks.c_nmc:TASK",
    "cells": "hemobench.benchmarks.tasks.cells:TASK",
}


GROUP = "hemobench.tasks"
"""Entry points of other packages: a name, and where its `Task` is."""


def task_names() -> list[str]:
    """Ours, then those of other installed packages."""
    return [*TASKS, *declared(GROUP, TASKS)]


def load_task(name: str) -> Task:
    """The task of that name, ours or another package's.

    Raises:
        BenchmarkError: If there is none, or the other package's is no task of that name.
    """
    if name in TASKS:
        module, _, attribute = TASKS[name].partition(":")
        ours: Task = getattr(import_module(module), attribute)
        return ours
    theirs = declared(GROUP, TASKS).get(name)
    if theirs is None:
        raise BenchmarkError(f"there is no task '{name}'", f"choose one of: {', '.join(task_names())}")
    task = theirs.load()
    if not isinstance(task, Task) or task.name != name:
        raise theirs.wrong(f"not a Task named '{name}'")
    return task
