"""Everything that can be found out before the first trial is: nothing runs for hours to end in a misspelt setting."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from hemobench.benchmarks.benchmark import shared
from hemobench.benchmarks.evaluator import Evaluator
from hemobench.benchmarks.execution.arms import require_buildable
from hemobench.benchmarks.execution.plan import Plan
from hemobench.benchmarks.storage.run_folder import RUN, same_run
from hemobench.errors import BenchmarkError


def preflight(todo: Sequence[Plan], out: Path | None = None, *, evaluators: bool = True) -> None:
    """Build every strategy and every source of answers once, and look at what lies in the runs' folders.

    Strategies whose runs have all ended are not built: no optimizer is imported to find that there is nothing to do.

    Args:
        todo: What is to be run.
        out: The results' folder, if it is known.
        evaluators: Whether this process can answer: not so where the images lie on the workers of a cluster.

    Raises:
        BenchmarkError: The first thing that would end a run, or give one without a trial.
    """
    for plan in todo:
        if plan.budget.end < 1:
            hours = f"{plan.key.gpu_hours:g} GPU-hours for {plan.key.workers} workers"
            raise BenchmarkError(f"{plan.key.benchmark}: {hours} is less than a microsecond each", "give more")
    require_buildable([plan for plan in todo if out is None or not plan.has_ended(out)])
    if evaluators:
        _require_answers(todo)
    if out is not None:
        _require_same_runs(todo, out)


def _require_answers(todo: Sequence[Plan]) -> None:
    """Build each evaluator; the last ones stay, for a run in this process."""
    built: set[tuple[str, str]] = set()
    for plan in reversed(todo):
        source = plan.key.benchmark, json.dumps(plan.source, sort_keys=True, default=str)
        if source not in built:
            built.add(source)
            require_runnable(shared(plan.key.benchmark, plan.source))


def require_runnable(evaluator: Evaluator) -> None:
    """Let a source of answers that trains say beforehand what no trial could be trained with.

    Raises:
        BenchmarkError: If it says so.
    """
    check = getattr(evaluator, "require_runnable", None)
    if check is not None:
        check()


def _require_same_runs(todo: Sequence[Plan], out: Path) -> None:
    """Make sure that what was begun there is what is to be gone on with, but for what it rests on."""
    for plan in todo:
        began = plan.folder(out) / RUN
        if began.exists():
            same_run(began, plan.header, among=plan.header)
