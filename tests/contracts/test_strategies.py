"""Every strategy of the table keeps the contract on every task that it supports; a broken one does not."""

from __future__ import annotations

import random
from dataclasses import replace
from itertools import count

import pytest

from hemobench.benchmarks.tasks import TASKS, load_task
from hemobench.strategies import STRATEGIES, load_strategy, supports, unavailable
from hemobench.strategies.asha import ASHA
from hemobench.strategies.base import Proposal, Status, Supports
from hemobench.strategies.random_search import RandomSearch
from hemobench.testing import strategies as contract
from hemobench.testing.drives import Drives

SLOW = {
    **dict.fromkeys(("optuna-gp", "smac-hyperband"), ("c-nmc", "bone-marrow-full")),
    **dict.fromkeys(("smac", "skopt-gp"), ("c-nmc", "bone-marrow", "bone-marrow-full")),
}
"""Seconds a test: each kind of hyperparameter, and conditions if it takes them."""


def tasks_of(name):
    """The tasks that differ for a strategy: by their space, and by their length if it chooses one."""
    known = {}
    for task in SLOW.get(name, TASKS):
        space, epochs = load_task(task).space(), load_task(task).epochs
        if load_strategy(name).supports.conditional or not space.conditions:
            known.setdefault((str(space), epochs if load_strategy(name).supports.fidelity else None), task)
    return known.values()


def marked(name, task):
    return pytest.param((name, task), marks=pytest.mark.torch if STRATEGIES[name].needs == "torch" else ())


CASES = [marked(name, task) for name in STRATEGIES if unavailable(name) is None for task in tasks_of(name)]


def built(name, task, seed, horizon):
    """A strategy of the table as `execute` builds it."""
    cls = load_strategy(name)
    fidelity = {"epochs": task.epochs} if cls.supports.fidelity else {}
    return cls(task.space(), seed=seed, horizon=horizon, **fidelity)


MODELLED = dict.fromkeys(("skopt-gp", "smac", "optuna-gp"), 16)
"""Trials of a drive of the slow ones, whose models are in use from the tenth or fourth on."""


@pytest.fixture(scope="module", params=CASES, ids=lambda case: f"{case[0]}-{case[1]}")
def case(request):
    return request.param


@pytest.fixture(scope="module")
def drives(case):
    """Of a strategy on a task: what one check looks at, the next one need not drive again."""
    name, task = case
    return Drives(lambda seed, horizon: built(name, load_task(task), seed, horizon), MODELLED.get(name, 24))


def test_legal(drives, case):
    contract.check_legal(drives, load_task(case[1]).space())


def test_reproducible(drives):
    contract.check_reproducible(drives)


def test_seeded(drives, case):
    if case[0] == "manual":
        pytest.skip("nothing in the manual analysis is random")
    contract.check_seeded(drives)


def test_globals_untouched(drives):
    contract.check_globals_untouched(drives)


def test_pending(drives):
    contract.check_pending(drives)


def test_pending_differ(drives):
    contract.check_pending_differ(drives)


def test_failures(drives):
    contract.check_failures(drives)


def test_all_failed(drives):
    contract.check_all_failed(drives)


def test_learns_from_losses_only(drives):
    contract.check_learns_from_losses_only(drives)


def test_done_is_done(drives):
    contract.check_done_is_done(drives)


def test_short_horizon(drives):
    contract.check_short_horizon(drives)


def test_lengths(drives, case):
    if not load_strategy(case[0]).supports.fidelity:
        assert drives.make(1, 5).ask().epochs is None
        return
    contract.check_lengths(drives.make, load_task(case[1]).epochs)


AVAILABLE = [marked(name, "") for name in STRATEGIES if unavailable(name) is None]


@pytest.mark.parametrize("strategy", AVAILABLE)
def test_the_table_says_what_the_class_does(strategy):
    """Runs are planned by the table, so that no optimizer is imported for it."""
    row, cls = STRATEGIES[strategy[0]], load_strategy(strategy[0])
    own = cls.__init__.__kwdefaults__ or {}
    assert supports(strategy[0]) == row.supports == cls.supports
    assert dict(row.defaults) == {name: own[name] for name in row.defaults}
    assert bool(row.defaults) == bool(row.learns_from)


class Broken(RandomSearch):
    """A strategy that keeps nothing of the contract, one way at a time."""

    supports = Supports()
    way = ""
    _runs = count()

    def __init__(self, space, *, seed, horizon):
        super().__init__(space, seed=0 if self.way == "unseeded" else seed, horizon=horizon)
        self._horizon, self.asked, self._told, self._fixed = horizon, 0, [], None

    def ask(self):
        self.asked += 1
        proposal = super().ask()
        match self.way:
            case "illegal":
                return Proposal({**proposal.config, "learning_rate": 5.0})
            case "foreign type":
                import numpy as np

                return Proposal({**proposal.config, "learning_rate": np.float64(proposal.config["learning_rate"])})
            case "disordered":
                return Proposal(dict(reversed(proposal.config.items())))
            case "irreproducible":
                for _ in range(next(self._runs) % 5):
                    super().ask()
                return super().ask()
            case "global":
                return Proposal({**proposal.config, "dropout_1": 0.1 + 0.4 * random.random()})
            case "repeats":
                self._fixed = self._fixed or proposal
                return self._fixed
            case "gives up":
                return proposal if self.asked < 5 else None
            case "comes back":
                return None if self.asked == 13 else proposal
            case "needs a long horizon":
                return proposal if self._horizon > 3 else None
        return proposal

    def tell(self, trial):
        if self.way in ("breaks on failures", "breaks if all fail"):
            self._told.append(trial.loss + 1)
        if self.way == "minds the cost" and trial.cost > 100:
            super().ask()


def _space():
    return load_task("c-nmc").space()


CHECKS = {
    "illegal": lambda drives: contract.check_legal(drives, _space()),
    "foreign type": lambda drives: contract.check_legal(drives, _space()),
    "disordered": lambda drives: contract.check_legal(drives, _space()),
    "irreproducible": contract.check_reproducible,
    "unseeded": contract.check_seeded,
    "global": contract.check_globals_untouched,
    "gives up": contract.check_pending,
    "repeats": contract.check_pending_differ,
    "breaks on failures": contract.check_failures,
    "breaks if all fail": contract.check_all_failed,
    "minds the cost": contract.check_learns_from_losses_only,
    "comes back": contract.check_done_is_done,
    "needs a long horizon": contract.check_short_horizon,
}


@pytest.mark.parametrize("way", CHECKS)
def test_a_broken_strategy_fails(way):
    cls = type("Broken", (Broken,), {"way": way})
    with pytest.raises(Exception):  # noqa: B017, PT011 - an illegal value is ConfigSpace's own error
        CHECKS[way](Drives(lambda seed, horizon: cls(_space(), seed=seed, horizon=horizon)))


@pytest.mark.parametrize("way", CHECKS)
def test_a_sound_one_does_not_and_was_asked(way):
    made = []

    def make(seed, horizon):
        made.append(Broken(_space(), seed=seed, horizon=horizon))
        return made[-1]

    CHECKS[way](Drives(make))
    assert made
    assert all(strategy.asked for strategy in made)


class BrokenLengths(ASHA):
    """A multi-fidelity strategy that keeps nothing of its contract, one way at a time."""

    way = ""

    def __init__(self, space, *, seed, horizon):
        super().__init__(space, seed=seed, horizon=horizon, epochs=9)
        self._last, self._failed, self._unfinished = None, None, []

    def ask(self):
        proposal = super().ask()
        match self.way:
            case "no length":
                return Proposal(proposal.config)
            case "too long":
                return replace(proposal, epochs=10 * proposal.epochs)
            case "short only":
                return replace(proposal, epochs=min(proposal.epochs, 3), resume_from=None)
            case "full length only":
                return replace(proposal, epochs=9, resume_from=None)
            case "trains anew":
                return replace(proposal, resume_from=None)
            case "continues the failed" if self._failed:
                return Proposal(self._failed.proposal.config, 9, self._failed.number)
            case "continues twice":
                self._last = proposal if proposal.resume_from is not None else self._last
                return self._last or proposal
            case "continues the pending" if self._unfinished:
                return Proposal(self._unfinished[0][1].config, 9, self._unfinished[0][0])
            case "waits for nothing":
                return None
            case "continues another" if proposal.resume_from is not None:
                return replace(proposal, config=super().ask().config)
        self._unfinished.append((len(self._unfinished), proposal))
        return proposal

    def tell(self, trial):
        self._failed = self._failed or (trial if trial.status is not Status.OK else None)
        super().tell(trial)


@pytest.mark.parametrize(
    "way",
    [
        "no length",
        "too long",
        "short only",
        "full length only",
        "trains anew",
        "continues the failed",
        "continues twice",
        "continues the pending",
        "waits for nothing",
        "continues another",
    ],
)
def test_broken_lengths_fail(way):
    cls = type("BrokenLengths", (BrokenLengths,), {"way": way})
    with pytest.raises(AssertionError):
        contract.check_lengths(lambda seed, horizon: cls(_space(), seed=seed, horizon=horizon), 9)


def test_sound_lengths_do_not_and_were_asked():
    strategy = BrokenLengths(_space(), seed=1, horizon=12)
    contract.check_lengths(lambda seed, horizon: strategy, 9)
    assert len(strategy._unfinished) >= 60
