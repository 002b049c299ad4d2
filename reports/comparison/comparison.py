"""What may be compared: runs of one benchmark, version, budget and number of workers, on the seeds that all have.

A run that ended in a strategy error, or has no `ok` trial, is a run without a result. It is in every table, with
NaN for its loss.

One rule orders strategies everywhere: the mean over seeds of what the incumbent is worth. That is its noise-free loss
where the source knows it, else the loss that the search saw, and then it is said. The search chose the incumbent by
what it saw, which is therefore too low on average: what it saw less the truth is luck.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from hemobench.benchmarks.benchmark import Reference, load_benchmark
from hemobench.benchmarks.storage.results import Results
from hemobench.benchmarks.tasks import load_task
from hemobench.benchmarks.tasks.base import Task
from hemobench.errors import BenchmarkError
from hemobench.reports.comparison.incumbents import hours_to_targets, incumbents
from hemobench.reports.statistics.bootstrap import Array
from hemobench.reports.statistics.pairwise import LEAST_SEEDS

RANDOM = "random"
_CPU = re.compile(r"\bCPU\b|\bEPYC\b|\bXeon\b|\bRyzen\b|\bcore\b", re.IGNORECASE)
FEW_SEEDS = LEAST_SEEDS
KEY = ["benchmark", "version", "gpu_hours", "workers"]
"""Columns of `Results.runs` in which compared runs are equal."""


@dataclass(frozen=True)
class Comparison:
    """Strategies that may be compared, over the GPU-hours of their budget.

    Attributes:
        benchmark: As in `c-nmc@published`.
        version: Of the benchmark.
        gpu_hours: Budget of the runs.
        workers: Trials at once.
        strategies: Labels, sorted.
        seeds: That every strategy has, sorted; empty if there is none.
        runs: Rows of `Results.runs`, of these strategies and seeds, sorted by both.
        steps: As from `incumbents`, of the runs that did not end in a strategy error.
        reference: What regret is normalised by, or `None`.
        missing: Which seeds are left out since not every strategy has them, in words; empty if none is.
    """

    benchmark: str
    version: int
    gpu_hours: float
    workers: int
    strategies: tuple[str, ...]
    seeds: tuple[int, ...]
    runs: pd.DataFrame
    steps: pd.DataFrame
    reference: Reference | None
    missing: str = ""

    @property
    def task(self) -> Task:
        """The task that is tuned."""
        return load_task(self.benchmark.partition("@")[0])

    @property
    def title(self) -> str:
        """What is compared, in a few words."""
        workers = "" if self.workers == 1 else f", {self.workers} workers"
        return f"{self.benchmark}, {self.gpu_hours:g} {self.unit}{workers}"

    @cached_property
    def unit(self) -> str:
        """Of the budget: `GPU-hours`, or `core-hours (CPU)` where the device that counts is a CPU core."""
        return hours_unit(self._device)

    @property
    def _device(self) -> str:
        """The device whose hours these are: that of the recording, else the task's."""
        if "header" in self.runs and len(self.runs):
            source = json.loads(self.runs["header"].iloc[0]).get("source") or {}
            if source.get("device"):
                return str(source["device"])
        return self.task.reference_device

    @property
    def judged_by(self) -> str:
        """What is ranked, for a title, as in `noise-free accuracy`."""
        weights = self.task.objective.weights
        whole = self.task.headline_label
        if set(weights) != {self.task.headline}:
            whole = f"score ({criterion_text(weights)})"
        return f"noise-free {whole}" if self.knows_truth else f"{whole} as seen"

    @cached_property
    def table(self) -> Array:
        """Numbers of the runs: `(seeds, strategies)`."""
        runs = self.runs.assign(number=self.runs.index)
        pivot = runs.pivot(index="seed", columns="strategy", values="number")
        return pivot.loc[list(self.seeds), list(self.strategies)].to_numpy()

    def part(self, seeds: Sequence[int], strategies: Sequence[str]) -> Comparison:
        """The same of some of its seeds and strategies, both in the order in which they stand here."""
        runs = self.runs[self.runs["seed"].isin(seeds) & self.runs["strategy"].isin(strategies)]
        steps = self.steps[self.steps["run"].isin(runs.index)]
        if not self.knows_truth:  # nor is a part judged by it, even where all of its own runs have one
            steps = steps.assign(truth=np.nan)
        return replace(
            self,
            seeds=tuple(seed for seed in self.seeds if seed in seeds),
            strategies=tuple(name for name in self.strategies if name in strategies),
            runs=runs,
            steps=steps,
        )

    def runs_of(self, strategy: str) -> list[int]:
        """Numbers of a strategy's runs, by seed."""
        return [int(run) for run in self.table[:, self.strategies.index(strategy)]]

    @cached_property
    def knows_truth(self) -> bool:
        """Whether the source knows what every incumbent is worth without noise; then that is what is ranked."""
        return bool(len(self.steps)) and bool(self.steps["truth"].notna().all())

    @property
    def ranked(self) -> str:
        """Column of `steps` that orders strategies: `truth`, or `loss` where that is not known."""
        return "truth" if self.knows_truth else "loss"

    @cached_property
    def path(self) -> tuple[NDArray[np.int64], Array, Array, Array]:
        """The steps by run and time: the run's place in `table`, counted along its rows; GPU-hours; loss; worth."""
        places = pd.Index(self.table.ravel()).get_indexer(pd.Index(self.steps["run"]))
        known = places >= 0
        hours, losses, worth = (
            self.steps[name].to_numpy(dtype=float)[known] for name in ("hours", "loss", self.ranked)
        )
        return places[known], hours, losses, worth

    def at(self, hours: ArrayLike) -> Array:
        """Best losses seen so far: `(seeds, strategies, hours)`; NaN before the first `ok` trial."""
        return self._held(self.path[2], hours)

    def worth(self, hours: ArrayLike) -> Array:
        """What the incumbents of these hours are worth, a loss: `(seeds, strategies, hours)`; NaN likewise.

        Where the truth is known it may rise: a trial that looked better need not be.
        """
        return self._held(self.path[3], hours)

    def _held(self, values: Array, hours: ArrayLike) -> Array:
        """The value of each run's last step until these hours."""
        wanted = np.atleast_1d(np.asarray(hours, dtype=float))
        order = np.argsort(wanted, kind="stable")
        places, when = self.path[:2]
        first = np.searchsorted(wanted[order], when, side="left")  # the first hour that a step is not too late for
        seen = first < len(wanted)
        step = np.full((self.table.size, len(wanted)), -1)
        step[places[seen], first[seen]] = np.flatnonzero(seen)  # of several steps the last is kept
        last = np.maximum.accumulate(step, axis=1)
        held = np.full(last.shape, np.nan)
        held[:, order] = np.where(last >= 0, values[last] if len(values) else np.nan, np.nan)
        return held.reshape(*self.table.shape, len(wanted))

    @cached_property
    def final(self) -> Array:
        """What the final incumbents are worth, a loss: `(seeds, strategies)`; NaN is a run without a result."""
        return self._last(self.path[3])

    @cached_property
    def final_seen(self) -> Array:
        """The same as the search saw it."""
        return self._last(self.path[2])

    def _last(self, values: Array) -> Array:
        last = np.full(self.table.size, np.nan)
        last[self.path[0]] = values  # of several steps the last is kept
        return last.reshape(self.table.shape)

    def started(self, hours: ArrayLike) -> Array:
        """As `worth` without NaN: until its first result a run counts with `untuned`."""
        losses = self.worth(hours)
        return np.where(np.isnan(losses), self.untuned, losses)

    @cached_property
    def untuned(self) -> float:
        """The loss that a run counts with until its first result: what one random trial is worth.

        It is the mean of random search's first results; of all runs' where random search was not run or has none;
        1 where no run has any.
        """
        places, _, _, worth = self.path
        runs, first = np.unique(places, return_index=True)
        if not len(runs):
            return 1.0
        of_random = np.zeros(len(runs), dtype=bool)
        if RANDOM in self.strategies:
            of_random = runs % len(self.strategies) == self.strategies.index(RANDOM)
        chosen = first[of_random] if of_random.any() else first
        return float(worth[chosen].mean())

    @cached_property
    def grid(self) -> Array:
        """Sixty GPU-hours, evenly spaced in the logarithm, from one trial's cost to the budget."""
        first = self.reference.trial_gpu_hours if self.reference else self._first_result
        return np.geomspace(min(first, self.gpu_hours / 2), self.gpu_hours, 60)

    @property
    def _first_result(self) -> float:
        firsts = self.steps.groupby("run")["hours"].min()
        return float(firsts.median()) if len(firsts) else self.gpu_hours / 10

    @property
    def scale(self) -> float | None:
        """The loss between regret 0 and regret 1 (random search's expectation at the budget), if there is one."""
        if self.reference is None:
            return None
        scale = self.reference.random_expected(self.gpu_hours) - self.reference.best_loss
        return scale if scale > 0 else None

    def normalised(self, losses: Array) -> Array:
        """Regret: 0 is the best known loss, 1 random search's expectation at the budget; or the loss itself.

        Of a noise-free loss it is never below 0: one below the best known loss is as good as known.
        """
        if self.reference is None or self.scale is None:
            return losses
        regret = np.asarray((losses - self.reference.best_loss) / self.scale, dtype=float)
        return np.maximum(regret, 0.0) if self.knows_truth else regret

    def regret(self, strategy: str) -> float | None:
        """Mean normalised regret at the end over the runs with a result; `None` if there is no telling."""
        losses = self.final[:, self.strategies.index(strategy)]
        if self.scale is None or np.isnan(losses).all():
            return None
        return float(np.nanmean(self.normalised(losses)))

    @cached_property
    def target(self) -> float | None:
        """The loss that "as good as random search" means, the same for every run, random search's included.

        What random search is expected to reach at the budget, by the reference; without one the mean of random
        search's own final incumbents. `None` where neither is known.
        """
        if self.reference is not None:
            return float(self.reference.random_expected(self.gpu_hours))
        if RANDOM not in self.strategies:
            return None
        own = self.final[:, self.strategies.index(RANDOM)]
        return None if np.isnan(own).all() else float(np.nanmean(own))


def comparisons(
    results: Results, reference_of: Callable[[str], Reference | None], *, unpaired: bool = False
) -> list[Comparison]:
    """Everything that may be compared, by benchmark, version, budget and workers.

    Args:
        results: Runs and trials.
        reference_of: Gives the reference of a benchmark by name, or `None` if it has none.
        unpaired: Also those that have no seed in common, which can only say so.
    """
    steps = incumbents(results)
    groups = results.runs.groupby(KEY)
    found = [_comparison(key, runs, steps, reference_of) for key, runs in groups]  # type: ignore[arg-type]
    return [comparison for comparison in found if comparison.seeds or unpaired]


def _comparison(
    key: tuple[str, int, float, int],
    group: pd.DataFrame,
    steps: pd.DataFrame,
    reference_of: Callable[[str], Reference | None],
) -> Comparison:
    seeds_of = {str(name): set(runs["seed"].tolist()) for name, runs in group.groupby("strategy")}
    seeds = in_all(seeds_of.values())
    paired = group[group["seed"].isin(seeds)].sort_values(["strategy", "seed"])
    valid = paired.index[paired["status"] != "strategy-error"]
    return Comparison(
        benchmark=str(key[0]),
        version=int(key[1]),
        gpu_hours=float(key[2]),
        workers=int(key[3]),
        strategies=tuple(sorted(seeds_of)),
        seeds=tuple(int(seed) for seed in seeds),
        runs=paired,
        steps=steps[steps["run"].isin(valid)],
        reference=reference_of(str(key[0])),
        missing=_missing(seeds_of, seeds),
    )


def hours_unit(device: str) -> str:
    """What an hour of a device is called: of a CPU it is a core's."""
    return "core-hours (CPU)" if _CPU.search(device) else "GPU-hours"


def criterion_text(weights: Mapping[str, float]) -> str:
    """An objective in words, as in `micro F1 - deviation of micro F1 over folds`."""
    parts = [
        f"{'-' if weight < 0 else '+'} {'' if abs(weight) == 1 else f'{abs(weight):g} '}{_metric_text(name)}"
        for name, weight in weights.items()
    ]
    return " ".join(parts).removeprefix("+ ")


def _metric_text(name: str) -> str:
    """A metric's name for people: `macro_f1_std` is a deviation over folds."""
    words = name.removesuffix("_std").replace("_", " ").replace("f1", "F1")
    return f"deviation of {words} over folds" if name.endswith("_std") else words


def in_all(collections: Iterable[Iterable[Any]]) -> list[Any]:
    """What is in every collection, sorted."""
    return sorted(set.intersection(*map(set, collections)))


def _missing(seeds_of: Mapping[str, set[int]], seeds: list[int]) -> str:
    wanted = set().union(*seeds_of.values())
    lacks = {name: sorted(wanted - has) for name, has in sorted(seeds_of.items()) if wanted - has}
    if not lacks:
        return ""
    said = "; ".join(f"{name} lacks {_listed(numbers)}" for name, numbers in lacks.items())
    if not seeds:
        return f"Nothing is compared, since no seed was run by every strategy: {said}."
    return f"Only seeds that every strategy has are compared ({_listed(seeds)}): {said}."


def _listed(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers))


def hours_to_random(comparison: Comparison) -> Array:
    """GPU-hours until an incumbent was first worth `Comparison.target`; NaN is a miss.

    One that has it with its first trial has it when that trial ends: sooner cannot be known.

    Returns:
        `(seeds, strategies)`; no row where there is no target.
    """
    strategies = comparison.strategies
    if comparison.target is None:
        return np.empty((0, len(strategies)))
    runs = pd.Index(comparison.table.ravel())
    wanted = pd.Series(comparison.target, index=runs, dtype=float)
    hours = hours_to_targets(comparison.steps, wanted, comparison.ranked).to_numpy()
    return np.asarray(hours.reshape(-1, len(strategies)), dtype=float)


def few_seeds(seeds: int) -> list[str]:
    """What a reader must know of intervals over so few seeds; nothing if they are enough."""
    if seeds == 1:
        return ["One seed: no interval, and no conclusion."]
    return (
        [f"{seeds} seeds are few: nothing is called better or equivalent below {FEW_SEEDS}."]
        if seeds < FEW_SEEDS
        else []
    )


# Which columns of trials a conclusion rests on (see `storage.results.Parts`): of ten million trials, reading the
# others takes gigabytes.


def recommendation_columns(runs: pd.DataFrame) -> list[str]:
    """The headline metrics of what was run, as seen and without noise."""
    parts = ("validation", "test", "truth.validation", "truth.test")
    return ["truth.loss", *(f"{part}.{metric}" for metric in _headlines(runs) for part in parts)]


def leaderboard_columns(runs: pd.DataFrame) -> list[str]:
    """Headline metrics, the strategies' own seconds, and configurations where a benchmark has limits of support."""
    limited = any(_has_support(str(name)) for name in runs["benchmark"].unique())
    configurations = ["config."] if limited else []
    return [*recommendation_columns(runs), "measured.ask_s", "measured.tell_s", *configurations]


def report_columns(runs: pd.DataFrame) -> list[str]:
    """Configurations and all metrics, but not what each trial cost."""
    return ["config.", "validation.", "test.", "truth.", "measured.ask_s", "measured.tell_s"]


def _has_support(benchmark: str) -> bool:
    """Whether it says which configurations lie outside what was recorded; one that is not known here does not."""
    try:
        return bool(load_benchmark(benchmark).support_of)
    except BenchmarkError:
        return False


def _headlines(runs: pd.DataFrame) -> set[str]:
    found = set()
    for name in runs["benchmark"].unique():
        try:
            found.add(load_task(str(name).partition("@")[0]).headline)
        except BenchmarkError:  # a task that is not known here has no board either, which is said there
            continue
    return found
