"""Has proposals evaluated by the workers of a Dask cluster, several side by side.

A worker that dies takes the trial that it trains with it. The trial is begun again on another, and neither the budget
nor the strategy notices: only the costs of trials that ended move the run's clock. A configuration that takes one
worker after the other down is something else, and ends as `killed`, with the time that it took.
"""

from __future__ import annotations

import json
import re
import threading
import uuid
from collections.abc import Callable, Mapping
from concurrent.futures import CancelledError
from functools import cached_property, lru_cache
from pathlib import Path
from time import monotonic
from typing import Any
from weakref import WeakValueDictionary

from distributed import Client, Future, KilledWorker, get_worker

from hemobench.benchmarks.benchmark import load_benchmark, shared
from hemobench.benchmarks.evaluator import Answer, Cost, Outcome, Truth, with_truth
from hemobench.errors import BenchmarkError
from hemobench.strategies.base import Config, Proposal, Status

DEATHS = 3
"""Workers that may die at one trial before the trial is taken for the cause."""
DEVICE = {"GPU": 1.0}
"""What a trial needs of a worker, in the words of `dask worker --resources`."""
PATHS = ("cache", "data", "surrogate", "table", "weights")
"""Settings of evaluators that may be paths."""


class Remote:
    """An evaluator whose trials are trained elsewhere.

    Args:
        client: Of the cluster.
        benchmark: As in `c-nmc@live`.
        settings: Of the benchmark's evaluator; paths are the same on every machine.
    """

    def __init__(self, client: Client, benchmark: str, settings: Mapping[str, Any]) -> None:
        self._client = client
        self._what = benchmark, {name: _absolute(name, value) for name, value in settings.items()}
        self._topic = f"hemobench-{uuid.uuid4().hex}"
        self._pending: WeakValueDictionary[str, Pending] = WeakValueDictionary()
        self.killed_in_a_row = 0
        client.subscribe_topic(self._topic, self._hear)

    @cached_property
    def provenance(self) -> Mapping[str, str]:
        """What the answers rest on, as the first worker to be asked says."""
        future = self._client.submit(_provenance, *self._what, resources=DEVICE, pure=False)
        try:
            found: Mapping[str, str] = future.result()
        except KilledWorker as problem:
            raise BenchmarkError(
                f"workers died while they loaded the data: {problem.last_worker.address} was the last",
                "look at its log (memory, drivers)",
            ) from None
        return found

    def evaluate(self, proposal: Proposal, seed: int, *, trained: int = 0, limit: float = float("inf")) -> Outcome:
        """See `Evaluator.evaluate`."""
        answer = self.submit(proposal, seed, trained=trained, limit=limit)
        while (outcome := answer.outcome) is None:
            answer.wait()
        return outcome

    def truth(self, config: Config, seed: int | None = None) -> Truth | None:
        """See `Evaluator.truth`."""
        future = self._client.submit(_truth, *self._what, config, seed, resources=DEVICE, pure=False)
        truth: Truth | None = future.result()
        return truth

    def submit(self, proposal: Proposal, seed: int, *, trained: int = 0, limit: float = float("inf")) -> Answer:
        """See `Concurrent.submit`."""
        trial = uuid.uuid4().hex

        def send() -> Future:
            return self._client.submit(
                _evaluate, *self._what, proposal, seed, trained, limit, self._topic, trial,
                resources=DEVICE, pure=False,
            )  # fmt: skip

        pending = self._pending[trial] = Pending(self, send)
        return pending

    def _hear(self, event: tuple[float, Mapping[str, Any]]) -> None:
        """Take a worker's message; it may come late, twice, or after the outcome."""
        message = event[1]
        pending = self._pending.get(message["trial"])
        if pending is not None:
            pending.hear(message["attempt"], message["charged"])


@lru_cache(maxsize=2)
def remote(scheduler: str, benchmark: str, settings: str) -> Remote:
    """This process's evaluator of a benchmark on the cluster; settings are JSON."""
    return Remote(client_of(scheduler), benchmark, json.loads(settings))


def client_of(address: Any) -> Client:
    """A client of a cluster, or of the scheduler at an address.

    Raises:
        BenchmarkError: If none answers there.
    """
    if isinstance(address, str) and not re.fullmatch(r"(\w+://)?[^/]+:\d+", address):
        raise BenchmarkError(f"--dask {address}: no address of a scheduler", "give HOST:PORT, local or slurm")
    try:
        return Client(address, timeout="20s", set_as_default=False)
    except (OSError, ValueError) as problem:
        raise BenchmarkError(
            f"--dask {address}: no Dask scheduler answers there ({str(problem).splitlines()[0]})",
            "start one with `dask scheduler`, or give local or slurm",
        ) from None


def gone() -> BenchmarkError:
    """What to raise when the scheduler has cancelled what nobody here cancelled."""
    return BenchmarkError(
        "the Dask scheduler is gone, and with it what was in flight",
        "start it and its workers again; the same command goes on from here",
    )


class Pending:
    """The `Answer` of a trial that a worker is at, or will be."""

    def __init__(self, remote: Remote, send: Callable[[], Future]) -> None:
        self.at_least = 0.0
        self._remote = remote
        self._send = send
        self._news = threading.Event()
        self._attempts: set[str] = set()
        self._sendings = 0
        self._began = monotonic()
        self._outcome: Outcome | None = None
        self._future = self._sent()

    def _sent(self) -> Future:
        self._sendings += 1
        future = self._send()
        future.add_done_callback(lambda _: self._news.set())
        return future

    def hear(self, attempt: str, charged: float) -> None:
        """Take what a worker says: that it begins (0 seconds), or how much of the device it has used."""
        if attempt not in self._attempts:
            self._attempts.add(attempt)
            self._began = monotonic()
        self.at_least = max(self.at_least, charged)
        self._news.set()

    def wait(self) -> None:
        """See `Answer`."""
        self._news.wait()
        self._news.clear()

    @property
    def outcome(self) -> Outcome | None:
        """See `Answer`.

        Raises:
            BenchmarkError: If the cluster is gone, or does nothing but kill its workers.
        """
        if self._outcome is None and self._future.done():
            self._outcome = self._ended()
        return self._outcome

    def _ended(self) -> Outcome | None:
        try:
            found: Outcome = self._future.result()
        except KilledWorker:
            if max(len(self._attempts), self._sendings) < DEATHS:  # it waited on workers that died of something else
                self._future = self._sent()
                return None
            return self._killed()
        except CancelledError:
            raise gone() from None
        self._remote.killed_in_a_row = 0
        return found

    def _killed(self) -> Outcome:
        self._remote.killed_in_a_row += 1
        if self._remote.killed_in_a_row > 1:
            raise BenchmarkError(
                f"two trials in a row took {len(self._attempts)} workers down each",
                "look at the workers' logs (memory, drivers); the same command goes on from here",
            )
        seconds = max(self.at_least, monotonic() - self._began)
        cost = Cost(seconds, "measured", self._remote.provenance.get("device", "unknown"))
        return Outcome(Status.KILLED, {}, {}, (), cost, f"{len(self._attempts)} workers died of it")


def _evaluate(
    benchmark: str,
    settings: Mapping[str, Any],
    proposal: Proposal,
    seed: int,
    trained: int,
    limit: float,
    topic: str,
    trial: str,
) -> Outcome:
    """Evaluate a proposal, in a worker, and say on the way how much of the device has been used."""
    worker, attempt = get_worker(), uuid.uuid4().hex

    def say(charged: float) -> None:
        worker.log_event(topic, {"trial": trial, "attempt": attempt, "charged": float(charged)})

    say(0.0)
    evaluator = shared(benchmark, settings)
    told = {"on_charge": say} if load_benchmark(benchmark).live else {}
    outcome = evaluator.evaluate(proposal, seed, trained=trained, limit=limit, **told)
    return with_truth(outcome, evaluator, proposal.config, seed)


def _truth(benchmark: str, settings: Mapping[str, Any], config: Config, seed: int | None) -> Truth | None:
    return shared(benchmark, settings).truth(config, seed)


def _provenance(benchmark: str, settings: Mapping[str, Any]) -> Mapping[str, str]:
    return dict(shared(benchmark, settings).provenance)


def _absolute(name: str, value: Any) -> Any:
    """Paths from the root, since workers start elsewhere; other values, such as `weights = "none"`, as they are."""
    return str(Path(value).resolve()) if name in PATHS and value and Path(value).exists() else value
