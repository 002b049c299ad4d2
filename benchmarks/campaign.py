"""The recording of a table: a design trained over processes, such that a kill at any moment loses little."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, as_completed
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from hemobench.benchmarks.benchmark import load_benchmark
from hemobench.benchmarks.environment import environment
from hemobench.benchmarks.evaluators.base import Evaluator, Outcome
from hemobench.benchmarks.execute import process_pool
from hemobench.benchmarks.runner import checked, require_support
from hemobench.benchmarks.store import same_run, write_whole
from hemobench.benchmarks.tables.design import Design, again, points
from hemobench.benchmarks.tables.io import write_table
from hemobench.benchmarks.tables.journal import Journal, read_rows
from hemobench.benchmarks.tables.schema import ALL_FOLDS, SCHEMA, Header, Row, Table
from hemobench.benchmarks.task import Task, load_task
from hemobench.errors import BenchmarkError
from hemobench.strategies import load_strategy
from hemobench.strategies.base import Config, Proposal, Status, Trial

CAMPAIGN = "campaign.json"
CHUNK = 4  # trainings of a unit of points: small, so that workers end together


@dataclass(frozen=True)
class Source:
    """Where answers come from, in a form that travels to worker processes.

    Attributes:
        benchmark: As in `c-nmc@live`.
        settings: The evaluator's, built-in values only; one fold's number is added as `fold`.
        scale: What is scaled down, for the table's header.
        device_of: Setting of a worker's device and the devices, shared out in turn, as in
            `("device", ("cuda:0", "cuda:1"))`; `None` for none.
    """

    benchmark: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    scale: str = "paper"

    def evaluator(self, fold: int) -> Evaluator:
        """The evaluator of one fold, or of all together."""
        chosen = {} if fold == ALL_FOLDS else {"fold": fold}
        return load_benchmark(self.benchmark).evaluator(**self.settings, **chosen)


@dataclass(frozen=True)
class Unit:
    """A part of the work that one process does, in order: a few points, or a whole search.

    Attributes:
        name: Of its journal.
        points: Origin, configuration, seed and fold of each training.
        strategy: Name and seed of a search; `None` for points.
    """

    name: str
    points: tuple[tuple[str, Config, int, int], ...] = ()
    strategy: tuple[str, int] | None = None


@dataclass(frozen=True, slots=True)
class Advance:
    """How far a recording has come: trainings recorded, of how many that are known of so far."""

    recorded: int
    known: int
    unit: str


def record(
    source: Source,
    design: Design,
    out: Path,
    *,
    jobs: int = 1,
    progress: Callable[[Advance], None] | None = None,
) -> Table:
    """Record a table, or go on with it where an earlier process left off.

    What is trained is journalled in the folder `<out>.journal`, which is left there: with the same source and design
    the table is written again from it at once. Every training is looked at after several lengths, by resuming it.

    Args:
        source: What answers.
        design: What is asked.
        out: The table's file.
        jobs: Processes.
        progress: Told whenever a part is done.

    Raises:
        BenchmarkError: If the journal is of another recording or in use, or the design cannot be carried out.
    """
    task = load_benchmark(source.benchmark).task
    design.looks(task.epochs)
    for name in design.strategies:
        require_recordable(name, task)
    folder = out.with_name(f"{out.name}.journal")
    header = _start(source, design, folder, task)
    first = first_units(design, task)
    with process_pool(jobs) as pool:
        told = progress or (lambda _: None)
        work(pool, first, source, design, folder, told, before=0)
        rows = collect(first, folder)
        second = chunks("again", again(design, rows, task.objective))
        work(pool, second, source, design, folder, told, before=len(rows))
    table = Table(header, tuple(distinct([*rows, *collect(second, folder)])))
    write_table(table, out)
    return table


def require_recordable(strategy: str, task: Task) -> None:
    """Refuse a search whose trials could not be told from its recorded ones.

    Raises:
        BenchmarkError: If it does not fit the task's space, or chooses lengths of training itself.
    """
    cls = load_strategy(strategy)
    require_support(cls, strategy, task, 1)
    if cls.supports.fidelity:
        raise BenchmarkError(f"'{strategy}' chooses lengths of training", "record with strategies that train in full")


def _start(source: Source, design: Design, folder: Path, task: Task) -> Header:
    """Begin the journal's folder or check that it is of this recording; the header that the table will have."""
    benchmark = load_benchmark(source.benchmark)
    provenance = dict(source.evaluator(design.folds[0]).provenance)
    header = Header(
        task=task.name,
        benchmark=benchmark.name,
        version=benchmark.version,
        scale=source.scale,
        epochs=task.epochs,
        device=provenance.get("device", task.reference_device),
        data=provenance.get("data_sha256", ""),
        source=provenance,
        environment=environment(),
        design=design.as_data(),
    )
    there = {"schema": SCHEMA, "source": provenance, "scale": source.scale, "design": design.as_data()}
    folder.mkdir(parents=True, exist_ok=True)
    if (folder / CAMPAIGN).exists():
        same_run(folder / CAMPAIGN, there)
    else:
        write_whole(folder / CAMPAIGN, there)
    return header


def first_units(design: Design, task: Task) -> list[Unit]:
    """Searches, which take longest, before points."""
    searches = [
        Unit(f"{name}-{seed}", strategy=(name, seed))
        for name in design.strategies
        for seed in range(design.strategy_seeds)
    ]
    fold = design.folds[0]
    asked = [(origin, config, 0, fold) for origin, config in points(design, task.space())]
    return [*searches, *chunks("points", asked)]


def chunks(name: str, asked: Sequence[tuple[str, Config, int, int]]) -> list[Unit]:
    """Points shared out to units."""
    starts = range(0, len(asked), CHUNK)
    return [Unit(f"{name}-{start // CHUNK:05}", points=tuple(asked[start : start + CHUNK])) for start in starts]


def work(
    pool: Executor,
    units: Sequence[Unit],
    source: Source,
    design: Design,
    folder: Path,
    told: Callable[[Advance], None],
    before: int,
) -> None:
    """Have all units done, those first that were asked first."""
    size = {unit.name: len(unit.points) or design.strategy_trials for unit in units}
    known, recorded = before + sum(size.values()), before
    futures = {pool.submit(do_unit, unit, source, design, folder): unit.name for unit in units}
    for future in as_completed(futures):
        future.result()
        recorded += size[futures[future]]
        told(Advance(recorded, known, futures[future]))


def collect(units: Sequence[Unit], folder: Path) -> list[Row]:
    """What units recorded, in the order of the design, whoever ended first."""
    return distinct([row for unit in units for row in read_rows(folder / f"{unit.name}.jsonl")])


def distinct(rows: Sequence[Row]) -> list[Row]:
    """The first row of each key."""
    found: dict[tuple[str, int, int], Row] = {}
    for row in rows:
        found.setdefault(row.key, row)
    return list(found.values())


def do_unit(unit: Unit, source: Source, design: Design, folder: Path) -> int:
    """Do what of a unit is not recorded yet; the number of its trainings."""
    task = load_benchmark(source.benchmark).task
    journal = Journal(folder / f"{unit.name}.jsonl")
    try:
        asked = iter(unit.points) if unit.strategy is None else None
        for row in _search(unit, task, source, design, journal) if asked is None else _each(asked, source, design):
            if row.key not in journal.rows:
                journal.append(row)
        return len(journal.rows)
    finally:
        journal.close()
