"""One run on disk: started in its folder, or gone on with there by replay."""

from __future__ import annotations

import json
import shutil
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hemobench.benchmarks.benchmark import load_benchmark, shared
from hemobench.benchmarks.environment import environment
from hemobench.benchmarks.evaluator import Checkpointing, Evaluator
from hemobench.benchmarks.execution.default_first import DefaultFirst, starts_at_default
from hemobench.benchmarks.execution.progress import tell
from hemobench.benchmarks.execution.replay import Replay
from hemobench.benchmarks.execution.runner import run
from hemobench.benchmarks.storage.records import RunEnd, TrialRecord
from hemobench.benchmarks.storage.run_folder import SCHEMA, RunFolder
from hemobench.benchmarks.suite import Plan
from hemobench.errors import BenchmarkError
from hemobench.strategies import load_strategy
from hemobench.strategies.base import Strategy

CHECKPOINTS = "checkpoints"
"""Folder of a run's half-trained trials."""


@dataclass(frozen=True, slots=True)
class Done:
    """What came of a plan.

    Attributes:
        plan: The run.
        end: How it ended; `None` if it failed for a reason that is not the strategy's.
        best: Lowest loss.
        trials: Number of records.
        recovered: Bytes of a half-written line that were cut off.
        failure: The traceback, if it failed.
    """

    plan: Plan
    end: RunEnd | None
    best: float | None = None
    trials: int = 0
    recovered: int = 0
    failure: str | None = None


def execute(plan: Plan, out: Path, suite: str, *, scheduler: str = "") -> Done:
    """Start a run, or go on with it, in its folder; a run that has ended is left as it is.

    Args:
        plan: The run.
        out: The results' folder.
        suite: Its name.
        scheduler: Address of a Dask scheduler whose workers evaluate the trials; empty for this process.

    Raises:
        BenchmarkError: If the folder holds another run, or the asks diverge from the recorded ones.
    """
    benchmark = load_benchmark(plan.key.benchmark)
    evaluator = _evaluator(plan, scheduler)
    header = {
        "schema": SCHEMA,
        "suite": suite,
        "benchmark": plan.key.benchmark,
        "version": plan.key.version,
        "strategy": {"label": plan.key.strategy, "name": plan.strategy, "settings": plan.settings},
        "seed": plan.key.seed,
        "budget": {
            "gpu_hours": plan.budget.gpu_hours,
            "workers": plan.budget.workers,
            "max_trials": plan.budget.max_trials,
        },
        "horizon": plan.horizon,
        "source": dict(evaluator.provenance),
        "benchmark_settings": {name: value for name, value in plan.source.items() if name not in ("data", "cache")},
        "environment": environment(),
    }
    if plan.default_first:
        header["default_first"] = True
    folder = RunFolder(out / plan.key.folder, header, durable=benchmark.live)
    try:
        if folder.ended:
            return _done(plan, folder, folder.records, None)
        return _with_checkpoints(plan, folder, evaluator)
    finally:
        folder.close()


def _evaluator(plan: Plan, scheduler: str) -> Evaluator:
    if not scheduler:
        return shared(plan.key.benchmark, plan.source)
    from hemobench.benchmarks.evaluators.remote import remote  # needs Dask

    return remote(scheduler, plan.key.benchmark, json.dumps(plan.source, sort_keys=True, default=str))


def _with_checkpoints(plan: Plan, folder: RunFolder, evaluator: Evaluator) -> Done:
    """Half-trained trials lie in the run's folder, and go when the run has ended."""
    kept = folder.path / CHECKPOINTS
    if isinstance(evaluator, Checkpointing):
        evaluator.checkpoints_in(kept)
    try:
        done = _go_on(plan, folder, evaluator)
    finally:
        tell("run")
        if isinstance(evaluator, Checkpointing):
            evaluator.checkpoints_in(None)
    shutil.rmtree(kept, ignore_errors=True)
    return done


def _go_on(plan: Plan, folder: RunFolder, evaluator: Evaluator) -> Done:
    recorded = folder.records
    cls = load_strategy(plan.strategy)
    task = load_benchmark(plan.key.benchmark).task
    fidelity = {"epochs": task.epochs} if cls.supports.fidelity else {}
    wrapped = plan.default_first and not starts_at_default(cls)
    horizon = max(1, plan.horizon - wrapped)
    try:
        own: Strategy = cls(task.space(), seed=plan.key.seed, horizon=horizon, **fidelity, **plan.settings)  # type: ignore[call-arg]
    except TypeError as problem:
        raise BenchmarkError(f"strategy '{plan.key.strategy}': {problem}", "correct its settings") from None
    strategy = DefaultFirst(own, task.space()) if wrapped else own
    replay = Replay(evaluator, recorded, folder.path)
    tell("run", note=f"{plan.key.benchmark} {plan.key.strategy}, seed {plan.key.seed}")
    trials = run(strategy, replay, plan.budget, task=task, seed=plan.key.seed)
    seen: list[TrialRecord] = []
    while True:
        try:
            record = next(trials)
        except StopIteration as stop:
            end: RunEnd = stop.value
            break
        if replay.tell(record):
            folder.append(record)
            _say_progress(plan, record, len(seen) + 1)
        seen.append(record)
    if not replay.over:
        raise replay.diverged()
    folder.finish(end)
    return _done(plan, folder, seen, end)


def _say_progress(plan: Plan, record: TrialRecord, trials: int) -> None:
    """How many trials are done and how much of the budget is spent, whichever ends the run first."""
    hours, most = plan.budget.gpu_hours, plan.budget.max_trials
    spent = min(record.finished * plan.budget.workers / 3600, hours)
    share = max(spent / hours, trials / most if most else 0.0)
    tell("trials", trials, most or plan.horizon, f"{spent:.3g} of {hours:g} GPU-hours", min(share, 1.0))


def _done(plan: Plan, folder: RunFolder, records: Sequence[TrialRecord], end: RunEnd | None) -> Done:
    losses = [record.loss for record in records if record.loss is not None]
    return Done(plan, end, min(losses, default=None), len(records), folder.recovered)


def contained(plan: Plan, out: Path, suite: str, scheduler: str = "") -> Done:
    """As `execute`, where one run's misfortune is reported and does not end the others.

    Raises:
        BenchmarkError: What the user must put right.
    """
    try:
        return execute(plan, out, suite, scheduler=scheduler)
    except BenchmarkError:
        raise
    except Exception:
        return Done(plan, None, failure=traceback.format_exc())
