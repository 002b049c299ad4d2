"""Where a recording's answers come from, and the parts that its work is shared out in."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from multiprocessing import current_process
from typing import Any

from hemobench.benchmarks.benchmark import load_benchmark
from hemobench.benchmarks.evaluator import Evaluator
from hemobench.benchmarks.recording.design import Asked
from hemobench.benchmarks.tables.schema import ALL_FOLDS


@dataclass(frozen=True)
class Source:
    """Where answers come from, in a form that travels to worker processes.

    Attributes:
        benchmark: As in `c-nmc@live`.
        settings: The evaluator's, built-in values only; one fold's number is added as `fold`.
        scale: What is scaled down, for the table's header.
        devices: Shared out in turn to the worker processes, as the evaluator's `device`; empty for its default.
        together: Train points that are alike side by side; see `together`.
    """

    benchmark: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    scale: str = "paper"
    devices: tuple[str, ...] = ()
    together: bool = False

    @property
    def key(self) -> str:
        """All of it as text."""
        return json.dumps(asdict(self), sort_keys=True)

    def evaluator(self, fold: int) -> Evaluator:
        """The evaluator of one fold, or of all together, on this process' device."""
        settings = dict(self.settings)
        if fold != ALL_FOLDS:
            settings["fold"] = fold
        if self.devices:
            number = sum(current_process()._identity)  # 1, 2, … in a pool; 0 in the main process
            settings["device"] = self.devices[(number - 1) % len(self.devices)]
        return load_benchmark(self.benchmark).evaluator(**settings)


@dataclass(frozen=True)
class Unit:
    """A part of the work that one process does, in order: a few points, or a whole search.

    Attributes:
        name: Of its journal.
        points: Origin, configuration, seed and fold of each training.
        strategy: Name and seed of a search; `None` for points.
    """

    name: str
    points: tuple[Asked, ...] = ()
    strategy: tuple[str, int] | None = None


@lru_cache(maxsize=8)
def shared_evaluator(source: str, fold: int) -> Evaluator:
    """The evaluator of a source's `key`; it holds data that is costly to load, and a process' trainings share it."""
    return Source(**json.loads(source)).evaluator(fold)
