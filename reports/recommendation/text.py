"""A recommendation in words, the answer first: for a terminal and for the report."""

from __future__ import annotations

from hemobench.reports.recommendation.recommend import Expected, RandomNeeds, Recommendation
from hemobench.reports.statistics.text import sentence
from hemobench.reports.text_tables import counted, hours_text

LEAST_LUCK = 0.005
"""Points that are shown as more than 0.00."""


def in_words(answer: Recommendation) -> list[str]:
    """The answer as sentences, the answer first."""
    lines = [f"With {answer.gpu_hours:g} {answer.unit} on {answer.benchmark}: {sentence(answer.verdict)}."]
    if answer.shown:
        lines += [f"That rests on {answer.judged_by}, over {counted(answer.seeds, 'paired seed')}."]
    lines += _figures(answer)
    lines += [_random_said(answer.random_needs, answer.unit)] if answer.random_needs else []
    others = [name for name in answer.equivalent if name not in answer.verdict.strategies]
    lines += [f"As good within {answer.rope:g} points: {', '.join(others)}."] if others else []
    return [*lines, *_changes_said(answer), *_budgets_said(answer), *answer.notes]


def _figures(answer: Recommendation) -> list[str]:
    """What to expect of the strategy that is shown, and its gain over random search."""
    parts = [("validation", answer.validation), ("test", answer.test)]
    known = [f"{name} {answer.metric} of {_said(value)}" for name, value in parts if value]
    lines = [f"Expect of {answer.shown} a {' and a '.join(known)}."] if known else []
    if answer.gain:
        in_test = f"; in test {_gain_text(answer.gain_test)}" if answer.gain_test else ""
        lines.append(f"Over random search {answer.shown} gains {_gain_text(answer.gain)}{in_test}.")
    if answer.luck is not None:
        lines.append(_luck_said(answer.luck))
    return lines


def _luck_said(luck: float) -> str:
    """What the search shows of its best trial, which is not what that is worth."""
    if abs(luck) < LEAST_LUCK:
        return "The search itself will see as much as that."
    more = "more" if luck > 0 else "less"
    return f"The search itself will see {abs(luck):.2f} points {more} than that: luck."


def _gain_text(gain: Expected) -> str:
    if gain.low is None or gain.high is None:
        return f"{gain.mean:+.2f} points"
    return f"{gain.mean:+.2f} points (95 % interval {gain.low:+.2f} to {gain.high:+.2f})"


def _said(value: Expected) -> str:
    if value.low is None or value.high is None:
        return f"{value.mean:.2f} %"
    return f"{value.mean:.2f} % (95 % interval {value.low:.2f} to {value.high:.2f}; one run ± {value.std:.2f})"


def _random_said(needs: RandomNeeds, unit: str) -> str:
    beyond = f"; its reference curve gets there at {hours_text(needs.by_reference)}" if needs.by_reference else ""
    reached = f"{needs.reached} of {needs.runs} runs got there{beyond}"
    if needs.hours is None:
        return f"Random search needs more than {needs.watched:g} {unit} for the same ({reached})."
    return f"Random search needs {hours_text(needs.hours)} {unit} for the same (median; {reached})."


def _changes_said(answer: Recommendation) -> list[str]:
    if not answer.spans:
        return []
    start, end = answer.spans[0].start, answer.spans[-1].end
    seen = f"From {hours_text(start)} to {end:g} {answer.unit}"
    if len(answer.spans) == 1:
        return [f"{seen} no change of who is ahead is more than noise."]
    changes = [f"{later.strategy} from {hours_text(later.start)} {answer.unit} on" for later in answer.spans[1:]]
    return [f"{seen} who is ahead changes: {answer.spans[0].strategy} at first, {', '.join(changes)}."]


def _budgets_said(answer: Recommendation) -> list[str]:
    if len(answer.by_budget) < 2:
        return []
    said = "; ".join(f"{hours:g} {answer.unit}: {sentence(stated)}" for hours, stated in answer.by_budget)
    return [f"In the runs planned for each budget: {said}."]
