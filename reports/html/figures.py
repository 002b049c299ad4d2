"""The report's charts of a comparison: over GPU-hours, at the end, and the gap between validation and test."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from hemobench.benchmarks.storage.results import Results
from hemobench.reports.charts import Figure, axis, label, log_ticks, style, time_unit
from hemobench.reports.comparison.anytime import rank_curves, regret_curves
from hemobench.reports.comparison.comparison import RANDOM, Comparison
from hemobench.reports.comparison.incumbents import final_incumbent
from hemobench.reports.statistics.bootstrap import Array, Estimate
from hemobench.reports.text_tables import Table, hours_text, number


def regret_figure(comparison: Comparison) -> Figure:
    """Normalised regret over GPU-hours, with intervals; the loss where there is no reference."""
    curves = regret_curves(comparison)
    known = comparison.scale is not None
    what = "Normalised regret" if known else "Loss of the best trial so far"
    meaning = (
        "0 is the best known loss, 1 what random search is expected to reach with the whole budget. "
        if known
        else "No reference is known for this benchmark, so the loss itself is shown. "
    )
    bottom, end = _shown_losses(comparison, curves)
    layout = _over_hours(comparison, axis(what, range=[bottom - 0.05 * (end - bottom), end]))
    beyond = float(np.nanmax(curves.value)) > end
    caption = (
        f"{what} of the best trial so far: mean over {len(comparison.seeds)} paired seeds with its 95 % interval. "
        f"{meaning}{'The start lies above the picture; a double click shows all. ' if beyond else ''}"
        f"A run counts as untuned until its first trial is done. {_drawn(comparison, curves)}"
    ).rstrip()
    return Figure(
        f"{what} over the budget", caption, _lines(comparison, curves), layout, _over_table(comparison, curves, what, 2)
    )


def _shown_losses(comparison: Comparison, curves: Estimate) -> tuple[float, float]:
    """Ends of the axis: what the curves come to, and not all of the height from which they fall."""
    low = float(np.nanmin(curves.low)) if comparison.scale is None else max(0.0, float(np.nanmin(curves.low)))
    start, end = float(np.nanmax(curves.value)), float(np.nanmax(curves.high[:, -1:]))
    if not np.isfinite([low, start, end]).all():
        low, start, end = float(np.nanmin(curves.value)), start, start
    high = min(max(start, end), max(2.0, 1.3 * end) if comparison.scale else float(np.nanquantile(curves.value, 0.9)))
    return low, max(high, end) + 0.05 * (max(high, end) - low or 1.0)


def rank_figure(comparison: Comparison) -> Figure:
    """Mean rank over GPU-hours, with intervals."""
    curves = rank_curves(comparison)
    most = len(comparison.strategies)
    layout = _over_hours(comparison, axis("Mean rank (1 is best)", range=[most + 0.3, 0.7], dtick=1))
    caption = (
        f"Mean rank by what the best trial so far is worth, over {len(comparison.seeds)} paired seeds, "
        "with its 95 % bootstrap interval; the best is on top. Runs without a result share the last rank. "
        f"{_drawn(comparison, curves)}"
    ).rstrip()
    return Figure(
        "Rank over the budget", caption, _lines(comparison, curves), layout, _over_table(comparison, curves, "Rank", 2)
    )


def _over_hours(comparison: Comparison, yaxis: dict[str, Any]) -> dict[str, Any]:
    unit = time_unit(comparison.gpu_hours, comparison.unit)
    ends = comparison.grid[[0, -1]] * unit.per_hour
    ticks = log_ticks(float(ends[0]), float(ends[1]))
    return {"xaxis": axis(f"{unit.name} (logarithmic)", type="log", **ticks), "yaxis": yaxis, "hovermode": "x"}


AT_ONCE = 3
"""Strategies that can be told apart in one chart of curves with intervals."""


def picked(comparison: Comparison, curves: Estimate) -> Sequence[str]:
    """What is drawn at first: all of a few strategies; of more, the one that ends lowest, and random search."""
    names = comparison.strategies
    if len(names) <= AT_ONCE:
        return names
    ends = {name: float(curves.value[place, -1]) for place, name in enumerate(names) if name != RANDOM}
    leader = min(ends, key=lambda name: (not np.isfinite(ends[name]), ends[name]))
    return [name for name in names if name in (leader, RANDOM)]


def _drawn(comparison: Comparison, curves: Estimate) -> str:
    """What the reader must know of it."""
    shown = picked(comparison, curves)
    if len(shown) == len(comparison.strategies):
        return ""
    return f"Drawn at first: {' and '.join(shown)}; a click on a name below adds a strategy, or takes it away."


def _lines(comparison: Comparison, curves: Estimate) -> list[dict[str, Any]]:
    shown = picked(comparison, curves)
    hours = comparison.grid * time_unit(comparison.gpu_hours, comparison.unit).per_hour
    lines: list[dict[str, Any]] = []
    bands: list[dict[str, Any]] = []
    for place, name in enumerate(comparison.strategies):
        look = style(name, comparison.strategies)
        low, high = curves.low[place], curves.high[place]
        visible = True if name in shown else "legendonly"
        bands.append(
            {
                "type": "scatter", "mode": "lines", "x": _list([*hours, *hours[::-1]]),
                "y": _list([*high, *low[::-1]]), "fill": "toself", "fillcolor": look.colour, "opacity": 0.13,
                "line": {"width": 0}, "hoverinfo": "skip", "showlegend": False, "legendgroup": label(name),
                "visible": visible,
            }
        )  # fmt: skip
        lines.append(
            {
                "type": "scatter", "mode": "lines+markers", "name": label(name), "legendgroup": label(name),
                "x": _list(hours), "y": _list(curves.value[place]), "visible": visible,
                "line": {"color": look.colour, "dash": look.dash, "width": 2.2},
                "marker": {"symbol": look.symbol, "size": 8, "color": look.colour, "maxdisplayed": 7},
            }
        )  # fmt: skip
    return bands + lines


def _list(values: Iterable[float]) -> list[float | None]:
    """Numbers for JSON: five digits are more than a screen shows, and NaN is a gap."""
    return [float(f"{value:.5g}") if np.isfinite(value) else None for value in values]


def _over_table(comparison: Comparison, curves: Estimate, what: str, digits: int) -> Table:
    places = [0, 14, 29, 44, 59]
    unit = time_unit(comparison.gpu_hours, comparison.unit)
    header = ("Strategy", *(f"{hours_text(unit.per_hour * comparison.grid[place])} {unit.short}" for place in places))
    rows = tuple(
        (
            name,
            *(
                f"{number(curves.value[k, p], digits)} [{number(curves.low[k, p], digits)}, "
                f"{number(curves.high[k, p], digits)}]"
                for p in places
            ),
        )
        for k, name in sorted(enumerate(comparison.strategies), key=lambda pair: curves.value[pair[0], -1])
    )
    return Table(f"{what} with 95 % interval, at five times", header, rows)


def final_figure(comparison: Comparison) -> Figure:
    """The distribution over seeds at the end of the budget."""
    losses = comparison.final
    values = comparison.normalised(losses)
    shown = [_spread_out(values[:, place]) for place in range(len(comparison.strategies))]
    ordered = sorted(enumerate(comparison.strategies), key=lambda pair: _mean(values[:, pair[0]]))
    what = "Normalised regret" if comparison.scale else "Loss"
    data = [
        {
            "type": "box", "name": label(name), "x": _list(values[shown[place], place]), "orientation": "h",
            "boxpoints": "all", "jitter": 0.5, "pointpos": 0, "showlegend": False,
            "text": [f"seed {comparison.seeds[seed]}" for seed in shown[place]],
            "marker": {"color": style(name, comparison.strategies).colour, "size": 6,
                       "symbol": style(name, comparison.strategies).symbol},
            "line": {"width": 1.5},
        }
        for place, name in reversed(ordered)
    ]  # fmt: skip
    layout = {
        "xaxis": axis(what),
        "yaxis": axis("", type="category"),
    }
    budget = f"{comparison.gpu_hours:g} {comparison.unit}"
    caption = f"{what} after {budget}: each point is a seed, the box spans the middle half; left is better. "
    caption += "The lowest mean is on top."
    caption += _left_out(len(comparison.seeds))
    rows = tuple((name, *_quartiles(values[:, place])) for place, name in ordered)
    header = ("Strategy", "Mean", "Lowest", "Lower quartile", "Median", "Upper quartile", "Highest")
    return Figure("At the end of the budget", caption, data, layout, Table(f"{what} over seeds", header, rows))


MOST_MARKS = 200
"""Of one strategy in one chart: a browser draws thousands of marks, and nobody can tell them apart."""


def _spread_out(values: ArrayLike) -> NDArray[np.int64]:
    """Places of at most `MOST_MARKS` values, evenly spaced in their order, the ends among them; so quartiles stay."""
    count = len(np.asarray(values))
    if count <= MOST_MARKS:
        return np.arange(count)
    evenly = np.linspace(0, count - 1, MOST_MARKS).round().astype(np.int64)
    return np.argsort(np.asarray(values, dtype=float), kind="stable")[evenly]


def _left_out(seeds: int) -> str:
    return f" Of {seeds} seeds, {MOST_MARKS} are shown, evenly spaced from best to worst." if seeds > MOST_MARKS else ""


def _mean(values: Array) -> float:
    """Of what is known; infinite if nothing is, which sorts last."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else float("inf")


def _quartiles(values: Array) -> tuple[str, ...]:
    known = values[~np.isnan(values)]
    if not len(known):
        return ("–",) * 6
    return (number(_mean(values)), *(number(float(q)) for q in np.quantile(known, [0, 0.25, 0.5, 0.75, 1])))


def gap_figure(comparison: Comparison, results: Results) -> Figure:
    """What was selected on validation, and what it is worth on test: noise-free where that is known."""
    selected = _selected(comparison, results)
    traces, rows = [], []
    for name in comparison.strategies:
        mine = selected.reindex(comparison.runs_of(name)).dropna()
        traces.append(_gap_marks(name, comparison.strategies, mine))
        rows.append((name, *_gap_row(mine)))
    metric = comparison.task.headline_label
    noise = "noise-free" if comparison.knows_truth else "as seen"
    layout = {
        "xaxis": axis(f"Validation {metric}, {noise} (%)", **_range(selected["validation"])),
        "yaxis": axis(f"Test {metric}, {noise} (%)", **_range(selected["test"])),
    }
    caption = (
        f"Each mark is a run's selected trial: its {metric} on validation against the same trial's on test, {noise} "
        f"as on the leaderboard. {_gap_said(selected)}{_left_out(len(comparison.seeds))}"
    )
    header = ("Strategy", "Validation %", "Test %", "Gap, points", "Deviation of the gap")
    table = Table(f"{metric[:1].upper()}{metric[1:]} of what was selected, mean over seeds", header, tuple(rows))
    return Figure("From validation to test", caption, [*traces, *_no_gap(selected)], layout, table)


def _gap_said(selected: pd.DataFrame) -> str:
    """How far validation and test lie apart, and where to see it."""
    known = selected.dropna()
    if known.empty:
        return ""
    gap = float((known["validation"] - known["test"]).mean())
    line = " Below the dotted line validation promises more than test holds." if _no_gap(selected) else ""
    return f"Test lies {abs(gap):.2f} points {'below' if gap > 0 else 'above'} validation on average.{line}"


def _range(values: pd.Series[float]) -> dict[str, Any]:
    """The axis of what is known, with some room."""
    known = values.dropna()
    if known.empty:
        return {}
    room = 0.06 * float(known.max() - known.min()) or 0.5
    return {"range": [float(known.min()) - room, float(known.max()) + room]}


def _selected(comparison: Comparison, results: Results) -> pd.DataFrame:
    """Headline metric of each run's final incumbent in percent, columns `validation` and `test`."""
    final = final_incumbent(Results(comparison.runs, results.trials))
    known = "truth." if comparison.knows_truth else ""
    columns = {f"{known}{side}.{comparison.task.headline}": side for side in ("validation", "test")}
    return 100 * final.reindex(columns=list(columns)).rename(columns=columns).astype(float)


def _gap_marks(name: str, strategies: Sequence[str], selected: pd.DataFrame) -> dict[str, Any]:
    look = style(name, strategies)
    marks = selected.iloc[_spread_out(selected["validation"])]
    return {
        "type": "scatter",
        "mode": "markers",
        "name": label(name),
        "x": _list(marks["validation"]),
        "y": _list(marks["test"]),
        "marker": {"symbol": look.symbol, "color": look.colour, "size": 8, "opacity": 0.7},
    }


def _no_gap(selected: pd.DataFrame) -> list[dict[str, Any]]:
    """The line on which validation and test are equal; none where it lies outside the picture."""
    known = selected.dropna()
    if known.empty:
        return []
    low = float(known.min().max())
    high = float(known.max().min())
    if low >= high:
        return []
    return [
        {
            "type": "scatter",
            "mode": "lines",
            "name": "no gap",
            "x": [low, high],
            "y": [low, high],
            "line": {"color": "#8a8f98", "dash": "dot", "width": 1.5},
            "hoverinfo": "skip",
        }
    ]


def _gap_row(selected: pd.DataFrame) -> tuple[str, ...]:
    if selected.empty:
        return ("–",) * 4
    gap = selected["validation"] - selected["test"]
    figures = (selected["validation"].mean(), selected["test"].mean(), gap.mean(), gap.std(ddof=1))
    return tuple(number(float(figure)) for figure in figures)
