"""The verdicts of all comparisons as one table, with a picture: gains over random search in points."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hemobench.reports.leaderboard.model import Board, Interval
from hemobench.reports.leaderboard.render import answer, points_text, seeds_text


@dataclass(frozen=True, slots=True)
class Strip:
    """One strategy's gain over random search as a line on a scale; places are percent of the scale's width.

    Attributes:
        strategy: Label.
        named: Whether the verdict names it.
        text: The gain in validation, in points.
        test: The gain in test points.
        low: Where the interval begins; `None` where there is no gain to show.
        high: Where it ends.
        mean: Where the mean lies.
    """

    strategy: str
    named: bool
    text: str
    test: str
    low: float | None = None
    high: float | None = None
    mean: float | None = None


@dataclass(frozen=True, slots=True)
class VerdictRow:
    """One comparison's line of the table.

    Attributes:
        anchor: Of its section.
        title: What is compared.
        lines: The verdict, and who is not judged.
        basis: What is ranked, and over how many seeds.
        strips: One a strategy, in the board's order.
        zero: Where random search lies, in percent of the scale's width.
        ends: The scale's ends, in points.
    """

    anchor: str
    title: str
    lines: tuple[str, ...]
    basis: str
    strips: tuple[Strip, ...]
    zero: float
    ends: tuple[str, str]


def verdict_row(board: Board, anchor: str) -> VerdictRow:
    """The line of a board that has rows."""
    gains = [row.gain for row in board.rows if row.gain is not None]
    low, high = _scale(gains)
    chosen = board.verdict.strategies if board.verdict and board.verdict.kind != "unknown" else ()

    def place(points: float) -> float:
        return round(100 * (points - low) / (high - low), 2)

    strips = []
    for row in board.rows:
        strip = Strip(row.strategy, row.strategy in chosen, points_text(row.gain, "+"), points_text(row.gain_test, "+"))
        if row.gain is not None:
            ends = _ends(row.gain)
            strip = Strip(
                row.strategy, strip.named, strip.text, strip.test, place(ends[0]), place(ends[1]), place(row.gain.mean)
            )
        strips.append(strip)
    return VerdictRow(
        anchor=anchor,
        title=f"{board.benchmark}, {board.gpu_hours:g} {board.unit}",
        lines=tuple(answer(board)),
        basis=f"{board.judged_by}, {seeds_text(board)}",
        strips=tuple(strips),
        zero=place(0.0),
        ends=(f"{low:+.1f}", f"{high:+.1f}"),
    )


def _scale(gains: Sequence[Interval]) -> tuple[float, float]:
    """Ends in points that hold all intervals and 0, with some room."""
    ends = [0.0, *(end for gain in gains for end in _ends(gain))]
    room = 0.05 * (max(ends) - min(ends)) or 0.5
    return min(ends) - room, max(ends) + room


def _ends(gain: Interval) -> tuple[float, float]:
    return (gain.mean if gain.low is None else gain.low), (gain.mean if gain.high is None else gain.high)
