"""A suite: benchmarks, strategies with settings, seeds, budgets and workers; read from a TOML file, and overridden."""

from __future__ import annotations

import difflib
import math
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from hemobench.benchmarks.benchmark import load_benchmark
from hemobench.benchmarks.budget import Budget
from hemobench.benchmarks.storage.run_folder import RunKey
from hemobench.benchmarks.tasks.base import Task
from hemobench.errors import BenchmarkError
from hemobench.strategies import load_strategy, row_of
from hemobench.strategies.base import Strategy, UnsupportedTask

SUITES = files("hemobench.benchmarks") / "suites"
Hours = Annotated[float, Field(gt=0, le=1e9)]
Count = Annotated[int, Field(ge=1, le=1_000_000_000)]


def _named(value: Any) -> Any:
    return {"name": value} if isinstance(value, str) else value


class Arm(BaseModel):
    """A strategy with settings, under a label of its own; `max_trials` shortens the runs of a slow one."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    name: str
    label: str = Field(default="", pattern=r"^[A-Za-z0-9][\w.+:-]*$|^$")
    max_trials: Count | None = None
    settings: dict[str, Any] = {}

    @property
    def shown(self) -> str:
        """The label, by default the name; it is a folder's name too, so a colon becomes a dot."""
        return (self.label or self.name).replace(":", ".")


class Entry(BaseModel):
    """A benchmark with its budgets."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    name: str
    gpu_hours: list[Hours] = Field(min_length=1)
    max_trials: Count | None = None
    horizon: Count | None = None
    settings: dict[str, Any] = {}


class Suite(BaseModel):
    """What is run by one command."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    title: str = ""
    seeds: Annotated[int, Field(ge=1, le=100_000)] = 5
    workers: list[Annotated[int, Field(ge=1, le=100_000)]] = Field(default=[1], min_length=1)
    startup_trials: Count | None = None
    default_first: bool = False
    strategies: list[Annotated[Arm, BeforeValidator(_named)]] = Field(min_length=1)
    benchmarks: list[Entry] = Field(min_length=1)


@dataclass(frozen=True, slots=True)
class Plan:
    """One run, ready to be started in any process.

    Attributes:
        key: What tells it from others.
        strategy: Name in the table, or `package.module:Class`.
        settings: Of the strategy.
        budget: GPU-hours, workers, and perhaps a number of trials.
        horizon: Expected number of trials.
        source: Settings of the benchmark's evaluator.
        default_first: Begin with the task's default, whatever the strategy; see `execution.default_first`.
    """

    key: RunKey
    strategy: str
    settings: dict[str, Any]
    budget: Budget
    horizon: int
    source: dict[str, Any]
    default_first: bool = False


def suite_names() -> list[str]:
    """The suites that come with hemobench."""
    return sorted(file.name.removesuffix(".toml") for file in SUITES.iterdir() if file.name.endswith(".toml"))


def load_suite(name: str) -> Suite:
    """A suite by its name or path.

    Raises:
        BenchmarkError: If there is none, or the file has an error: with its place.
    """
    path = Path(name)
    if name in suite_names():
        text, place = (SUITES / f"{name}.toml").read_text(), f"suite '{name}'"
    elif path.suffix == ".toml" or path.is_file():
        try:
            text, place = path.read_text(), str(path)
        except (OSError, UnicodeDecodeError) as problem:
            raise BenchmarkError(f"{path}: {problem}", "give the path of a suite's TOML file") from None
    else:
        close = difflib.get_close_matches(name, suite_names(), n=1)
        raise BenchmarkError(
            f"there is no suite '{name}'" + (f"; did you mean '{close[0]}'?" if close else ""),
            f"choose one of: {', '.join(suite_names())}; or give the path of a TOML file",
        )
    try:
        return Suite.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as problem:
        raise BenchmarkError(f"{place}: {problem}", "correct the TOML there") from None
    except ValidationError as problem:
        first = problem.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise BenchmarkError(f"{place}: {where}: {first['msg']}", "see 'Suites' in the README") from None
    except (ValueError, RecursionError) as problem:  # a number of 5000 digits; brackets without end
        raise BenchmarkError(f"{place}: {problem}", "correct the TOML there") from None


def plans(suite: Suite) -> list[Plan]:
    """Every run of a suite, the costly ones first so that parallel jobs end together.

    Raises:
        BenchmarkError: If a benchmark or strategy is unknown or unavailable, two arms share a label, or a strategy
            cannot take a task; before anything has run.
    """
    labels = [arm.shown for arm in suite.strategies]
    for label in labels:
        if labels.count(label) > 1:
            raise BenchmarkError(f"two strategies are labelled '{label}'", "give one of them another `label`")
    return sorted(_plans(suite), key=lambda plan: (-_slowness(plan), plan.key.seed))


def _plans(suite: Suite) -> Iterator[Plan]:
    for entry in suite.benchmarks:
        benchmark = load_benchmark(entry.name)
        for gpu_hours in entry.gpu_hours:
            expected = _horizon(entry, gpu_hours)
            for workers in suite.workers:
                for arm in suite.strategies:
                    require_support(load_strategy(arm.name), arm.name, benchmark.task, workers)
                    most = _fewest(entry.max_trials, arm.max_trials)
                    horizon = min(expected, most or expected)
                    for seed in range(suite.seeds):
                        key = RunKey(entry.name, benchmark.version, arm.shown, gpu_hours, workers, seed)
                        budget = Budget(gpu_hours, workers, most)
                        yield Plan(
                            key, arm.name, settings(arm, suite), budget, horizon, entry.settings, suite.default_first
                        )


def _fewest(*limits: int | None) -> int | None:
    return min((limit for limit in limits if limit is not None), default=None)


def settings(arm: Arm, suite: Suite) -> dict[str, Any]:
    """An arm's settings, with the suite's `startup_trials` where the strategy has such a setting."""
    takes = getattr(load_strategy(arm.name).__init__, "__kwdefaults__", None) or {}
    equalised = {"startup_trials": suite.startup_trials} if suite.startup_trials and "startup_trials" in takes else {}
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


def require_support(strategy: type[Strategy], name: str, task: Task, workers: int) -> None:
    """Refuse what a strategy cannot do before the first GPU-second.

    Raises:
        UnsupportedTask: If the strategy does not support the task's space or the number of workers.
    """
    supports, space = strategy.supports, task.space()
    if space.forbidden_clauses:
        raise UnsupportedTask(f"task '{task.name}' has forbidden clauses", "express them as conditions")
    if space.conditions and not supports.conditional:
        raise UnsupportedTask(
            f"'{name}' takes no conditional hyperparameters, and '{task.name}' has some",
            f"leave '{name}' out of the suite for this benchmark",
        )
    if workers > 1 and not supports.parallel:
        raise UnsupportedTask(f"'{name}' cannot be asked while trials are pending", "give it one worker")


def narrowed(
    suite: Suite,
    *,
    benchmarks: Sequence[str] = (),
    strategies: Sequence[str] = (),
    seeds: int | None = None,
    gpu_hours: float | None = None,
    workers: int | None = None,
    data: Path | None = None,
) -> Suite:
    """The suite with what is given in place of what it says.

    Raises:
        BenchmarkError: If a benchmark that is new to the suite has no budget, or a live one no folder of images.
    """
    if gpu_hours is not None and not 0 < gpu_hours < float("inf"):
        raise BenchmarkError(f"--gpu-hours {gpu_hours}", "give a positive number of GPU-hours")
    entries = [_entry(suite, name, gpu_hours) for name in benchmarks] if benchmarks else list(suite.benchmarks)
    if gpu_hours is not None:
        entries = [entry.model_copy(update={"gpu_hours": [gpu_hours]}) for entry in entries]
    arms = [arm for name in strategies for arm in _arms(suite, name)] if strategies else list(suite.strategies)
    return suite.model_copy(
        update={
            "benchmarks": [_with_data(entry, data) for entry in entries],
            "strategies": arms,
            "seeds": seeds or suite.seeds,
            "workers": [workers] if workers else suite.workers,
        }
    )


def _entry(suite: Suite, name: str, gpu_hours: float | None) -> Entry:
    load_benchmark(name)
    there = [entry for entry in suite.benchmarks if entry.name == name]
    if not there and gpu_hours is None:
        raise BenchmarkError(f"the suite has no budget for '{name}'", "give one with --gpu-hours")
    return there[0] if there else Entry(name=name, gpu_hours=[gpu_hours or 1.0])


def _arms(suite: Suite, name: str) -> list[Arm]:
    """The suite's arms of that label or strategy, or a new arm with default settings."""
    return [arm for arm in suite.strategies if name in (arm.shown, arm.name)] or [Arm(name=name)]


def _with_data(entry: Entry, data: Path | None) -> Entry:
    if not load_benchmark(entry.name).live:
        return entry
    folder = data or entry.settings.get("data")
    if folder is None:
        raise BenchmarkError(f"{entry.name} trains on real images", "give their folder with --data DIR")
    if not Path(folder).is_dir():
        raise BenchmarkError(f"{folder}: no such folder", "give the folder of images with --data DIR")
    return entry.model_copy(update={"settings": {**entry.settings, "data": str(folder)}})
