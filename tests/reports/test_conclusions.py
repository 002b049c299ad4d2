"""The shipped results: every conclusion names the same, and few seeds do not contradict many."""

from __future__ import annotations

import numpy as np
import pytest

from hemobench.benchmarks.benchmark import load_benchmark
from hemobench.benchmarks.storage.load import load_results
from hemobench.benchmarks.storage.results import Results
from hemobench.commands.results import boards_of
from hemobench.reports.comparison.anytime import regret_curves
from hemobench.reports.comparison.comparison import Comparison, comparisons, leaderboard_columns
from hemobench.reports.comparison.incumbents import only_incumbents
from hemobench.reports.comparison.verdicts import judged_part, judged_seeds, left_out
from hemobench.reports.html.report import known_outside, known_reference
from hemobench.reports.html.verdicts import verdict_row
from hemobench.reports.leaderboard.model import Board
from hemobench.reports.leaderboard.model import as_json as boards_as_json
from hemobench.reports.leaderboard.render import answer, to_markdown
from hemobench.reports.leaderboard.run_figures import outside_shares
from hemobench.reports.recommendation.recommend import as_json, recommend
from hemobench.reports.recommendation.text import in_words
from hemobench.reports.shipped import RESULTS
from hemobench.reports.statistics.pairwise import against, all_pairs
from hemobench.reports.statistics.text import sentence
from hemobench.reports.statistics.verdict import Decision, decide

DRAWS = 2000
FEW = 5


@pytest.fixture(scope="module")
def shipped() -> Results:
    return load_results(RESULTS, leaderboard_columns)


@pytest.fixture(scope="module")
def boards(shipped: Results) -> list[Board]:
    return [board for board in boards_of(shipped) if board.verdict is not None]


def test_leaderboard_recommendation_report_and_json_name_the_same(shipped: Results, boards: list[Board]) -> None:
    incumbents = only_incumbents(shipped)  # what the report concludes from
    outside = outside_shares(shipped, known_outside)
    said = to_markdown(boards)
    data = boards_as_json(boards)["boards"]
    assert boards
    for board, plain in zip(boards, data, strict=True):
        assert board.gpu_hours is not None
        assert board.verdict is not None
        reference = load_benchmark(board.benchmark).reference()
        for results in (shipped, incumbents):
            found = recommend(
                results, board.benchmark, board.gpu_hours, reference, workers=board.workers, outside=outside
            )
            assert found.verdict == board.verdict
        text = sentence(board.verdict)
        assert plain["answer"] == as_json(found)["answer"] == text
        assert answer(board)[0] == text
        assert verdict_row(board, "x").lines[0] == text
        assert text in in_words(found)[0]
        assert text.partition(":")[0] in said
        ahead = board.rows[0].strategy
        if board.verdict.leader is not None:
            assert ahead == board.verdict.leader  # the board's first line


def test_the_report_shows_the_boards_figures(shipped: Results, boards: list[Board]) -> None:
    """Curves end at the board's regret, differences from random search are its gains: on the seeds that are judged."""
    outside = outside_shares(shipped, known_outside)
    found = comparisons(shipped, known_reference)
    for board, comparison in zip(boards, found, strict=True):
        part = judged_part(comparison, outside)
        assert board.judged_seeds == len(part.seeds)
        rows = {row.strategy: row for row in board.rows}
        ends = regret_curves(part).value[:, -1]
        for name, end in zip(part.strategies, ends, strict=True):
            assert rows[name].regret == pytest.approx(end)
        for pair in against("random", all_pairs(part.final, part.strategies)):
            gain = rows[pair.one].gain
            assert gain is not None
            assert (gain.mean, gain.low) == pytest.approx((pair.difference, pair.low))
        ranked = {name for name, row in rows.items() if row.rank is not None}
        assert ranked == set(part.strategies)
        assert sum(rows[name].rank or 0 for name in ranked) == pytest.approx(len(ranked) * (len(ranked) + 1) / 2)


def contradicts(few: Decision, many: Decision) -> bool:
    """Whether a statement of few seeds is not what many say: another best, or one that is not good enough."""
    if few.best is not None and len(few.enough) < 2:
        named = {few.best}
    elif few.enough:
        named = set(few.enough)
    else:
        return False  # nothing was stated
    if many.best is not None and len(many.enough) < 2:
        return named != {many.best}
    if many.enough:
        return not named <= set(many.enough)
    return not named <= set(many.open)


def judged(comparison: Comparison, results: Results) -> np.ndarray:
    outside = outside_shares(results, known_outside)
    reasons = left_out(comparison, np.isnan(comparison.final), outside)
    places = [place for place, name in enumerate(comparison.strategies) if name not in reasons]
    points: np.ndarray = 100 * (1 - comparison.final[judged_seeds(comparison, outside)][:, places])
    return points


def test_five_seeds_do_not_contradict_all_of_them(shipped: Results) -> None:
    generator = np.random.default_rng(0)
    for comparison in comparisons(shipped, lambda name: None):
        points = judged(comparison, shipped)
        if len(points) < 4 * FEW:
            continue  # too few to know better
        whole = decide(points)
        wrong = 0
        for _ in range(DRAWS):
            chosen = generator.choice(len(points), FEW, replace=False)
            wrong += contradicts(decide(points[chosen]), whole)
        assert wrong <= 0.05 * DRAWS, comparison.title
