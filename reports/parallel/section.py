"""The report's section on what parallelism costs: sentences, a chart and a table for each benchmark and budget."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from hemobench.benchmarks.benchmark import Reference
from hemobench.benchmarks.storage.results import Results
from hemobench.reports.charts import Figure, axis, label, style
from hemobench.reports.parallel.costs import ParallelCost, by_table, parallel_costs
from hemobench.reports.parallel.render import COLUMNS, legend, title
from hemobench.reports.parallel.text import in_points, notes, points, seen
from hemobench.reports.text_tables import ABSENT, Table, filled

SPREAD = 0.7
"""Of a doubling of workers: over so much strategies stand side by side, that their whiskers can be told apart."""


@dataclass(frozen=True, slots=True)
class Part:
    """What is said of one benchmark and budget."""

    title: str
    words: list[str]
    notes: list[str]
    figure: Figure
    table: Table


@dataclass(frozen=True, slots=True)
class ParallelSection:
    """The parts, and what the columns of their tables mean."""

    parts: list[Part]
    legend: list[tuple[str, str]]


def parallel_section(
    results: Results, reference_of: Callable[[str], Reference | None], seed: int = 0
) -> ParallelSection | None:
    """The section, or `None` where no strategy ran with one worker and with several.

    Args:
        results: Runs and trials.
        reference_of: Gives the reference of a benchmark by name, or `None` if it has none.
        seed: Of the bootstrap.
    """
    costs = parallel_costs(results, reference_of, seed=seed)
    return ParallelSection([_part(rows) for rows in by_table(costs)], legend(costs)) if costs else None


def _part(rows: list[ParallelCost]) -> Part:
    columns = filled(COLUMNS, rows)
    cells = tuple(tuple(column.cell(row) for column in columns) for row in rows)
    table = Table(title(rows), tuple(column.title for column in columns), cells)
    return Part(
        f"{rows[0].benchmark}, {rows[0].gpu_hours:g} GPU-hours", seen(rows), notes(rows), cost_figure(rows), table
    )


def cost_figure(rows: Sequence[ParallelCost]) -> Figure:
    """Points lost over the number of workers, on a base-2 logarithmic axis, a line a strategy, with intervals.

    Args:
        rows: Of one table, as from `parallel.by_table`.
    """
    names = sorted({row.strategy for row in rows})
    counts = [1, *sorted({row.workers for row in rows})]
    span = [counts[0] / 2**0.6, counts[-1] * 2**0.6]
    data = [_line(name, names, rows) for name in names]
    data.append(
        {
            "type": "scatter", "mode": "lines", "name": "no cost", "x": span, "y": [0, 0], "hoverinfo": "skip",
            "line": {"color": "#8a8f98", "dash": "dot", "width": 1.5}, "showlegend": False,
        }
    )  # fmt: skip
    ticks = {"tickmode": "array", "tickvals": counts, "ticktext": [str(count) for count in counts]}
    layout = {
        "xaxis": axis("Workers (logarithmic, base 2)", type="log", **ticks),
        "yaxis": axis("Points lost against one worker"),
    }
    caption = (
        "Points of the final score lost against the same strategy with one worker, under the same budget of GPU-hours: "
        f"mean over {max(row.seeds for row in rows)} paired seeds with its 95 % bootstrap interval. Up is worse. "
        "Strategies stand a little apart, that their whiskers can be told apart."
    )
    return Figure("What parallelism costs each strategy", caption, data, layout, _pivot(names, counts[1:], rows))


def _line(name: str, names: Sequence[str], rows: Sequence[ParallelCost]) -> dict[str, Any]:
    """From no cost with one worker on; the first point has no whisker, since it is so by definition."""
    look = style(name, names)
    mine = [row for row in rows if row.strategy == name and row.loss is not None]
    changes = [row.loss for row in mine if row.loss is not None]
    aside = 2.0 ** (SPREAD * (names.index(name) / max(1, len(names) - 1) - 0.5))
    return {
        "type": "scatter", "mode": "lines+markers", "name": label(name),
        "x": [round(workers * aside, 4) for workers in (1, *(row.workers for row in mine))],
        "y": [0.0, *(in_points(change.mean) for change in changes)],
        "text": ["1 worker", *(f"{row.workers} workers" for row in mine)],
        "hovertemplate": "%{text}: %{y:.2f} points lost",
        "line": {"color": look.colour, "dash": look.dash, "width": 2},
        "marker": {"symbol": look.symbol, "size": 9, "color": look.colour},
        "error_y": {
            "type": "data", "symmetric": False, "thickness": 1.2, "width": 3,
            "array": [0.0, *(in_points(change.high - change.mean) for change in changes)],
            "arrayminus": [0.0, *(in_points(change.mean - change.low) for change in changes)],
        },
    }  # fmt: skip


def _pivot(names: Sequence[str], counts: Sequence[int], rows: Sequence[ParallelCost]) -> Table:
    """The figures of the chart: a row a strategy, a column a number of workers."""
    changes = {(row.strategy, row.workers): row.loss for row in rows}
    known = [[changes.get((name, count)) for count in counts] for name in names]
    cells = [[ABSENT if change is None else points(change) for change in found] for found in known]
    return Table(
        "Points lost against one worker",
        ("Strategy", *(f"{count} workers" for count in counts)),
        tuple((name, *found) for name, found in zip(names, cells, strict=True)),
    )
