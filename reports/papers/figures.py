"""Charts of the two papers' figures with the papers' own numbers drawn beside ours, for each source."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from hemobench.reports.charts import Figure, axis, label
from hemobench.reports.papers.bone_marrow import SEARCHED, effects, table_1
from hemobench.reports.papers.c_nmc import TASK, history, phases
from hemobench.reports.papers.claims import BONE_MARROW, C_NMC, Claim
from hemobench.reports.papers.measured import Measured
from hemobench.reports.papers.reference_values import (
    EFFECTS,
    FIRST_LATE,
    LENGTH,
    METRICS,
    PHASES,
    SHARES,
    TABLE_1,
    TOP_FIVE,
)
from hemobench.reports.papers.render import PAPERS, PaperFigure, beside, readings
from hemobench.reports.text_tables import Table, number

PAPER_LOOK = ("#8a8f98", "x")
LOOKS = (
    ("#2f7de1", "circle"),
    ("#d9730d", "square"),
    ("#9a5fd6", "diamond"),
    ("#0e9aa7", "triangle-up"),
    ("#c2255c", "star"),
)
"""Colour and symbol of each benchmark, in turn."""


@dataclass(frozen=True, slots=True)
class Dot:
    """A value and how far its whiskers reach to both sides."""

    value: float
    below: float = 0.0
    above: float = 0.0


Series = Mapping[str, Dot]
"""Dots by row."""


@dataclass(frozen=True)
class Part:
    """What the report says beside one paper.

    Attributes:
        paper: Which one.
        readings: How far each benchmark agrees.
        charts: Its figures with ours.
        figures: All that it prints, with ours in columns.
    """

    paper: str
    readings: list[str]
    charts: list[Figure]
    figures: list[PaperFigure]


def parts(found: Sequence[Measured], claims: Sequence[Claim]) -> list[Part]:
    """The report's page of the papers, one part for each that there is something to say of."""
    charts, said = paper_figures(found), readings(claims)
    return [
        Part(
            paper=paper,
            readings=[words for of, words in said if of == paper],
            charts=charts[paper],
            figures=beside([claim for claim in claims if claim.paper == paper]),
        )
        for paper in PAPERS
        if any(claim.paper == paper for claim in claims)
    ]


def paper_figures(found: Sequence[Measured]) -> dict[str, list[Figure]]:
    """All charts that there is something of ours for, by paper."""
    tables = [table_1_figure(mine) for mine in found if mine.comparison.task.name in SEARCHED]
    histories = [history_figure(mine) for mine in found if mine.comparison.task.name == TASK]
    single = effects_figure([mine for mine in found if mine.comparison.task.dataset == "bone-marrow"])
    shares = shares_figure([mine for mine in found if mine.comparison.task.name == TASK])
    charts = {BONE_MARROW: [*tables, single], C_NMC: [*histories, shares]}
    return {paper: [chart for chart in of if chart is not None] for paper, of in charts.items()}


def table_1_figure(mine: Measured) -> Figure | None:
    """The best sets of three searches, with deviations over folds; `None` without any of ours."""
    ours = table_1(mine)
    dots = {
        _row(strategy, metric): Dot(mean, deviation or 0.0, deviation or 0.0)
        for (strategy, metric), (mean, deviation) in ours.items()
        if mean is not None and np.isfinite(mean)
    }
    if not dots:
        return None
    theirs = {
        _row(strategy, metric): Dot(mean, deviation, deviation)
        for strategy, row in TABLE_1.items()
        for metric, (mean, deviation) in zip(METRICS, row, strict=True)
    }
    caption = (
        f"The best set of each search on {mine.benchmark} beside the paper's: mean over folds, whiskers one deviation "
        f"over folds to each side; ours are means over {len(mine.comparison.seeds)} seeds."
    )
    rows = [_row(strategy, metric) for metric in METRICS for strategy in TABLE_1]
    series = {"paper": theirs, mine.benchmark: dots}
    return _dots(f"Table 1 beside {mine.benchmark}", caption, rows, series, "Percent", "deviation over folds")


def _row(strategy: str, metric: str) -> str:
    return f"{METRICS[metric]}, {strategy}"


def effects_figure(found: Sequence[Measured]) -> Figure | None:
    """What changing one hyperparameter does; `None` where the manual analysis did not run."""
    series: dict[str, Series] = {"paper": {name: Dot(points) for name, points in EFFECTS.items()}}
    for mine in found:
        ours = {name: values for name, values in effects(mine).items() if name in EFFECTS}
        if ours:
            series[mine.benchmark] = {
                name: Dot(float(np.mean(values)), _deviation(values), _deviation(values))
                for name, values in ours.items()
            }
    if len(series) == 1:
        return None
    caption = (
        "Points of micro F1 between the best and the worst value of one hyperparameter, all others at their defaults. "
        "Whiskers: one deviation over seeds to each side; the paper prints none. A benchmark without a mark has not "
        "that hyperparameter."
    )
    title = "Effects of single hyperparameters (section 4.1)"
    return _dots(title, caption, list(EFFECTS), series, "Points of micro F1", "deviation over seeds")


def _deviation(values: Sequence[float]) -> float:
    return float(np.std(values, ddof=1)) if len(values) > 1 else 0.0


def shares_figure(found: Sequence[Measured]) -> Figure | None:
    """Importances; `None` where random search has too few trials."""
    series: dict[str, Series] = {"paper": {name: Dot(share) for name, share in SHARES.items()}}
    for mine in found:
        if mine.importances.shares:
            series[mine.benchmark] = {
                row.name: Dot(100 * row.share, 100 * (row.share - row.low), 100 * (row.high - row.share))
                for row in mine.importances.shares
                if row.name in SHARES
            }
    if len(series) == 1:
        return None
    caption = (
        "Functional ANOVA: each hyperparameter's share of the variance. The paper's are of twenty trials of TPE, ours "
        "of random search's; whiskers span 90 % of resampled seeds. The paper gives the last three as 1 to 3 %."
    )
    return _dots("Importances (Fig. 2)", caption, list(SHARES), series, "Share of the variance (%)", "90 % interval")


def _dots(
    title: str, caption: str, rows: Sequence[str], series: Mapping[str, Series], unit: str, whisker: str
) -> Figure:
    """Rows from top to bottom; the marks of one row stand a little apart, each with its own symbol."""
    looks = [PAPER_LOOK, *(LOOKS[k % len(LOOKS)] for k in range(len(series) - 1))]
    offsets = np.linspace(0.24, -0.24, len(series))
    data = [
        _dot_trace(name, [row for row in rows if row in dots], dots, rows, look, float(offset))
        for (name, dots), look, offset in zip(series.items(), looks, offsets, strict=True)
    ]
    height = 150 + (22 + 6 * len(series)) * len(rows)
    layout = {
        "xaxis": axis(unit),
        "yaxis": axis(
            "",
            tickvals=list(range(len(rows))),
            ticktext=[label(row) for row in reversed(rows)],
            range=[-0.6, len(rows) - 0.4],
        ),
        "height": height,
        # at the same distance below the axis, however high the chart
        "legend": {"orientation": "h", "x": 0, "xanchor": "left", "y": -58 / (height - 150), "yanchor": "top"},
    }
    header = ("", *(text for name in series for text in (name, f"{name}, {whisker}")))
    cells = tuple((row, *(text for dots in series.values() for text in _cells(dots.get(row)))) for row in rows)
    return Figure(title, caption, data, layout, Table(f"{title}: {unit.lower()}", header, cells))


def _dot_trace(
    name: str, there: Sequence[str], dots: Series, rows: Sequence[str], look: tuple[str, str], offset: float
) -> dict[str, Any]:
    colour, symbol = look
    marks = [dots[row] for row in there]
    trace: dict[str, Any] = {
        "type": "scatter", "mode": "markers", "name": label(name),
        "x": [round(mark.value, 3) for mark in marks],
        "y": [round(len(rows) - 1 - rows.index(row) + offset, 3) for row in there],
        "text": [label(row) for row in there], "hovertemplate": "%{text}: %{x}",
        "marker": {"symbol": symbol, "color": colour, "size": 9},
    }  # fmt: skip
    if any(mark.below or mark.above for mark in marks):
        trace["error_x"] = {
            "type": "data", "symmetric": False, "thickness": 1.2, "width": 3,
            "array": [round(max(0.0, mark.above), 3) for mark in marks],
            "arrayminus": [round(max(0.0, mark.below), 3) for mark in marks],
        }  # fmt: skip
    return trace


def _cells(dot: Dot | None) -> tuple[str, str]:
    if dot is None:
        return "–", "–"
    if dot.below == dot.above:
        return number(dot.value), f"± {number(dot.above)}" if dot.above else "–"
    return number(dot.value), f"{number(dot.value - dot.below)} to {number(dot.value + dot.above)}"


def history_figure(mine: Measured) -> Figure | None:
    """Twenty trials of TPE with both phases; `None` if it did not run."""
    trials = history(mine)
    if trials.empty:
        return None
    ours, here = phases(trials), mine.benchmark
    colour, symbol = LOOKS[0]
    theirs, cross = PAPER_LOOK
    known = {name: of for name, of in ours.items() if np.isfinite(of[0])}
    data = [
        *_bands(PHASES, theirs, "/"),
        *_bands(known, colour, ""),
        _means(PHASES, theirs, "dash", "paper, mean of a phase"),
        _means(known, colour, "solid", f"{here}, mean of a phase"),
        {
            "type": "scatter", "mode": "markers", "name": "paper, its five best trials", "x": sorted(TOP_FIVE),
            "y": [TOP_FIVE[k] for k in sorted(TOP_FIVE)], "marker": {"symbol": cross, "color": theirs, "size": 10},
        },
        _by_number(trials, colour, symbol, f"{here}, mean of a trial"),
    ]  # fmt: skip
    layout = {"xaxis": axis("Trial", range=[-0.7, LENGTH - 0.3]), "yaxis": axis("Validation accuracy (%)")}
    caption = (
        f"The first twenty trials of Optuna's TPE on {here}: each mark is the mean over "
        f"{len(mine.comparison.seeds)} seeds, "
        "its whiskers one deviation over seeds. Lines are the means of trials 0 to 9 and 10 to 19, bands one deviation "
        "to each side: the paper's dashed, ours solid. Of the paper's trials only the best five are printed."
    )
    return Figure(f"Fig. 1 beside {here}", caption, data, layout, _history_table(trials, ours, here))


def _spans() -> dict[str, tuple[float, float]]:
    return dict(zip(PHASES, ((-0.5, FIRST_LATE - 0.5), (FIRST_LATE - 0.5, LENGTH - 0.5)), strict=True))


def _bands(of: Mapping[str, tuple[float, float]], colour: str, pattern: str) -> list[dict[str, Any]]:
    bands: list[dict[str, Any]] = []
    for name, (mean, deviation) in of.items():
        if np.isfinite(deviation):
            (left, right), low, high = _spans()[name], round(mean - deviation, 3), round(mean + deviation, 3)
            bands.append(
                {
                    "type": "scatter", "mode": "lines", "x": [left, right, right, left], "y": [high, high, low, low],
                    "fill": "toself", "fillcolor": colour, "fillpattern": {"shape": pattern, "solidity": 0.2},
                    "opacity": 0.18, "line": {"width": 0}, "hoverinfo": "skip", "showlegend": False,
                }
            )  # fmt: skip
    return bands


def _means(of: Mapping[str, tuple[float, float]], colour: str, dash: str, name: str) -> dict[str, Any]:
    x: list[float | None] = []
    y: list[float | None] = []
    for phase, (mean, _) in of.items():
        x += [*_spans()[phase], None]
        y += [round(mean, 3), round(mean, 3), None]
    line = {"color": colour, "dash": dash, "width": 2.2}
    return {"type": "scatter", "mode": "lines", "name": label(name), "x": x, "y": y, "line": line}


def _by_number(trials: pd.DataFrame, colour: str, symbol: str, name: str) -> dict[str, Any]:
    scores = trials.groupby("number")["score"]
    means, spreads = scores.mean(), scores.std().fillna(0.0)
    return {
        "type": "scatter", "mode": "markers", "name": label(name), "x": [int(k) for k in means.index],
        "y": means.round(3).tolist(), "marker": {"symbol": symbol, "color": colour, "size": 7},
        "error_y": {"type": "data", "array": spreads.round(3).tolist(), "thickness": 1, "width": 2},
    }  # fmt: skip


def _history_table(trials: pd.DataFrame, ours: Mapping[str, tuple[float, float]], here: str) -> Table:
    rows = [
        (
            f"{name}, trials {first} to {last}",
            f"{number(mean)} ± {number(deviation)}",
            " ± ".join(map(number, ours[name])),
        )
        for (name, (mean, deviation)), (first, last) in zip(
            PHASES.items(), ((0, FIRST_LATE - 1), (FIRST_LATE, LENGTH - 1)), strict=True
        )
    ]
    scores = trials.groupby("number")["score"]
    for k in range(LENGTH):
        mine = scores.get_group(k) if k in scores.groups else pd.Series(dtype=float)
        spread = f" ± {number(float(mine.std()))}" if len(mine) > 1 else ""
        rows.append(
            (f"trial {k}", number(TOP_FIVE.get(k)), f"{number(float(mine.mean()) if len(mine) else None)}{spread}")
        )
    return Table("Validation accuracy in percent", ("", "paper", here), tuple(rows))
