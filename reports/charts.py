"""Charts as plain data for plotly.js, each with a table that says the same.

Strategies are told apart by dash and symbol as well as by colour. Names come from users: plotly reads a little HTML
in texts, so they are escaped.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
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


def axis(title: str, **more: Any) -> dict[str, Any]:
    """An axis with a title that never runs over its ticks."""
    return {"title": {"text": title, "standoff": 8}, "automargin": True, "zeroline": False, **more}
