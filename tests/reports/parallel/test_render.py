"""What parallelism costs, as people and programs see it: tables, sentences, JSON, LaTeX and the report's section."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from html import unescape
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len
from rich.console import Console

from hemobench.benchmarks.storage.results import Results
from hemobench.reports.export.export import to_latex
from hemobench.reports.html.report import plotly_js, write_report
from hemobench.reports.leaderboard.model import as_json
from hemobench.reports.leaderboard.ranking import leaderboard
from hemobench.reports.leaderboard.render import render, to_markdown
from hemobench.reports.parallel.costs import ParallelCost, by_table, parallel_costs
from hemobench.reports.parallel.section import parallel_section
from hemobench.reports.parallel.text import notes, seen
from hemobench.strategies import STRATEGIES

Run = Callable[..., Any]
Collect = Callable[..., Results]


@pytest.fixture
def results(run: Run, collect: Collect) -> Results:
    """On every one of six seeds TPE loses 2 points with 4 workers, and 6 with 16 workers, where on the first seed it never gets to the target."""
    runs = []
    for seed in range(6):
        final = 0.20 - 0.01 * seed
        for workers, tpe in ((1, final), (4, final + 0.02), (16, final + 0.06)):
            runs.append(run("random", seed, (2, 0.30), (8, final + 0.02), workers=workers))
            runs.append(run("optuna-tpe", seed, (1, 0.30), (4.0 if workers == 1 else 6.0, tpe), workers=workers))
    return collect(runs)


@pytest.fixture
def costs(results: Results, reference: Any) -> list[ParallelCost]:
    return parallel_costs(results, lambda name: reference)


def shown(costs: list[ParallelCost], width: int) -> str:
    console = Console(file=StringIO(), width=width, _environ={})
    render([], console, costs)
    return console.file.getvalue()  # type: ignore[attr-defined,no-any-return]


def test_the_table_by_hand(costs: list[ParallelCost]) -> None:
    lines = [re.sub(r" {2,}", "|", line.strip()) for line in shown(costs, 120).splitlines()]
    assert "What parallelism costs: c-nmc@published v1 · 10 GPU-hours" in lines
    assert lines[lines.index("Strategy|Workers|Points lost|p|Idle %|Hours x") + 2 :][:4] == [
        "optuna-tpe|4|+2.00 [+2.00, +2.00]|0.031|20.0|1.50 [1.50, 1.50]",
        "optuna-tpe|16|+6.00 [+6.00, +6.00]|0.031|20.0|1.50 [1.50, ∞]",
        "random|4|+0.00 [+0.00, +0.00]|1.000|20.0|1.00 [1.00, 1.00]",
        "random|16|+0.00 [+0.00, +0.00]|1.000|20.0|1.00 [1.00, 1.00]",
    ]
    text = " ".join(shown(costs, 120).split())
    for name in ("optuna-tpe", "random"):
        assert f"{name}: {STRATEGIES[name].pending}" in text


def test_what_is_seen_is_said(costs: list[ParallelCost]) -> None:
    assert seen(costs) == [
        "With 16 workers instead of one, optuna-tpe loses most: 6.00 points [6.00, 6.00]; least: random, 0.00 points.",
        "No change is told from chance by Holm's correction for 4 comparisons: with 6 seeds none could be, and 8 at "
        "least are needed.",
        "optuna-tpe leaves workers waiting most: 20% of the budget with 4 workers.",
    ]
    assert notes(costs) == []


def test_a_change_that_is_told_from_chance_is_named(run: Run, collect: Collect) -> None:
    runs = [
        run("tpe", seed, (1, 0.2 + 0.01 * seed * (workers > 1)), workers=workers)
        for seed in range(1, 9)
        for workers in (1, 4)
    ]
    found = parallel_costs(collect(runs), lambda name: None)
    assert seen(found)[:2] == [
        "With 4 workers instead of one, tpe loses 4.50 points [2.88, 6.00].",
        "Told from chance, by Holm's correction for 1 comparison: tpe with 4 workers.",
    ]
    assert notes(found) == ["No strategy 'random' among the results: no hours to its level."]


def test_trouble_and_few_seeds_are_told(run: Run, collect: Collect) -> None:
    runs = [
        run(name, seed, (1, 0.2), workers=workers)
        for name in ("random", "tpe")
        for seed in (0, 1)
        for workers in (1, 4)
    ]
    runs[-1] = run("tpe", 1, (1, "diverged"), workers=4)
    found = parallel_costs(collect(runs), lambda name: None)
    assert any(line.startswith("tpe !  ") for line in shown(found, 100).splitlines())
    said = " ".join(notes(found))
    assert "! tpe, 4 workers: in 1 of 2 seeds one of the two has no result" in said
    assert "2 seeds are few" in said
    assert seen(found)[0] == "With 4 workers instead of one, random and tpe each lose 0.00 points [0.00, 0.00]."


@pytest.mark.parametrize("width", range(40, 110, 10))
def test_fits_the_width(costs: list[ParallelCost], width: int) -> None:
    text = shown(costs, width)
    assert max(map(cell_len, text.splitlines())) <= width
    assert sum(line.startswith(("optuna-tpe  ", "random  ")) for line in text.splitlines()) == 4


def test_markdown_latex_and_json_hold_it_too(results: Results, costs: list[ParallelCost], reference: Any) -> None:
    boards = leaderboard(results, lambda name: reference)
    markdown, latex = to_markdown(boards, costs), to_latex(boards, costs)
    assert r"| optuna-tpe | 16 | +6.00 \[+6.00, +6.00\] | 0.031 | 20.0 | 1.50 \[1.50, ∞\] |" in markdown
    assert "- **Pending**: what strategies make of trials still running." in markdown
    assert r"optuna-tpe & 16 & +6.00 [+6.00, +6.00] & 0.031 & 20.0 & 1.50 [1.50, $\infty$] \\" in latex
    found = json.loads(json.dumps(as_json(boards, costs), allow_nan=False))["parallel"]
    assert [(row["strategy"], row["workers"]) for row in found] == [(cost.strategy, cost.workers) for cost in costs]
    assert found[1]["loss"] == {"mean": 0.06, "low": 0.06, "high": 0.06}
    assert found[1]["factor"] == {"mean": 1.5, "low": 1.5, "high": None}  # the first seed never gets there
    assert found[1]["pending"] == STRATEGIES["optuna-tpe"].pending


def test_with_one_number_of_workers_nothing_is_added(worked: Results, reference: Any) -> None:
    boards, costs = leaderboard(worked, lambda name: reference), parallel_costs(worked, lambda name: reference)
    assert costs == []
    assert "parallelism" not in shown(costs, 100) + to_markdown(boards, costs) + to_latex(boards, costs)
    assert as_json(boards, costs)["parallel"] == []
    assert parallel_section(worked, lambda name: reference) is None


def test_the_reports_section(results: Results, costs: list[ParallelCost], reference: Any) -> None:
    section = parallel_section(results, lambda name: reference)
    assert section is not None
    (part,) = section.parts
    assert part.words == seen(costs)
    assert len(part.table.rows) == 4
    tpe, random, zero = part.figure.data
    assert [round(x) for x in tpe["x"]] == [1, 3, 13]  # a little to the left of 1, 4 and 16
    assert all(left < right for left, right in zip(tpe["x"], random["x"], strict=True))
    assert (tpe["y"], random["y"]) == ([0.0, 2.0, 6.0], [0.0, 0.0, 0.0])
    assert zero["y"] == [0, 0]
    assert part.figure.layout["xaxis"]["type"] == "log"
    assert part.figure.layout["xaxis"]["tickvals"] == [1, 4, 16]
    assert part.figure.table.rows[0] == ("optuna-tpe", "2.00 points [2.00, 2.00]", "6.00 points [6.00, 6.00]")


def test_budgets_have_tables_of_their_own(run: Run, collect: Collect) -> None:
    runs = [
        run("random", 0, (1, 0.2), workers=workers, gpu_hours=hours) for workers in (1, 4) for hours in (10.0, 20.0)
    ]
    found = by_table(parallel_costs(collect(runs), lambda name: None))
    assert [[cost.gpu_hours for cost in rows] for rows in found] == [[10.0], [20.0]]


def test_every_strategy_says_what_it_makes_of_pending_trials() -> None:
    assert all(entry.pending for entry in STRATEGIES.values())


def test_the_report_has_the_section_where_there_is_something_to_tell(
    results: Results, worked: Results, costs: list[ParallelCost], reference: Any, tmp_path: Path
) -> None:
    pages = []
    for found in (results, worked):
        write_report(found, tmp_path / "report.html", reference_of=lambda name: reference)
        pages.append((tmp_path / "report.html").read_text(encoding="utf-8").replace(plotly_js(), ""))
    assert '<section id="parallel"' in pages[0]
    assert '<a href="#parallel">' in pages[0]
    assert seen(costs)[0] in unescape(pages[0])
    assert 'id="parallel' not in pages[1]
