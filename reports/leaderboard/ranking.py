"""Who wins under a budget, by how much, and how sure that is: one board a benchmark and budget, and one overall.

Only runs of one benchmark, version, budget and number of workers are compared, on the seeds that every strategy
has. The mean over seeds of what the incumbents are worth decides the order (see `comparison`). A run that ended in
a strategy error, or has no `ok` trial, is a run without a result: it ranks last in its seed, never reaches a target,
enters no mean of a metric, and its strategy is not judged.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from hemobench.benchmarks.benchmark import Reference
from hemobench.benchmarks.storage.results import Results
from hemobench.benchmarks.tasks import load_task
from hemobench.reports.comparison.comparison import RANDOM, Comparison, comparisons, few_seeds, hours_to_random, in_all
from hemobench.reports.comparison.verdicts import (
    MOST_OUTSIDE,
    judged_part,
    out_of_support,
    verdict_of,
)
from hemobench.reports.leaderboard.basis import basis_notes
from hemobench.reports.leaderboard.model import OVERALL, Board, HoursToRandom, Interval, Row, Spread
from hemobench.reports.leaderboard.notes import notes_of, what_would_tell
from hemobench.reports.leaderboard.run_figures import Outside, mean_of, run_figures
from hemobench.reports.statistics.bootstrap import Array, Estimate, mean_over_groups, mean_ranks, ranks
from hemobench.reports.statistics.student import mean_interval


def leaderboard(
    results: Results,
    reference_of: Callable[[str], Reference | None],
    *,
    startup: Mapping[str, str] | None = None,
    outside_of: Outside | None = None,
    seed: int = 0,
) -> list[Board]:
    """Rank the strategies of all results.

    Args:
        results: Runs and trials.
        reference_of: Gives the reference of a benchmark by name, or `None` if it has none.
        startup: How strategies begin, by label, as in "10 random trials"; shown beside.
        outside_of: See there; by default no run is flagged.
        seed: Of the bootstrap: the same results and seed give the same board, to the bit.

    Returns:
        A board for each benchmark, version, budget and number of workers; then, for each number of workers under
        which there are two benchmarks or more, one named `overall`.

    Raises:
        BenchmarkError: If a benchmark's task is not known.
    """
    compared = comparisons(results, reference_of, unpaired=True)
    figures = run_figures(results, outside_of)
    startup = startup or {}
    boards = [_board(comparison, figures, startup, seed) for comparison in compared]
    ranked = [judged_part(comparison, figures["outside"]) for comparison in compared]
    strays = {name for comparison in compared for name in out_of_support(comparison, figures["outside"])}
    return boards + _overall(ranked, strays, figures, startup, seed)


def _board(comparison: Comparison, figures: pd.DataFrame, startup: Mapping[str, str], seed: int) -> Board:
    task = load_task(comparison.benchmark.partition("@")[0])
    runs = figures.loc[comparison.runs.index]
    stated = verdict_of(comparison, outside=runs["outside"], seed=seed) if comparison.seeds else None
    counted = judged_part(comparison, runs["outside"], every_strategy=True)
    ranked = judged_part(comparison, runs["outside"])
    rows = _rows(comparison, counted, ranked, figures, startup, seed)
    return Board(
        benchmark=comparison.benchmark,
        version=comparison.version,
        gpu_hours=comparison.gpu_hours,
        workers=comparison.workers,
        headline=(task.headline, task.headline_label),
        rows=_by_points(rows, {name for name, _ in stated.left_out} if stated else set()),
        notes=(
            *what_would_tell(comparison, stated),
            *basis_notes(comparison, rows),
            *notes_of(comparison, counted, runs),
        ),
        verdict=stated,
        ranked="truth" if comparison.knows_truth else "loss",
        judged_by=comparison.judged_by,
        unit=comparison.unit,
        judged_seeds=len(counted.seeds),
    )


def _rows(
    comparison: Comparison,
    counted: Comparison,
    ranked: Comparison,
    figures: pd.DataFrame,
    startup: Mapping[str, str],
    seed: int,
) -> list[Row]:
    """A row a strategy.

    Args:
        comparison: All runs: of these are totals and troubles.
        counted: On the seeds that are judged: of these are outcomes.
        ranked: The same without the strategies that have no rank.
        figures: As from `run_figures`.
        startup: See `leaderboard`.
        seed: Of the bootstrap.
    """
    if not comparison.seeds:
        return []
    headline = comparison.task.headline
    validation, test = f"validation.{headline}", f"test.{headline}"
    if comparison.knows_truth:
        validation, test = f"truth.{validation}", f"truth.{test}"
    scores = 100 * (1 - counted.final)
    tests = _of_runs(counted, figures, test)
    estimate = mean_ranks(ranked.final, seed=seed)
    hours = hours_to_random(counted)
    rows = []
    for column, name in enumerate(comparison.strategies):
        runs = figures.loc[comparison.runs_of(name)]
        outcomes = figures.loc[counted.runs_of(name)]
        row = Row(
            strategy=name,
            points=interval_of(scores[:, column]),
            **_rank_of(estimate, ranked, name),
            seeds=len(comparison.seeds),
            results=int(runs["result"].notna().sum()),
            failures=int(runs["failures"].sum()),
            regret=counted.regret(name),
            validation=_spread(outcomes, validation),
            test=_spread(outcomes, test),
            seen=_spread(outcomes, f"validation.{headline}"),
            luck=_luck(counted, column),
            gain=_gain(counted, scores, name),
            gain_test=_gain(counted, tests, name),
            hours_to_random=_hours_to_random(hours[:, column], comparison.gpu_hours) if len(hours) else None,
            gpu_hours_spent=mean_of(runs["gpu_hours_spent"]),
            trials=mean_of(runs["trials"]),
            strategy_seconds=mean_of(runs["strategy_seconds"]),
            status=_status(runs),
            startup=startup.get(name),
        )
        rows.append(row)
    return rows


def _rank_of(estimate: Estimate, ranked: Comparison, name: str) -> dict[str, Any]:
    """The rank's three fields; `None` of a strategy that has no rank."""
    if name not in ranked.strategies:
        return {"rank": None, "rank_low": None, "rank_high": None}
    return _rank(estimate, ranked.strategies.index(name), len(ranked.seeds))


def _rank(estimate: Estimate, column: int, seeds: int) -> dict[str, Any]:
    """The rank's three fields; one seed says nothing about its own spread."""
    low, high = float(estimate.low[column]), float(estimate.high[column])
    ends = {"rank_low": low, "rank_high": high} if seeds > 1 else {"rank_low": None, "rank_high": None}
    return {"rank": float(estimate.value[column]), **ends}


def interval_of(values: Array) -> Interval | None:
    """The mean of what is known with its interval; `None` if nothing is."""
    known = values[np.isfinite(values)]
    if not len(known):
        return None
    estimate = mean_interval(known)
    if len(known) == 1:
        return Interval(float(estimate.value), None, None)
    return Interval(float(estimate.value), float(estimate.low), float(estimate.high))


def _of_runs(comparison: Comparison, figures: pd.DataFrame, column: str) -> Array:
    """A metric of the final incumbents in percent: `(seeds, strategies)`; NaN where it is not known."""
    if column not in figures:
        return np.full(comparison.table.shape, np.nan)
    known = figures[column].astype(float).where(figures["result"].notna())
    percent = 100 * known.reindex(comparison.table.ravel()).to_numpy()
    return np.asarray(percent.reshape(comparison.table.shape), dtype=float)


def _gain(comparison: Comparison, values: Array, name: str) -> Interval | None:
    """Points above random search's of the same seed; `None` for random search, and without it."""
    if RANDOM not in comparison.strategies or name == RANDOM:
        return None
    mine, other = (values[:, comparison.strategies.index(label)] for label in (name, RANDOM))
    return interval_of(mine - other)


def _luck(comparison: Comparison, column: int) -> float | None:
    if not comparison.knows_truth:
        return None
    luck = 100 * (comparison.final - comparison.final_seen)[:, column]
    return float(np.nanmean(luck)) if np.isfinite(luck).any() else None


def _by_points(rows: list[Row], not_judged: set[str]) -> tuple[Row, ...]:
    def order(row: Row) -> tuple[bool, float, str]:
        # rounded, so that equal means are equal; their order is then the name's, and says nothing
        mean = -np.inf if row.points is None else round(row.points.mean, 9)
        return row.strategy in not_judged, -mean, row.strategy

    return tuple(sorted(rows, key=order))


def _by_rank(rows: list[Row]) -> tuple[Row, ...]:
    return tuple(sorted(rows, key=lambda row: (row.rank or 0.0, row.strategy)))


def _spread(runs: pd.DataFrame, column: str) -> Spread | None:
    if column not in runs:
        return None
    percent = 100 * runs.loc[runs["result"].notna(), column].astype(float).dropna()
    if not len(percent):
        return None
    return Spread(float(percent.mean()), float(percent.std(ddof=1)) if len(percent) > 1 else None)


def _hours_to_random(hours: Array, budget: float) -> HoursToRandom:
    """The median over seeds, a miss being longer than the budget."""
    reached = ~np.isnan(hours)
    median = float(np.median(np.where(reached, hours, np.inf)))
    return HoursToRandom(median if np.isfinite(median) else None, budget, int(reached.sum()), len(hours))


def _status(runs: pd.DataFrame) -> str:
    error = runs["status"] == "strategy-error"
    parts = [
        _counted(error, "strategy error", "strategy errors"),
        _counted(runs["status"] == "unfinished", "unfinished run", "unfinished runs"),
        _counted(runs["outside"] > MOST_OUTSIDE, "run out of support", "runs out of support"),
        _counted(runs["loss"].isna() & ~error, "run without a successful trial", "runs without a successful trial"),
    ]
    return ", ".join(part for part in parts if part)


def _counted(which: pd.Series[bool], one: str, many: str) -> str:
    count = int(which.sum())
    return f"{count} {one if count == 1 else many}" if count else ""


def _overall(
    compared: Sequence[Comparison],
    strays: Set[str],
    figures: pd.DataFrame,
    startup: Mapping[str, str],
    seed: int,
) -> list[Board]:
    """For each number of workers, the mean over benchmarks of the mean rank, if there are two benchmarks or more.

    Ranks under different numbers of workers are never averaged: it is one budget, spent under other conditions, and
    a strategy that is good with one worker may be poor with sixty-four.
    """
    newest = _newest(compared)
    kinds = sorted({comparison.workers for comparison in compared})
    boards = []
    for kind in kinds:
        alike = [comparison for comparison in compared if comparison.workers == kind]
        boards.append(_overall_of(alike, newest, strays, figures, startup, seed))
    found = [board for board in boards if board is not None]
    if len(kinds) < 2:
        return found
    note = "Ranks with other numbers of workers are not averaged in: each number has its own overall board."
    return [replace(board, notes=(board.notes[0], note, *board.notes[1:])) for board in found]


def _overall_of(
    compared: Sequence[Comparison],
    newest: Mapping[str, int],
    strays: Set[str],
    figures: pd.DataFrame,
    startup: Mapping[str, str],
    seed: int,
) -> Board | None:
    blocks = _blocks(compared, newest)
    if len(blocks) < 2:
        return None
    strategies = in_all(comparison.strategies for block in blocks for comparison in block)
    groups = [_mean_ranks_by_seed(block, strategies) for block in blocks]
    fewest = min(map(len, groups))
    rows = []
    if strategies:
        estimate = mean_over_groups(groups, seed=seed)
        for column, name in enumerate(strategies):
            rows.append(_overall_row(blocks, name, figures, _rank(estimate, column, fewest), startup.get(name)))
    notes = (*_overall_notes(compared, blocks, strategies, strays), *few_seeds(fewest))
    return Board(OVERALL, None, None, compared[0].workers, ("", ""), _by_rank(rows), notes)


def _newest(compared: Sequence[Comparison]) -> dict[str, int]:
    """The newest version of each benchmark, whatever the number of workers."""
    newest: dict[str, int] = {}
    for comparison in compared:
        newest[comparison.benchmark] = max(comparison.version, newest.get(comparison.benchmark, comparison.version))
    return newest


def _blocks(compared: Sequence[Comparison], newest: Mapping[str, int]) -> list[list[Comparison]]:
    """The newest version of each benchmark at all its budgets, if these have seeds in common.

    Surfaces fitted to a paper's figures are left out: they are for reproducing the paper, not for choosing.
    """
    counted = [c for c in compared if not _is_fitted(c.benchmark)]
    blocks = [[c for c in counted if (c.benchmark, c.version) == wanted] for wanted in newest.items()]
    return [block for block in blocks if block and in_all(comparison.seeds for comparison in block)]


def _is_fitted(benchmark: str) -> bool:
    return benchmark.endswith("@published")


def _mean_ranks_by_seed(block: Sequence[Comparison], strategies: list[str]) -> Array:
    """Ranks among the strategies given, averaged over a benchmark's budgets: `(seeds, strategies)`."""
    seeds = in_all(comparison.seeds for comparison in block)
    ranked = []
    for comparison in block:
        rows = [comparison.seeds.index(seed) for seed in seeds]
        columns = [comparison.strategies.index(name) for name in strategies]
        ranked.append(ranks(comparison.final[np.ix_(rows, columns)]))
    return np.asarray(np.mean(ranked, axis=0))


def _overall_row(
    blocks: Sequence[Sequence[Comparison]],
    name: str,
    figures: pd.DataFrame,
    rank: Mapping[str, Any],
    startup: str | None,
) -> Row:
    runs = figures.loc[[run for block in blocks for comparison in block for run in comparison.runs_of(name)]]
    regrets = [[comparison.regret(name) for comparison in block] for block in blocks]
    known = all(regret is not None for block in regrets for regret in block)
    return Row(
        strategy=name,
        points=None,
        **rank,
        seeds=len(runs),
        results=int(runs["result"].notna().sum()),
        failures=int(runs["failures"].sum()),
        regret=float(np.mean([np.mean(np.array(block, dtype=float)) for block in regrets])) if known else None,
        status=_status(runs),
        startup=startup,
    )


def _overall_notes(
    compared: Sequence[Comparison],
    blocks: Sequence[Sequence[Comparison]],
    strategies: list[str],
    strays: Set[str],
) -> Iterator[str]:
    names = ", ".join(f"{block[0].benchmark} v{block[0].version}" for block in blocks)
    yield (
        f"Mean over {len(blocks)} benchmarks of the mean rank ({names}); every benchmark counts the same, "
        "whatever its number of budgets and seeds."
    )
    yield "This describes these benchmarks; they are too few to test for a difference across benchmarks."
    out = sorted(strays - set(strategies))
    if out:
        yield f"Out of support on one of them, so not ranked: {', '.join(out)}."
    left_out = sorted({name for comparison in compared for name in comparison.strategies} - {*strategies, *strays})
    if left_out:
        yield f"Not run on every benchmark, so left out here: {', '.join(left_out)}."
    entered = {(comparison.benchmark, comparison.version) for block in blocks for comparison in block}
    for benchmark, version in sorted({(comparison.benchmark, comparison.version) for comparison in compared} - entered):
        why = "it is not the newest version, or has no seeds in common"
        if _is_fitted(benchmark):
            why = "a surface fitted to a paper's figures is for reproducing them, not for choosing"
        yield f"{benchmark} v{version} does not count: {why}."
