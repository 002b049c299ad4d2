"""A strategy as a run has it: built with its settings, and with the task's default first where the suite says so."""

from __future__ import annotations

from collections.abc import Iterable

from hemobench.benchmarks.benchmark import load_benchmark
from hemobench.benchmarks.execution.default_first import DefaultFirst, starts_at_default
from hemobench.benchmarks.execution.plan import Plan
from hemobench.benchmarks.execution.runner import Failure, raised
from hemobench.benchmarks.tasks.base import Task
from hemobench.errors import BenchmarkError
from hemobench.strategies import load_strategy
from hemobench.strategies.base import Strategy


def built(plan: Plan) -> tuple[Strategy | None, Failure | None]:
    """The strategy of a run, or why it cannot be built."""
    task = load_benchmark(plan.key.benchmark).task
    try:
        return _built(plan, task), None
    except BaseException as problem:
        return None, raised("built", problem)


def _built(plan: Plan, task: Task) -> Strategy:
    cls = load_strategy(plan.strategy)
    fidelity = {"epochs": task.epochs} if cls.supports.fidelity else {}
    wrapped = plan.default_first and not starts_at_default(cls)
    horizon = max(1, plan.horizon - wrapped)
    own: Strategy = cls(task.space(), seed=plan.key.seed, horizon=horizon, **fidelity, **plan.settings)  # type: ignore[call-arg]
    return DefaultFirst(own, task.space()) if wrapped else own


def require_buildable(todo: Iterable[Plan]) -> None:
    """Build each strategy once on each task, at its shortest horizon, so that nothing is found out after hours.

    Raises:
        BenchmarkError: Naming the first that cannot be built, the benchmark, and why.
    """
    shortest: dict[tuple[str, str], Plan] = {}
    for plan in todo:
        arm = plan.key.benchmark, plan.key.strategy
        if arm not in shortest or plan.horizon < shortest[arm].horizon:
            shortest[arm] = plan
    for (benchmark, label), plan in shortest.items():
        _, failure = built(plan)
        if failure is not None:
            raise BenchmarkError(
                f"strategy '{label}' cannot be built for {benchmark}: {failure.error.removeprefix('built: ')}",
                "correct its settings, or leave it out",
            )
