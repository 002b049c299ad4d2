"""The leaderboard for people: in a terminal, as a picture, and as Markdown.

Labels and error texts come from users: they are shown as text, never read as markup.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from io import StringIO
from pathlib import Path

from rich.console import Console
from rich.text import Text

from hemobench.errors import BenchmarkError
from hemobench.reports.citing.citation import Citation
from hemobench.reports.leaderboard.model import OVERALL, Board, HoursToRandom, Interval, Row, Spread
from hemobench.reports.parallel import render as parallel_table
from hemobench.reports.parallel.costs import ParallelCost
from hemobench.reports.statistics.text import left_out, sentence
from hemobench.reports.text_tables import (
    ABSENT,
    Column,
    counted,
    escaped,
    filled,
    fitted,
    markdown_table,
    pairs,
    plain,
    shortened,
    table_of,
    terminal_table,
)

__all__ = [
    "ABSENT",
    "COLUMNS",
    "answers",
    "fitting",
    "named_by",
    "plain",
    "points_text",
    "render",
    "seeds_text",
    "signed",
    "title",
    "to_markdown",
    "to_svg",
]


def render(
    boards: Sequence[Board], console: Console, costs: Sequence[ParallelCost] = (), cited: Citation | None = None
) -> None:
    """Print every board with its notes, as wide as the console allows, and what the columns mean.

    All boards show the same columns, so that they can be read beside each other; those that are left out are named.
    What parallelism costs comes next, if there is anything to tell, and at last what the results are cited by.
    """
    every = shortened(COLUMNS, [board.rows for board in boards], lambda row: row.strategy)
    alike = fitted(every, [board.rows for board in boards if board.benchmark != OVERALL], console.width)
    shown = list(alike)
    if len(boards) > 1:
        console.print(pairs([("-", line) for line in answers(boards)]))
        console.print()
    for board in boards:
        columns = fitted(every, [board.rows], console.width) if board.benchmark == OVERALL else alike
        shown += [column for column in columns if column not in shown]
        console.print(Text(title(board), style="bold"))
        for line in answer(board):
            console.print(Text(line, style="bold"))
        if board.rows:
            console.print(terminal_table(table_of(columns, board.rows, best=named_by(board))))
        console.print(pairs([("-", note) for note in notes_of(board)]))
        console.print()
    console.print(pairs(_legend(boards, shown) + _left_out(boards, alike)))
    parallel_table.render(costs, console)
    if cited is not None:
        console.print()
        console.print(pairs(_cited(cited)))


def _cited(cited: Citation) -> list[tuple[str, str]]:
    return [(term, line) for term, line in zip(("Made by", "On", "Beware"), cited.lines, strict=False)]


def to_svg(
    boards: Sequence[Board],
    path: Path,
    width: int = 110,
    costs: Sequence[ParallelCost] = (),
    cited: Citation | None = None,
) -> None:
    """Write what a terminal of that width shows as a picture; the same boards give the same bytes.

    Raises:
        BenchmarkError: If the file cannot be written.
    """
    console = Console(
        record=True, file=StringIO(), width=width, force_terminal=True, color_system="truecolor", _environ={}
    )
    render(boards, console, costs, cited)
    picture = console.export_svg(title="hemobench leaderboard", unique_id="hemobench")
    picture = re.sub(r"@font-face \{.*?\}\s*", "", picture, flags=re.DOTALL)  # rich would fetch it from the network
    try:
        path.write_text(picture, encoding="utf-8")
    except OSError as problem:
        raise BenchmarkError(f"{path}: {problem.strerror}", "name a file in a folder that can be written") from None


def to_markdown(boards: Sequence[Board], costs: Sequence[ParallelCost] = (), cited: Citation | None = None) -> str:
    """All boards as Markdown tables, with all columns, notes and the legend; then as `render`."""
    lines: list[str] = []
    shown: list[Column[Row]] = []
    for board in boards:
        columns = filled(COLUMNS, board.rows)
        shown += [column for column in columns if column not in shown]
        lines += [f"### {escaped(title(board))}", ""]
        lines += [text for line in answer(board) for text in (f"**{escaped(line)}**", "")]
        if board.rows:
            lines += [*markdown_table(table_of(columns, board.rows, best=named_by(board))), ""]
        lines += [f"- {escaped(note)}" for note in notes_of(board)] + [""]
    legend = [f"- **{term}**: {escaped(meaning)}" for term, meaning in _legend(boards, shown)]
    made = [f"- **{term}**: {escaped(line)}" for term, line in _cited(cited)] if cited is not None else []
    return "\n".join([*lines, *legend, *parallel_table.markdown(costs), *made, ""])


def title(board: Board) -> str:
    """What is compared on a board, in one line."""
    workers = counted(board.workers, "worker")
    if board.benchmark == OVERALL:
        return f"Overall · {workers}"
    parts = [f"{board.benchmark} v{board.version}", f"{board.gpu_hours:g} {board.unit}", workers]
    parts += [seeds_text(board)] if board.rows else []
    return plain(" · ".join([*parts, board.judged_by]))


def seeds_text(board: Board) -> str:
    """How many seeds the outcomes rest on, and of how many, if not of all."""
    whole = board.rows[0].seeds
    judged = whole if board.judged_seeds is None else board.judged_seeds
    return counted(whole, "seed") if judged == whole else f"{judged} of {counted(whole, 'seed')}"


def answer(board: Board) -> list[str]:
    """The verdict, and who is not judged, a line each; nothing overall."""
    if board.verdict is None:
        return []
    return [plain(line) for line in (sentence(board.verdict), *left_out(board.verdict))]


def answers(boards: Sequence[Board]) -> list[str]:
    """One line a benchmark and budget: what to use, before any table."""
    of = [(board, answer(board)) for board in boards if board.verdict is not None]
    return [f"{board.benchmark}, {board.gpu_hours:g} {board.unit}: {lines[0]}" for board, lines in of]


def fitting(board: Board, width: int) -> list[Column[Row]]:
    """The columns that have something to show, less the least important ones until they fit."""
    return fitted(COLUMNS, [board.rows], width)


def named_by(board: Board) -> Callable[[Row], bool]:
    """Which rows stand out: those that the verdict names; none where there is no verdict."""
    chosen = board.verdict.strategies if board.verdict and board.verdict.kind != "unknown" else ()
    return lambda row: row.strategy in chosen


def notes_of(board: Board) -> list[str]:
    """What went wrong, strategy by strategy (what `!` stands for), and what a reader must know."""
    troubled = [f"! {row.strategy}: {row.status}." for row in board.rows if row.status]
    return [plain(note) for note in [*troubled, *board.notes]]


def _legend(boards: Sequence[Board], shown: Sequence[Column[Row]]) -> list[tuple[str, str]]:
    """What each column means, and how the strategies begin."""
    startup = {row.strategy: row.startup for board in boards for row in board.rows if row.startup}
    begins = plain("; ".join(f"{name}: {text}" for name, text in sorted(startup.items())))
    titles = {column.title for column in shown}
    meanings = [(column.title, column.legend) for column in COLUMNS if column.title in titles]
    return meanings + ([("Start-up", begins)] if begins else [])


def _left_out(boards: Sequence[Board], shown: Sequence[Column[Row]]) -> list[tuple[str, str]]:
    """Which columns a wider terminal would show."""
    filling = [filled(COLUMNS, board.rows) for board in boards if board.benchmark != OVERALL]
    hidden = {column.title for columns in filling for column in columns} - {column.title for column in shown}
    names = ", ".join(column.title for column in COLUMNS if column.title in hidden)
    return [("Not shown", f"{names}: for want of width")] if names else []


def _strategy(row: Row) -> str:
    name = plain(row.strategy)
    return f"{name} !" if row.status else name


def _rank(row: Row) -> str:
    if row.rank is None:
        return ABSENT
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


def points_text(value: Interval | None, sign: str = "") -> str:
    """Points with their interval; `sign` is `+` for differences.

    The ends have one decimal, and two where the interval is narrower than a point.
    """
    if value is None:
        return ABSENT
    if value.low is None or value.high is None:
        return signed(value.mean, 2, sign)
    digits = 1 if value.high - value.low >= 1 else 2
    return f"{signed(value.mean, 2, sign)} [{signed(value.low, digits, sign)}, {signed(value.high, digits, sign)}]"


def signed(value: float, digits: int, sign: str = "") -> str:
    """A number with so many decimals; what rounds to 0 has no sign."""
    text = f"{value:{sign}.{digits}f}"
    return text.lstrip("+-") if not float(text) else text


def _luck(row: Row) -> str:
    return ABSENT if row.luck is None else signed(row.luck, 2, "+")


def _share(row: Row) -> str:
    return f"{row.results}/{row.seeds}" if row.results < row.seeds else ""


def _regret(row: Row) -> str:
    return ABSENT if row.regret is None else f"{row.regret:.2f}"


COLUMNS: tuple[Column[Row], ...] = (
    Column("Strategy", "! is trouble, told below its table", _strategy, 0),
    Column(
        "Score",
        "mean over seeds of what the best trial is worth, in points, with its 95 % interval; it decides the order, and "
        "what the verdict names is bold",
        lambda row: points_text(row.points),
        1,
    ),
    Column(
        "Gain",
        "points above random search on the same seeds, with its 95 % interval",
        lambda row: points_text(row.gain, "+"),
        2,
    ),
    Column("Test gain", "the same on test images", lambda row: points_text(row.gain_test, "+"), 3),
    Column("Luck", "points that the search saw above what its best trial is worth", _luck, 5),
    Column("Rank", "mean over seeds, 1 is best, with its 95 % interval; it decides nothing", _rank, 8),
    Column("Validation %", "of the best trial, mean ± deviation over seeds", lambda row: _spread(row.validation), 6),
    Column("Test %", "of the same trial, on images that no strategy sees", lambda row: _spread(row.test), 4),
    Column("Regret", "0 is the best known loss, 1 what random search is expected to reach", _regret, 7),
    Column(
        "To random",
        "median hours until as good as random search is expected to be at the budget, and how many seeds got there",
        lambda row: _hours_to_random(row.hours_to_random),
        9,
    ),
    Column("Used h", "hours used in a run, idle workers included", lambda row: _hours(row.gpu_hours_spent), 13),
    Column("Trials", "finished in a run, failed ones included", lambda row: _figure(row.trials), 11),
    Column("Own s", "seconds of a run's own computing", lambda row: _figure(row.strategy_seconds), 12),
    Column("Failed", "failed trials in all runs", lambda row: str(row.failures or ""), 14),
    Column("Results", "runs with a result", _share, 10),
)
