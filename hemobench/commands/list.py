"""`hemobench list` and `card`: what there is to run, and what its answers rest on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any

import typer

from hemobench.commands.console import Json, console, print_json
from hemobench.errors import BenchmarkError


def list_known(
    what: Annotated[str, typer.Argument(help="strategies, benchmarks, suites, tasks or datasets.")] = "strategies",
    as_json: Json = False,
) -> None:
    """List what there is to run."""
    if what not in LISTINGS:
        raise BenchmarkError(f"cannot list '{what}'", f"choose one of: {', '.join(LISTINGS)}")
    rows = LISTINGS[what]()
    if as_json:
        print_json({what: rows})
    else:
        render(rows, what)


def card(
    benchmark: Annotated[str, typer.Argument(help="As in c-nmc@published.")],
    as_json: Json = False,
) -> None:
    """Say what a benchmark's answers rest on, and how far to trust them."""
    from hemobench.benchmarks.benchmark import load_benchmark

    found = load_benchmark(benchmark).card()
    if as_json:
        print_json(found)
    else:
        render_card(benchmark, found)


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
    from hemobench.benchmarks.benchmark import known_benchmarks

    rows = []
    for name, benchmark in known_benchmarks().items():
        reference = benchmark.reference()
        cost = float(f"{reference.trial_gpu_hours:.3g}") if reference else None
        rows.append({"name": name, "version": benchmark.version, "about": benchmark.about, "GPU-hours a trial": cost})
    return rows


def task_rows() -> list[dict[str, Any]]:
    """The tasks, ours and other packages'."""
    from hemobench.benchmarks.tasks import load_task, task_names

    tasks = [load_task(name) for name in task_names()]
    return [{"name": task.name, "about": task.title, "data set": task.dataset, "epochs": task.epochs} for task in tasks]


def dataset_rows() -> list[dict[str, Any]]:
    """The data sets that can be read, ours and other packages'."""
    from hemobench.datasets import dataset_names, reader

    return [{"name": name, "about": (reader(name).__doc__ or "").strip().split("\n")[0]} for name in dataset_names()]


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
    "tasks": task_rows,
    "datasets": dataset_rows,
}


def render(rows: Sequence[Mapping[str, Any]], title: str) -> None:
    """Print rows of plain data as a table."""
    from hemobench.reports.text_tables import ABSENT, Table, terminal_table

    cells = [tuple(ABSENT if value is None else str(value) for value in row.values()) for row in rows]
    header = tuple(rows[0])
    console().print(terminal_table(Table(title, header, tuple(cells), texts=len(header))))


def render_card(benchmark: str, card: Mapping[str, Any]) -> None:
    """Print a card: its tables, and below them what it says in words."""
    from dataclasses import replace

    from rich.text import Text

    from hemobench.reports.html.cards import card_of
    from hemobench.reports.text_tables import terminal_table

    shown = card_of(card)
    for table in shown.tables:
        console().print(terminal_table(replace(table, caption=f"{benchmark}: {table.caption}")))
    for sentence in shown.words:
        console().print(Text(f"- {sentence}"))
