"""What a parity check is of: a recorded table, the surrogate fitted to it, and what trains for real."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from hemobench.benchmarks.benchmark import load_benchmark
from hemobench.benchmarks.evaluator import Evaluator
from hemobench.benchmarks.evaluators.surrogate import SurrogateEvaluator
from hemobench.benchmarks.evaluators.table import TableEvaluator, folds_needed
from hemobench.benchmarks.parity.table_restricted import Pool
from hemobench.benchmarks.recording.source import Source
from hemobench.benchmarks.storage.files import write_whole
from hemobench.benchmarks.storage.run_folder import same_run
from hemobench.benchmarks.surrogates.store import load
from hemobench.benchmarks.surrogates.surrogate import Surrogate
from hemobench.benchmarks.tables.io import read_table
from hemobench.benchmarks.tables.schema import ALL_FOLDS, Table
from hemobench.benchmarks.tasks import load_task
from hemobench.benchmarks.tasks.base import Task
from hemobench.errors import BenchmarkError

TABLE, POOL, SURROGATE, LIVE, MEMBER = "table", "pool", "surrogate", "live", "member-"
SCHEMA = 1


@dataclass(frozen=True)
class ParitySetup:
    """What is checked, in a form that travels to worker processes.

    Attributes:
        benchmark: Name; with its version it decides the surrogate's noise, as on the leaderboard.
        table: File of the recorded table.
        surrogate: File of the surrogate that was fitted to it.
        live: What trains for real, on the folds that the surrogate answers for; `None` if nothing does.
    """

    benchmark: str
    table: str
    surrogate: str
    live: Source | None = None

    @property
    def task(self) -> Task:
        """The task that is tuned."""
        return load_benchmark(self.benchmark).task


def figures(task: Task, validation: Mapping[str, float], test: Mapping[str, float]) -> dict[str, float]:
    """What is compared of a training, fractions: `score` (1 - loss), and `validation` and `test` headline metrics."""
    found = {"score": round(1 - task.objective.loss(validation), 9)}
    sides = {"validation": validation, "test": test}
    return found | {side: metrics[task.headline] for side, metrics in sides.items() if task.headline in metrics}


def check(setup: ParitySetup) -> tuple[Table, Surrogate]:
    """The table and the surrogate.

    Raises:
        BenchmarkError: If a file cannot be read, is of another task, or the surrogate is of another recording.
    """
    table, surrogate, task = read_table(Path(setup.table)), load(Path(setup.surrogate)), setup.task.name
    for file, of in ((setup.table, table.header.task), (setup.surrogate, surrogate.about.task)):
        if of != task:
            raise BenchmarkError(f"{file} is of the task {of}", f"name one of {task}, for {setup.benchmark}")
    about, header = surrogate.about, table.header
    for name, there, here in (
        ("benchmark", about.benchmark, header.benchmark),
        ("version", about.version, header.version),
        ("scale", about.scale, header.scale),
        ("data", about.data, header.data),
        ("length of training", about.full, header.epochs),
        ("number of trainings", about.fitted.get("rows"), len(table.rows)),
    ):
        if there != here:
            raise BenchmarkError(
                f"{setup.surrogate} was not fitted to {setup.table}: its {name} is {there!r}, not {here!r}",
                f"hemobench fit {setup.table} -o FILE",
            )
    return table, surrogate


def usual_cost(table: Table) -> float:
    """Mean GPU-hours of a trial spread over the space: of the space-filling rows, or of all where there are none."""
    folds = _folds(table)
    rows = [row for row in table.rows if row.fold in folds]
    spread = [row for row in rows if row.origin in ("sobol", "random")] or rows
    return float(np.mean([row.seconds[-1] for row in spread])) * len(folds) / 3600


def trainer(table: Table, benchmark: str, settings: Mapping[str, Any]) -> Source:
    """What trains for real, on the one fold that the table answers for, or on all where it needs all."""
    folds = _folds(table)
    alone = {"fold": folds[0]} if len(folds) == 1 and folds[0] != ALL_FOLDS else {}
    return Source(benchmark, {**alone, **settings})


def _folds(table: Table) -> tuple[int, ...]:
    return folds_needed(load_task(table.header.task).objective.weights, table.metrics[0], table)


@lru_cache(maxsize=2)
def table_of(path: str) -> Table:
    """The table of a file, read once in each process."""
    return read_table(Path(path))


@lru_cache(maxsize=2)
def pool_of(path: str) -> Pool:
    """What can be looked up in the table of a file."""
    return Pool(table_of(path))


@lru_cache(maxsize=16)
def answers(benchmark: str, table: str, surrogate: str, source: str) -> Evaluator:
    """What answers in a source that is not live."""
    if source == TABLE:
        return TableEvaluator(table_of(table))
    found = load_benchmark(benchmark)
    whole, folds = load(Path(surrogate)), _folds(table_of(table))
    if source.startswith(MEMBER):
        number = int(source.removeprefix(MEMBER))
        return SurrogateEvaluator(whole, found.name, found.version, member=number, folds=folds)
    return SurrogateEvaluator(whole, found.name, found.version, folds=folds)


def begin(folder: Path, setup: ParitySetup) -> None:
    """Make a check's folder, or see that it is of this check: equal files, and equal settings of what trains.

    Raises:
        BenchmarkError: If it is of another.
    """
    live = setup.live
    settings = {k: str(v) for k, v in live.settings.items() if k not in ("data", "cache")} if live else {}
    parts = {
        "parity.json": {
            "benchmark": setup.benchmark,
            "version": load_benchmark(setup.benchmark).version,
            "table": checksum(Path(setup.table)),
            "surrogate": checksum(Path(setup.surrogate)),
        }
    }
    if live:
        parts["live.json"] = {"benchmark": live.benchmark, "settings": settings}
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in parts.items():
        header = {"schema": SCHEMA, **content}
        if (folder / name).exists():
            same_run(folder / name, header)
        else:
            write_whole(folder / name, header)


def checksum(path: Path) -> str:
    """SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
