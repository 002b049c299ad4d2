"""What parallelism costs each strategy, as tables for people: one a benchmark and budget, one row a strategy and W."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from hemobench.reports.parallel.costs import Change, ParallelCost, by_table
from hemobench.reports.parallel.text import in_points, notes, seen
from hemobench.reports.text_tables import (
    ABSENT,
    Column,
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

HEADING = "What parallelism costs"


def render(costs: Sequence[ParallelCost], console: Console) -> None:
    """Print every table, what is seen in it, and what the columns mean; nothing where there are no costs."""
    tables = by_table(costs)
    columns = fitted(shortened(COLUMNS, tables, lambda cost: cost.strategy), tables, console.width)
    for rows in tables:
        console.print()
        console.print(Text(title(rows), style="bold"))
        console.print(terminal_table(table_of(columns, rows)))
        console.print(pairs([("-", note) for note in seen(rows) + notes(rows)]))
    if costs:
        console.print()
        console.print(pairs(legend(costs)))


def markdown(costs: Sequence[ParallelCost]) -> list[str]:
    """Lines of Markdown, with all columns, notes and the legend; none where there are no costs."""
    lines: list[str] = []
    for rows in by_table(costs):
        lines += ["", f"### {escaped(title(rows))}", "", *markdown_table(table_of(filled(COLUMNS, rows), rows)), ""]
        lines += [f"- {escaped(note)}" for note in seen(rows) + notes(rows)]
    explained = [f"- **{term}**: {escaped(meaning)}" for term, meaning in legend(costs)]
    return [*lines, "", *explained] if explained else []


def title(rows: Sequence[ParallelCost]) -> str:
    """What is compared in a table, in one line."""
    first = rows[0]
    return plain(f"{HEADING}: {first.benchmark} v{first.version} · {first.gpu_hours:g} GPU-hours")


def legend(costs: Sequence[ParallelCost]) -> list[tuple[str, str]]:
    """What each column means, and what the strategies make of pending trials; empty where there are no costs."""
    if not costs:
        return []
    known = {cost.strategy: cost.pending for cost in costs if cost.pending}
    said = "; ".join(f"{name}: {text}" for name, text in sorted(known.items()))
    meanings = [(column.title, column.legend) for column in filled(COLUMNS, costs)]
    return meanings + ([("Pending", f"what strategies make of trials still running. {said}")] if said else [])


def _points(cost: ParallelCost) -> str:
    if cost.loss is None:
        return ABSENT
    mean, low, high = (f"{in_points(loss):+.2f}" for loss in _ends(cost.loss))
    return mean if cost.seeds - cost.missing < 2 else f"{mean} [{low}, {high}]"


def _factor(factor: Change | None) -> str:
    if factor is None:
        return ABSENT
    mean, low, high = (f"{value:.2f}" if value < float("inf") else "∞" for value in _ends(factor))
    return f"{mean} [{low}, {high}]"


def _ends(change: Change) -> tuple[float, float, float]:
    return change.mean, change.low, change.high


def _strategy(cost: ParallelCost) -> str:
    name = plain(cost.strategy)
    return f"{name} !" if cost.missing else name


COLUMNS: tuple[Column[ParallelCost], ...] = (
    Column("Strategy", "! is trouble, told below its table", _strategy, 0),
    Column("Workers", "trials at once, under the same budget of GPU-hours", lambda cost: str(cost.workers), 0),
    Column(
        "Points lost",
        "of the final score, 100 (1 - loss), against the same strategy with one worker: mean over paired seeds, 95 % "
        "interval; positive is worse",
        _points,
        1,
    ),
    Column("p", "of that change: exact signed-rank test, not corrected", lambda cost: f"{cost.p:.3f}", 3),
    Column(
        "Idle %",
        "of the budget: workers waited for the strategy",
        lambda cost: ABSENT if cost.idle is None else f"{100 * cost.idle:.1f}",
        2,
    ),
    Column(
        "Hours x",
        "median GPU-hours until as good as random search with one worker gets, over those with one worker; ∞ is not "
        "within the budget",
        lambda cost: _factor(cost.factor),
        4,
    ),
)
