"""Tables for people: one model, shown in a terminal, as Markdown and as LaTeX, no wider than there is room.

Labels and error texts come from users: they are shown as text, never read as markup.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import floor, isfinite, log10
from typing import Generic, TypeVar

import rich.table
from rich import box
from rich.cells import cell_len
from rich.text import Text

ABSENT = "–"
LONGEST_NAME = 28
Shown = TypeVar("Shown")


@dataclass(frozen=True)
class Table:
    """A table for people, which every renderer shows: terminal, Markdown, LaTeX, and the report's HTML.

    Attributes:
        caption: What it shows; may be empty.
        header: Names of the columns.
        rows: Texts, as many a row as there are columns.
        best: Places of the rows that stand out.
        texts: How many columns, from the left, are texts; the others are figures and stand to the right.
    """

    caption: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    best: frozenset[int] = frozenset()
    texts: int = 1


@dataclass(frozen=True, slots=True)
class Column(Generic[Shown]):
    """A column of a table.

    Attributes:
        title: Short, since the table must be narrow.
        legend: What it means, with the unit.
        cell: What stands there.
        importance: In a narrow table the columns with the highest number go first.
    """

    title: str
    legend: str
    cell: Callable[[Shown], str]
    importance: int


def filled(columns: Sequence[Column[Shown]], rows: Sequence[Shown]) -> list[Column[Shown]]:
    """The columns that have something to show; the first always has."""
    return [
        column
        for place, column in enumerate(columns)
        if place == 0 or any(column.cell(row) not in (ABSENT, "") for row in rows)
    ]


def fitted(columns: Sequence[Column[Shown]], tables: Sequence[Sequence[Shown]], width: int) -> list[Column[Shown]]:
    """The columns that have something to show in any of some tables, less the least important ones until all fit."""
    some = [rows for rows in tables if rows]
    if not some:
        return []
    left = filled(columns, [row for rows in some for row in rows])
    while len(left) > 2 and any(_width(left, rows) > width for rows in some):
        left.remove(max(left, key=lambda column: column.importance))
    return left


def _width(columns: Sequence[Column[Shown]], rows: Sequence[Shown]) -> int:
    cells = [[column.title, *(column.cell(row) for row in rows)] for column in columns]
    return sum(max(map(cell_len, column)) for column in cells) + 2 * len(columns) - 1


def table_of(
    columns: Sequence[Column[Shown]],
    rows: Sequence[Shown],
    caption: str = "",
    best: Callable[[Shown], bool] = lambda row: False,
) -> Table:
    """Columns filled in.

    Args:
        columns: What is shown of a row.
        rows: What is shown.
        caption: Of the table.
        best: Which rows stand out.
    """
    return Table(
        caption=caption,
        header=tuple(column.title for column in columns),
        rows=tuple(tuple(column.cell(row) for column in columns) for row in rows),
        best=frozenset(place for place, row in enumerate(rows) if best(row)),
    )


def terminal_table(table: Table, styles: Mapping[str, str] | None = None) -> rich.table.Table:
    """A table for a terminal, the best rows in bold; `styles` are of cells, by their text."""
    title = Text(table.caption) if table.caption else None
    screen = rich.table.Table(
        title=title, title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False
    )
    for place, name in enumerate(table.header):
        screen.add_column(Text(name), justify="left" if place < table.texts else "right", overflow="fold")
    for place, row in enumerate(table.rows):
        cells = [Text(cell, style=(styles or {}).get(cell, "")) for cell in row]
        screen.add_row(*cells, style="bold" if place in table.best else "")
    return screen


def markdown_table(table: Table) -> list[str]:
    """Lines of a Markdown table, the first two cells of the best rows in bold."""
    sides = [":--" if place < table.texts else "--:" for place in range(len(table.header))]
    lines = [list(table.header), sides]
    for place, row in enumerate(table.rows):
        cells = [escaped(cell) for cell in row]
        lines.append([f"**{cell}**" for cell in cells[:2]] + cells[2:] if place in table.best else cells)
    return [f"| {' | '.join(cells)} |" for cells in lines]


def latex_table(table: Table) -> str:
    """A LaTeX table (package `booktabs`)."""
    lines = [" & ".join(map(latex, row)) + r" \\" for row in (table.header, *table.rows)]
    sides = "l" * table.texts + "r" * (len(table.header) - table.texts)
    return "\n".join(
        [
            r"\begin{table}",
            rf"\caption{{{latex(table.caption)}}}",
            rf"\begin{{tabular}}{{{sides}}}",
            r"\toprule",
            lines[0],
            r"\midrule",
            *lines[1:],
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{table}",
        ]
    )


def pairs(found: Sequence[tuple[str, str]]) -> rich.table.Table:
    """Terms and what is said of them, so that a second line stands under the first."""
    grid = rich.table.Table.grid(padding=(0, 1))
    for term, meaning in found:
        grid.add_row(Text(term, style="bold", no_wrap=True), Text(meaning))
    return grid


def plain(text: str) -> str:
    """Text on one line, without what a terminal would obey."""
    return " ".join("".join(character if character.isprintable() else " " for character in text).split())


def escaped(text: str) -> str:
    """Text as Markdown that reads as the text; an underscore within a word is none of Markdown's business."""
    return re.sub(r"[\\`*{}\[\]<>|#&~]|(?<!\w)_|_(?!\w)", r"\\\g<0>", plain(text))


def short_names(names: Iterable[str]) -> dict[str, str]:
    """Labels, those that are longer than a table has room for cut in the middle, as long as they stay distinct."""
    whole = {name: plain(name) for name in names}
    short = {name: _cut(text) for name, text in whole.items()}
    seen = Counter(short.values())
    return {name: short[name] if seen[short[name]] == 1 else text for name, text in whole.items()}


def shortened(
    columns: Sequence[Column[Shown]], tables: Sequence[Sequence[Shown]], name_of: Callable[[Shown], str]
) -> list[Column[Shown]]:
    """The columns, the first of which shows labels as `short_names` cuts them.

    Args:
        columns: Whose first holds labels.
        tables: Rows of all tables that are shown together.
        name_of: Gives the label of a row.
    """
    short = short_names(name_of(row) for rows in tables for row in rows)
    whole = columns[0]

    def cell(row: Shown) -> str:
        return whole.cell(row).replace(plain(name_of(row)), short[name_of(row)], 1)

    return [replace(whole, cell=cell), *columns[1:]]


def _cut(name: str) -> str:
    if len(name) <= LONGEST_NAME:
        return name
    head = LONGEST_NAME // 2
    return f"{name[:head]}…{name[len(name) - (LONGEST_NAME - head - 1) :]}"


def counted(count: int, word: str) -> str:
    """As in `1 seed` and `3 seeds`."""
    return f"{count} {word}" if count == 1 else f"{count} {word}s"


def number(value: float | None, digits: int = 2) -> str:
    """A figure for a table; a dash where there is none."""
    return ABSENT if value is None or not isfinite(value) else f"{value:.{digits}f}"


def hours_text(hours: float) -> str:
    """Three significant digits or whole hours, without an exponent."""
    if hours >= 100 or hours == 0:
        return f"{hours:.0f}"
    decimals = max(0, 2 - floor(log10(abs(hours))))
    return f"{hours:.{decimals}f}".rstrip("0").rstrip(".") if decimals else f"{hours:.0f}"


def latex(text: str) -> str:
    """Text that LaTeX sets as the text."""
    special = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
    special |= {
        "<": r"\textless{}",
        ">": r"\textgreater{}",
        "|": r"\textbar{}",
        "±": r"$\pm$",
        "–": "--",
        "·": r"$\cdot$",
        "∞": r"$\infty$",
    }
    special |= {character: f"\\{character}" for character in "&%$#_{}"}
    return "".join(special.get(character, character) for character in plain(text))
