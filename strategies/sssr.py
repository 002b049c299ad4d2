"""Successive search space reduction, as in the bone-marrow paper (section 3).

Rounds of random trials from ever narrower ranges. The ranges shrink slowly on purpose: the paper finds it more
important to discard what works badly than to close in on what works best.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Annotated, Any, ClassVar, Literal

from annotated_types import MinLen
from ConfigSpace import ConfigurationSpace

from hemobench.strategies.base import Config, Count, Proposal, Share, Status, Supports, Trial
from hemobench.strategies.space import choices, random_stream


class SSSR:
    """Three rounds of 24, 16 and 8 trials; 12, then 10, then 7 survivors; 48 trials in all, and then done.

    The best half of the first round bounds the ranges of the second. From then on the best half of each round
    joins the survivors, and the best half of those survive: they bound the next ranges and, after the last
    round, are the result. Draws come from the stream of `random`; what lies outside the ranges is passed over.
    A categorical value stays if any survivor has it. Failed trials never survive.

    Attributes:
        survivors: Told trials that have survived so far, best first.
    """

    supports: ClassVar[Supports] = Supports()

    def __init__(
        self,
        space: ConfigurationSpace,
        *,
        seed: int,
        horizon: int,
        rounds: Annotated[Sequence[Count], MinLen(1)] = (24, 16, 8),
        retention: Share = 0.5,
        survival: Share = 0.5,
        scaling: Literal["down", "both", "never"] = "down",
        patience: Count = 20_000,
    ) -> None:
        """Plan the rounds.

        Args:
            space: The search space.
            seed: Of the stream of configurations.
            horizon: Expected number of trials.
            rounds: Trials in each round.
            retention: Share of a round that is retained.
            survival: Share of the retained ones, old and new, that survive.
            scaling: Whether the rounds are scaled to a horizon that is shorter than they are (`down`), to any
                horizon (`both`), or `never`.
            patience: Draws that may be passed over for one trial; after that the ranges count as exhausted.
        """
        self._space = space
        self._stream = random_stream(space, seed)
        self._left = scaled(rounds, horizon, scaling)
        self._retention, self._survival, self._patience = retention, survival, patience
        self._asked = 0
        self._round: list[Trial] = []
        self._ranges: dict[str, Range] = {}
        self._first = True
        self.survivors: list[Trial] = []

    def ask(self) -> Proposal | None:
        if self._left and len(self._round) == self._left[0]:
            self._reduce()
        if not self._left or self._asked == self._left[0]:
            return None  # done, or waiting for the trials of this round
        for _, config in zip(range(self._patience), self._stream, strict=False):
            if within(config, self._ranges):
                self._asked += 1
                return Proposal(config)
        self._left = []
        return None

    def tell(self, trial: Trial) -> None:
        self._round.append(trial)
        if len(self._left) == 1 and len(self._round) == self._left[0]:
            self._reduce()

    def _reduce(self) -> None:
        retained = best(self._round, self._retention)
        pool = self.survivors + retained
        self.survivors = best(pool, 1.0 if self._first else self._survival)
        self._ranges = bounds(self._space, [trial.proposal.config for trial in self.survivors])
        self._left, self._round, self._asked, self._first = self._left[1:], [], 0, False


Range = tuple[float, float] | frozenset[Any]
"""The lowest and highest value of a numeric hyperparameter, or the values of another that stay."""


def scaled(rounds: Sequence[int], horizon: int, scaling: str) -> list[int]:
    """The rounds, scaled in proportion to a horizon, each of at least two trials."""
    total = sum(rounds)
    if scaling == "never" or (scaling == "down" and horizon >= total):
        return list(rounds)
    return [max(2, math.floor(size * horizon / total)) for size in rounds]


def best(trials: Iterable[Trial], share: float) -> list[Trial]:
    """The best share of the trials (half of an odd number is rounded up), best first, without the failed ones."""
    trials = list(trials)
    succeeded = [trial for trial in trials if trial.status is Status.OK and trial.loss is not None]
    ranked = sorted(succeeded, key=lambda trial: (trial.loss, trial.number))
    return ranked[: math.ceil(len(trials) * share)]


def bounds(space: ConfigurationSpace, configs: Sequence[Config]) -> dict[str, Range]:
    """What the configurations span; a hyperparameter that is active in none of them is not bounded."""
    found: dict[str, Range] = {}
    for name, hp in space.items():
        values: list[Any] = [config[name] for config in configs if name in config]
        if values:
            found[name] = (min(values), max(values)) if choices(hp) is None else frozenset(values)
    return found


def within(config: Config, ranges: dict[str, Range]) -> bool:
    """Whether every active hyperparameter lies in its range."""
    for name, value in config.items():
        span = ranges.get(name)
        if isinstance(span, frozenset):
            if value not in span:
                return False
        elif span is not None and not span[0] <= value <= span[1]:  # type: ignore[operator]
            return False
    return True
