"""The leaderboard for people: in a terminal, as a picture, and as Markdown.

Labels and error texts come from users: they are shown as text, never read as markup.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from hemobench.errors import BenchmarkError
from hemobench.reports.boards import OVERALL, Board, HoursToRandom, Row, Spread

ABSENT = "–"
LONGEST_NAME = 28


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the table.

    Attributes:
        title: Short, since the table must be narrow.
        legend: What it means, with the unit.
        cell: What stands there.
        importance: In a narrow table the columns with the highest number go first.
    """

    title: str
    legend: str
    cell: Callable[[Row], str]
    importance: int


def render(boards: Sequence[Board], console: Console) -> None:
    """Print every board with its notes, as wide as the console allows, and what the columns mean."""
    shown: list[Column] = []
    for board in boards:
        columns = fitting(board, console.width)
        shown += [column for column in columns if column not in shown]
        console.print(Text(title(board), style="bold"))
        if board.rows:
            console.print(_table(board, columns))
        console.print(_pairs([("-", note) for note in _notes(board)]))
        console.print()
    console.print(_pairs(_legend(boards, shown) + _left_out(boards, shown)))


def to_svg(boards: Sequence[Board], path: Path, width: int = 110) -> None:
    """Write what a terminal of that width shows as a picture; the same boards give the same bytes.

    Raises:
        BenchmarkError: If the file cannot be written.
    """
    console = Console(
        record=True, file=StringIO(), width=width, force_terminal=True, color_system="truecolor", _environ={}
    )
    render(boards, console)
    picture = console.export_svg(title="hemobench leaderboard", unique_id="hemobench")
    picture = re.sub(r"@font-face \{.*?\}\s*", "", picture, flags=re.DOTALL)  # rich would fetch it from the network
    try:
        path.write_text(picture, encoding="utf-8")
    except OSError as problem:
        raise BenchmarkError(f"{path}: {problem.strerror}", "name a file in a folder that can be written") from None


def to_markdown(boards: Sequence[Board]) -> str:
    """All boards as Markdown tables, with all columns, notes and the legend."""
    lines: list[str] = []
    shown: list[Column] = []
    for board in boards:
        columns = _filled(board)
        shown += [column for column in columns if column not in shown]
        lines += [f"### {escaped(title(board))}", ""]
        if board.rows:
            lines += [_markdown_row([column.title for column in columns])]
            lines += [_markdown_row([":--", *["--:"] * (len(columns) - 1)])]
            lines += [_markdown_row(_markdown_cells(board, columns, row)) for row in board.rows] + [""]
        lines += [f"- {escaped(note)}" for note in _notes(board)] + [""]
    legend = [f"- **{term}**: {escaped(meaning)}" for term, meaning in _legend(boards, shown)]
    return "\n".join([*lines, *legend, ""])


def title(board: Board) -> str:
    """What is compared on a board, in one line."""
    if board.benchmark == OVERALL:
        return "Overall"
    parts = [f"{board.benchmark} v{board.version}", f"{board.gpu_hours:g} GPU-hours"]
    parts += [_plural(board.workers or 0, "worker")]
    parts += [_plural(board.rows[0].seeds, "seed")] if board.rows else []
    return plain(" · ".join([*parts, board.headline[1]]))


def fitting(board: Board, width: int) -> list[Column]:
    """The columns that have something to show, less the least important ones until they fit."""
    columns = _filled(board)
    while len(columns) > 2 and _width(board, columns) > width:
        columns.remove(max(columns, key=lambda column: column.importance))
    return columns


def plain(text: str) -> str:
    """Text on one line, without what a terminal would obey."""
    return " ".join("".join(character if character.isprintable() else " " for character in text).split())


def escaped(text: str) -> str:
    """Text as Markdown that reads as the text; an underscore within a word is none of Markdown's business."""
    return re.sub(r"[\\`*{}\[\]<>|#&~]|(?<!\w)_|_(?!\w)", r"\\\g<0>", plain(text))


def _width(board: Board, columns: Sequence[Column]) -> int:
    cells = [[column.title, *(column.cell(row) for row in board.rows)] for column in columns]
    return sum(max(map(cell_len, column)) for column in cells) + 2 * len(columns) - 1


def _filled(board: Board) -> list[Column]:
    always = ("Strategy", "Rank")
    return [
        column
        for column in COLUMNS
        if column.title in always or any(column.cell(row) not in (ABSENT, "") for row in board.rows)
    ]


def _table(board: Board, columns: Sequence[Column]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False)
    for place, column in enumerate(columns):
        table.add_column(Text(column.title), justify="left" if place == 0 else "right", overflow="fold", no_wrap=False)
    best = board.rows[0].rank
    for row in board.rows:
        cells = [Text(column.cell(row)) for column in columns]
        table.add_row(*cells, style="bold" if row.rank == best else "")
    return table


def _notes(board: Board) -> list[str]:
    troubled = [f"! {row.strategy}: {row.status}." for row in board.rows if row.status]
    return [plain(note) for note in [*troubled, *board.notes]]


def _legend(boards: Sequence[Board], shown: Sequence[Column]) -> list[tuple[str, str]]:
    """What each column means, and how the strategies begin."""
    startup = {row.strategy: row.startup for board in boards for row in board.rows if row.startup}
    begins = plain("; ".join(f"{name}: {text}" for name, text in sorted(startup.items())))
    meanings = [(column.title, column.legend) for column in COLUMNS if column in shown]
    return meanings + ([("Start-up", begins)] if begins else [])


def _left_out(boards: Sequence[Board], shown: Sequence[Column]) -> list[tuple[str, str]]:
    """Which columns a wider terminal would show."""
    hidden = {column.title for board in boards for column in _filled(board)} - {column.title for column in shown}
    names = ", ".join(column.title for column in COLUMNS if column.title in hidden)
    return [("Not shown", f"{names}: for want of width")] if names else []


def _pairs(pairs: Sequence[tuple[str, str]]) -> Table:
    """Terms and what is said of them, so that a second line stands under the first."""
    grid = Table.grid(padding=(0, 1))
    for term, meaning in pairs:
        grid.add_row(Text(term, style="bold", no_wrap=True), Text(meaning))
    return grid


def _markdown_row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _markdown_cells(board: Board, columns: Sequence[Column], row: Row) -> list[str]:
    cells = [escaped(column.cell(row)) for column in columns]
    return [f"**{cell}**" for cell in cells[:2]] + cells[2:] if row.rank == board.rows[0].rank else cells


def _plural(count: int, word: str) -> str:
    return f"{count} {word}" if count == 1 else f"{count} {word}s"


def _strategy(row: Row) -> str:
    name = plain(row.strategy)
    short = name if len(name) <= LONGEST_NAME else name[: LONGEST_NAME - 1] + "…"
    return f"{short} !" if row.status else short


def _rank(row: Row) -> str:
    if row.rank_low is None or row.rank_high is None:
        return f"{row.rank:.2f}"
    return f"{row.rank:.2f} [{row.rank_low:.1f}, {row.rank_high:.1f}]"


def _spread(spread: Spread | None) -> str:
    if spread is None:
        return ABSENT
    return f"{spread.mean:.2f}" if spread.std is None else f"{spread.mean:.2f} ± {spread.std:.2f}"


def _hours_to_random(hours: HoursToRandom | None) -> str:
    if hours is None:
        return ABSENT
    median = f"> {hours.budget:g}" if hours.median is None else _hours(hours.median)
    return f"{median} ({hours.reached}/{hours.seeds})"


def _figure(value: float | None) -> str:
    """Three significant digits, without an exponent."""
    if value is None:
        return ABSENT
    decimals = 2 if abs(value) < 10 else 1 if abs(value) < 100 else 0
    return f"{value:.{decimals}f}"


def _hours(value: float | None) -> str:
    """As `_figure`; below a hundredth of an hour, as on small live studies, two significant digits."""
    return f"{value:.2g}" if value is not None and 0 < value < 0.01 else _figure(value)


def _share(row: Row) -> str:
    return f"{row.results}/{row.seeds}" if row.results < row.seeds else ""


def _regret(row: Row) -> str:
    return ABSENT if row.regret is None else f"{row.regret:.2f}"


COLUMNS = (
    Column("Strategy", "! is trouble, told below its table", _strategy, 0),
    Column("Rank", "mean over seeds, 1 is best, with its 95 % interval; best in bold", _rank, 1),
    Column("Validation %", "of the best trial, mean ± deviation over seeds", lambda row: _spread(row.validation), 4),
    Column("Test %", "of the same trial, on images that no strategy sees", lambda row: _spread(row.test), 2),
    Column("Regret", "0 is the best known loss (less is noise), 1 what random search is expected to reach", _regret, 3),
    Column(
        "To random",
        "median GPU-hours until as good as random search at the end, and how many seeds got there",
        lambda row: _hours_to_random(row.hours_to_random),
        5,
    ),
    Column("Used h", "GPU-hours used in a run, idle workers included", lambda row: _hours(row.gpu_hours_spent), 9),
    Column("Trials", "finished in a run, failed ones included", lambda row: _figure(row.trials), 7),
    Column("Own s", "seconds of a run's own computing", lambda row: _figure(row.strategy_seconds), 8),
    Column("Failed", "failed trials in all runs", lambda row: str(row.failures or ""), 10),
    Column("Results", "runs with a result", _share, 6),
)
