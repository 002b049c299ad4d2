"""A network that delays, doubles and reorders messages, and workers that are lost; all of it drawn from a seed.

The evaluator here works on several proposals at once, as a cluster does: `submit` gives an answer that is on its way.
How much of the device a trial has used arrives as messages, in any order; so does the outcome.
"""

from __future__ import annotations

import heapq
import math
import zlib
from collections.abc import Generator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from contracts.scripted import Scripted
from faults.stage import Stage, require

from hemobench.benchmarks.budget import Budget
from hemobench.benchmarks.evaluator import Outcome
from hemobench.benchmarks.execution.replay import Replay, unmeasured
from hemobench.benchmarks.execution.runner import run
from hemobench.benchmarks.storage.records import RunEnd, TrialRecord
from hemobench.benchmarks.tasks import load_task
from hemobench.strategies import load_strategy
from hemobench.strategies.base import Proposal, Status

TASK = load_task("c-nmc")
STRATEGIES = ("random", "sssr", "asha", "hyperband")


@dataclass(order=True, slots=True)
class Message:
    """Something on its way.

    Attributes:
        arrives: When, by the network's own clock.
        number: Of the message: those that arrive together come as they were sent.
        to: Whose it is.
        charged: Device-seconds used by then.
        outcome: What came of the trial, in its last message.
    """

    arrives: float
    number: int
    to: InFlight = field(compare=False)
    charged: float = field(compare=False)
    outcome: Outcome | None = field(compare=False, default=None)


class Network:
    """Delivers messages in the order in which they arrive, which is not the one in which they were sent."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        self.delivered = 0
        self._now = 0.0
        self._sent = 0
        self._queue: list[Message] = []

    def send(self, to: InFlight, charged: float, outcome: Outcome | None = None) -> None:
        """Send a message once, or several times; each copy is late in its own way."""
        for _ in range(int(self.rng.choice([1, 1, 2, 3]))):
            late = float(self.rng.choice([0.0, self.rng.exponential(1.0), self.rng.exponential(30.0)]))
            heapq.heappush(self._queue, Message(self._now + late, self._sent, to, charged, outcome))
            self._sent += 1

    def deliver(self) -> None:
        """Deliver the next message."""
        message = heapq.heappop(self._queue)
        self._now, self.delivered = message.arrives, self.delivered + 1
        message.to.hear(message.charged, message.outcome)

    def deliver_some(self) -> None:
        """Deliver what happens to come in while something else is done."""
        for _ in range(int(self.rng.choice([0, 0, 0, 1, 2]))):
            if self._queue:
                self.deliver()


class InFlight:
    """The `Answer` of a trial on the network. Messages come in while one looks, as they do from another thread."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._at_least = 0.0
        self._outcome: Outcome | None = None
        self._news = False

    def hear(self, charged: float, outcome: Outcome | None) -> None:
        """Take a message; late ones and copies change nothing."""
        self._at_least = max(self._at_least, charged)
        self._outcome = self._outcome or outcome
        self._news = True

    @property
    def outcome(self) -> Outcome | None:
        """See `Answer`."""
        self._network.deliver_some()
        return self._outcome

    @property
    def at_least(self) -> float:
        """See `Answer`."""
        self._network.deliver_some()
        return self._at_least

    def wait(self) -> None:
        """Return when there is news of this trial that nobody has waited for."""
        while not self._news:
            self._network.deliver()
        self._news = False


class Distant:
    """A `Concurrent` evaluator that answers over a network what another answers at once.

    Args:
        evaluator: What answers.
        rng: Decides all that happens on the way.
        losses: Chance that a worker is lost with its trial, which then begins anew on another.
    """

    def __init__(self, evaluator: Scripted, rng: np.random.Generator, losses: float = 0.0) -> None:
        self.network = Network(rng)
        self.lost = 0
        self._evaluator, self._losses = evaluator, losses

    @property
    def provenance(self) -> Any:
        return self._evaluator.provenance

    def submit(self, proposal: Proposal, seed: int, *, trained: int = 0, limit: float = math.inf) -> InFlight:
        """Take a proposal on; everything that will be said of it is under way."""
        outcome = self._evaluator.evaluate(proposal, seed, trained=trained, limit=limit)
        answer, rng = InFlight(self.network), self.network.rng
        while rng.random() < self._losses:
            self.lost += 1
            self._progress(answer, outcome.cost.gpu_seconds * rng.random())
        self._progress(answer, outcome.cost.gpu_seconds)
        self.network.send(answer, 0.0, outcome)
        self.network.deliver_some()
        return answer

    def _progress(self, answer: InFlight, most: float) -> None:
        for share in self.network.rng.random(int(self.network.rng.integers(0, 6))):
            self.network.send(answer, share * most)


@dataclass(frozen=True, slots=True)
class Case:
    """A run to make twice, at once and over a network.

    Attributes:
        strategy: Its name.
        answers: The i-th proposal's seconds, and accuracy or status, counted round.
        workers: Of the budget.
        gpu_hours: Of the budget.
        fails_at: The ask at which the strategy raises; -1 for none.
    """

    strategy: str
    answers: tuple[tuple[float, float | Status], ...]
    workers: int
    gpu_hours: float
    fails_at: int = -1


def case(rng: np.random.Generator) -> Case:
    """A drawn case; costs that are equal, tiny, or longer than the whole budget among them."""
    seconds = rng.choice([100.0, 100.0, 250.0, 700.0, 1e-6, 5000.0, rng.uniform(1, 900)], 12)
    statuses = [Status.DIVERGED, Status.OUT_OF_MEMORY, Status.TIMED_OUT]
    answers = tuple(
        (float(s), statuses[rng.integers(3)] if rng.random() < 0.15 else round(float(rng.random()), 6)) for s in seconds
    )
    return Case(
        strategy=str(rng.choice(STRATEGIES)),
        answers=answers,
        workers=int(rng.integers(1, 9)),
        gpu_hours=float(rng.uniform(0.3, 2.0)),
        fails_at=int(rng.integers(3, 30)) if rng.random() < 0.2 else -1,
    )


def played(found: Case, evaluator: Any) -> tuple[list[TrialRecord], RunEnd]:
    """A run of the case by an evaluator."""
    cls = load_strategy(found.strategy)
    fidelity = {"epochs": TASK.epochs} if cls.supports.fidelity else {}
    strategy: Any = cls(TASK.space(), seed=3, horizon=20, **fidelity)  # type: ignore[call-arg]
    if found.fails_at >= 0:
        strategy = Failing(strategy, found.fails_at)
    budget = Budget(found.gpu_hours, found.workers, max_trials=60)
    return _drained(run(strategy, evaluator, budget, task=TASK, seed=3), evaluator)


def _drained(trials: Generator[TrialRecord, None, RunEnd], evaluator: Any) -> tuple[list[TrialRecord], RunEnd]:
    records = []
    while True:
        try:
            records.append(next(trials))
        except StopIteration as stop:
            return records, stop.value
        if isinstance(evaluator, Replay):
            evaluator.tell(records[-1])


class Failing:
    """A strategy that raises at one of its asks."""

    def __init__(self, strategy: Any, at: int) -> None:
        self.supports = strategy.supports
        self._strategy, self._left = strategy, at

    def ask(self) -> Proposal | None:
        self._left -= 1
        if self._left < 0:
            raise ValueError("no model")
        found: Proposal | None = self._strategy.ask()
        return found

    def tell(self, trial: Any) -> None:
        self._strategy.tell(trial)


def said(found: tuple[list[TrialRecord], RunEnd]) -> tuple[list[dict[str, Any]], RunEnd]:
    """A run without what is measured."""
    return [unmeasured(record) for record in found[0]], found[1]


def late_and_doubled(stage: Stage) -> None:
    """The same records and ledger over a bad network as at once; from the middle of the run on, too."""
    rng = stage.scenario.rng
    for losses in (0.0, 0.4):
        found = case(rng)
        plain = played(found, Keyed(found.answers))
        require(said(played(found, Distant(Keyed(found.answers), rng, losses))) == said(plain), f"differs: {found}")
        half = plain[0][: int(len(plain[0]) * stage.scenario.moments[0])]
        resumed = Replay(Distant(Keyed(found.answers), rng, losses), half, Path("run"))
        require(said(played(found, resumed)) == said(plain), f"differs after {len(half)} trials: {found}")


class Keyed(Scripted):
    """Answers by what is proposed, whenever it is asked: a resumed run asks late for what was in flight."""

    def evaluate(self, proposal: Proposal, seed: int, *, trained: int = 0, limit: float = math.inf) -> Outcome:
        self.asked = zlib.crc32(repr([sorted(proposal.config.items()), proposal.epochs, trained]).encode())
        return super().evaluate(proposal, seed, trained=trained, limit=limit)
