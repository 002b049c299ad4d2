"""Tables for people, made of columns: in a terminal, as Markdown, and no wider than there is room.

Labels and error texts come from users: they are shown as text, never read as markup.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from rich import box
from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

ABSENT = "–"
LONGEST_NAME = 28
Shown = TypeVar("Shown")


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
    """The columns that have something to show; the first two always do."""
    return [
        column
        for place, column in enumerate(columns)
        if place < 2 or any(column.cell(row) not in (ABSENT, "") for row in rows)
    ]


def fitted(columns: Sequence[Column[Shown]], rows: Sequence[Shown], width: int) -> list[Column[Shown]]:
    """The columns that have something to show, less the least important ones until they fit."""
    left = filled(columns, rows)
    while len(left) > 2 and _width(left, rows) > width:
        left.remove(max(left, key=lambda column: column.importance))
    return left


def _width(columns: Sequence[Column[Shown]], rows: Sequence[Shown]) -> int:
    cells = [[column.title, *(column.cell(row) for row in rows)] for column in columns]
    return sum(max(map(cell_len, column)) for column in cells) + 2 * len(columns) - 1


def terminal_table(
    columns: Sequence[Column[Shown]], rows: Sequence[Shown], best: Callable[[Shown], bool] = lambda row: False
) -> Table:
    """A table for a terminal, the best rows in bold."""
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False)
    for place, column in enumerate(columns):
        table.add_column(Text(column.title), justify="left" if place == 0 else "right", overflow="fold", no_wrap=False)
    for row in rows:
        table.add_row(*(Text(column.cell(row)) for column in columns), style="bold" if best(row) else "")
    return table


def markdown_table(
    columns: Sequence[Column[Shown]], rows: Sequence[Shown], best: Callable[[Shown], bool] = lambda row: False
) -> list[str]:
    """Lines of a Markdown table, the first two cells of the best rows in bold."""
    lines = [[column.title for column in columns], [":--", *["--:"] * (len(columns) - 1)]]
    for row in rows:
        cells = [escaped(column.cell(row)) for column in columns]
        lines.append([f"**{cell}**" for cell in cells[:2]] + cells[2:] if best(row) else cells)
    return [f"| {' | '.join(cells)} |" for cells in lines]


def pairs(found: Sequence[tuple[str, str]]) -> Table:
    """Terms and what is said of them, so that a second line stands under the first."""
    grid = Table.grid(padding=(0, 1))
    for term, meaning in found:
        grid.add_row(Text(term, style="bold", no_wrap=True), Text(meaning))
    return grid


def plain(text: str) -> str:
    """Text on one line, without what a terminal would obey."""
    return " ".join("".join(character if character.isprintable() else " " for character in text).split())


def escaped(text: str) -> str:
    """Text as Markdown that reads as the text; an underscore within a word is none of Markdown's business."""
    return re.sub(r"[\\`*{}\[\]<>|#&~]|(?<!\w)_|_(?!\w)", r"\\\g<0>", plain(text))


def short_name(name: str) -> str:
    """A strategy's label, cut where it is longer than a table has room for."""
    name = plain(name)
    return name if len(name) <= LONGEST_NAME else name[: LONGEST_NAME - 1] + "…"


def counted(count: int, word: str) -> str:
    """As in `1 seed` and `3 seeds`."""
    return f"{count} {word}" if count == 1 else f"{count} {word}s"
