"""A verdict in a sentence: for a terminal, a table and a page."""

from __future__ import annotations

from collections.abc import Sequence

from hemobench.reports.statistics.verdict import Verdict

FEW_NAMES = 3
"""So many others are named; of more, only the number is said."""


def sentence(verdict: Verdict) -> str:
    """What to use, how sure that is, or what would tell; one line."""
    if verdict.reason:
        return f"not known: {verdict.reason}"
    if verdict.kind == "best":
        return f"{verdict.strategies[0]} is best{_chance(verdict, 'is best')}"
    if verdict.kind == "any" and len(verdict.strategies) == 1:
        name = verdict.strategies[0]
        return f"{name} will do: none is more than {verdict.rope:g} points better{_chance(verdict, 'is so')}"
    if verdict.kind == "any":
        return (
            f"any of {listed(verdict.strategies)} will do: within ±{verdict.rope:g} points of the best; "
            f"the simplest is {verdict.strategies[0]}"
        )
    return f"not known: {_leads(verdict)}; {_more(verdict)}"


def listed(names: Sequence[str]) -> str:
    """Names as in a sentence: `a`, `a or b`, `a, b or c`."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"


def left_out(verdict: Verdict) -> list[str]:
    """One line a strategy that was not judged."""
    return [f"{name} is not judged: {reason}" for name, reason in verdict.left_out]


def _chance(verdict: Verdict, what: str) -> str:
    return (
        "" if verdict.probability is None else f" (probability that it {what}: {probability_text(verdict.probability)})"
    )


def probability_text(value: float) -> str:
    """Two decimals, and never 1 or 0: no number of seeds makes sure."""
    if value > 0.99:
        return "> 0.99"
    return "< 0.01" if value < 0.01 else f"{value:.2f}"


def p_text(value: float) -> str:
    """Three digits; what is smaller says nothing more."""
    return "< 0.001" if value < 0.001 else f"{value:.3g}"


def _leads(verdict: Verdict) -> str:
    if verdict.leader is None:
        return f"{listed(verdict.strategies)} lie level"
    chance = "" if verdict.probability is None else f", best with probability {probability_text(verdict.probability)}"
    return f"{verdict.leader} leads{chance}{_rest(verdict)}"


def _rest(verdict: Verdict) -> str:
    """Who else may be best: by name, if that rules most others out."""
    others = [name for name in verdict.strategies if name != verdict.leader]
    if not others:
        return ""
    if len(others) > FEW_NAMES:
        return f", and {len(others)} others may be"
    return f", and {listed(others)} may be"


def _more(verdict: Verdict) -> str:
    if verdict.more_seeds is None or verdict.tells is None:
        return "more seeds would tell no difference that matters"
    plural = "s" * (verdict.more_seeds != 1)
    return f"{verdict.more_seeds} more seed{plural} would tell {verdict.tells:g} point{'s' * (verdict.tells != 1)}"
