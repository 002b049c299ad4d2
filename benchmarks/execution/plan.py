"""Every run of a suite, ready to be started: settled, and checked, before the first one runs."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from hemobench.benchmarks.benchmark import load_benchmark
from hemobench.benchmarks.budget import Budget
from hemobench.benchmarks.execution.settings import require_benchmark_settings, require_strategy_settings
from hemobench.benchmarks.storage.run_folder import END, RUN, RunKey, read_json
from hemobench.benchmarks.storage.variants import NOT_STORED
from hemobench.benchmarks.suite import Arm, Entry, Suite, shown_benchmarks
from hemobench.benchmarks.tasks.base import Task
from hemobench.errors import BenchmarkError
from hemobench.strategies import STRATEGIES, load_strategy, row_of, supports
from hemobench.strategies.base import UnsupportedTask
from hemobench.strategies.space import require_known

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Plan:
    """One run, ready to be started in any process.

    Attributes:
        key: What tells it from others.
        strategy: Name in the table, or `package.module:Class`.
        settings: Of the strategy.
        budget: GPU-hours, workers, and perhaps a number of trials.
        horizon: Expected number of trials.
        source: Settings of the benchmark's evaluator, without those that it has by default.
        default_first: Begin with the task's default, whatever the strategy; see `execution.default_first`.
        limits: What of `max_trials` and `horizon` the suite states for the benchmark.
        shown: What the benchmark is called in the suite: by its name and, of several entries, by where they differ.
    """

    key: RunKey
    strategy: str
    settings: dict[str, Any]
    budget: Budget
    horizon: int
    source: dict[str, Any]
    default_first: bool = False
    limits: Mapping[str, int] = field(default_factory=dict)
    shown: str = ""

    @property
    def stored_source(self) -> dict[str, Any]:
        """The settings of the benchmark that are stored: no places on this machine."""
        return {name: value for name, value in self.source.items() if name not in NOT_STORED}

    @property
    def header(self) -> dict[str, Any]:
        """What the run's `run.json` says of it, but for what it is run with and what it rests on."""
        key, budget = self.key, self.budget
        found: dict[str, Any] = {
            "benchmark": key.benchmark,
            "version": key.version,
            "strategy": {"label": key.strategy, "name": self.strategy, "settings": self.settings},
            "seed": key.seed,
            "budget": {"gpu_hours": budget.gpu_hours, "workers": budget.workers, "max_trials": budget.max_trials},
            "horizon": self.horizon,
            "benchmark_settings": self.stored_source,
        }
        if self.default_first:
            found["default_first"] = True
        if self.limits or budget.max_trials is not None:
            found["limits"] = dict(self.limits)
        return found

    def folder(self, out: Path) -> Path:
        """Where the run lies among results; one that a version before 0.2 began goes on where it lies.

        Args:
            out: The results' folder.
        """
        place, earlier = out / self.key.folder, out / self.key.earlier_folder
        if place == earlier or place.exists() or not (earlier / RUN).exists():
            return place
        there = read_json(earlier / RUN)
        mine = json.loads(json.dumps(self.header, default=str))
        same = all(there.get(name) == mine[name] for name in ("benchmark_settings", "budget", "horizon"))
        return earlier if same and "limits" not in there else place

    def has_ended(self, out: Path) -> bool:
        """Whether the run lies there to its end.

        Args:
            out: The results' folder.
        """
        return (self.folder(out) / END).exists()


def plans(suite: Suite, say: Say = lambda note: None) -> list[Plan]:
    """Every run of a suite, the costly ones first so that parallel jobs end together.

    None is dropped: what is there twice is run once and said, and what would lie in one folder is refused.

    Args:
        suite: What to run.
        say: Told, in a sentence each, what is there twice.

    Raises:
        BenchmarkError: If a benchmark or strategy is unknown or unavailable or has a setting that it does not take,
            two arms share a label, or a strategy cannot take a task; before anything has run.
    """
    arms = _distinct_arms(suite, say)
    for arm in arms:
        given = settings(arm, suite)
        if given or arm.name not in STRATEGIES:  # ours need no setting, so that without one there is nothing to check
            require_strategy_settings(load_strategy(arm.name), arm.shown, given)
    kept: dict[RunKey, Plan] = {}
    repeated: dict[str, None] = {}
    for plan in _plans(suite, arms):
        earlier = kept.setdefault(plan.key, plan)
        if earlier is not plan:
            _require_same(earlier, plan)
            repeated[f"{plan.key.benchmark}, {_budget_text(plan.budget)}"] = None
    for what in repeated:
        say(f"{what}: there twice with the same settings, run once")
    _require_own_folders(kept)
    return sorted(kept.values(), key=lambda plan: (-_slowness(plan), plan.key.seed))


def _distinct_arms(suite: Suite, say: Say) -> list[Arm]:
    """The suite's strategies, equal ones once."""
    arms: dict[str, Arm] = {}
    for arm in suite.strategies:
        whole = json.dumps([arm.shown, arm.name, arm.max_trials, arm.settings], sort_keys=True, default=str)
        if arms.setdefault(whole, arm) is not arm:
            say(f"{arm.shown}: there twice with the same settings, run once")
    labels: dict[str, str] = {}
    for arm in arms.values():
        folder = arm.shown.casefold()
        if folder in labels:
            like = "" if labels[folder] == arm.shown else f", or '{labels[folder]}' where case does not matter"
            raise BenchmarkError(f"two strategies are labelled '{arm.shown}'{like}", "give one of them another `label`")
        labels[folder] = arm.shown
    return list(arms.values())


def _plans(suite: Suite, arms: list[Arm]) -> Iterator[Plan]:
    """All of them, also those that are there twice."""
    for entry, shown in zip(suite.benchmarks, shown_benchmarks(suite), strict=True):
        benchmark = load_benchmark(entry.name)
        require_benchmark_settings(benchmark, entry.settings)
        source, entry_variant = entry.source, entry.variant
        for gpu_hours in entry.gpu_hours:
            expected = _horizon(entry, gpu_hours)
            for workers in suite.workers:
                for arm in arms:
                    require_support(arm.name, benchmark.task, workers)
                    most = _fewest(entry.max_trials, arm.max_trials)
                    for seed in range(suite.seeds):
                        label, version = arm.shown, benchmark.version
                        yield Plan(
                            key=RunKey(entry.name, version, label, gpu_hours, workers, seed, entry_variant),
                            strategy=arm.name,
                            settings=settings(arm, suite),
                            budget=Budget(gpu_hours, workers, most),
                            horizon=min(expected, most or expected),
                            source=source,
                            default_first=suite.default_first,
                            limits=entry.limits,
                            shown=shown,
                        )


def _require_same(one: Plan, other: Plan) -> None:
    """Make sure that two plans of one folder are one run: they may differ in what is not stored."""
    for name in sorted(one.source.keys() | other.source.keys()):
        here, there = one.source.get(name), other.source.get(name)
        if here != there:
            raise BenchmarkError(
                f"two entries of {one.key.benchmark} differ in {name} alone ({here!r} and {there!r}), which names no "
                "folder",
                "give each a suite, or an --out folder, of its own",
            )


def _require_own_folders(found: Mapping[RunKey, Plan]) -> None:
    """Make sure that no two runs would lie in one folder, also where case does not matter."""
    folders: dict[str, RunKey] = {}
    for key in found:
        folder = str(key.folder).casefold()
        other = folders.setdefault(folder, key)
        if other is not key:
            hint = "change a setting or a budget of one, or give each a suite of its own"
            raise BenchmarkError(f"two runs of the suite would lie in one folder: {key.folder}", hint)


def _budget_text(budget: Budget) -> str:
    workers = "1 worker" if budget.workers == 1 else f"{budget.workers} workers"
    return f"{budget.gpu_hours:g} GPU-hours, {workers}"


def _fewest(*limits: int | None) -> int | None:
    return min((limit for limit in limits if limit is not None), default=None)


def settings(arm: Arm, suite: Suite) -> dict[str, Any]:
    """An arm's settings, with the suite's `startup_trials` where the strategy has such a setting."""
    if not suite.startup_trials:
        return dict(arm.settings)
    takes = getattr(load_strategy(arm.name).__init__, "__kwdefaults__", None) or {}
    equalised = {"startup_trials": suite.startup_trials} if "startup_trials" in takes else {}
    return {**equalised, **arm.settings}


@cache
def _trial_gpu_hours(benchmark: str) -> float | None:
    reference = load_benchmark(benchmark).reference()
    return reference.trial_gpu_hours if reference else None


def _horizon(entry: Entry, gpu_hours: float) -> int:
    """Expected number of trials: stated, or the budget over the mean cost of a uniformly random trial."""
    cost = _trial_gpu_hours(entry.name)
    if entry.horizon is not None:
        expected = entry.horizon
    elif cost is not None:
        expected = max(1, round(gpu_hours / cost))
    elif entry.max_trials is not None:
        expected = entry.max_trials
    else:
        raise BenchmarkError(
            f"{entry.name}: what a trial costs is not known beforehand", "give the expected number as `horizon`"
        )
    return min(expected, entry.max_trials or expected)


def _slowness(plan: Plan) -> float:
    """A guess at a run's own computing, to start the slow ones first."""
    return row_of(plan.strategy).slowness * plan.horizon * math.sqrt(plan.horizon)


def require_support(name: str, task: Task, workers: int) -> None:
    """Refuse what a strategy cannot do before the first GPU-second.

    Raises:
        BenchmarkError: If there is no such strategy, or its library is missing.
        UnsupportedTask: If the task's space has something that no strategy takes, or the strategy does not support
            the space or the number of workers.
    """
    takes, space = supports(name), task.space()
    require_known(space)
    if space.forbidden_clauses:
        raise UnsupportedTask(f"task '{task.name}' has forbidden clauses", "express them as conditions")
    if space.conditions and not takes.conditional:
        raise UnsupportedTask(
            f"'{name}' takes no conditional hyperparameters, and '{task.name}' has some",
            f"leave '{name}' out of the suite for this benchmark",
        )
    if workers > 1 and not takes.parallel:
        raise UnsupportedTask(f"'{name}' cannot be asked while trials are pending", "give it one worker")
