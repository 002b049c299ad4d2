"""A recommendation in words, the answer first: for a terminal and for the report."""

from __future__ import annotations

from hemobench.reports.comparison.comparison import RANDOM
from hemobench.reports.recommendation.recommend import Expected, RandomNeeds, Recommendation
from hemobench.reports.text_tables import hours_text


def in_words(answer: Recommendation) -> list[str]:
    """The answer as sentences, the answer first."""
    lines = [f"With {answer.gpu_hours:g} GPU-hours on {answer.benchmark}, use {answer.use}."]
    if answer.probability_best is not None:
        lines.append(
            f"The probability that it is best is {answer.probability_best:.2f}, over {answer.seeds} paired seeds."
        )
    expected = [
        f"{name} {answer.metric} of {_said(value)}"
        for name, value in (("validation", answer.validation), ("test", answer.test))
        if value
    ]
    lines += [f"Expect a {' and a '.join(expected)}."] if expected else []
    lines += [_random_said(answer.random_needs, answer.use)] if answer.random_needs else []
    lines += [f"As good within {answer.rope:g} points: {', '.join(answer.equivalent)}."] if answer.equivalent else []
    lines += [f"Not told apart from it yet: {', '.join(answer.undecided)}."] if answer.undecided else []
    return [*lines, _changes_said(answer), *_budgets_said(answer), *answer.notes]


def _said(value: Expected) -> str:
    if value.low is None or value.high is None:
        return f"{value.mean:.2f} %"
    return f"{value.mean:.2f} % (95 % interval {value.low:.2f} to {value.high:.2f}; one run ± {value.std:.2f})"


def _random_said(needs: RandomNeeds, use: str) -> str:
    if use == RANDOM:
        return "It is random search itself."
    beyond = f"; its reference curve gets there at {hours_text(needs.by_reference)}" if needs.by_reference else ""
    if needs.hours is None:
        return (
            f"Random search needs more than {needs.watched:g} GPU-hours for the same "
            f"({needs.reached} of {needs.runs} runs got there{beyond})."
        )
    reached = f"{needs.reached} of {needs.runs} runs"
    return (
        f"Random search needs {hours_text(needs.hours)} GPU-hours for the same (median; {reached} got there{beyond})."
    )


def _changes_said(answer: Recommendation) -> str:
    if not answer.spans:
        return "No run has a result, so there is no other budget to tell of."
    start, end = answer.spans[0].start, answer.spans[-1].end
    seen = f"From {hours_text(start)} to {end:g} GPU-hours"
    if len(answer.spans) == 1:
        return f"{seen} no strategy is ever more than {answer.rope:g} points better than {answer.spans[0].strategy}."
    changes = [f"{later.strategy} from {hours_text(later.start)} GPU-hours on" for later in answer.spans[1:]]
    return f"{seen} the answer changes: {answer.spans[0].strategy} at first, {', '.join(changes)}."


def _budgets_said(answer: Recommendation) -> list[str]:
    if len(answer.by_budget) < 2:
        return []
    said = "; ".join(f"{hours:g} GPU-hours: {name}" for hours, name in answer.by_budget)
    return [f"Best in the runs planned for each budget: {said}."]
