"""The recording of a table: a design trained over processes, such that a kill at any moment loses little."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Executor, as_completed
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from hemobench.benchmarks.benchmark import load_benchmark
from hemobench.benchmarks.environment import environment
from hemobench.benchmarks.execution.plan import require_support
from hemobench.benchmarks.execution.process_pool import process_pool
from hemobench.benchmarks.execution.runner import Vetting
from hemobench.benchmarks.recording import together
from hemobench.benchmarks.recording.design import Asked, Design, across_folds, repeated
from hemobench.benchmarks.recording.journal import open_rows, read_rows
from hemobench.benchmarks.recording.points import corners, near_best, near_default, points, require_grid
from hemobench.benchmarks.recording.rows import as_row, look
from hemobench.benchmarks.recording.source import Source, Unit, shared_evaluator
from hemobench.benchmarks.storage.files import write_whole
from hemobench.benchmarks.storage.journal import Journal
from hemobench.benchmarks.storage.run_folder import same_run
from hemobench.benchmarks.tables.io import read_table, write_table
from hemobench.benchmarks.tables.schema import SCHEMA, SIDE_BY_SIDE, Header, Row, Table, config_key, final_loss
from hemobench.benchmarks.tasks.base import Task
from hemobench.errors import BenchmarkError
from hemobench.strategies import load_strategy, supports
from hemobench.strategies.base import Config, Status, Trial

CAMPAIGN = "campaign.json"
TRAINED_ON = "trained on"
"""In the header's design: the device, where another one's seconds are charged."""
CHUNK = 4  # trainings of a unit of points: small, so that workers end together


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
    pace_of: Path | None = None,
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
        pace_of: An earlier recording's table. Trainings side by side are charged its device's seconds: both merge.

    Raises:
        BenchmarkError: If the journal is of another recording or in use, or the design cannot be carried out.
    """
    task = load_benchmark(source.benchmark).task
    earlier = _earlier(source, task, pace_of) if pace_of is not None else None
    design.looks(task.epochs)
    require_grid(design, task.space())
    for name in design.strategies:
        require_recordable(name, task)
    folder = out.with_name(f"{out.name}.journal")
    header = _start(source, design, folder, task, earlier.header.device if earlier else "")
    if earlier is not None and pace_of is not None:
        together.take_pace(source, design.folds, folder, earlier, pace_of.name)
    asked_first = first_asked(design, task)
    share_out = partial(together.groups, source, design.folds, folder) if source.together else chunks
    first = [*searches(design), *share_out("points", asked_first)]
    # What each stage trains is chosen by what those before it gave.
    stages: tuple[tuple[str, Callable[[Sequence[Row]], Sequence[Asked]]], ...] = (
        ("near-best", lambda rows: near_best(design, rows, task.objective, task.space())),
        ("near-default", lambda rows: near_default(design, rows, task.space())),
        ("corners", lambda rows: corners(design, rows, task.space())),
        ("folds", lambda rows: across_folds(design, rows, task.objective)),
        ("repeats", lambda rows: repeated(design, rows, task.objective)),
    )
    with process_pool(jobs) as pool:
        told = progress or (lambda _: None)
        work(pool, first, source, design, folder, told, before=0)
        rows = collect(first, folder)
        for name, choose in stages:
            units = share_out(name, choose(rows))
            work(pool, units, source, design, folder, told, before=len(rows))
            rows = distinct([*rows, *collect(units, folder)])
    table = Table(header, tuple(rows))
    write_table(table, out)
    return table


def require_recordable(strategy: str, task: Task) -> None:
    """Refuse a search whose trials could not be told from its recorded ones.

    Raises:
        BenchmarkError: If it does not fit the task's space, or chooses lengths of training itself.
    """
    require_support(strategy, task, 1)
    if supports(strategy).fidelity:
        raise BenchmarkError(f"'{strategy}' chooses lengths of training", "record with strategies that train in full")


def _earlier(source: Source, task: Task, path: Path) -> Table:
    """An earlier recording, in whose device's seconds this one is charged.

    Raises:
        BenchmarkError: If it cannot be read, is of another task, or costs are not reckoned here.
    """
    if not source.together:
        raise BenchmarkError("--pace-of without --together: costs are measured", "record it with --together")
    table = read_table(path)
    if table.header.task != task.name:
        raise BenchmarkError(f"{path} is of the task {table.header.task}", f"give a recording of {task.name}")
    return table


def _start(source: Source, design: Design, folder: Path, task: Task, charged: str = "") -> Header:
    """Begin the journal's folder or check that it is of this recording; the header that the table will have.

    `charged` is the device whose seconds are charged, if it is not the one that trains.
    """
    benchmark = load_benchmark(source.benchmark)
    asked = design.as_data()
    if design.incumbents:  # the rows have them
        asked["incumbents"] = len(design.incumbents)
    if source.together:  # of all folds, since one evaluator trains them
        provenance = {**together.evaluator_of(source, design.folds).provenance, "recorded": SIDE_BY_SIDE}
    else:
        provenance = dict(source.evaluator(design.folds[0]).provenance)
    if charged:
        asked[TRAINED_ON] = provenance.get("device", "")
        provenance["device"] = charged
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
        design=asked,
    )
    there = {"schema": SCHEMA, "source": provenance, "scale": source.scale, "design": design.as_data()}
    folder.mkdir(parents=True, exist_ok=True)
    if (folder / CAMPAIGN).exists():
        same_run(folder / CAMPAIGN, there)
    else:
        write_whole(folder / CAMPAIGN, there)
    return header


def searches(design: Design) -> list[Unit]:
    """The strategies' searches: they take longest, and come first."""
    return [
        Unit(f"{name}-{seed}", strategy=(name, seed))
        for name in design.strategies
        for seed in range(design.strategy_seeds)
    ]


def first_asked(design: Design, task: Task) -> list[Asked]:
    """The points, on the first fold or on all."""
    folds = design.folds if design.everywhere else design.folds[:1]
    return [(origin, config, 0, fold) for origin, config in points(design, task.space()) for fold in folds]


def chunks(name: str, asked: Sequence[Asked]) -> list[Unit]:
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


def do_unit(unit: Unit, source: Source, design: Design, folder: Path) -> None:
    """Do what of a unit is not recorded yet."""
    task = load_benchmark(source.benchmark).task
    journal = open_rows(folder / f"{unit.name}.jsonl")
    try:
        if unit.strategy is not None:
            _search(unit, journal, source, design, task)
        elif source.together:
            _side_by_side(unit, journal, source, design, task, folder)
        for origin, config, seed, fold in unit.points:
            _recorded(journal, source, design, task, origin, config, seed, fold)
    finally:
        journal.close()


def _side_by_side(unit: Unit, journal: Journal[Row], source: Source, design: Design, task: Task, folder: Path) -> None:
    """Train what of a unit is not recorded, all of it at once."""
    missing = [asked for asked in unit.points if (config_key(asked[1]), *asked[2:]) not in journal.records]
    if not missing:
        return
    lengths = design.looks(task.epochs)
    evaluator = together.evaluator_of(source, design.folds)
    asked = [(config, seed, fold) for _, config, seed, fold in missing]
    found = evaluator.look_together(asked, lengths, together.read_pace(folder))
    for (origin, config, seed, fold), outcomes in zip(missing, found, strict=True):
        journal.append(as_row(outcomes, lengths, origin, config, seed, fold))


def _search(unit: Unit, journal: Journal[Row], source: Source, design: Design, task: Task) -> None:
    """Let a strategy search; its recorded trials are told again first, so it goes on where it was."""
    assert unit.strategy is not None
    name, seed = unit.strategy
    own_seed = seed + 1000 * design.seed
    strategy = load_strategy(name)(task.space(), seed=own_seed, horizon=design.strategy_trials)  # type: ignore[call-arg]
    vetted, fold = Vetting(task), design.folds[0]
    for number in range(design.strategy_trials):
        proposal = vetted(strategy.ask(), {})
        if proposal is None:
            return
        row = _recorded(journal, source, design, task, f"{name}/{seed}", proposal.config, 0, fold)
        ok = row.status is Status.OK
        loss = final_loss(row, task.objective) if ok else None
        strategy.tell(Trial(number, proposal, loss, row.status, row.seconds[-1]))


def _recorded(
    journal: Journal[Row], source: Source, design: Design, task: Task, origin: str, config: Config, seed: int, fold: int
) -> Row:
    """The journal's row of a training, trained first if it is not there."""
    row = journal.records.get((config_key(config), seed, fold))
    if row is None:
        evaluator = shared_evaluator(source.key, fold)
        row = look(evaluator, design.looks(task.epochs), origin, config, seed, fold)
        journal.append(row)
    return row
