"""One run on disk: started in its folder, or gone on with there by replay."""

from __future__ import annotations

import json
import shutil
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hemobench.benchmarks.benchmark import load_benchmark, shared
from hemobench.benchmarks.budget import Ledger
from hemobench.benchmarks.environment import dated_environment
from hemobench.benchmarks.evaluator import Checkpointing, Evaluator
from hemobench.benchmarks.execution.arms import built
from hemobench.benchmarks.execution.plan import Plan
from hemobench.benchmarks.execution.progress import tell
from hemobench.benchmarks.execution.replay import Replay
from hemobench.benchmarks.execution.runner import Failure, run
from hemobench.benchmarks.storage.records import RunEnd, TrialRecord
from hemobench.benchmarks.storage.run_folder import SCHEMA, RunFolder, read_end
from hemobench.errors import BenchmarkError

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
    evaluator = _evaluator(plan, scheduler)
    header = {
        "schema": SCHEMA,
        "suite": suite,
        **plan.header,
        "source": dict(evaluator.provenance),
        "environment": dated_environment(),
    }
    folder = RunFolder(plan.folder(out), header, durable=load_benchmark(plan.key.benchmark).live)
    try:
        if folder.ended:
            return _done(plan, folder, folder.records, read_end(folder.path))
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
    strategy, failure = built(plan)
    if strategy is None:
        return _never_built(plan, folder, failure)
    task = load_benchmark(plan.key.benchmark).task
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


def _never_built(plan: Plan, folder: RunFolder, failure: Failure | None) -> Done:
    """The run of a strategy whose constructor raised: an error without a trial, the whole budget unspent."""
    assert failure is not None
    if folder.records:
        raise BenchmarkError(
            f"{folder.path}: the strategy can no longer be {failure.error}",
            "resume with the versions in run.json, delete the folder to run it again, or give another --out folder",
        )
    end = RunEnd("strategy-error", Ledger(plan.budget).close(0), failure.error, failure.traceback)
    folder.finish(end)
    return _done(plan, folder, (), end)


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
