"""Results for other tools: tidy tables as Parquet and CSV, the leaderboard as LaTeX, studies for Optuna."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from hemobench.benchmarks.results import IDENTITY, Results
from hemobench.errors import BenchmarkError
from hemobench.reports.boards import Board
from hemobench.reports.curves import with_trials
from hemobench.reports.studies import distributions, to_optuna
from hemobench.reports.tables import fitting, plain, title

__all__ = ["distributions", "latex", "tidy", "to_csv", "to_latex", "to_optuna", "to_parquet"]


def tidy(results: Results) -> pd.DataFrame:
    """One row a trial, beginning with what tells its run from others; see `Results.trials` for the other columns."""
    return (
        with_trials(results)
        .trials.join(results.runs[IDENTITY], on="run")
        .pipe(lambda table: table[[*IDENTITY, *(name for name in table.columns if name not in (*IDENTITY, "run"))]])
    )


def to_parquet(results: Results, path: Path) -> None:
    """Write `tidy` as Parquet; a hyperparameter whose values have several types is written as text.

    Raises:
        BenchmarkError: If the file cannot be written.
    """
    table = tidy(results)
    for name in table.select_dtypes(object).columns:
        if table[name].dropna().map(type).nunique() > 1:
            table[name] = table[name].map(str, na_action="ignore")
    _write(path, lambda: table.to_parquet(path, index=False))


def to_csv(results: Results, path: Path) -> None:
    """Write `tidy` as CSV.

    Raises:
        BenchmarkError: If the file cannot be written.
    """
    _write(path, lambda: tidy(results).to_csv(path, index=False))


def to_latex(boards: Sequence[Board]) -> str:
    """All boards as LaTeX tables (package `booktabs`), with all columns that have something to show."""
    return "\n\n".join(_latex_table(board) for board in boards if board.rows) + "\n"


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
    }
    special |= {character: f"\\{character}" for character in "&%$#_{}"}
    return "".join(special.get(character, character) for character in plain(text))


def _latex_table(board: Board) -> str:
    columns = fitting(board, 10**6)
    rows = [[latex(column.cell(row)) for column in columns] for row in board.rows]
    body = [" & ".join(cells) + r" \\" for cells in rows]
    header = " & ".join(latex(column.title) for column in columns) + r" \\"
    return "\n".join(
        [
            r"\begin{table}",
            rf"\caption{{{latex(title(board))}}}",
            rf"\begin{{tabular}}{{l{'r' * (len(columns) - 1)}}}",
            r"\toprule",
            header,
            r"\midrule",
            *body,
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{table}",
        ]
    )


def _write(path: Path, write: Callable[[], Any]) -> None:
    try:
        write()
    except OSError as problem:
        raise BenchmarkError(
            f"{path}: {problem.strerror or problem}", "name a file in a folder that can be written"
        ) from None
