"""What stands in a table, and what a reader should know before using it."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from hemobench.benchmarks.tables.io import read_table
from hemobench.benchmarks.tables.schema import ALL_FOLDS, Table, final_loss
from hemobench.benchmarks.tasks import load_task
from hemobench.errors import BenchmarkError
from hemobench.strategies.base import Status

FEW_CONFIGS, FEW_REPEATED, MANY_FAILURES = 100, 10, 0.5


@dataclass(frozen=True, slots=True)
class Finding:
    """Something about a table.

    Attributes:
        severity: `error`: it is refused; `warning`: it can be used, with care.
        problem: What.
        hint: What to do about it.
    """

    severity: Literal["error", "warning"]
    problem: str
    hint: str = ""


def check_table(path: Path) -> tuple[Finding, ...]:
    """Everything that is wrong or doubtful about a table's file; nothing if it is sound."""
    try:
        table = read_table(path)
    except BenchmarkError as problem:
        return (Finding("error", problem.problem, problem.hint),)
    return doubts(table)


def doubts(table: Table) -> tuple[Finding, ...]:
    """What a surrogate fitted on the table would suffer from."""
    figures, whole = describe_table(table), ALL_FOLDS in table.folds
    task = load_task(table.header.task)
    needed = {name for name in {*task.objective.weights, task.headline} if whole or not name.endswith("_std")}
    lacking = sorted(needed - set(table.metrics[0]))
    short = sum(row.status is Status.OK and row.epochs[-1] < table.header.epochs for row in table.rows)
    found = {
        f"no validation metric {', '.join(lacking)}": bool(lacking),
        f"no test metric {task.headline}": task.headline not in table.metrics[1],
        f"only {figures['configurations']} configurations": figures["configurations"] < FEW_CONFIGS,
        f"only {figures['repeated']} configurations with several seeds; noise is then guessed": figures["repeated"]
        < FEW_REPEATED,
        f"{figures['failed']} of {figures['rows']} trainings failed": figures["failed"]
        > MANY_FAILURES * figures["rows"],
        f"{short} trainings were not looked at after all {table.header.epochs} epochs": short > 0,
        "trainings of one configuration and fold have different metrics' names": len(_names(table)) > 1,
    }
    return tuple(Finding("warning", problem, "record more") for problem, holds in found.items() if holds)


def _names(table: Table) -> set[tuple[frozenset[str], frozenset[str]]]:
    return {(frozenset(row.validation), frozenset(row.test)) for row in table.rows if row.reached}


def describe_table(table: Table) -> dict[str, Any]:
    """A table's figures as plain data: counts, origins, the losses' spread, device-hours, and the header."""
    task = load_task(table.header.task)
    seeds = Counter((row.key[0], row.fold) for row in table.rows)
    folds = Counter(key for key, _ in seeds)
    losses = [final_loss(row, task.objective) for row in table.rows if row.status is Status.OK]
    spread = np.quantile(losses, [0, 0.1, 0.5, 0.9, 1]).round(6).tolist() if losses else []
    validation, test = table.metrics
    return {
        "rows": len(table.rows),
        "configurations": len(folds),
        "folds": list(table.folds),
        "on_every_fold": sum(count == len(table.folds) for count in folds.values()),
        "repeated": sum(count > 1 for count in seeds.values()),
        "failed": sum(row.status is not Status.OK for row in table.rows),
        "statuses": dict(Counter(str(row.status) for row in table.rows)),
        "origins": dict(Counter(row.origin.partition("/")[0] for row in table.rows)),
        "objective": dict(task.objective.weights),
        "loss_quantiles": spread,
        "device_hours": round(sum(row.seconds[-1] for row in table.rows) / 3600, 3),
        "validation": list(validation),
        "test": list(test),
        "header": asdict(table.header),
    }
