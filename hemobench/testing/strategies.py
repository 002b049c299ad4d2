"""What every strategy keeps to, as checks that fail with an `AssertionError`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from ConfigSpace import Configuration, ConfigurationSpace

from hemobench.benchmarks.tasks import load_task
from hemobench.benchmarks.tasks.base import Task
from hemobench.strategies import load_strategy
from hemobench.strategies.base import Proposal, Status, Strategy, Trial
from hemobench.testing.drives import COST, Drives, Make, drive, told

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

    drives = Drives(make)
    check_legal(drives, task.space())
    check_reproducible(drives)
    check_globals_untouched(drives)
    check_learns_from_losses_only(drives)
    if seeded:
        check_seeded(drives)
    if cls.supports.parallel:
        check_pending(drives)
        check_pending_differ(drives)
    check_failures(drives)
    check_all_failed(drives)
    check_done_is_done(drives)
    check_short_horizon(drives)
    if cls.supports.fidelity:
        check_lengths(make, task.epochs)


def check_legal(drives: Drives, space: ConfigurationSpace) -> None:
    """Proposals are legal points of the space: built-in values, active hyperparameters only, in order."""
    proposals = drives.one.proposals
    assert proposals, "nothing was proposed"
    for proposal in proposals:
        config = proposal.config
        Configuration(space, values=dict(config))
        assert list(config) == [name for name in space if name in config], "not in the space's order"
        for name, value in config.items():
            assert type(value) in (bool, int, float, str), f"{name} is a {type(value)}"


def check_reproducible(drives: Drives) -> None:
    """Built and told alike, it asks alike."""
    if not drives.alike:
        assert drives.again(global_seed=5, cost=COST).proposals == drives.one.proposals, "it asks otherwise"


def check_globals_untouched(drives: Drives) -> None:
    """The global generators are left alone, and do not matter."""
    assert drives.one.untouched, "a global generator was used"
    if not drives.alike:
        assert drives.again(global_seed=6, cost=COST).proposals == drives.one.proposals, "a global generator matters"


def check_learns_from_losses_only(drives: Drives) -> None:
    """Other GPU-seconds change nothing: strategies here minimise the loss."""
    if not drives.alike:
        assert drives.again(global_seed=6, cost=COST).proposals == drives.other.proposals, "the cost matters"


def check_seeded(drives: Drives) -> None:
    """Another seed gives other proposals, from the first ones on."""
    assert drive(drives.make(3, 12), 4) != drive(drives.make(4, 12), 4)


def check_pending(drives: Drives) -> None:
    """With four trials pending, told in any order, it goes on proposing, or waits and then goes on."""
    assert drives.beside.asked >= drives.trials // 2, f"gave up after {drives.beside.asked} trials"


def check_pending_differ(drives: Drives) -> None:
    """Trials that are pending together are not one point again and again."""
    assert not drives.beside.repeats, "pending proposals are equal"


def check_failures(drives: Drives) -> None:
    """Failed trials, the first ones and many of them, neither break it nor stop it."""
    assert len(drives.one.proposals) >= drives.trials // 2


def check_all_failed(drives: Drives) -> None:
    """It survives a budget in which nothing trains."""
    strategy = drives.make(1, drives.trials)
    assert len(drive(strategy, drives.trials, (Status.DIVERGED,))) >= drives.trials // 2


def check_done_is_done(drives: Drives) -> None:
    """Once it says that it is done, with nothing pending, it stays so."""
    assert drives.one.done is not False


def check_short_horizon(drives: Drives) -> None:
    """A horizon of one, two or three trials is a horizon."""
    for horizon in (1, 2, 3):
        assert drive(drives.make(1, horizon), horizon)


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
