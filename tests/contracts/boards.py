"""What tests of leaderboards share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hemobench.benchmarks.storage.results import Results
from hemobench.reports.leaderboard.model import Board, Row

Run = Callable[..., Any]
Collect = Callable[..., Results]


def rows_of(board: Board) -> dict[str, Row]:
    return {row.strategy: row for row in board.rows}


def no_reference(name: str) -> None:
    return None
