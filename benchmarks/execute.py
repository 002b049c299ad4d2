"""Runs on disk: one run gone on with in its folder by replay, and many of them over an executor."""

from __future__ import annotations

import json
import math
import multiprocessing
import os
import signal
import threading
import traceback
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hemobench.benchmarks.benchmark import load_benchmark
from hemobench.benchmarks.environment import environment
from hemobench.benchmarks.evaluators.base import WORKER, Evaluator, Outcome
from hemobench.benchmarks.record import RunEnd, TrialRecord
from hemobench.benchmarks.runner import run
from hemobench.benchmarks.store import SCHEMA, RunFolder, encode
from hemobench.benchmarks.suite import Plan
from hemobench.errors import BenchmarkError
from hemobench.strategies import load_strategy
from hemobench.strategies.base import Proposal

if TYPE_CHECKING:
    from multiprocessing.sharedctypes import Synchronized

# One thread: two BLAS threads on two busy cores make Gaussian processes five times slower. A fixed hash seed:
# SMAC iterates over a set. Both must be set before the interpreter starts.
WORKER_ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "PYTHONHASHSEED": "0",
}


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


class Replay:
    """An evaluator that answers from recorded trials first, checking that the strategy asks what it asked then."""

    def __init__(self, evaluator: Evaluator, recorded: Sequence[TrialRecord], place: Path) -> None:
        self._evaluator = evaluator
        self._recorded = {record.number: record for record in recorded}
        self._place = place
        self._asked = 0

    @property
    def provenance(self) -> Mapping[str, str]:
        return self._evaluator.provenance

    def evaluate(self, proposal: Proposal, seed: int, *, trained: int = 0, limit: float = math.inf) -> Outcome:
        """The recorded outcome, or a new one for a trial that is not recorded.

        Raises:
            BenchmarkError: If the asks diverge.
        """
        record = self._recorded.get(self._asked)
        self._asked += 1
        if record is None:
            return self._evaluator.evaluate(proposal, seed, trained=trained, limit=limit)
        asked = (dict(proposal.config), proposal.epochs, proposal.resume_from)
        if asked != (dict(record.config), record.epochs, record.resume_from):
            raise BenchmarkError(
                f"{self._place}: asks diverge at trial {record.number}: "
                f"{dict(record.config)} is recorded, {dict(proposal.config)} is asked now",
                "resume with the versions in run.json, or give another --out folder",
            )
        return Outcome(record.status, record.validation, record.test, record.curve, record.cost, record.error)


def execute(plan: Plan, out: Path, suite: str) -> Done:
    """Start a run, or go on with it, in its folder; a run that has ended is left as it is.

    Raises:
        BenchmarkError: If the folder holds another run, or the asks diverge from the recorded ones.
    """
    benchmark = load_benchmark(plan.key.benchmark)
    evaluator = _evaluator(plan.key.benchmark, json.dumps(plan.source, sort_keys=True, default=str))
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
    folder = RunFolder(out / plan.key.folder, header, durable=benchmark.live)
    try:
        if folder.ended:
            return _done(plan, folder, folder.records, None)
        return _go_on(plan, folder, evaluator)
    finally:
        folder.close()


def _go_on(plan: Plan, folder: RunFolder, evaluator: Evaluator) -> Done:
    recorded = folder.records
    cls = load_strategy(plan.strategy)
    task = load_benchmark(plan.key.benchmark).task
    fidelity = {"epochs": task.epochs} if cls.supports.fidelity else {}
    try:
        strategy = cls(task.space(), seed=plan.key.seed, horizon=plan.horizon, **fidelity, **plan.settings)  # type: ignore[call-arg]
    except TypeError as problem:
        raise BenchmarkError(f"strategy '{plan.key.strategy}': {problem}", "correct its settings") from None
    replay = Replay(evaluator, recorded, folder.path)
    trials = run(strategy, replay, plan.budget, task=task, seed=plan.key.seed)
    seen: list[TrialRecord] = []
    while True:
        try:
            record = next(trials)
        except StopIteration as stop:
            end: RunEnd = stop.value
            break
        if len(seen) < len(recorded):
            _same_trial(record, recorded[len(seen)], folder.path)
        else:
            folder.append(record)
        seen.append(record)
    folder.finish(end)
    return _done(plan, folder, seen, end)


def _same_trial(now: TrialRecord, then: TrialRecord, place: Path) -> None:
    if unmeasured(now) != unmeasured(then):
        raise BenchmarkError(
            f"{place}: replay diverges at trial {then.number}", "the files were edited: give another --out folder"
        )


def unmeasured(record: TrialRecord) -> dict[str, Any]:
    """A record without what may differ between two equal runs in a cached mode."""
    line: dict[str, Any] = json.loads(encode(record))
    del line["measured"]
    return line


def _done(plan: Plan, folder: RunFolder, records: Sequence[TrialRecord], end: RunEnd | None) -> Done:
    losses = [record.loss for record in records if record.loss is not None]
    return Done(plan, end, min(losses, default=None), len(records), folder.recovered)


@lru_cache(maxsize=2)
def _evaluator(benchmark: str, source: str) -> Evaluator:
    """Evaluators hold data that is costly to load; the runs of one process share them."""
    return load_benchmark(benchmark).evaluator(**json.loads(source))


def _in_worker(plan: Plan, out: Path, suite: str) -> Done:
    try:
        return execute(plan, out, suite)
    except BenchmarkError:
        raise
    except Exception:  # one run's misfortune is reported and does not end the others
        return Done(plan, None, failure=traceback.format_exc())


def execute_all(plans: Sequence[Plan], out: Path, suite: str, executor: Executor) -> Iterator[Done]:
    """Run many plans over any executor; yields each when it is done, in the order of their ends.

    Raises:
        BenchmarkError: The first that a run raises; the runs that have not started are given up.
    """
    futures = [executor.submit(_in_worker, plan, out, suite) for plan in plans]
    try:
        for future in as_completed(futures):
            yield future.result()
    finally:
        for future in futures:
            future.cancel()


@contextmanager
def process_pool(jobs: int) -> Iterator[Executor]:
    """Processes of one thread and a fixed hash seed each, spawned so that these hold from their start.

    On Ctrl-C the workers are ended at once; every run folder is left such that it can be gone on with.
    """
    before = {name: os.environ.get(name) for name in WORKER_ENVIRONMENT}
    os.environ.update(WORKER_ENVIRONMENT)
    context = multiprocessing.get_context("spawn")
    started = context.Value("i", 0)
    pool = ProcessPoolExecutor(jobs, mp_context=context, initializer=_start_worker, initargs=(started,))
    try:
        yield pool
        pool.shutdown()
    except BaseException:
        for process in list((pool._processes or {}).values()):
            process.terminate()
        pool.shutdown(wait=False, cancel_futures=True)
        raise
    finally:
        for name, value in before.items():
            os.environ.pop(name, None) if value is None else os.environ.update({name: value})


def _start_worker(started: Synchronized[int]) -> None:
    """Number the process, leave Ctrl-C to the parent, and do not outlive it.

    The number spreads live training over the GPUs. An orphan would go on writing where nobody looks.
    """
    with started.get_lock():
        os.environ[WORKER] = str(started.value)
        started.value += 1
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_die_with_parent, daemon=True).start()


def _die_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
