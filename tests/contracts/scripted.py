"""An evaluator whose every answer is given beforehand, for ledgers that can be worked out by hand."""

from __future__ import annotations

import math
from collections.abc import Sequence

from hemobench.benchmarks.evaluator import Cost, Outcome
from hemobench.strategies.base import Config, Proposal, Status


class Scripted:
    """Answers the i-th proposal with the i-th (seconds, accuracy or status), counted round."""

    def __init__(self, answers: Sequence[tuple[float, float | Status]]) -> None:
        self.answers, self.asked, self.limits, self.trained, self.seeds = answers, 0, [], [], []

    @property
    def provenance(self):
        return {"source": "scripted"}

    def truth(self, config: Config, seed: int | None = None) -> None:
        """Unknown: what is answered has nothing to do with what is asked."""

    def evaluate(self, proposal: Proposal, seed: int, *, trained: int = 0, limit: float = math.inf) -> Outcome:
        seconds, answer = self.answers[self.asked % len(self.answers)]
        self.asked += 1
        self.limits.append(limit)
        self.trained.append(trained)
        self.seeds.append(seed)
        cost = Cost(seconds, "recorded", "a device", evaluation_seconds=seconds / 4)
        if isinstance(answer, Status):
            return Outcome(answer, {}, {}, (), cost, "it failed")
        return Outcome(Status.OK, {"accuracy": answer}, {"accuracy": answer / 2}, (answer,), cost)
