"""Strategies asked and told in turn, and the few drives that all checks of a strategy look at."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from hemobench.strategies.base import Proposal, Status, Strategy, Trial

Make = Callable[[int, int], Strategy]
"""Builds a strategy from a seed and a horizon."""
MIXED = (Status.DIVERGED, Status.OUT_OF_MEMORY, Status.OK, Status.TIMED_OUT, Status.OK, Status.OK, Status.OK)
BEYOND = 6
"""Trials that a drive goes on beyond the horizon."""
COST, OTHER_COST = 10.0, 1000.0


def loss_of(config: Any) -> float:
    """A smooth, deterministic loss in (0, 1) on any space."""
    total = 0.0
    for name, value in sorted(config.items()):
        if isinstance(value, str):
            total += len(value) / 40
        elif isinstance(value, bool):
            total += 0.05 * value
        else:
            total += abs(np.log10(abs(value) + 1e-8) + 4 + 0.1 * len(name)) / 20
    return float(total / (1 + total))


def told(number: int, proposal: Proposal, status: Status = Status.OK) -> Trial:
    """The trial that a strategy is told of a proposal: the longer it is trained, the lower the loss."""
    loss = loss_of(proposal.config) + (0.1 / proposal.epochs if proposal.epochs else 0.0)
    return Trial(number, proposal, loss if status is Status.OK else None, status, COST)


def drive(
    strategy: Strategy, trials: int, statuses: Sequence[Status] = (Status.OK,), cost: float = COST
) -> list[Proposal]:
    """Ask and tell in turn; trial i ends with status i, counted round, and is charged the cost."""
    proposals: list[Proposal] = []
    for number in range(trials):
        proposal = strategy.ask()
        if proposal is None:
            break
        proposals.append(proposal)
        trial = told(number, proposal, statuses[number % len(statuses)])
        strategy.tell(replace(trial, cost=cost))
    return proposals


@dataclass(frozen=True, slots=True)
class Driven:
    """What a strategy did in a drive.

    Attributes:
        proposals: What it asked for.
        done: Whether it said that it was done, and said so again when asked again; `None` if it was never done.
        untouched: Whether the global generators were left alone.
    """

    proposals: list[Proposal]
    done: bool | None
    untouched: bool


@dataclass(frozen=True, slots=True)
class Beside:
    """A drive with four trials pending, told in any order.

    Attributes:
        asked: How many trials there were.
        repeats: Proposals that were equal to one that was pending.
    """

    asked: int
    repeats: list[Proposal]


class Drives:
    """The drives of one strategy on one space, each made when it is first looked at, and once.

    Args:
        make: Builds the strategy.
        trials: Of the long drives: more than pass before the strategy learns.
    """

    def __init__(self, make: Make, trials: int = 24) -> None:
        self.make, self.trials = make, trials
        self.horizon = trials - BEYOND

    @cached_property
    def one(self) -> Driven:
        """Beyond its horizon, of trials that fail and trials that do not."""
        return self.again(global_seed=5, cost=COST)

    @cached_property
    def other(self) -> Driven:
        """As `one`, with global generators in another state, and trials at another cost."""
        return self.again(global_seed=6, cost=OTHER_COST)

    @property
    def alike(self) -> bool:
        """Whether both asked alike; if not, the checks find out why, each with a drive of its own."""
        return self.one.proposals == self.other.proposals

    def again(self, *, global_seed: int, cost: float) -> Driven:
        """A new drive of a new strategy."""
        random.seed(global_seed)
        np.random.seed(global_seed)  # noqa: NPY002
        before = _global_states()
        strategy = self.make(2, self.horizon)
        proposals = drive(strategy, self.trials, MIXED, cost)
        done = None if len(proposals) == self.trials else strategy.ask() is None
        return Driven(proposals, done, _global_states() == before)

    @cached_property
    def beside(self) -> Beside:
        """Asked while four trials are pending, told in any order."""
        strategy, rng = self.make(1, self.trials), np.random.default_rng(0)
        pending: dict[int, Proposal] = {}
        asked, repeats = 0, []
        while asked < self.trials:
            while len(pending) < 4 and asked < self.trials:
                proposal = strategy.ask()
                if proposal is None:
                    break
                if any(proposal.config == other.config for other in pending.values()):
                    repeats.append(proposal)
                pending[asked] = proposal
                asked += 1
            if not pending:
                break
            number = int(rng.choice(sorted(pending)))
            strategy.tell(told(number, pending.pop(number)))
        return Beside(asked, repeats)


def _global_states() -> str:
    numpy_state = [np.asarray(part).tolist() for part in np.random.get_state(legacy=True)]  # noqa: NPY002
    return repr((random.getstate(), numpy_state))
