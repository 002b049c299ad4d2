"""Whether strategies rank the same in several sources of answers: on a table, on its surrogate, live."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from itertools import combinations
from typing import Any

import numpy as np

from hemobench.benchmarks.parity.searches import Searches
from hemobench.benchmarks.parity.setup import MEMBER
from hemobench.errors import BenchmarkError
from hemobench.reports.parity.agreement import (
    DRAWS,
    Agreement,
    Members,
    Span,
    agreement,
    firsts,
    members,
    repeatability,
    span,
)
from hemobench.reports.parity.calibration import Retraining
from hemobench.reports.parity.foresight import Foreseen
from hemobench.reports.serialize import rounded
from hemobench.reports.statistics.bootstrap import Array, bootstrap_means

SCHEMA = 1
DIGITS = 6


@dataclass(frozen=True, slots=True)
class Standing:
    """One strategy in one source.

    Attributes:
        strategy: Label.
        loss: Mean final loss; a run without a result counts as the worst final loss of the source.
        best: Probability that it has the lowest mean when seeds are drawn anew.
        missing: Runs without a result.
        trials: Mean number that ended within the budget.
        distance: Mean distance from what was proposed to what was looked up; 0 where nothing is restricted.
    """

    strategy: str
    loss: Span
    best: float
    missing: int
    trials: float
    distance: float


@dataclass(frozen=True, slots=True)
class Ranking:
    """All strategies in one source.

    Attributes:
        source: `table`, `pool`, `surrogate` or `live`; see `benchmarks.parity`.
        standings: Best first.
        repeatability: Mean Kendall's tau between the rankings of two independent samples of the seeds: what
            the ranking agrees with itself. `None` with one seed.
    """

    source: str
    standings: tuple[Standing, ...]
    repeatability: float | None


@dataclass(frozen=True, slots=True)
class SourceComparison:
    """All sources' rankings under one budget, and how far they agree.

    Attributes:
        gpu_hours: Budget.
        horizon: Expected number of trials.
        max_trials: A second limit.
        seeds: Paired seeds.
        rankings: A source each.
        agreements: Every two sources.
        members: Of the ensemble, if they were searched one by one.
    """

    gpu_hours: float
    horizon: int
    max_trials: int | None
    seeds: int
    rankings: tuple[Ranking, ...]
    agreements: tuple[Agreement, ...]
    members: Members | None


@dataclass(frozen=True, slots=True)
class Parity:
    """What a check found.

    Attributes:
        benchmark: As in `c-nmc@recorded`.
        version: Of the benchmark.
        table: SHA-256 of the table's file.
        surrogate: SHA-256 of the surrogate's file.
        recorded: What was recorded: the evaluator's provenance then.
        cached: The rankings on the table, the pool and the surrogate.
        live: Rankings of short searches in these and live; `None` without images.
        worth: The same, live and on the surrogate, by what the incumbents are worth; see `by_worth`.
        retraining: What the surrogate's incumbents are worth live; `None` without images.
        foreseen: How well it foresaw what live searches tried, by strategy and figure.
        notes: What a reader must know.
        live_repeats: Trainings of each live incumbent, by which it is known what they are worth.
    """

    benchmark: str
    version: int
    table: str
    surrogate: str
    recorded: Mapping[str, str]
    cached: SourceComparison
    live: SourceComparison | None = None
    worth: SourceComparison | None = None
    retraining: Retraining | None = None
    foreseen: Mapping[str, Mapping[str, Foreseen]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    live_repeats: int = 0


def as_data(parity: Parity) -> dict[str, Any]:
    """As plain data, for a file and for programs: lists for tuples, numbers rounded to 6 decimals."""
    found: dict[str, Any] = rounded(asdict(parity), DIGITS)
    return {"schema": SCHEMA, **found}


def compare_sources(searches: Searches, seed: int = 0) -> SourceComparison:
    """What the sources say of each other.

    Args:
        searches: Its runs; sources that are no single members have the same number of seeds.
        seed: Of the bootstrap: equal runs and seeds give an equal comparison.

    Raises:
        BenchmarkError: If no run of a source has a result.
    """
    losses = {source: completed(searches.losses(source), source) for source in searches.found}
    whole = {source: values for source, values in losses.items() if not source.startswith(MEMBER)}
    single = [values for source, values in losses.items() if source.startswith(MEMBER)]
    names, budget = searches.strategies, searches.budget
    return SourceComparison(
        gpu_hours=budget.gpu_hours,
        horizon=budget.horizon,
        max_trials=budget.max_trials,
        seeds=len(next(iter(whole.values()))),
        rankings=tuple(_ranking(searches, source, values, seed) for source, values in whole.items()),
        agreements=tuple(
            agreement((one, whole[one]), (other, whole[other]), names, seed) for one, other in combinations(whole, 2)
        ),
        members=members(np.array(single), names, seed) if len(single) > 1 else None,
    )


def completed(losses: Array, source: str) -> Array:
    """Losses with the worst of them in place of those that are missing.

    Raises:
        BenchmarkError: If all are missing.
    """
    if np.isnan(losses).all():
        raise BenchmarkError(f"no search of the source '{source}' has a result", "look at the errors in its files")
    return np.where(np.isnan(losses), np.nanmax(losses), losses)


def _ranking(searches: Searches, source: str, losses: Array, seed: int) -> Ranking:
    runs = searches.found[source]
    means, best = bootstrap_means(losses, draws=DRAWS, seed=seed), firsts(losses, seed)
    standings = [
        Standing(
            strategy=name,
            loss=span(losses[:, k].mean(), means[:, k], len(losses)),
            best=float(best.mean(axis=0)[k]),
            missing=sum(row[k].loss is None for row in runs),
            trials=float(np.mean([row[k].trials for row in runs])),
            distance=float(np.mean([row[k].distance for row in runs])),
        )
        for k, name in enumerate(searches.strategies)
    ]
    return Ranking(
        source, tuple(sorted(standings, key=lambda s: (s.loss.value, s.strategy))), repeatability(losses, seed)
    )
