"""Verdicts in words."""

from __future__ import annotations

import pytest

from hemobench.reports.statistics.text import left_out, listed, p_text, probability_text, sentence
from hemobench.reports.statistics.verdict import Verdict


@pytest.mark.parametrize(
    ("verdict", "expected"),
    [
        (Verdict("best", ("smac",), "smac", 0.973, 0.5, 10), "smac is best (probability that it is best: 0.97)"),
        (
            Verdict("any", ("random", "smac", "sssr"), "smac", 0.96, 0.5, 10),
            "any of random, smac or sssr will do: within ±0.5 points of the best; the simplest is random",
        ),
        (
            Verdict("any", ("smac",), "smac", 0.999, 0.5, 10),
            "smac will do: none is more than 0.5 points better (probability that it is so: > 0.99)",
        ),
        (
            Verdict("unknown", ("smac", "random", "sssr"), "smac", 0.38, 0.5, 10, more_seeds=46, tells=1.0),
            "not known: smac leads, best with probability 0.38, and random or sssr may be; "
            "46 more seeds would tell 1 point",
        ),
        (
            Verdict("unknown", ("a", "b", "c", "d", "e"), "b", 0.3, 0.5, 10, more_seeds=9, tells=1.0),
            "not known: b leads, best with probability 0.30, and 4 others may be; 9 more seeds would tell 1 point",
        ),
        (
            Verdict("unknown", ("a", "b"), None, 0.5, 0.5, 4, more_seeds=1, tells=0.5),
            "not known: a or b lie level; 1 more seed would tell 0.5 points",
        ),
        (Verdict("unknown", (), None, None, 0.5, 1, reason="one seed"), "not known: one seed"),
    ],
)
def test_sentences(verdict: Verdict, expected: str) -> None:
    assert sentence(verdict) == expected


def test_parts() -> None:
    assert (listed(["a"]), listed(["a", "b"]), listed(["a", "b", "c"])) == ("a", "a or b", "a, b or c")
    assert [probability_text(p) for p in (1.0, 0.995, 0.5, 0.001, 0.0)] == [
        "> 0.99",
        "> 0.99",
        "0.50",
        "< 0.01",
        "< 0.01",
    ]
    assert [p_text(p) for p in (1.0, 0.04112, 0.001, 0.00099, 0.0)] == ["1", "0.0411", "0.001", "< 0.001", "< 0.001"]
    verdict = Verdict("unknown", (), None, None, 0.5, 3, left_out=(("a", "a strategy error in 1 run"),))
    assert left_out(verdict) == ["a is not judged: a strategy error in 1 run"]
