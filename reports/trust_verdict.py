"""A trust card in five lines: what was fitted, how it ranks, how far it is off, how loud noise is, and what follows."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

Found = Mapping[str, Any]
BLIND, COARSE = 0.3, 0.15
"""Rank correlation below which a surrogate ranks hardly anything, and how much below its ceiling it ranks coarsely."""
APART = 3.0
"""Standard errors between the best of some random trials as recorded and as answered, beyond which levels differ."""


def verdict(card: Found, task: str, surrogate: Path) -> tuple[str, str, str, str, str]:
    """What a trust card comes to.

    Args:
        card: As from `surrogates.trust.card`.
        task: Whose trainings were recorded.
        surrogate: The file, for the command that comes next.
    """
    table = card["table"]
    return (
        f"Fitted to {table['rows']} trainings of {table['configurations']} configurations; judged on configurations "
        f"left out ({card['protocol']}).",
        _ranking(card),
        _level(card),
        _noise(card),
        f"Verdict: {_conclusion(card, task, surrogate)}",
    )


def _held_out(card: Found) -> Found:
    answers = card.get("answers")
    found: Found = answers["held_out"] if answers else card["loss"]
    return found


def _ceiling(card: Found) -> float | None:
    """The rank correlation that noise leaves to the truth itself; 0 where it hides all differences."""
    answers = card.get("answers")
    if not answers:
        return None
    limit: float | None = answers["ceiling"]["spearman"]
    return 0.0 if limit is None and answers["ceiling"]["r2"] == 0 else limit


def _ranking(card: Found) -> str:
    held, limit = _held_out(card), _ceiling(card)
    ceiling = f"; under this noise the truth itself would reach {limit:.2f}" if limit is not None else ""
    return (
        f"Ranking: Spearman {_number(held['spearman'])}, {_number(held['top']['spearman'])} in the best tenth{ceiling}."
    )


def _level(card: Found) -> str:
    held, answers = _held_out(card), card.get("answers")
    line = f"Level: an answer's loss is off by {held['mae']:.3f} on average"
    for count, figures in list(answers["tails"].items())[:1] if answers else ():
        recorded, answered = figures["table"][0], figures["surrogate"][0]
        line += f"; the best of {count} random trials has {recorded:.3f} as recorded, {answered:.3f} as answered"
    return f"{line}."


def _noise(card: Found) -> str:
    answers = card.get("answers")
    if not answers:
        return "Noise: no configuration was trained on all that answers, so that it is not known."
    noise, alike = answers["noise"], answers["like_the_best"]
    known = noise["measured"]
    measured = "was not measured (record --repeats)" if known is None else f"moves an answer by {known:.3f} as measured"
    return (
        f"Noise: what a seed alone does {measured}, {noise['drawn']:.3f} as drawn; one trial each cannot tell "
        f"{alike['count']} of {alike['of']} configurations from the best."
    )


def _conclusion(card: Found, task: str, surrogate: Path) -> str:
    answers, spearman = card.get("answers"), _held_out(card)["spearman"]
    limit = _ceiling(card)
    if limit is not None and limit < BLIND:
        return "not fit to compare strategies: noise hides what configurations do. Train on more images, then record."
    if spearman is None or spearman < BLIND:
        return "not fit to compare strategies: it hardly ranks what it has not seen. Record more configurations."
    tails = answers["tails"].values() if answers else ()
    if any(abs(figures["apart"]) > APART for figures in tails):
        return "not fit to compare strategies: its best answers are not those recorded. Record more configurations."
    command = f'a suite with {task}@surrogate and settings = {{ surrogate = "{surrogate}" }}'
    if limit is not None and limit - spearman > COARSE:
        nearer = "more configurations would bring it nearer to what noise allows"
        return f"fit for coarse comparisons; {nearer}. Next: {command}."
    return f"strategies can be compared on it, over as many seeds as the noise asks for. Next: {command}."


def _number(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.2f}"
