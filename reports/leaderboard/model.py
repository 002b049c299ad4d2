"""What a leaderboard says, as plain data: boards of rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from hemobench.reports.citing.citation import Citation
from hemobench.reports.parallel.costs import ParallelCost
from hemobench.reports.serialize import rounded
from hemobench.reports.statistics.text import sentence
from hemobench.reports.statistics.verdict import Verdict

SCHEMA = 2
OVERALL = "overall"


@dataclass(frozen=True, slots=True)
class Spread:
    """Mean and sample standard deviation over seeds, in percent; `std` is `None` with one seed."""

    mean: float
    std: float | None


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean over seeds with its 95 % interval (Student's t), in points; the ends are `None` with one seed."""

    mean: float
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class HoursToRandom:
    """GPU-hours until an incumbent was worth what random search is expected to reach at the budget.

    The target is the same for all runs, random search's included.

    Attributes:
        median: Over seeds, a miss being longer than the budget; `None` if it falls among the misses.
        budget: GPU-hours; where `median` is `None` the answer is "more than that".
        reached: Number of seeds that got there.
        seeds: Paired seeds.
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
        points: What the final incumbents are worth, in points of the task's score: the mean over seeds orders the
            board. Noise-free where the source knows it (`Board.ranked`), over the runs that have a result.
        rank: Mean rank over seeds of the same; 1 is best. It is shown, and decides nothing. `None` of a strategy that
            left the support too often: the others are ranked without it.
        rank_low: Lower end of its 95 % paired-bootstrap interval; `None` with one seed.
        rank_high: Upper end.
        seeds: Paired seeds, which is the number of runs; overall, the runs of all boards that count.
        results: Of these runs, those with a result.
        failures: Trials that failed, in all seeds; a trial that the budget cut has not failed.
        regret: Mean of `(loss - best) / (random search's expected loss at the budget - best)`.
        validation: The incumbent's headline metric on validation; noise-free where `Board.ranked` is `truth`.
        test: The same on test.
        seen: The headline metric on validation as the search saw it.
        luck: Points by which what the search saw of its incumbents lies above what they are worth; `None` where the
            truth is not known.
        gain: Points of the score by which it is better than random search, on paired seeds.
        gain_test: The same in test points of the headline metric.
        hours_to_random: See there.
        gpu_hours_spent: Mean of what was used of the budget, idle workers included.
        trials: Mean number of trials that finished within the budget, failed ones included.
        strategy_seconds: Mean seconds of the strategy's own computing; measured, so it differs between equal runs.
        status: What went wrong, in a few words; empty if nothing did.
        startup: How the strategy begins, if the caller said so.
    """

    strategy: str
    points: Interval | None
    rank: float | None
    rank_low: float | None
    rank_high: float | None
    seeds: int
    results: int
    failures: int
    regret: float | None = None
    validation: Spread | None = None
    test: Spread | None = None
    seen: Spread | None = None
    luck: float | None = None
    gain: Interval | None = None
    gain_test: Interval | None = None
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
        rows: By `points`, the best first; overall by rank. Those that the verdict leaves out come last.
        notes: What a reader must know to read the board right.
        verdict: What to use; `None` overall.
        ranked: `truth`: by noise-free values. `loss`: by what the search saw. Empty overall.
        judged_by: What is ranked, for people.
        unit: Of the budget, as in `GPU-hours`.
        judged_seeds: Paired seeds that all figures of outcomes rest on: those on which no judged strategy left the
            support. `None` overall.
    """

    benchmark: str
    version: int | None
    gpu_hours: float | None
    workers: int
    headline: tuple[str, str]
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()
    verdict: Verdict | None = None
    ranked: Literal["truth", "loss", ""] = ""
    judged_by: str = ""
    unit: str = "GPU-hours"
    judged_seeds: int | None = None


def as_json(
    boards: Sequence[Board], costs: Sequence[ParallelCost] = (), cited: Citation | None = None
) -> dict[str, Any]:
    """Plain data for programs, numbers rounded to 4 decimals, `null` for `None` and for what is infinite.

    Under `boards` stand the fields of `Board` and `Row`, with the verdict's sentence as `answer`; under `parallel`
    those of `ParallelCost`: what parallelism costs each strategy, empty where all runs have one number of workers.
    What differs between two equal runs stands under `measured`; what the results are cited by under `cited`.
    """
    found = [{**rounded(asdict(board)), "answer": board.verdict and sentence(board.verdict)} for board in boards]
    for row in (row for board in found for row in board["rows"]):
        row["measured"] = {"strategy_seconds": row.pop("strategy_seconds")}
    plain = {"schema": SCHEMA, "boards": found, "parallel": [rounded(asdict(cost)) for cost in costs]}
    return plain if cited is None else {**plain, "cited": cited.as_json()}
