"""What a run asked and was answered, trial by trial, as digests small enough to keep: where do two runs part?"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from ConfigSpace import ConfigurationSpace

from hemobench.benchmarks.storage.records import TrialRecord
from hemobench.strategies.base import Config
from hemobench.strategies.space import Hyperparameter, choices, numeric

ASK, ANSWER = 8, 4
"""Hexadecimal digits that are kept of an ask and of an answer: two that differ look alike once in 4e9 and 65,536."""


def digest(content: Any, digits: int) -> str:
    """The first digits of the SHA-256 of plain data."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:digits]


def ask_digests(records: Iterable[TrialRecord]) -> str:
    """Configurations and epochs in the order in which they were asked, `ASK` digits each."""
    ordered = sorted(records, key=lambda record: record.number)
    return "".join(digest([dict(r.config), r.epochs, r.resume_from], ASK) for r in ordered)


def answer_digests(records: Iterable[TrialRecord]) -> str:
    """Status, loss and cost in the order of the asks, `ANSWER` digits each."""
    ordered = sorted(records, key=lambda record: record.number)
    return "".join(digest([r.status, r.loss, r.cost.gpu_seconds], ANSWER) for r in ordered)


@dataclass(frozen=True, slots=True)
class Divergence:
    """Where a run leaves the recorded one.

    Attributes:
        seed: Of both runs.
        trial: Number of the first trial that differs, from 0.
        what: `ask`: the strategy asked for something else; `answer`: the same ask was answered otherwise, which is
            the benchmark's or the harness's doing; `end`: one of the two stopped asking.
    """

    seed: int
    trial: int
    what: Literal["ask", "answer", "end"]


def divergence(seed: int, asks: tuple[str, str], answers: tuple[str, str]) -> Divergence | None:
    """Where two runs part; `None` if they are bit-identical.

    Args:
        seed: Of both.
        asks: Digests of the recorded run and of the new one.
        answers: Likewise.
    """
    asked, answered = first_difference(*asks, ASK), first_difference(*answers, ANSWER)
    if asked is None and answered is None:
        return None
    if answered is not None and (asked is None or answered < asked):
        return Divergence(seed, answered, "answer")
    assert asked is not None
    ended = asked >= min(map(len, asks)) // ASK
    return Divergence(seed, asked, "end" if ended else "ask")


def first_difference(one: str, other: str, digits: int) -> int | None:
    """The number of the first trial whose digest differs or is missing on one side; `None` if all agree."""
    if one == other:
        return None
    ends = range(0, max(len(one), len(other)), digits)
    return next(place // digits for place in ends if one[place : place + digits] != other[place : place + digits])


def repeats(asks: str) -> int:
    """How many asks of a run had been asked before in it."""
    found = [asks[place : place + ASK] for place in range(0, len(asks), ASK)]
    return len(found) - len(set(found))


def coverage(space: ConfigurationSpace, configs: Sequence[Config]) -> dict[str, float]:
    """How much of each hyperparameter's range was asked for, as a fraction.

    Args:
        space: The search space.
        configs: What was asked, of as many runs as there are.

    Returns:
        For numbers the distance of the lowest from the highest on the hyperparameter's own scale (log or linear),
        for choices the share of the values; 0 where it was never active.
    """
    seen = {name: {config[name] for config in configs if name in config} for name in space}
    return {name: round(_reach(hp, seen[name]), 3) for name, hp in space.items()}


def _reach(hp: Hyperparameter, seen: Set[Any]) -> float:
    values = choices(hp)
    if values is not None or not seen:
        return len(seen) / len(values or [None])
    ends: Any = np.asarray([min(seen), max(seen)])
    low, high = numeric(hp).to_vector(ends)
    return float(high - low)
