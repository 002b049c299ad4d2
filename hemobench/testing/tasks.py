"""What every task keeps to, as checks that fail with an `AssertionError`."""

from __future__ import annotations

from ConfigSpace import Configuration

from hemobench.benchmarks.tasks import load_task
from hemobench.benchmarks.tasks.base import Task
from hemobench.strategies.space import active, choices, default


def check_task(task: str | Task) -> None:
    """Every check of a task.

    Args:
        task: The task, or its name; a name must be one of ours or declared as an entry point.
    """
    found = load_task(task) if isinstance(task, str) else task
    check_spaces_are_new(found)
    check_default_is_legal(found)
    check_kinds(found)
    check_objective(found)
    assert found.epochs >= 1, "it trains less than an epoch"


def check_spaces_are_new(task: Task) -> None:
    """Every space is an object of its own, since optimizers seed it, and all are equal."""
    assert task.space() is not task.space(), "two calls give the same space"
    assert task.space() == task.space(), "two calls give different spaces"


def check_default_is_legal(task: Task) -> None:
    """The space's defaults are a configuration."""
    space = task.space()
    Configuration(space, values=active(space, default(space)))


def check_kinds(task: Task) -> None:
    """Every hyperparameter is of a kind that strategies take, and nothing is forbidden."""
    space = task.space()
    assert not space.forbidden_clauses, "it has forbidden clauses: express them as conditions"
    for hp in space.values():
        choices(hp)


def check_objective(task: Task) -> None:
    """A better metric gives a lower loss."""
    weights = task.objective.weights
    worse = dict.fromkeys(weights, 0.5)
    assert weights, "nothing is minimised"
    for name, weight in weights.items():
        better = {**worse, name: 0.5 + 0.1 * (1 if weight > 0 else -1)}
        assert task.objective.loss(better) < task.objective.loss(worse), name
