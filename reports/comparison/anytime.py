"""Strategies over the GPU-hours of a budget: losses on a grid, regret, ranks, areas, targets and speed-up.

A race is what may be compared: the runs of one benchmark, version, budget and number of workers, on the seeds
that every strategy has. As on the leaderboard, a run that ended in a strategy error is a run without a result.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from hemobench.benchmarks.benchmark import Reference
from hemobench.benchmarks.storage.results import Results
from hemobench.benchmarks.tasks import load_task
from hemobench.benchmarks.tasks.base import Task
from hemobench.reports.comparison.incumbents import hours_to_targets, incumbents
from hemobench.reports.statistics.bootstrap import (
    Array,
    Estimate,
    bootstrap,
    bootstrap_means,
    interquartile_mean,
    interval,
    ranks,
)
from hemobench.reports.statistics.hypothesis_tests import censored_median

RANDOM = "random"


@dataclass(frozen=True)
class Race:
    """Strategies that may be compared, over GPU-hours.

    Attributes:
        benchmark: As in `c-nmc@published`.
        version: Of the benchmark.
        gpu_hours: Budget of the runs.
        workers: Trials at once.
        strategies: Labels, sorted.
        seeds: That every strategy has, sorted.
        runs: Rows of `Results.runs`, of these strategies and seeds.
        steps: As from `curves.incumbents`, of the runs that did not end in a strategy error.
        reference: What regret is normalised by, or `None`.
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

    @property
    def task(self) -> Task:
        """The task that is tuned."""
        return load_task(self.benchmark.partition("@")[0])

    @cached_property
    def table(self) -> Array:
        """Numbers of the runs: `(seeds, strategies)`."""
        runs = self.runs.assign(number=self.runs.index)
        pivot = runs.pivot(index="seed", columns="strategy", values="number")
        return pivot.loc[list(self.seeds), list(self.strategies)].to_numpy()

    @property
    def title(self) -> str:
        """What is compared, in a few words."""
        workers = "" if self.workers == 1 else f", {self.workers} workers"
        return f"{self.benchmark}, {self.gpu_hours:g} GPU-hours{workers}"

    @cached_property
    def path(self) -> tuple[NDArray[np.int64], Array, Array]:
        """The steps by run and time: the run's place in `table`, counted along its rows; GPU-hours; loss."""
        places = pd.Index(self.table.ravel()).get_indexer(pd.Index(self.steps["run"]))
        hours, losses = (self.steps[name].to_numpy(dtype=float) for name in ("hours", "loss"))
        return places[places >= 0], hours[places >= 0], losses[places >= 0]

    def at(self, hours: ArrayLike) -> Array:
        """Best losses so far: `(seeds, strategies, hours)`; NaN before the first `ok` trial."""
        wanted = np.atleast_1d(np.asarray(hours, dtype=float))
        order = np.argsort(wanted, kind="stable")
        places, when, losses = self.path
        first = np.searchsorted(wanted[order], when, side="left")  # the first hour that a step is not too late for
        seen = first < len(wanted)
        found = np.full((self.table.size, len(wanted)), np.nan)
        found[places[seen], first[seen]] = losses[seen]  # of several steps the last is kept, which is the lowest
        found[:, order] = np.fmin.accumulate(found, axis=1)
        return found.reshape(*self.table.shape, len(wanted))

    def started(self, hours: ArrayLike) -> Array:
        """The same without NaN: until its first result a run counts with `untuned`."""
        losses = self.at(hours)
        return np.where(np.isnan(losses), self.untuned, losses)

    @cached_property
    def untuned(self) -> float:
        """The loss that a run without a result counts with.

        With a reference, what one random trial is expected to reach; without, the worst first result of all runs.
        """
        if self.reference is not None:
            return self.reference.random_expected(self.reference.trial_gpu_hours)
        return float(self.steps["loss"].max()) if len(self.steps) else 1.0

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


def races(results: Results, reference_of: Callable[[str], Reference | None]) -> list[Race]:
    """Every race among the results that has a seed in common, by benchmark, version, budget and workers."""
    steps = incumbents(results)
    found = []
    key: tuple[str, int, float, int]
    for key, group in results.runs.groupby(["benchmark", "version", "gpu_hours", "workers"]):  # type: ignore[assignment]
        seeds = set.intersection(*(set(of["seed"]) for _, of in group.groupby("strategy")))
        runs = group[group["seed"].isin(seeds)]
        valid = runs.index[runs["status"] != "strategy-error"]
        if seeds:
            found.append(
                Race(
                    benchmark=str(key[0]),
                    version=int(key[1]),
                    gpu_hours=float(key[2]),
                    workers=int(key[3]),
                    strategies=tuple(sorted(set(group["strategy"]))),
                    seeds=tuple(sorted(int(seed) for seed in seeds)),
                    runs=runs,
                    steps=steps[steps["run"].isin(valid)],
                    reference=reference_of(str(key[0])),
                )
            )
    return found


def regret_curves(race: Race, draws: int = 400, seed: int = 0) -> Estimate:
    """Interquartile mean over seeds of normalised regret on the race's grid, `(strategies, hours)`.

    0 is the best known loss, 1 what random search is expected to reach at the whole budget. Without a reference
    it is the loss itself.
    """
    losses = race.started(race.grid)
    best, scale = (race.reference.best_loss, race.scale) if race.reference and race.scale else (0.0, 1.0)
    regret = (losses - best) / scale
    flat = regret.reshape(len(regret), -1)
    # resampled in slices, so that thirty seeds and ten strategies need no gigabyte
    parts = [
        interval(bootstrap(part, interquartile_mean, draws=draws, seed=seed))
        for part in np.array_split(flat, 8, axis=1)
    ]
    low, high = (np.concatenate([part[end] for part in parts]) for end in (0, 1))
    shape = regret.shape[1:]
    return Estimate(interquartile_mean(regret), low.reshape(shape), high.reshape(shape))


def rank_curves(race: Race, draws: int = 1000, seed: int = 0) -> Estimate:
    """Mean rank over seeds on the race's grid, `(strategies, hours)`; runs without a result share the last rank."""
    losses = race.at(race.grid)
    ranked = np.stack([ranks(losses[:, :, hour]) for hour in range(losses.shape[2])], axis=2)
    return Estimate(ranked.mean(axis=0), *interval(bootstrap_means(ranked, draws=draws, seed=seed)))


def areas(race: Race) -> Array:
    """Area under each run's regret curve over log GPU-hours, divided by the width: `(seeds, strategies)`.

    It is the mean regret when every doubling of the budget counts the same, from one trial's cost to the budget;
    the loss where there is no reference. Steps are kept: nothing is interpolated between trials.
    """
    best, scale = (race.reference.best_loss, race.scale) if race.reference and race.scale else (0.0, 1.0)
    places, hours, losses = race.path
    begin, end = np.log(race.grid[[0, -1]])
    since = np.log(hours).clip(begin, end)
    last = np.ones(len(places), dtype=bool)
    last[:-1] = np.diff(places) != 0
    until = np.where(last, end, np.append(since[1:], end)[: len(since)])
    first = np.full(race.table.size, end)
    np.minimum.at(first, places, since)
    held = np.bincount(places, losses * (until - since), minlength=race.table.size)
    mean = (held + race.untuned * (first - begin)) / (end - begin)
    return np.asarray((mean - best) / scale, dtype=float).reshape(race.table.shape)


@dataclass(frozen=True, slots=True)
class SpeedUp:
    """How much sooner than random search a strategy is as good as random search gets.

    Attributes:
        strategy: Label.
        hours: Median GPU-hours until as good as random search at the end of the same seed; `None` is longer than
            the budget.
        factor: Random search's own median over `hours`; 0 where `hours` is `None`.
        low: Lower end of its 95 % bootstrap interval over seeds.
        high: Upper end.
        reached: Seeds that got there.
        seeds: Seeds in which random search has a result.
    """

    strategy: str
    hours: float | None
    factor: float
    low: float
    high: float
    reached: int
    seeds: int


def hours_to_random(race: Race) -> Array:
    """GPU-hours until as good as random search at the end of the same seed; NaN is a miss.

    Returns:
        `(seeds in which random search has a result, strategies)`; no row where random search did not race.
    """
    if RANDOM not in race.strategies:
        return np.empty((0, len(race.strategies)))
    targets = race.at(race.gpu_hours)[:, race.strategies.index(RANDOM), 0]
    known = ~np.isnan(targets)
    index = pd.Index(race.table[known].ravel())
    wanted = pd.Series(np.repeat(targets[known], len(race.strategies)), index=index, dtype=float)
    hours = hours_to_targets(race.steps, wanted).to_numpy()
    return np.asarray(hours.reshape(-1, len(race.strategies)), dtype=float)


def speed_ups(race: Race, draws: int = 1000, seed: int = 0) -> list[SpeedUp]:
    """Speed-up over random search, by strategy; empty without random search."""
    hours = hours_to_random(race)
    if not len(hours):
        return []
    own = race.strategies.index(RANDOM)
    medians = censored_median(hours)
    samples = bootstrap(hours, censored_median, draws=draws, seed=seed)
    factors = medians[own] / medians
    low, high = interval(samples[:, [own]] / samples)
    return [
        SpeedUp(
            strategy=name,
            hours=float(medians[place]) if np.isfinite(medians[place]) else None,
            factor=float(factors[place]),
            low=float(low[place]),
            high=float(high[place]),
            reached=int((~np.isnan(hours[:, place])).sum()),
            seeds=len(hours),
        )
        for place, name in enumerate(race.strategies)
    ]
