"""What there is to run, as rows of plain data and as tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

from hemobench.commands.console import console


def strategy_rows() -> list[dict[str, Any]]:
    """The strategies, ours and other packages', with why one cannot be used here."""
    from hemobench.strategies import STRATEGIES, installed, unavailable

    ours = [(name, entry, unavailable(name) or "yes") for name, entry in STRATEGIES.items()]
    others = [(name, entry, "yes") for name, entry in installed().items()]
    return [
        {"name": name, "about": entry.about, "start-up": entry.startup, "available": available}
        for name, entry, available in (*ours, *others)
    ]


def benchmark_rows() -> list[dict[str, Any]]:
    """The benchmarks, with what a random trial costs."""
    from hemobench.benchmarks.benchmark import BENCHMARKS

    rows = []
    for name, benchmark in BENCHMARKS.items():
        reference = benchmark.reference()
        cost = round(reference.trial_gpu_hours, 3) if reference else None
        rows.append({"name": name, "version": benchmark.version, "about": benchmark.about, "GPU-hours a trial": cost})
    return rows


def suite_rows() -> list[dict[str, Any]]:
    """The suites that come with hemobench."""
    from hemobench.benchmarks.suite import load_suite, suite_names

    rows = []
    for name in suite_names():
        suite = load_suite(name)
        budgets = "; ".join(f"{e.name} {', '.join(f'{b:g}' for b in e.gpu_hours)} h" for e in suite.benchmarks)
        rows.append({"name": name, "about": suite.title, "budgets": budgets, "seeds": suite.seeds})
    return rows


LISTINGS: Mapping[str, Callable[[], list[dict[str, Any]]]] = {
    "strategies": strategy_rows,
    "benchmarks": benchmark_rows,
    "suites": suite_rows,
}


def render(rows: Sequence[Mapping[str, Any]], title: str) -> None:
    """Print rows of plain data as a table."""
    table = Table(title=title, box=box.SIMPLE_HEAD, title_justify="left")
    for name in rows[0]:
        table.add_column(name)
    for row in rows:
        table.add_row(*(Text("–" if value is None else str(value)) for value in row.values()))
    console().print(table)


def render_card(benchmark: str, card: Mapping[str, Any]) -> None:
    """Print a card: its tables, and below them what it says in words."""
    from hemobench.reports.html.cards import card_of

    shown = card_of(card)
    for table in shown.tables:
        render([dict(zip(table.header, row, strict=True)) for row in table.rows], f"{benchmark}: {table.caption}")
    for sentence in shown.words:
        console().print(Text(f"- {sentence}"))
