"""Runs and trials over the machines of a Dask cluster.

Where answers are cached, a strategy's own computing is what takes time, and whole runs go to the workers: they write
their folders on the disk that all machines share. Where trials are trained, a run's loop stays here with its folder,
and its trials go to the workers that offer a device.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
import uuid
from collections.abc import Generator, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import dask
from distributed import (
    Client,
    Future,
    KilledWorker,
    LocalCluster,
    Nanny,
    as_completed,
    get_worker,
)

from hemobench.benchmarks.benchmark import load_benchmark
from hemobench.benchmarks.environment import NUMERICS, environment
from hemobench.benchmarks.evaluator import WORKER
from hemobench.benchmarks.evaluators.remote import DEATHS, DEVICE, client_of, gone
from hemobench.benchmarks.execution.execute import Done, contained
from hemobench.benchmarks.execution.plan import Plan
from hemobench.benchmarks.execution.process_pool import WORKER_ENVIRONMENT, over_processes, written
from hemobench.benchmarks.storage.files import Busy, write_whole
from hemobench.errors import BenchmarkError

IDENTITY = ".folder.json"
RESTART_CHECK_S = 5.0
"""Seconds between two looks at what is missing of a cluster's workers."""
MACHINE = {"git", "platform", "torch", "torchvision", *NUMERICS}
"""What of the environment may differ between the machines of a cluster: a run's loop needs none of it."""


class Guard(Nanny):  # type: ignore[misc]
    """Starts a worker, and again when it dies, in the environment that all worker processes have, with its number.

    Dask's own overwrites a hash seed of 0 with one of its own, and SMAC would search otherwise than elsewhere.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.pre_spawn_env.update(WORKER_ENVIRONMENT)
        self.env.update(WORKER_ENVIRONMENT | {WORKER: str(self.name)})


@contextmanager
def cluster(where: str, workers: int) -> Iterator[Client]:
    """A cluster to work on, and a client of it; one that was started for this ends with it.

    Args:
        where: `local`: processes of this machine; `slurm`: jobs, as Dask's configuration says; or a scheduler's
            address.
        workers: How many to start.

    Raises:
        BenchmarkError: If there is none, or it cannot be started.
    """
    with ExitStack() as stack:
        if where == "local":
            stack.enter_context(dask.config.set({"distributed.scheduler.allowed-failures": DEATHS - 1}))
            address = stack.enter_context(
                LocalCluster(
                    n_workers=workers,
                    worker_class=Guard,
                    threads_per_worker=1,
                    memory_limit=0,
                    resources=DEVICE,
                    dashboard_address="127.0.0.1:0",
                    silence_logs=logging.CRITICAL,
                )
            )
            stack.enter_context(_kept_at(workers, address))
        elif where == "slurm":
            address = stack.enter_context(_slurm(workers))
            stack.enter_context(_kept_at(workers, address))
        else:
            address = where
        client = stack.enter_context(client_of(address))
        yield client


@contextmanager
def _kept_at(workers: int, cluster: Any) -> Iterator[None]:
    """Start what is missing of a cluster's workers again and again: Dask gives those up that die while they start."""
    over = threading.Event()

    def keep() -> None:
        while not over.wait(RESTART_CHECK_S):
            cluster.scale(workers)

    thread = threading.Thread(target=keep, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _slurm(jobs: int) -> Any:
    """A cluster of Slurm jobs, one worker each."""
    try:
        from dask_jobqueue import SLURMCluster
    except ImportError as problem:
        raise BenchmarkError(f"--dask slurm: {problem}", "pip install 'hemobench[dask]'") from None
    exports = [f"export {name}={value}" for name, value in WORKER_ENVIRONMENT.items()]
    configured = dask.config.get("jobqueue.slurm", {})
    try:
        found = SLURMCluster(
            cores=1,  # one trial at a time; Slurm is asked for as many as are configured
            job_cpu=configured.get("job-cpu") or configured.get("cores"),
            processes=1,
            worker_extra_args=[*configured.get("worker-extra-args", []), "--resources", "GPU=1", "--no-nanny"],
            job_script_prologue=[*configured.get("job-script-prologue", []), *exports],
        )
        found.scale(jobs=jobs)
    except (ValueError, TypeError, OSError, RuntimeError) as problem:
        raise BenchmarkError(
            f"--dask slurm: {' '.join(str(problem).split())}", "configure jobqueue.slurm as docs/cluster.md says"
        ) from None
    return found


def over_cluster(
    plans: Sequence[Plan], out: Path, suite: str, client: Client, workers: int = 0
) -> Generator[Done, None, None]:
    """Run plans over a cluster.

    Args:
        plans: The runs.
        out: The results' folder, on a disk that all workers see unless everything is live.
        suite: Its name.
        client: Of the cluster.
        workers: How many there will be, where they are still on their way.

    Yields:
        Each run when it is done; with a `failure` those that workers died of.

    Raises:
        BenchmarkError: The first that a run raises, or if the cluster is not fit for the work.
    """
    live = [plan for plan in plans if load_benchmark(plan.key.benchmark).live]
    cached = [plan for plan in plans if plan not in live]
    client.wait_for_workers(1)
    if cached:
        yield from _whole_runs(cached, out.resolve(), suite, client)
    if live:
        devices = max(_devices(client), workers)
        at_once = max(1, devices // max(plan.budget.workers for plan in live))
        address = client.scheduler.address
        yield from over_processes(live, out, suite, min(at_once, len(live)), scheduler=address)


def _devices(client: Client) -> int:
    """How many trials the cluster trains at once."""
    workers = client.scheduler_info(n_workers=-1)["workers"].values()
    devices = sum(int(worker["resources"].get("GPU", 0)) for worker in workers)
    if not devices:
        raise BenchmarkError(
            f"of {len(workers)} workers at {client.scheduler.address} none offers a device to train on",
            "start them with: dask worker ADDRESS --nthreads 1 --resources GPU=1",
        )
    return devices


def _whole_runs(plans: Sequence[Plan], out: Path, suite: str, client: Client) -> Generator[Done, None, None]:
    identity, here = _identity(out), dict(environment())

    def send(plan: Plan) -> Future:
        return client.submit(_run, plan, out, suite, identity, here, pure=False)

    sent = {send(plan): (plan, -1) for plan in plans}
    ends = as_completed(sent, loop=client.loop)
    for future in ends:
        plan, before = sent.pop(future)
        try:
            yield future.result()
        except KilledWorker as problem:
            now = written(plan.folder(out))
            if now == before:
                yield Done(plan, None, failure=f"workers died of it, {problem.last_worker.address} the last")
                continue
            again = send(plan)
            sent[again] = plan, now
            ends.add(again)
        except CancelledError:
            raise gone() from None


def _identity(out: Path) -> str:
    """What is written in a results' folder, once, so that a worker can show that it sees this one and no other."""
    path = out / IDENTITY
    out.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        write_whole(path, {"folder": uuid.uuid4().hex})
    return path.read_text()


def _run(plan: Plan, out: Path, suite: str, identity: str, wanted: Mapping[str, str]) -> Done:
    """A whole run, in a worker."""
    worker = get_worker()
    place = f"the Dask worker {worker.address}"
    if not (out / IDENTITY).exists() or (out / IDENTITY).read_text() != identity:
        raise BenchmarkError(f"{place} does not see {out}", "give an --out folder on a disk that all machines share")
    wrong = [name for name, value in WORKER_ENVIRONMENT.items() if os.environ.get(name) != value]
    wrong += ["PYTHONHASHSEED, which Dask's nanny sets anew"] * sys.flags.hash_randomization
    wrong += [f"{worker.state.nthreads} threads"] * (worker.state.nthreads > 1)
    if wrong:
        settings = " ".join(f"{name}={value}" for name, value in WORKER_ENVIRONMENT.items())
        raise BenchmarkError(
            f"{place} would give other results than a process here: {wrong[0]}",
            f"start it as: {settings} dask worker ADDRESS --nthreads 1 --no-nanny",
        )
    for name, version in environment().items():
        if name not in MACHINE and version != wanted[name]:
            raise BenchmarkError(f"{place} has {name} {version}, here is {wanted[name]}", "install the same on both")
    try:
        return contained(plan, out, suite)
    except Busy as problem:  # a worker that was given up for dead lives on: only this run waits for it
        return Done(plan, None, failure=str(problem))
