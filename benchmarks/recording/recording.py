"""The recording of a table: a design trained over processes, such that a kill at any moment loses little."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, as_completed
from dataclasses import asdict, dataclass, field, replace
from functools import lru_cache, partial
from multiprocessing import current_process
from pathlib import Path
from typing import Any

from hemobench.benchmarks.benchmark import load_benchmark
from hemobench.benchmarks.environment import environment
from hemobench.benchmarks.evaluator import Evaluator, Looking, Outcome
from hemobench.benchmarks.execution.plan import require_support
from hemobench.benchmarks.execution.process_pool import process_pool
from hemobench.benchmarks.execution.runner import Vetting
from hemobench.benchmarks.recording.design import Design, across_folds, points, repeated
from hemobench.benchmarks.recording.journal import Journal, read_rows
from hemobench.benchmarks.storage.files import write_whole
from hemobench.benchmarks.storage.run_folder import same_run
from hemobench.benchmarks.tables.io import MAX_TEXT, write_table
from hemobench.benchmarks.tables.schema import ALL_FOLDS, SCHEMA, Header, Row, Table, config_key, final_loss
from hemobench.benchmarks.tasks.base import Task
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
        devices: Shared out in turn to the worker processes, as the evaluator's `device`; empty for its default.
    """

    benchmark: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    scale: str = "paper"
    devices: tuple[str, ...] = ()

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
        # What is trained on every fold is chosen by what the first gave; what is repeated, by all of them.
        for name, choose in (("folds", across_folds), ("repeats", repeated)):
            units = chunks(name, choose(design, rows, task.objective))
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


def do_unit(unit: Unit, source: Source, design: Design, folder: Path) -> None:
    """Do what of a unit is not recorded yet."""
    task = load_benchmark(source.benchmark).task
    journal = Journal(folder / f"{unit.name}.jsonl")
    try:
        if unit.strategy is not None:
            _search(unit, journal, source, design, task)
        for origin, config, seed, fold in unit.points:
            _recorded(journal, source, design, task, origin, config, seed, fold)
    finally:
        journal.close()


def _search(unit: Unit, journal: Journal, source: Source, design: Design, task: Task) -> None:
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
    journal: Journal, source: Source, design: Design, task: Task, origin: str, config: Config, seed: int, fold: int
) -> Row:
    """The journal's row of a training, trained first if it is not there."""
    row = journal.rows.get((config_key(config), seed, fold))
    if row is None:
        evaluator = _evaluator(source.key, fold)
        row = look(evaluator, design.looks(task.epochs), origin, config, seed, fold)
        journal.append(row)
    return row


@lru_cache(maxsize=8)
def _evaluator(source: str, fold: int) -> Evaluator:
    """Evaluators hold data that is costly to load; the trainings of one process share them."""
    return Source(**json.loads(source)).evaluator(fold)


def look(
    evaluator: Evaluator | Looking, lengths: Sequence[int], origin: str, config: Config, seed: int, fold: int
) -> Row:
    """Train one configuration and look at it after each of some numbers of epochs.

    A figure that is no number counts as a training that diverged.
    """
    see = evaluator.look if isinstance(evaluator, Looking) else partial(_by_resuming, evaluator)
    outcomes = see(dict(config), lengths, seed)
    judged = [_judged(outcome) for outcome in outcomes]
    failed = next((k for k, (status, _) in enumerate(judged) if status is not Status.OK), None)
    seen = outcomes if failed is None else outcomes[: failed + 1]
    ended = outcomes[:failed]
    status, error = judged[len(seen) - 1]
    seconds, evaluation = _times(seen)
    return Row(
        config=dict(config),
        seed=seed,
        fold=fold,
        origin=origin,
        epochs=tuple(lengths[: len(seen)]),
        seconds=seconds,
        evaluation_seconds=evaluation,
        validation=_side([outcome.validation for outcome in ended]),
        test=_side([outcome.test for outcome in ended]),
        curve=tuple(float(value) for value in ended[-1].curve) if ended else (),
        status=status,
        error=error[:MAX_TEXT] if error else None,
    )


def _by_resuming(evaluator: Evaluator, config: Config, lengths: Sequence[int], seed: int) -> Sequence[Outcome]:
    """The outcomes of ever longer trials, each resumed from the one before it, with the costs of whole ones."""
    outcomes: list[Outcome] = []
    seconds, evaluation, trained = 0.0, 0.0, 0
    for length in lengths:
        outcome = evaluator.evaluate(Proposal(config, length), seed, trained=trained)
        seconds += outcome.cost.gpu_seconds
        evaluation += outcome.cost.evaluation_seconds
        cost = replace(outcome.cost, gpu_seconds=seconds, evaluation_seconds=min(evaluation, seconds))
        outcomes.append(replace(outcome, cost=cost))
        if _judged(outcome)[0] is not Status.OK:
            break
        trained = length
    return outcomes


def _times(outcomes: Sequence[Outcome]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Seconds in all and of evaluation, to the microsecond; a longer trial takes longer, whatever a clock says."""
    seconds: list[float] = []
    evaluation: list[float] = []
    for outcome in outcomes:
        least = round(seconds[-1] + 1e-6, 6) if seconds else 1e-6
        seconds.append(max(round(outcome.cost.gpu_seconds, 6), least))
        evaluation.append(round(min(outcome.cost.evaluation_seconds, seconds[-1]), 6))
    return tuple(seconds), tuple(evaluation)


def _judged(outcome: Outcome) -> tuple[Status, str | None]:
    """How a training ended; not well if one of its figures is not finite."""
    if outcome.status is not Status.OK:
        return outcome.status, outcome.error
    wrong = [name for name, value in [*outcome.validation.items(), *outcome.test.items()] if not math.isfinite(value)]
    wrong += ["the curve"] if not all(map(math.isfinite, outcome.curve)) else []
    return (Status.DIVERGED, f"{wrong[0]} is not finite") if wrong else (Status.OK, None)


def _side(outcomes: Sequence[Mapping[str, float]]) -> dict[str, tuple[float, ...]]:
    names = outcomes[0].keys() if outcomes else ()
    return {name: tuple(float(outcome[name]) for outcome in outcomes) for name in names}
