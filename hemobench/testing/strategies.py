"""What every strategy keeps to, as checks that fail with an `AssertionError`."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from ConfigSpace import Configuration, ConfigurationSpace

from hemobench.benchmarks.tasks import load_task
from hemobench.benchmarks.tasks.base import Task
from hemobench.strategies import load_strategy
from hemobench.strategies.base import Proposal, Status, Strategy, Trial

ANYTHING = ("c-nmc", "bone-marrow-full")
"""Two tasks: one without conditional hyperparameters, one with them."""


def check_strategy(
    strategy: str | type[Strategy], tasks: Sequence[str] = ANYTHING, *, seeded: bool = True, **settings: Any
) -> None:
    """Every check of a strategy, on every task that it supports.

    Args:
        strategy: The class, its name, or `package.module:Class`.
        tasks: Names of the tasks.
        seeded: Whether its first proposals are random, so that another seed gives others.
        **settings: Of the strategy.
    """
    cls = load_strategy(strategy) if isinstance(strategy, str) else strategy
    checked = 0
    for task in map(load_task, tasks):
        space = task.space()
        if space.conditions and not cls.supports.conditional:
            continue
        checked += 1
        _check_on(cls, task, seeded, settings)
    assert checked, "it supports none of the tasks"


def _check_on(cls: type[Strategy], task: Task, seeded: bool, settings: Mapping[str, Any]) -> None:
    fidelity = {"epochs": task.epochs} if cls.supports.fidelity else {}

    def make(seed: int, horizon: int) -> Strategy:
        return cls(task.space(), seed=seed, horizon=horizon, **fidelity, **settings)  # type: ignore[call-arg]

    check_legal(make, task.space())
    check_reproducible(make)
    if seeded:
        check_seeded(make)
    check_globals_untouched(make)
    if cls.supports.parallel:
        check_pending(make)
        check_pending_differ(make, task.space())
    check_failures(make)
    check_all_failed(make)
    check_learns_from_losses_only(make)
    check_done_is_done(make)
    check_short_horizon(make)
    if cls.supports.fidelity:
        check_lengths(make, task.epochs)


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
    """The trial that a strategy is told of a proposal: the longer it is trained, the lower the loss."""
    loss = loss_of(proposal.config) + (0.1 / proposal.epochs if proposal.epochs else 0.0)
    return Trial(number, proposal, loss if status is Status.OK else None, status, 10.0)


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
    """Another seed gives other proposals, from the first ones on."""
    assert drive(make(3, 12), 4) != drive(make(4, 12), 4)


def check_globals_untouched(make: Make) -> None:
    """The global generators are left alone, and do not matter."""
    random.seed(5)
    np.random.seed(5)  # noqa: NPY002
    before = (random.getstate(), _numpy_state())
    first = drive(make(2, 13), 13)
    after = (random.getstate(), _numpy_state())
    assert before == after, "a global generator was used"
    random.seed(6)
    np.random.seed(6)  # noqa: NPY002
    assert drive(make(2, 13), 13) == first


def _numpy_state() -> str:
    return repr([np.asarray(part).tolist() for part in np.random.get_state(legacy=True)])  # noqa: NPY002


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
            strategy.tell(replace(told(number, proposal), cost=cost))
        return proposals

    assert run(1.0) == run(1000.0)


def check_lengths(make: Make, epochs: int) -> None:
    """A strategy of a fidelity trains 1 to `epochs` epochs, the full length before long, others before it.

    It continues only what has finished, has not failed and is shorter, of the same configuration; and that once.
    Three workers, told in any order, one trial in five failing.
    """
    strategy, rng = make(1, 12), np.random.default_rng(1)
    pending: dict[int, Proposal] = {}
    finished: dict[int, Trial] = {}
    asked: list[Proposal] = []
    while len(asked) < 60 or (len(asked) < 200 and all(proposal.epochs != epochs for proposal in asked)):
        while len(pending) < 3 and (proposal := strategy.ask()) is not None:
            require_continues(proposal, finished, asked, epochs)
            pending[len(asked)] = proposal
            asked.append(proposal)
        assert pending, "it waits for nothing"
        number = int(rng.choice(sorted(pending)))
        status = Status.DIVERGED if rng.random() < 0.2 else Status.OK
        finished[number] = told(number, pending.pop(number), status)
        strategy.tell(finished[number])
    lengths = [proposal.epochs for proposal in asked]
    assert epochs in lengths, "nothing is trained to the full length"
    assert epochs == 1 or lengths[0] != epochs, "nothing is trained shorter at first"


def require_continues(proposal: Proposal, finished: dict[int, Trial], asked: Sequence[Proposal], epochs: int) -> None:
    """A proposal's length and what it continues are in order."""
    assert type(proposal.epochs) is int
    assert 1 <= proposal.epochs <= epochs, f"{proposal.epochs} epochs"
    if proposal.resume_from is None:
        assert all(proposal.config != earlier.config for earlier in asked), "a trial is trained anew"
        return
    earlier = finished.get(proposal.resume_from)
    assert earlier is not None, "a trial that has not finished is continued"
    assert earlier.status is Status.OK, "a failed trial is continued"
    assert earlier.proposal.config == proposal.config, "another configuration is continued"
    assert (earlier.proposal.epochs or 0) < proposal.epochs, "a trial is not continued to more epochs"
    assert all(other.resume_from != proposal.resume_from for other in asked), "a trial is continued twice"


def check_done_is_done(make: Make) -> None:
    """Once it says that it is done, with nothing pending, it stays so."""
    strategy = make(1, 12)
    proposals = drive(strategy, 18)
    if len(proposals) < 18:
        assert strategy.ask() is None


def check_short_horizon(make: Make) -> None:
    """A horizon of one, two or three trials is a horizon."""
    for horizon in (1, 2, 3):
        assert drive(make(1, horizon), horizon)
