"""Faults inside a command's processes, by the environment variable `FAULT`; for folders put on PYTHONPATH.

`{"clock": seed}`: the wall clock jumps by up to a day, back and forth, at every look.
`{"file_limit": bytes}`: no file grows beyond this, as where a quota ends.
`{"memory": n, "once": path}`: the n-th evaluation of a process runs out of memory, once in all.
`{"training": [n, …]}`: the n-th trainings of a process run out of the device's memory.
"""

from __future__ import annotations

import contextlib
import importlib.abc
import importlib.machinery
import json
import os
import random
import sys
import time
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any


class After(importlib.abc.MetaPathFinder):
    """Does something to a module once it has been imported."""

    def __init__(self, name: str, action: Callable[[ModuleType], None]) -> None:
        self.name, self.action = name, action

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> Any:
        if name != self.name:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path)
        assert spec is not None
        assert spec.loader is not None
        execute = spec.loader.exec_module

        def executed(module: ModuleType) -> None:
            execute(module)
            self.action(module)

        spec.loader.exec_module = executed  # type: ignore[method-assign]
        return spec


def shift_clock(seed: int) -> None:
    rng, true = random.Random(seed), time.time
    time.time = lambda: true() + rng.uniform(-86400, 86400)
    time.time_ns = lambda: int(time.time() * 1e9)


def limit_files(most: int) -> None:
    import resource

    resource.setrlimit(resource.RLIMIT_FSIZE, (most, resource.RLIM_INFINITY))


def exhaust_memory(nth: int, once: str) -> None:
    def action(module: Any) -> None:
        evaluate, count = module.Published.evaluate, iter(range(10**9))

        def evaluated(*arguments: Any, **options: Any) -> Any:
            if next(count) == nth:
                with contextlib.suppress(FileExistsError):
                    os.close(os.open(once, os.O_CREAT | os.O_EXCL))
                    bytearray(1 << 62)
            return evaluate(*arguments, **options)

        module.Published.evaluate = evaluated

    sys.meta_path.insert(0, After("hemobench.benchmarks.evaluators.published", action))


def exhaust_device(which: Sequence[int]) -> None:
    def action(module: Any) -> None:
        train, count = module.train_all, iter(range(10**9))

        def trained(*arguments: Any, **options: Any) -> Any:
            if next(count) in which:
                with options["watch"].timing("training"):
                    module.torch.empty(1 << 60)
            return train(*arguments, **options)

        module.train_all = trained

    sys.meta_path.insert(0, After("hemobench.benchmarks.evaluators.live", action))


_fault = json.loads(os.environ.get("FAULT", "{}"))
if "clock" in _fault:
    shift_clock(_fault["clock"])
if "file_limit" in _fault:
    limit_files(_fault["file_limit"])
if "memory" in _fault:
    exhaust_memory(_fault["memory"], _fault["once"])
if "training" in _fault:
    exhaust_device(_fault["training"])
