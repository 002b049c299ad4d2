"""`hemobench leaderboard`, `recommend`, `report`, `papers` and `export`: what is concluded from a folder of results."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Annotated

import typer

from hemobench.commands.console import Json, console, print_json, write_text
from hemobench.commands.options import counted
from hemobench.errors import BenchmarkError

if TYPE_CHECKING:
    from hemobench.benchmarks.storage.results import Parts, Results
    from hemobench.reports.leaderboard.model import Board
    from hemobench.reports.papers import Claim
    from hemobench.reports.parallel.costs import ParallelCost

Folder = Annotated[
    Path | None,
    typer.Argument(
        metavar="DIR", help="Results of a suite: a folder, or an archive of one; by default those that come along."
    ),
]

Validations = Annotated[
    list[Path] | None, typer.Option("--validation", help="What `hemobench validate --out` wrote; repeatable.")
]
Extended = Annotated[
    Path | None, typer.Option(help="Results with extended = true: 6 x 5-fold, to compare with 6-fold.")
]


LEADERBOARD = (
    "hemobench.benchmarks.storage.load",
    "hemobench.reports.citing.citation",
    "hemobench.reports.comparison.comparison",
    "hemobench.reports.leaderboard.beginnings",
    "hemobench.reports.leaderboard.ranking",
    "hemobench.reports.leaderboard.render",
)
"""Modules that a leaderboard is made with; what they import takes half a second."""


def load_ahead() -> Thread:
    """Import what a leaderboard is made with while this process waits for others; gives the thread that does."""

    def load() -> None:
        with suppress(ImportError):  # who imports it in earnest says what is wrong
            for name in LEADERBOARD:
                import_module(name)

    thread = Thread(target=load, name="load ahead")
    thread.start()
    return thread


def leaderboard(
    results: Folder = None,
    as_json: Json = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print Markdown instead of a table.")] = False,
    svg: Annotated[Path | None, typer.Option(help="Also write the table as a picture.")] = None,
) -> None:
    """Show who won, by how much, and how sure that is."""
    from hemobench.reports.citing.citation import citation
    from hemobench.reports.comparison.comparison import leaderboard_columns
    from hemobench.reports.leaderboard.model import as_json as plain
    from hemobench.reports.leaderboard.render import render, to_markdown, to_svg

    found = _loaded(results, leaderboard_columns)
    boards, costs, cited = boards_of(found), costs_of(found), citation(found)
    if svg is not None:
        to_svg(boards, svg, costs=costs, cited=cited)
    if as_json:
        print_json(plain(boards, costs, cited))
    elif markdown:
        sys.stdout.write(to_markdown(boards, costs, cited))
    else:
        render(boards, console(), costs, cited)


def recommend(
    benchmark: Annotated[str, typer.Option(help="As in c-nmc@recorded; without, all are listed.")] = "",
    gpu_hours: Annotated[float | None, typer.Option(help="The budget that you have; without, all are listed.")] = None,
    results: Folder = None,
    rope: Annotated[float | None, typer.Option(min=0.0, help="Points of the metric that do not matter to you.")] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Trials at once, if results of several are there.")] = None,
    as_json: Json = False,
) -> None:
    """Answer the question: which strategy, at this budget? Without options: at every budget that was run."""
    from hemobench.benchmarks.benchmark import load_benchmark
    from hemobench.reports.comparison.comparison import leaderboard_columns
    from hemobench.reports.leaderboard.run_figures import outside_shares
    from hemobench.reports.recommendation.recommend import as_json as plain
    from hemobench.reports.recommendation.recommend import recommend as answer_of
    from hemobench.reports.recommendation.text import in_words
    from hemobench.reports.statistics.pairwise import ROPE

    if gpu_hours is not None and not 0 < gpu_hours < float("inf"):
        raise BenchmarkError(f"--gpu-hours {gpu_hours}", "give a positive number of GPU-hours")
    found = _loaded(results, leaderboard_columns)
    if not benchmark or gpu_hours is None:
        if gpu_hours is not None:
            hint = f"with one of: {', '.join(sorted(set(found.runs['benchmark'])))}"
            raise BenchmarkError("--gpu-hours without --benchmark", f"say on which benchmark, {hint}")
        _list_answers(found, benchmark, as_json=as_json)
        return
    answer = answer_of(
        found,
        benchmark,
        gpu_hours,
        load_benchmark(benchmark).reference(),
        workers=workers,
        rope=ROPE if rope is None else rope,
        outside=outside_shares(found, lambda name, configs: load_benchmark(name).outside(configs)),
    )
    if as_json:
        print_json(plain(answer))
    else:
        sys.stdout.write("\n".join(in_words(answer)) + "\n")


def _list_answers(results: Results, benchmark: str, *, as_json: bool) -> None:
    """The verdict at every budget that was run, of a benchmark or of all.

    Raises:
        BenchmarkError: If the benchmark is not among the results.
    """
    from hemobench.reports.leaderboard.model import as_json as plain
    from hemobench.reports.leaderboard.render import answers
    from hemobench.reports.text_tables import pairs

    boards = [board for board in boards_of(results) if board.verdict is not None]
    chosen = [board for board in boards if not benchmark or board.benchmark == benchmark]
    if not chosen:
        there = ", ".join(dict.fromkeys(board.benchmark for board in boards))
        raise BenchmarkError(f"no results on {benchmark}", f"there are some on: {there}")
    if as_json:
        print_json(plain(chosen))
        return
    console().print(pairs([("-", line) for line in answers(chosen)]))
    first = chosen[0]
    asked = f"--benchmark {shlex.quote(first.benchmark)} --gpu-hours {first.gpu_hours:g}"
    console().print(f"More of one, or of another budget: hemobench recommend {asked}", markup=False, soft_wrap=True)


def report(
    results: Folder = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="The HTML file.")] = Path("report.html"),
    heading: Annotated[str, typer.Option(help="Of the page.")] = "hemobench report",
    validation: Validations = None,
    extended: Extended = None,
) -> None:
    """Write one HTML file that works offline: the answer first, then the evidence."""
    from hemobench.reports.comparison.comparison import report_columns
    from hemobench.reports.html.report import write_report
    from hemobench.reports.leaderboard.beginnings import beginnings
    from hemobench.reports.validation.repeats import load

    loaded = _loaded(results, report_columns)
    write_report(
        loaded,
        out,
        startup=beginnings(loaded),
        heading=heading,
        validations=[load(path) for path in validation or []],
        extended=_loaded(extended, report_columns) if extended else None,
    )
    sys.stdout.write(f"{out}\n")


def export(
    results: Folder = None,
    optuna: Annotated[
        str, typer.Option(help="Storage URL, as in sqlite:///study.db or journal:PATH, for optuna-dashboard.")
    ] = "",
    archive: Annotated[
        Path | None,
        typer.Option(help="All runs as one Parquet file, which these commands read like a folder."),
    ] = None,
    parquet: Annotated[Path | None, typer.Option(help="All trials, one row each.")] = None,
    csv: Annotated[Path | None, typer.Option(help="The same as text.")] = None,
    markdown: Annotated[Path | None, typer.Option(help="The leaderboard.")] = None,
    latex: Annotated[Path | None, typer.Option(help="The leaderboard.")] = None,
) -> None:
    """Hand results to other tools."""
    from hemobench.benchmarks.storage.archive_writer import consolidate
    from hemobench.reports.citing.citation import citation
    from hemobench.reports.comparison.comparison import leaderboard_columns
    from hemobench.reports.export import export as exports
    from hemobench.reports.leaderboard.render import to_markdown
    from hemobench.reports.shipped import RESULTS

    if not (optuna or archive or parquet or csv or markdown or latex):
        hint = "give --optuna URL, --archive, --parquet, --csv, --markdown or --latex FILE"
        raise BenchmarkError("nothing to export to", hint)
    source = results or RESULTS
    if archive:
        consolidate(source, archive)
        _wrote(archive, "all runs; every command reads it like a folder")
        source = archive
    if parquet:
        exports.stored_to_parquet(source, parquet)
        _wrote(parquet, "all trials, a row each")
    if csv:
        exports.to_csv(_loaded(source), csv)
        _wrote(csv, "all trials, a row each")
    if markdown or latex:
        found = _loaded(source, leaderboard_columns)
        boards, costs, cited = boards_of(found), costs_of(found), citation(found)
        if markdown:
            write_text(markdown, to_markdown(boards, costs, cited))
            _wrote(markdown, counted(len(boards), "board"))
        if latex:
            write_text(latex, exports.to_latex(boards, costs, cited))
            _wrote(latex, f"{counted(len(boards), 'board')}, for the package booktabs")
    if optuna:
        studies = exports.to_optuna(_loaded(source), optuna)
        several = counted(len(studies), "study", "studies")
        sys.stdout.write(f"{several}; look at them with: optuna-dashboard {optuna.removeprefix('journal:')}\n")


def _wrote(path: Path, what: str) -> None:
    """Say what was written."""
    sys.stdout.write(f"{path}: {what}, {_size(path.stat().st_size)}\n")


def _size(count: int) -> str:
    return f"{count / 1e6:.1f} MB" if count >= 1e6 else f"{max(count / 1e3, 0.1):.1f} kB"


def papers(
    results: Folder = None,
    validation: Validations = None,
    extended: Extended = None,
    words: Annotated[bool, typer.Option("--words", help="Print sentences instead of tables.")] = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print Markdown.")] = False,
    latex: Annotated[bool, typer.Option("--latex", help="Print LaTeX, for the package booktabs.")] = False,
    as_json: Json = False,
) -> None:
    """Hold the two papers' figures beside these results, and say where they agree."""
    from hemobench.benchmarks.benchmark import load_benchmark
    from hemobench.reports import papers as beside_ours
    from hemobench.reports.comparison.comparison import report_columns
    from hemobench.reports.shipped import PAPERS
    from hemobench.reports.validation.repeats import load

    claims = beside_ours.compare_with_papers(
        _loaded(results or PAPERS, report_columns),
        lambda name: load_benchmark(name).reference(),
        validations=[load(path) for path in validation or []],
        extended=_loaded(extended, report_columns) if extended else None,
    )
    if as_json:
        print_json(beside_ours.as_json(claims))
    elif markdown:
        sys.stdout.write(beside_ours.to_markdown(claims))
    elif latex:
        sys.stdout.write(beside_ours.to_latex(claims))
    else:
        _show_papers(claims, words)


def _show_papers(claims: Sequence[Claim], words: bool) -> None:
    """Tables, or all in sentences; the readings come first."""
    from rich.text import Text

    from hemobench.reports.papers import beside, in_words, legend, readings
    from hemobench.reports.text_tables import terminal_table

    screen = console()
    if words:
        for line in in_words(claims):
            screen.print(Text(line), soft_wrap=True)
        return
    for paper, text in readings(claims):
        screen.print(Text(f"{paper}: {text}"))
    for figure in beside(claims):
        screen.print()
        screen.print(terminal_table(figure.table))
    for text in legend(claims):
        screen.print()
        screen.print(Text(text))


def boards_of(results: Results) -> list[Board]:
    """The leaderboard of results."""
    from hemobench.api import leaderboard as boards

    return boards(results)


def costs_of(results: Results) -> list[ParallelCost]:
    """What parallelism costs each strategy; empty where all runs have one number of workers."""
    from hemobench.benchmarks.benchmark import load_benchmark
    from hemobench.reports.parallel.costs import parallel_costs

    if results.runs["workers"].nunique() < 2:
        return []
    return parallel_costs(results, lambda name: load_benchmark(name).reference())


def _loaded(results: Path | None, parts: Parts | None = None) -> Results:
    """The results that were named, or those that come along: of the suite `full`."""
    from hemobench.api import loaded

    return loaded(results, parts)
