"""Many runs over processes of this machine, whichever of them die."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Generator, Iterable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, Executor, ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from hemobench.benchmarks.evaluator import WORKER
from hemobench.benchmarks.execution.execute import Done, contained
from hemobench.benchmarks.execution.plan import Plan
from hemobench.benchmarks.execution.progress import heard_from, is_heard, speak_through
from hemobench.benchmarks.storage.run_folder import RUN, TRIALS
from hemobench.errors import BenchmarkError

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from multiprocessing.sharedctypes import Synchronized

# One thread: two BLAS threads on two busy cores make Gaussian processes five times slower. A fixed hash seed:
# SMAC iterates over a set. Both must be set before the interpreter starts.
WORKER_ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "PYTHONHASHSEED": "0",
}
DEATHS = 3
"""Times that processes may die without any run having got further."""


class ProcessDied(BenchmarkError):
    """A process of a pool was killed, and the pool with it."""


def over_processes(
    plans: Sequence[Plan], out: Path, suite: str, jobs: int, *, scheduler: str = ""
) -> Generator[Done, None, None]:
    """Run plans over a pool of processes; where one is killed, a new pool goes on with what is left.

    Args:
        plans: The runs.
        out: The results' folder.
        suite: Its name.
        jobs: Processes.
        scheduler: Address of a Dask scheduler whose workers evaluate the trials; empty for these processes.

    Yields:
        Each run when it is done; with a `failure` those at which processes died three times over.

    Raises:
        BenchmarkError: The first that a run raises; the runs that have not started are given up.
    """
    left = {plan.key: plan for plan in plans}
    ended = [] if scheduler else [plan for plan in plans if plan.has_ended(out)]
    for plan in ended:  # read here, which takes less than a pool's start
        del left[plan.key]
        yield contained(plan, out, suite, scheduler)
    deaths, before = 0, -1
    while left and deaths < DEATHS:
        try:
            with process_pool(jobs) as pool:
                for done in execute_all(_innocent_first(left.values(), out), out, suite, pool, scheduler=scheduler):
                    del left[done.plan.key]
                    yield done
        except ProcessDied:
            now = sum(written(plan.folder(out)) for plan in left.values())
            deaths, before = (deaths + 1, now) if now == before else (1, now)
    for plan in left.values():
        yield Done(plan, None, failure=f"its process died {DEATHS} times and got no further; was memory short?")


def _innocent_first(plans: Iterable[Plan], out: Path) -> list[Plan]:
    """Those that have not begun before those that were at work when a process died: one of them may be why."""
    return sorted(plans, key=lambda plan: (plan.folder(out) / RUN).exists())


def written(folder: Path) -> int:
    """Bytes of trials, by which a run that gets on is told from one that does not."""
    path = folder / TRIALS
    return path.stat().st_size if path.exists() else 0


def execute_all(
    plans: Sequence[Plan], out: Path, suite: str, executor: Executor, *, scheduler: str = ""
) -> Generator[Done, None, None]:
    """Run many plans over any executor; yields each when it is done, in the order of their ends.

    Raises:
        BenchmarkError: The first that a run raises; the runs that have not started are given up.
        BrokenExecutor: If a process of the executor died.
    """
    futures = [executor.submit(contained, plan, out, suite, scheduler) for plan in plans]
    for future in as_completed(futures):  # those that are left are given up with their pool: to cancel them here makes
        yield future.result()  # Python 3.11's pool raise in a thread of its own when its processes are ended


@contextmanager
def process_pool(jobs: int) -> Iterator[Executor]:
    """Processes of one thread and a fixed hash seed each, spawned so that these hold from their start.

    On Ctrl-C the workers are ended at once; every run folder is left such that it can be gone on with.

    Raises:
        ProcessDied: If one of them did.
    """
    before = {name: os.environ.get(name) for name in WORKER_ENVIRONMENT}
    os.environ.update(WORKER_ENVIRONMENT)
    context = multiprocessing.get_context("spawn")
    started = context.Value("i", 0)
    reader, writer = context.Pipe(duplex=False)
    told = writer if is_heard() else None  # a pipe that nobody reads fills up
    pool = ProcessPoolExecutor(jobs, mp_context=context, initializer=_start_worker, initargs=(started, told))
    try:
        with heard_from(reader):
            yield pool
            pool.shutdown()
    except BrokenExecutor:
        raise ProcessDied(
            "a process was killed from outside, perhaps for want of memory",
            "give fewer --jobs; the same command goes on from here",
        ) from None
    except BaseException:
        for process in list((pool._processes or {}).values()):
            process.terminate()
        pool.shutdown(wait=False, cancel_futures=True)
        raise
    finally:
        writer.close()
        reader.close()
        for name, value in before.items():
            os.environ.pop(name, None) if value is None else os.environ.update({name: value})


def _start_worker(started: Synchronized[int], writer: Connection | None) -> None:
    """Number the process, leave Ctrl-C to the parent, tell it of progress, and do not outlive it.

    The number spreads live training over the GPUs. An orphan would go on writing where nobody looks.
    """
    with started.get_lock():
        number = started.value
        started.value += 1
    os.environ[WORKER] = str(number)
    if writer is not None:
        speak_through(writer, number + 1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_die_with_parent, daemon=True).start()


def _die_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
