"""What a parity check runs: equal searches on the table, on the surrogate and live, and what they find trained anew.

Sources of answers, all with the same strategies, seeds and budget:

- `table`: exact look-ups, strategies restricted to what was recorded (see `restricted`). What a table does not have is
  noise of its own for every seed: its runs share the noise that was recorded.
- `pool`: the surrogate under the same confinement. Table against pool differ by the surrogate's values alone, pool
  against surrogate by the confinement alone.
- `surrogate`: as on the leaderboard; every seed meets a member of the ensemble in turn.
- `member-0`, …: single members.
- `live`: training, in runs of few trials that all sources run again.

Every run and every training is a file, so that a check that was killed goes on where it was.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from concurrent.futures import as_completed
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter, ValidationError

from hemobench.benchmarks.benchmark import load_benchmark
from hemobench.benchmarks.budget import Budget
from hemobench.benchmarks.execution.execute import execute
from hemobench.benchmarks.execution.plan import Plan, require_support
from hemobench.benchmarks.execution.process_pool import process_pool
from hemobench.benchmarks.execution.runner import run
from hemobench.benchmarks.parity.setup import (
    LIVE,
    POOL,
    SCHEMA,
    TABLE,
    ParitySetup,
    answers,
    begin,
    figures,
    pool_of,
    usual_cost,
)
from hemobench.benchmarks.parity.table_restricted import TableRestricted
from hemobench.benchmarks.storage.files import write_whole
from hemobench.benchmarks.storage.records import RunEnd, TrialRecord
from hemobench.benchmarks.storage.run_folder import TRIALS, RunKey, read_end, read_json, read_trials
from hemobench.benchmarks.tables.schema import Table
from hemobench.benchmarks.tasks.base import Task
from hemobench.errors import BenchmarkError
from hemobench.strategies import STRATEGIES, load_strategy, row_of
from hemobench.strategies.base import Status, Strategy, UnsupportedTask

Asked = TypeVar("Asked")
Given = TypeVar("Given")
Floats = NDArray[np.float64]
OnProgress = Callable[[int, int], None]
"""OnProgress how much is done, of how much."""

FIRST = 10_000
"""Searches are seeded from here. No recorded search had such a seed: a strategy that met its own recorded trajectory,
or random search the recorded random points, would be answered exactly where all others are answered nearly."""
BOUGHT = 25
"""What the default budget buys, about."""
UNLIMITED = 1e6
"""GPU-hours of runs that their number of trials ends: seconds of different devices do not compare."""


@dataclass(frozen=True, slots=True)
class SearchBudget:
    """Under what strategies search.

    Attributes:
        gpu_hours: Budget.
        horizon: Expected number of trials.
        max_trials: A second limit; `None` is none.
    """

    gpu_hours: float
    horizon: int
    max_trials: int | None = None


@dataclass(frozen=True, slots=True)
class Search:
    """One run: where, who, with which seed, under what."""

    source: str
    strategy: str
    seed: int
    budget: SearchBudget

    @property
    def path(self) -> Path:
        """Its file, relative to the folder of a check."""
        most = f"-{self.budget.max_trials}" if self.budget.max_trials else ""
        folder = f"{self.budget.gpu_hours:g}h-{self.budget.horizon}{most}"
        return Path(folder, self.source, label(self.strategy), f"seed-{self.seed}.json")


@dataclass(frozen=True, slots=True)
class SearchResult:
    """What came of a search.

    Attributes:
        loss: Of the incumbent; `None` if no trial ended well or the strategy raised.
        config: The incumbent's.
        seen: Its figures as the search saw them; see `figures`.
        trials: That ended within the budget.
        failures: Of these.
        distance: Mean distance from what was proposed to what was trained.
        error: What the strategy raised.
        worth: Loss of the incumbent without noise; `None` where the source does not know it.
    """

    loss: float | None
    config: Mapping[str, bool | int | float | str]
    seen: Mapping[str, float]
    trials: int
    failures: int
    distance: float = 0.0
    error: str | None = None
    worth: float | None = None


@dataclass(frozen=True)
class Searches:
    """The runs under one budget.

    Attributes:
        budget: Under what.
        strategies: Labels.
        found: By source: for each seed, what each strategy found.
    """

    budget: SearchBudget
    strategies: tuple[str, ...]
    found: Mapping[str, tuple[tuple[SearchResult, ...], ...]]

    def losses(self, source: str) -> Floats:
        """Final losses, shape (seeds, strategies); NaN is a run without a result."""
        rows = [[np.nan if run.loss is None else run.loss for run in runs] for runs in self.found[source]]
        return np.array(rows, dtype=float)


_search_results = TypeAdapter(SearchResult)


def label(strategy: str) -> str:
    """A strategy's label; it is a folder's name too."""
    return strategy.replace(":", ".")


def able(task: Task, asked: Sequence[str] = ()) -> tuple[str, ...]:
    """The strategies asked for, by default the classic ones that take the task's space.

    Raises:
        BenchmarkError: If one that was asked for is unknown or does not take it.
    """
    found = []
    for name in asked or [name for name, row in STRATEGIES.items() if row.classic]:
        try:
            require_support(name, task, 1)
            found.append(name)
        except UnsupportedTask:
            if asked:
                raise
    if len(found) < 2 or len(set(found)) < len(found):
        raise BenchmarkError(f"strategies {', '.join(found)}", "give at least two, each once")
    return tuple(found)


def search_budget(table: Table, gpu_hours: float | None, trials: int | None = None) -> SearchBudget:
    """A budget, by default what `BOUGHT` trials usually cost; or of a number of trials alone.

    Raises:
        BenchmarkError: If the budget is no positive number.
    """
    if trials is not None:
        return SearchBudget(UNLIMITED, trials, trials)
    cost = usual_cost(table)
    hours = round(BOUGHT * cost, 6) if gpu_hours is None else gpu_hours
    if not 0 < hours <= UNLIMITED:
        raise BenchmarkError(f"a budget of {hours} GPU-hours", "give a positive number with --gpu-hours")
    return SearchBudget(hours, max(1, round(hours / cost)))


def search(
    setup: ParitySetup,
    budget: SearchBudget,
    strategies: Sequence[str],
    seeds: Mapping[str, int],
    folder: Path,
    *,
    jobs: int = 1,
    on_progress: OnProgress = lambda done, of: None,
) -> Searches:
    """Run strategies in several sources; what is there already stays.

    Args:
        setup: What is checked.
        budget: Under what.
        strategies: Who.
        seeds: By source, how many; seed k is the same in all.
        folder: Where runs are kept.
        jobs: Processes.
        on_progress: Called with how many are done, and of how many.

    Raises:
        BenchmarkError: If the folder is of another check, or a source cannot answer.
    """
    begin(folder, setup)
    slow_first = sorted(strategies, key=lambda name: -row_of(name).slowness)
    asked = [
        Search(source, name, FIRST + seed, budget)
        for name in slow_first
        for source, count in seeds.items()
        for seed in range(count)
    ]
    there = {one: _read(folder / one.path) for one in asked if (folder / one.path).exists()}
    missing = [one for one in asked if one not in there]
    new = side_by_side(searched, setup, missing, folder, jobs, on_progress)
    results = {**there, **dict(zip(missing, new, strict=True))}

    def row(source: str, seed: int) -> tuple[SearchResult, ...]:
        return tuple(results[Search(source, name, FIRST + seed, budget)] for name in strategies)

    by_source = {source: tuple(row(source, seed) for seed in range(count)) for source, count in seeds.items()}
    return Searches(budget, tuple(map(label, strategies)), by_source)


def side_by_side(
    do: Callable[[ParitySetup, Asked, Path], Given],
    setup: ParitySetup,
    asked: Sequence[Asked],
    folder: Path,
    jobs: int,
    on_progress: OnProgress,
) -> list[Given]:
    """Do many things in processes of one thread each; what is given is in the order of what is asked."""
    if not asked:
        return []
    with process_pool(jobs) as pool:
        futures = [pool.submit(do, setup, one, folder) for one in asked]
        for done, future in enumerate(as_completed(futures), start=1):
            future.result()
            on_progress(done, len(futures))
        return [future.result() for future in futures]


def searched(setup: ParitySetup, one: Search, folder: Path) -> SearchResult:
    """A run's result; its file is there when it is."""
    path = folder / one.path
    found = _live(setup, one, folder) if one.source == LIVE else _cached(setup, one)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, {"schema": SCHEMA, **asdict(found)})
    return found


def _read(path: Path) -> SearchResult:
    content = read_json(path)
    content.pop("schema", None)
    try:
        return _search_results.validate_python(content)
    except ValidationError as problem:
        raise BenchmarkError(f"{path}: {problem.errors()[0]['msg']}", "delete the file to run it again") from None


def _cached(setup: ParitySetup, one: Search) -> SearchResult:
    """A run on the table or on the surrogate."""
    task, cls = setup.task, load_strategy(one.strategy)
    fidelity = {"epochs": task.epochs} if cls.supports.fidelity else {}
    strategy: Strategy = cls(task.space(), seed=one.seed, horizon=one.budget.horizon, **fidelity)  # type: ignore[call-arg]
    restricted = TableRestricted(strategy, pool_of(setup.table)) if one.source in (TABLE, POOL) else None
    limit = Budget(one.budget.gpu_hours, 1, one.budget.max_trials)
    evaluator = answers(setup.benchmark, setup.table, setup.surrogate, one.source)
    records, end = _ended(run(restricted or strategy, evaluator, limit, task=task, seed=one.seed))
    return _summary(task, records, end, restricted.distances if restricted else ())


def _ended(trials: Generator[TrialRecord, None, RunEnd]) -> tuple[list[TrialRecord], RunEnd]:
    records: list[TrialRecord] = []
    while True:
        try:
            records.append(next(trials))
        except StopIteration as stop:
            return records, stop.value


def _live(setup: ParitySetup, one: Search, folder: Path) -> SearchResult:
    """A run of real training, in a run folder of its own, so that every trained trial is kept at once."""
    assert setup.live is not None
    key, place, budget = _live_run(setup, one), folder / _live_runs(one), one.budget
    limit = Budget(budget.gpu_hours, 1, budget.max_trials)
    execute(Plan(key, one.strategy, {}, limit, budget.horizon, dict(setup.live.settings)), place, "parity")
    end = read_end(place / key.folder)
    assert end is not None
    return _summary(setup.task, live_trials(setup, one, folder), end, ())


def live_trials(setup: ParitySetup, one: Search, folder: Path) -> list[TrialRecord]:
    """The trials of a live search that has been run."""
    return read_trials(folder / _live_runs(one) / _live_run(setup, one).folder / TRIALS)


def _live_runs(one: Search) -> Path:
    return Path(one.path.parts[0], "runs")


def _live_run(setup: ParitySetup, one: Search) -> RunKey:
    assert setup.live is not None
    name = setup.live.benchmark
    return RunKey(name, load_benchmark(name).version, label(one.strategy), one.budget.gpu_hours, 1, one.seed)


def _summary(task: Task, records: Sequence[TrialRecord], end: RunEnd, distances: Sequence[float]) -> SearchResult:
    finished = [record for record in records if record.status is not Status.CUT]
    ended = [record for record in finished if record.loss is not None]
    best = min(ended, key=lambda record: (record.loss, record.finished, record.number), default=None)
    raised = end.status == "strategy-error"
    return SearchResult(
        loss=None if raised or best is None else best.loss,
        config=dict(best.config) if best else {},
        seen=figures(task, best.validation, best.test) if best else {},
        trials=len(finished),
        failures=len(finished) - len(ended),
        distance=round(float(np.mean(distances)), 6) if distances else 0.0,
        error=end.error,
        worth=best.truth.loss if best and best.truth and not raised else None,
    )
