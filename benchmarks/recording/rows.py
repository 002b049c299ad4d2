"""A training looked at, as a row of the table."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

from hemobench.benchmarks.evaluator import Evaluator, Looking, Outcome
from hemobench.benchmarks.tables.io import MAX_TEXT
from hemobench.benchmarks.tables.schema import Row
from hemobench.strategies.base import Config, Proposal, Status


def look(
    evaluator: Evaluator | Looking, lengths: Sequence[int], origin: str, config: Config, seed: int, fold: int
) -> Row:
    """Train one configuration and look at it after each of some numbers of epochs.

    A figure that is no number counts as a training that diverged.
    """
    see = evaluator.look if isinstance(evaluator, Looking) else partial(_by_resuming, evaluator)
    return as_row(see(dict(config), lengths, seed), lengths, origin, config, seed, fold)


def as_row(
    outcomes: Sequence[Outcome], lengths: Sequence[int], origin: str, config: Config, seed: int, fold: int
) -> Row:
    """A training's outcomes after some numbers of epochs as a row; see `look`."""
    judged = [_judged(outcome) for outcome in outcomes]
    failed = next((k for k, (status, _) in enumerate(judged) if status is not Status.OK), None)
    seen = outcomes if failed is None else outcomes[: failed + 1]
    ended = outcomes[:failed]
    status, error = judged[len(seen) - 1]
    seconds, evaluation = _times(seen)
    return Row(
        config=dict(config),
        seed=seed,
        fold=fold,
        origin=origin,
        epochs=tuple(lengths[: len(seen)]),
        seconds=seconds,
        evaluation_seconds=evaluation,
        validation=_side([outcome.validation for outcome in ended]),
        test=_side([outcome.test for outcome in ended]),
        curve=tuple(float(value) for value in ended[-1].curve) if ended else (),
        status=status,
        error=error[:MAX_TEXT] if error else None,
    )


def _by_resuming(evaluator: Evaluator, config: Config, lengths: Sequence[int], seed: int) -> Sequence[Outcome]:
    """The outcomes of ever longer trials, each resumed from the one before it, with the costs of whole ones."""
    outcomes: list[Outcome] = []
    seconds, evaluation, trained = 0.0, 0.0, 0
    for length in lengths:
        outcome = evaluator.evaluate(Proposal(config, length), seed, trained=trained)
        seconds += outcome.cost.gpu_seconds
        evaluation += outcome.cost.evaluation_seconds
        cost = replace(outcome.cost, gpu_seconds=seconds, evaluation_seconds=min(evaluation, seconds))
        outcomes.append(replace(outcome, cost=cost))
        if _judged(outcome)[0] is not Status.OK:
            break
        trained = length
    return outcomes


def _times(outcomes: Sequence[Outcome]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Seconds in all and of evaluation, to the microsecond; a longer trial takes longer, whatever a clock says."""
    seconds: list[float] = []
    evaluation: list[float] = []
    for outcome in outcomes:
        least = round(seconds[-1] + 1e-6, 6) if seconds else 1e-6
        seconds.append(max(round(outcome.cost.gpu_seconds, 6), least))
        evaluation.append(round(min(outcome.cost.evaluation_seconds, seconds[-1]), 6))
    return tuple(seconds), tuple(evaluation)


def _judged(outcome: Outcome) -> tuple[Status, str | None]:
    """How a training ended; not well if one of its figures is not finite."""
    if outcome.status is not Status.OK:
        return outcome.status, outcome.error
    wrong = [name for name, value in [*outcome.validation.items(), *outcome.test.items()] if not math.isfinite(value)]
    wrong += ["the curve"] if not all(map(math.isfinite, outcome.curve)) else []
    return (Status.DIVERGED, f"{wrong[0]} is not finite") if wrong else (Status.OK, None)


def _side(outcomes: Sequence[Mapping[str, float]]) -> dict[str, tuple[float, ...]]:
    names = outcomes[0].keys() if outcomes else ()
    return {name: tuple(float(outcome[name]) for outcome in outcomes) for name in names}
