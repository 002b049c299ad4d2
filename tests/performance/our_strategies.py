"""The strategies' loops in our runner, on the space, the losses and the seeds of the raw loops."""

from __future__ import annotations

import math
from typing import Any

from performance.raw_loops import Loop, loss_of

from hemobench.benchmarks.budget import Budget
from hemobench.benchmarks.evaluator import Cost, Outcome
from hemobench.benchmarks.execution.runner import run
from hemobench.benchmarks.tasks import load_task
from hemobench.strategies import load_strategy
from hemobench.strategies.base import Config, Proposal, Status

TASK = load_task("c-nmc")
COST = Cost(1.0, "predicted", "a device")


class Instant:
    """Answers in microseconds."""

    @property
    def provenance(self) -> dict[str, str]:
        return {"source": "a formula"}

    def truth(self, config: Config, seed: int | None = None) -> None:
        return None

    def evaluate(self, proposal: Proposal, seed: int, *, trained: int = 0, limit: float = math.inf) -> Outcome:
        return Outcome(Status.OK, {"accuracy": 1 - loss_of(proposal.config)}, {}, (), COST)


def ours(name: str, trials: int, seed: int, **settings: Any) -> Loop:
    """A strategy with its defaults, prepared."""
    strategy = load_strategy(name)(TASK.space(), seed=seed, horizon=trials, **settings)  # type: ignore[call-arg]

    def loop() -> list[dict[str, Any]]:
        budget = Budget(1e6, max_trials=trials)
        return [dict(record.config) for record in run(strategy, Instant(), budget, task=TASK, seed=seed)]

    return loop
