"""What a leaderboard says, as plain data: boards of rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from hemobench.reports.parallel.costs import ParallelCost
from hemobench.reports.serialize import rounded

SCHEMA = 1
OVERALL = "overall"


@dataclass(frozen=True, slots=True)
class Spread:
    """Mean and sample standard deviation over seeds, in percent; `std` is `None` with one seed."""

    mean: float
    std: float | None


@dataclass(frozen=True, slots=True)
class HoursToRandom:
    """GPU-hours until the incumbent was as good as random search's last one of the same seed.

    Attributes:
        median: Over seeds, a miss being longer than the budget; `None` if it falls among the misses.
        budget: GPU-hours; where `median` is `None` the answer is "more than that".
        reached: Number of seeds that got there.
        seeds: Number of seeds in which random search has a result.
    """

    median: float | None
    budget: float
    reached: int
    seeds: int


@dataclass(frozen=True, slots=True)
class Row:
    """One strategy on one board. `None` is "cannot be known here", never zero.

    Attributes:
        strategy: Label.
        rank: Mean rank over seeds, by the final incumbent's loss; 1 is best.
        rank_low: Lower end of its 95 % paired-bootstrap interval; `None` with one seed.
        rank_high: Upper end.
        seeds: Paired seeds compared, which is the number of runs; overall, the runs of all boards that count.
        results: Of these runs, those with a result.
        failures: Trials that failed, in all seeds; a trial that the budget cut has not failed.
        regret: Mean of `(loss - best) / (random search's expected loss at the budget - best)`.
        validation: The incumbent's headline metric on validation, by which (or with which) it was selected.
        test: The same on test.
        hours_to_random: See there.
        gpu_hours_spent: Mean of what was used of the budget, idle workers included.
        trials: Mean number of trials that finished within the budget, failed ones included.
        strategy_seconds: Mean seconds of the strategy's own computing; measured, so it differs between equal runs.
        status: What went wrong, in a few words; empty if nothing did.
        startup: How the strategy begins, if the caller said so.
    """

    strategy: str
    rank: float
    rank_low: float | None
    rank_high: float | None
    seeds: int
    results: int
    failures: int
    regret: float | None = None
    validation: Spread | None = None
    test: Spread | None = None
    hours_to_random: HoursToRandom | None = None
    gpu_hours_spent: float | None = None
    trials: float | None = None
    strategy_seconds: float | None = None
    status: str = ""
    startup: str | None = None


@dataclass(frozen=True, slots=True)
class Board:
    """Strategies that may be compared, best first.

    Attributes:
        benchmark: As in `c-nmc@published`, or `overall`.
        version: Of the benchmark; this, the budget and the headline are `None` or empty overall.
        gpu_hours: Budget.
        workers: Trials at once; overall too, since ranks under different numbers are never averaged.
        headline: Name and label of the metric that is shown, as in `("micro_f1", "micro F1")`.
        rows: By rank, then name.
        notes: What a reader must know to read the board right.
    """

    benchmark: str
    version: int | None
    gpu_hours: float | None
    workers: int
    headline: tuple[str, str]
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()


def as_json(boards: Sequence[Board], costs: Sequence[ParallelCost] = ()) -> dict[str, Any]:
    """Plain data for programs, numbers rounded to 4 decimals, `null` for `None` and for what is infinite.

    Under `boards` stand the fields of `Board` and `Row`, under `parallel` those of `ParallelCost`: what parallelism
    costs each strategy, empty where all runs have one number of workers. What differs between two equal runs stands
    under `measured`.
    """
    found = [rounded(asdict(board)) for board in boards]
    for row in (row for board in found for row in board["rows"]):
        row["measured"] = {"strategy_seconds": row.pop("strategy_seconds")}
    return {"schema": SCHEMA, "boards": found, "parallel": [rounded(asdict(cost)) for cost in costs]}
