"""What the page says of one comparison: verdict, board, figures, tests, card and provenance."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from hemobench.benchmarks.benchmark import load_benchmark
from hemobench.benchmarks.storage.results import Results
from hemobench.errors import BenchmarkError
from hemobench.reports.charts import Figure, TimeUnit, time_unit
from hemobench.reports.comparison.anytime import areas, speed_ups
from hemobench.reports.comparison.comparison import RANDOM, Comparison
from hemobench.reports.comparison.verdicts import judged_part
from hemobench.reports.html.cards import Card, card_of
from hemobench.reports.html.figures import final_figure, gap_figure, rank_figure, regret_figure
from hemobench.reports.html.trial_figures import (
    history_figures,
    hours_figure,
    importance_figure,
    parallel_figure,
    startup_trials,
)
from hemobench.reports.html.verdicts import VerdictRow, verdict_row
from hemobench.reports.importance.importance import Importances
from hemobench.reports.leaderboard.model import Board, Interval
from hemobench.reports.leaderboard.render import ABSENT, fitting, named_by, notes_of, points_text, signed, title
from hemobench.reports.papers import Measured
from hemobench.reports.recommendation.recommend import Recommendation, recommend
from hemobench.reports.recommendation.text import in_words
from hemobench.reports.statistics.pairwise import Pair, Relation, against, all_pairs, mirrored
from hemobench.reports.statistics.text import p_text
from hemobench.reports.text_tables import Table, hours_text, number, plain, table_of

SIGNS: Mapping[Relation, str] = {"better": "▲", "worse": "▼", "equivalent": "≈", "undecided": "?"}


@dataclass(frozen=True)
class Section:
    """What the page says of one comparison."""

    anchor: str
    comparison: Comparison
    verdict: VerdictRow
    words: list[str]
    board: Table | None
    notes: tuple[str, ...]
    figures: list[Figure]
    histories: list[Figure]
    matrix: list[tuple[str, list[tuple[str, str, str] | None]]]
    control: Table | None
    seeds: int
    card: Card | None
    provenance: list[tuple[str, str]]


def single(
    comparison: Comparison, found: list[Comparison], results: Results, counting: list[Measured], seed: int
) -> Measured | None:
    """A comparison with its trials, if these are shown one by one: only at a benchmark's largest budget."""
    same = [
        r
        for r in found
        if (r.benchmark, r.version, r.workers) == (comparison.benchmark, comparison.version, comparison.workers)
    ]
    if comparison is not max(same, key=lambda r: r.gpu_hours):
        return None
    known = next((mine for mine in counting if mine.comparison is comparison), None)
    if known is not None:
        return known
    return Measured(
        comparison, Results(comparison.runs, results.trials[results.trials["run"].isin(comparison.runs.index)]), seed
    )


def section(
    comparison: Comparison,
    best: Results,
    single: Measured | None,
    boards: list[Board],
    outside: pd.Series[float],
    rope: float,
    seed: int,
    *,
    anchor: str,
) -> Section:
    """What is said of a comparison; `best` are the incumbents of all results."""
    board = next(b for b in boards if (b.benchmark, b.version, b.gpu_hours, b.workers) == _key(comparison))
    answer = _answer(comparison, best, outside, rope, seed)
    headers = _headers(comparison)
    begins = {name: count for name, header in headers.items() if (count := startup_trials(header, comparison.task))}
    judged = judged_part(comparison, outside)
    pairs = all_pairs(judged.final, judged.strategies, rope)
    order = [row.strategy for row in board.rows if row.strategy in judged.strategies]
    return Section(
        anchor=anchor,
        comparison=comparison,
        verdict=verdict_row(board, anchor),
        words=in_words(answer) if answer else ["An older version of this benchmark: no recommendation."],
        board=board_table(board),
        notes=(*notes_of(board), *(_withheld(single.importances) if single else ())),
        figures=_figures(comparison, judged, best, single),
        histories=history_figures(comparison, single.results, begins) if single else [],
        matrix=_matrix(pairs, order),
        control=_control(judged, pairs, order, seed),
        seeds=len(judged.seeds),
        card=_card(comparison),
        provenance=_provenance(headers),
    )


def _key(comparison: Comparison) -> tuple[str, int, float, int]:
    return comparison.benchmark, comparison.version, comparison.gpu_hours, comparison.workers


def _answer(
    comparison: Comparison, results: Results, outside: pd.Series[float], rope: float, seed: int
) -> Recommendation | None:
    if comparison.version != results.runs.loc[results.runs["benchmark"] == comparison.benchmark, "version"].max():
        return None
    return recommend(
        results,
        comparison.benchmark,
        comparison.gpu_hours,
        comparison.reference,
        workers=comparison.workers,
        rope=rope,
        outside=outside,
        seed=seed,
    )


def _withheld(importances: Importances) -> list[str]:
    """Why there is no figure of importances, where there were enough trials for one."""
    if importances.shares or importances.explained is None:
        return []
    return [
        f"Which hyperparameters matter is withheld: a forest fitted to random search's {importances.trials} trials "
        f"predicts none that it has not seen (R2 {importances.explained:.2f}), so that its shares would be of noise."
    ]


def _figures(comparison: Comparison, judged: Comparison, best: Results, single: Measured | None) -> list[Figure]:
    """Outcomes are of what is judged, as on the board; where the budget went is of all runs."""
    found: list[Figure | None] = [
        regret_figure(judged),
        rank_figure(judged),
        final_figure(judged),
        gap_figure(judged, best),
    ]
    if single:
        found += [parallel_figure(comparison, single.results), importance_figure(single.importances)]
    return [figure for figure in [*found, hours_figure(comparison)] if figure is not None]


def board_table(board: Board) -> Table | None:
    if not board.rows:
        return None
    columns = fitting(board, 10**6)
    return table_of(columns, board.rows, title(board), named_by(board))


def _matrix(pairs: list[Pair], order: list[str]) -> list[tuple[str, list[tuple[str, str, str] | None]]]:
    """Rows of cells: verdict, points, and all there is to know; `None` on the diagonal."""
    both = {(c.one, c.other): c for pair in pairs for c in (pair, mirrored(pair))}
    return [(one, [_cell(both[one, other]) if one != other else None for other in order]) for one in order]


def _cell(comparison: Pair) -> tuple[str, str, str]:
    points = ABSENT if comparison.difference is None else signed(comparison.difference, 2, "+")
    detail = (
        f"{comparison.verdict}: 95 % interval {number(comparison.low)} to {number(comparison.high)} points, better on "
        f"a seed with probability {comparison.improvement:.2f}, Holm's p {p_text(comparison.p_holm)}"
    )
    return comparison.verdict, points, detail


def _control(comparison: Comparison, pairs: list[Pair], order: list[str], seed: int) -> Table | None:
    """Every strategy against random search, in the board's order."""
    if RANDOM not in comparison.strategies or len(comparison.strategies) < 2:
        return None
    speed = {row.strategy: row for row in speed_ups(comparison, seed=seed)}
    area = dict(zip(comparison.strategies, areas(comparison).mean(axis=0), strict=True))
    unit = time_unit(comparison.gpu_hours, comparison.unit)
    rows = []
    for c in sorted(against(RANDOM, pairs), key=lambda pair: order.index(pair.one)):
        s = speed.get(c.one)
        rows.append(
            (
                c.one,
                _difference_text(c),
                f"{c.improvement:.2f}",
                p_text(c.p),
                p_text(c.p_holm),
                str(c.zeros),
                f"{SIGNS[c.verdict]}\u00a0{c.verdict}",
                ABSENT if s is None else _time_text(s.hours, comparison.gpu_hours, unit),
                ABSENT if s is None or s.hours is None else f"{s.factor:.2f} [{s.low:.2f}, {s.high:.2f}]",
                number(float(area[c.one])),
            )
        )
    header = ("Strategy", "Points better", "Better on a seed", "p", "p (Holm)", "Equal seeds", "Verdict")
    more = (
        "Time to random search's level",
        "Speed-up",
        "Area under regret" if comparison.scale else "Area under loss",
    )
    return Table("Against random search, on paired seeds", header + more, tuple(rows))


def _difference_text(pair: Pair) -> str:
    if pair.difference is None or pair.low is None or pair.high is None:
        return ABSENT
    return points_text(Interval(pair.difference, pair.low, pair.high), "+")


def _time_text(hours: float | None, budget: float, unit: TimeUnit) -> str:
    if hours is None:
        return f"> {unit.per_hour * budget:.3g} {unit.short}"
    return f"{hours_text(unit.per_hour * hours)} {unit.short}"


def _card(comparison: Comparison) -> Card | None:
    try:
        return card_of(load_benchmark(comparison.benchmark).card())
    except BenchmarkError:
        return None


def _headers(comparison: Comparison) -> dict[str, Mapping[str, Any]]:
    """One `run.json` a strategy, where results have them."""
    if "header" not in comparison.runs:
        return {}
    first = comparison.runs.drop_duplicates("strategy")
    return {str(name): json.loads(text) for name, text in zip(first["strategy"], first["header"], strict=True)}


def _provenance(headers: Mapping[str, Mapping[str, Any]]) -> list[tuple[str, str]]:
    """What the runs say of themselves, each thing once where all agree."""
    rows: list[tuple[str, str]] = []
    for part in ("suite", "horizon", "source", "environment"):
        values = {name: _said(header.get(part)) for name, header in headers.items()}
        if len(set(values.values())) == 1:
            rows.append((part, next(iter(values.values()))))
        else:
            rows += [(f"{part} of {name}", value) for name, value in values.items()]
    settings = {name: header.get("strategy", {}).get("settings") for name, header in headers.items()}
    return rows + [(f"settings of {name}", _said(value)) for name, value in settings.items() if value]


def _said(value: Any) -> str:
    if isinstance(value, dict):
        return plain(", ".join(f"{key} {_said(inner)}" for key, inner in sorted(value.items())))
    return plain(str(value))
