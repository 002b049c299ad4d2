"""What every strategy keeps to, as checks that fail with an `AssertionError`."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from ConfigSpace import Configuration, ConfigurationSpace

from hemobench.strategies.base import Proposal, Status, Strategy, Trial

Make = Callable[[int, int], Strategy]
"""Builds a strategy from a seed and a horizon."""


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
    """The trial that a strategy is told of a proposal."""
    loss = loss_of(proposal.config) if status is Status.OK else None
    return Trial(number, proposal, loss, status, 10.0)


def drive(strategy: Strategy, trials: int, statuses: Sequence[Status] = (Status.OK,)) -> list[Proposal]:
    """Ask and tell in turn; trial i ends with status i, counted round."""
    proposals: list[Proposal] = []
    for number in range(trials):
        proposal = strategy.ask()
        if proposal is None:
            break
        proposals.append(proposal)
        strategy.tell(told(number, proposal, statuses[number % len(statuses)]))
    return proposals


def check_legal(make: Make, space: ConfigurationSpace) -> None:
    """Proposals are legal points of the space: built-in values, active hyperparameters only, in order."""
    proposals = drive(make(1, 14), 14)
    assert proposals, "nothing was proposed"
    for proposal in proposals:
        config = proposal.config
        Configuration(space, values=dict(config))
        assert list(config) == [name for name in space if name in config], "not in the space's order"
        for name, value in config.items():
            assert type(value) in (bool, int, float, str), f"{name} is a {type(value)}"


def check_reproducible(make: Make) -> None:
    """Built and told alike, it asks alike."""
    statuses = (Status.OK, Status.OK, Status.DIVERGED)
    assert drive(make(3, 16), 16, statuses) == drive(make(3, 16), 16, statuses)


def check_seeded(make: Make) -> None:
    """Another seed gives other proposals."""
    assert drive(make(3, 12), 12) != drive(make(4, 12), 12)


def check_globals_untouched(make: Make) -> None:
    """The global generators are left alone, and do not matter."""
    random.seed(5)
    np.random.seed(5)  # noqa: NPY002
    before = (random.getstate(), np.random.get_state()[1].tolist())  # noqa: NPY002
    first = drive(make(2, 13), 13)
    after = (random.getstate(), np.random.get_state()[1].tolist())  # noqa: NPY002
    assert before == after, "a global generator was used"
    random.seed(6)
    np.random.seed(6)  # noqa: NPY002
    assert drive(make(2, 13), 13) == first


def check_pending(make: Make) -> None:
    """With four trials pending, told in any order, it goes on proposing, or waits and then goes on."""
    strategy = make(1, 16)
    rng = np.random.default_rng(0)
    pending: dict[int, Proposal] = {}
    asked = 0
    while asked < 16:
        while len(pending) < 4 and asked < 16:
            proposal = strategy.ask()
            if proposal is None:
                break
            pending[asked] = proposal
            asked += 1
        if not pending:
            break
        number = int(rng.choice(sorted(pending)))
        strategy.tell(told(number, pending.pop(number)))
    assert asked >= 8, f"gave up after {asked} trials"


def check_pending_differ(make: Make, space: ConfigurationSpace) -> None:
    """Trials that are pending together are not one point again and again."""
    strategy = make(1, 24)
    for number in range(12):
        proposal = strategy.ask()
        if proposal is None:
            return
        strategy.tell(told(number, proposal))
    together = [proposal for proposal in (strategy.ask() for _ in range(4)) if proposal is not None]
    distinct = {tuple(proposal.config.items()) for proposal in together}
    assert len(distinct) == len(together), "pending proposals are equal"


def check_failures(make: Make) -> None:
    """Failed trials, the first ones and many of them, neither break it nor stop it."""
    statuses = (Status.DIVERGED, Status.OUT_OF_MEMORY, Status.OK, Status.TIMED_OUT)
    assert len(drive(make(1, 24), 24, statuses)) >= 12


def check_all_failed(make: Make) -> None:
    """It survives a budget in which nothing trains."""
    assert len(drive(make(1, 24), 24, (Status.DIVERGED,))) >= 12


def check_learns_from_losses_only(make: Make) -> None:
    """A constant added to the GPU-seconds changes nothing: strategies here minimise the loss."""

    def run(cost: float) -> list[Proposal]:
        strategy, proposals = make(2, 14), []
        for number in range(14):
            proposal = strategy.ask()
            if proposal is None:
                break
            proposals.append(proposal)
            strategy.tell(Trial(number, proposal, loss_of(proposal.config), Status.OK, cost))
        return proposals

    assert run(1.0) == run(1000.0)


def check_done_is_done(make: Make) -> None:
    """Once it says that it is done, with nothing pending, it stays so."""
    strategy = make(1, 20)
    proposals = drive(strategy, 26)
    if len(proposals) < 26:
        assert strategy.ask() is None


def check_short_horizon(make: Make) -> None:
    """A horizon of one, two or three trials is a horizon."""
    for horizon in (1, 2, 3):
        assert drive(make(1, horizon), horizon)
