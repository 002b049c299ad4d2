"""Charts as plain data for plotly.js, each with a table that says the same.

Strategies are told apart by dash and symbol as well as by colour. Names come from users: plotly reads a little HTML
in texts, so they are escaped.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from math import ceil, floor, log10
from typing import Any

from hemobench.reports.text_tables import Table, plain
from hemobench.strategies import STRATEGIES


@dataclass(frozen=True)
class Figure:
    """A chart and its text alternative.

    Attributes:
        title: Heading.
        caption: What is to be seen, and how to read it.
        data: Traces for plotly.js.
        layout: Its layout, without colours and fonts, which are the page's.
        table: The same in figures.
        wide: Whether a phone must scroll sideways.
        small: Whether several stand side by side.
    """

    title: str
    caption: str
    data: list[dict[str, Any]]
    layout: dict[str, Any]
    table: Table
    wide: bool = False
    small: bool = False


@dataclass(frozen=True, slots=True)
class Style:
    """How a strategy is drawn."""

    colour: str
    dash: str
    symbol: str


_OURS = (  # in the order of the table of strategies; the first three have the bone-marrow paper's colours
    Style("#d9363e", "solid", "x"),
    Style("#3f9b2f", "dot", "circle"),
    Style("#2f7de1", "dash", "square"),
    Style("#9a5fd6", "solid", "diamond"),
    Style("#d9730d", "dashdot", "triangle-up"),
    Style("#0e9aa7", "longdash", "star"),
    Style("#c94f9b", "longdashdot", "cross"),
)
_LOOKS = dict(zip(STRATEGIES, _OURS, strict=False))
_OTHERS = [
    Style(colour, dash, symbol)
    for colour, dash, symbol in zip(
        ["#8a8f98", "#a87b2d", "#5c7cfa", "#c2255c", "#2b8a6b"],
        ["solid", "dot", "dash", "dashdot", "longdash"],
        ["hexagon", "triangle-down", "pentagon", "star-triangle-up", "bowtie"],
        strict=True,
    )
]


def style(strategy: str, strategies: Sequence[str]) -> Style:
    """A strategy's looks: always the same for the first of the table, in order of their names for others."""
    if strategy in _LOOKS:
        return _LOOKS[strategy]
    others = [name for name in strategies if name not in _LOOKS]
    return _OTHERS[others.index(strategy) % len(_OTHERS)]


def label(text: str) -> str:
    """Text as plotly shows it unread; the page's JSON is escaped once more on its own."""
    return escape(plain(text), quote=False)


@dataclass(frozen=True, slots=True)
class TimeUnit:
    """The unit in which a budget reads as a plain number.

    Attributes:
        name: As in `GPU-seconds`.
        short: As in `s`.
        per_hour: How many make an hour.
    """

    name: str
    short: str
    per_hour: float


def time_unit(hours: float, unit: str) -> TimeUnit:
    """Seconds for a budget of a few minutes, minutes for one of an hour or two, else hours.

    Args:
        hours: The budget.
        unit: Of the budget, as in `GPU-hours`.
    """
    if hours < 0.05:
        return TimeUnit(unit.replace("hours", "seconds"), "s", 3600.0)
    if hours < 2:
        return TimeUnit(unit.replace("hours", "minutes"), "min", 60.0)
    return TimeUnit(unit, "h", 1.0)


def log_ticks(low: float, high: float) -> dict[str, Any]:
    """Ticks of a logarithmic axis at 1, 2 and 5 of each power of ten, or closer, written as plain numbers."""
    powers = range(floor(log10(low)) - 1, ceil(log10(high)) + 1)
    steps = (1, 2, 5) if high / low >= 8 else (1, 1.5, 2, 3, 4, 5, 6, 7, 8, 9)
    values = [step * 10.0**power for power in powers for step in steps]
    shown = [value for value in values if low * 0.999 <= value <= high * 1.001]
    return {"tickvals": shown, "ticktext": [f"{value:.10g}" for value in shown]}


def axis(title: str, **more: Any) -> dict[str, Any]:
    """An axis with a title that never runs over its ticks."""
    return {"title": {"text": title, "standoff": 8}, "automargin": True, "zeroline": False, **more}
