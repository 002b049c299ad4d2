"""Manual analysis: one-dimensional grids around a default, then the combination of the best values.

This is the bone-marrow paper's systematic analysis of single hyperparameters, which neglects how they interact.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from itertools import islice, product
from typing import Any, ClassVar

import numpy as np
from ConfigSpace import ConfigurationSpace, OrConjunction
from ConfigSpace.conditions import Condition, Conjunction

from hemobench.strategies.base import Config, Count, Proposal, Share, Status, Supports, Trial
from hemobench.strategies.space import Hyperparameter, active, choices, coerce, default, numeric

MOST_WAYS = 200
"""Of making a hyperparameter active, that are tried."""


class Manual:
    """Tries the default, then each hyperparameter's grid in turn, then all the best values together.

    The grids are as fine as the horizon allows: every hyperparameter has a first value beside its default,
    then every one a second, and so on. All values of a categorical one are tried if the horizon allows.
    A conditional hyperparameter that is inactive by default is varied with its parents set so that it is active.
    """

    supports: ClassVar[Supports] = Supports()
    starts_at_default: ClassVar[bool] = True

    def __init__(
        self, space: ConfigurationSpace, *, seed: int, horizon: int, finest: Count = 10, share: Share = 0.85
    ) -> None:
        """Plan the analysis; nothing in it is random.

        Args:
            space: The search space, whose default values are the centre of the grids.
            seed: Not used.
            horizon: Expected number of trials.
            finest: Most values of a numeric hyperparameter's grid.
            share: Of the horizon that the default, the grids and the combination fit into: what is near a default
                may cost more than the average configuration, and an analysis without its last trial is none.
        """
        self._space = space
        self._plan = plan(space, round(share * horizon), finest)
        self._told: dict[int, Trial] = {}
        self._asked = 0
        self._combined = False

    def ask(self) -> Proposal | None:
        if self._asked < len(self._plan):
            self._asked += 1
            return Proposal(self._plan[self._asked - 1][1])
        if len(self._told) < len(self._plan) or self._combined:
            return None
        self._combined = True
        combination = self._combination()
        tried = any(combination == config for _, config in self._plan)
        return None if tried else Proposal(combination)

    def tell(self, trial: Trial) -> None:
        self._told[trial.number] = trial

    def _combination(self) -> Config:
        """The best value of each hyperparameter on its own grid, its default among them."""
        values = default(self._space)
        for name in self._space:
            grid = [number for number, (varied, config) in enumerate(self._plan) if varied in (name, "")]
            reached = [self._told[n] for n in grid if self._told[n].status is Status.OK and name in self._plan[n][1]]
            if reached:
                winner = min(reached, key=lambda trial: (trial.loss, trial.number))
                values[name] = winner.proposal.config[name]
        return active(self._space, values)


def plan(space: ConfigurationSpace, horizon: int, finest: int) -> list[tuple[str, Config]]:
    """The configurations to try, each with the name of what it varies; the default comes first, varying nothing."""
    centre = default(space)
    found = {name: enabling(space, name) for name in space}
    ancestors = {name: values for name, values in found.items() if values is not None}  # the others are never active
    grids: dict[str, list[Any]] = {name: [] for name in ancestors}
    spare = horizon - 2  # the default and the combination
    for points in range(1, max(_most(hp, finest) for hp in space.values()) + 1):
        for name in grids:
            hp = space[name]
            finer = grid(hp, min(points, _most(hp, finest)), centre[name])
            if len(finer) - len(grids[name]) <= spare:
                spare -= len(finer) - len(grids[name])
                grids[name] = finer
    planned: list[tuple[str, Config]] = [("", active(space, centre))]
    for name, values in grids.items():
        base = {**centre, **ancestors[name]}
        planned += [(name, active(space, {**base, name: value})) for value in values]
    return planned


def _most(hp: Hyperparameter, finest: int) -> int:
    values = choices(hp)
    if values is not None:
        return len(values) - 1
    return int(min(finest, hp.get_size() if math.isfinite(hp.get_size()) else finest))


def grid(hp: Hyperparameter, points: int, centre: Any) -> list[Any]:
    """Values of one hyperparameter beside its default: evenly spaced in its own scale, the ends included."""
    values = choices(hp)
    if values is not None:
        return [value for value in values if value != centre][:points]
    hp = numeric(hp)
    ends = (math.log(hp.lower), math.log(hp.upper)) if hp.log else (float(hp.lower), float(hp.upper))
    spaced = np.linspace(*ends, points) if points > 1 else np.asarray([sum(ends) / 2])
    found = [coerce(hp, math.exp(x) if hp.log else float(x)) for x in spaced]
    return [value for value in dict.fromkeys(found) if value != centre]


def enabling(space: ConfigurationSpace, name: str) -> dict[str, Any] | None:
    """Values of the ancestors with which a hyperparameter is active: the defaults wherever they do.

    `None` if there are none, as where its conditions contradict each other.
    """
    centre = default(space)
    for values in islice(_ways(space, name), MOST_WAYS):
        if name in active(space, {**centre, **values}):
            return values
    return None


def _ways(space: ConfigurationSpace, name: str) -> Iterator[dict[str, Any]]:
    """Values of the ancestors that meet a hyperparameter's conditions one by one, and perhaps together."""
    conditions = space.parent_conditions_of[name]
    if not conditions:
        yield {}
        return
    for needed in _alternatives(conditions):
        for parts in product(*(list(_meeting(space, condition)) for condition in needed)):
            yield {parent: value for part in parts for parent, value in part.items()}


def _meeting(space: ConfigurationSpace, condition: Condition) -> Iterator[dict[str, Any]]:
    """Values of a condition's parent that meet it, each with what makes the parent active."""
    parent = condition.parent
    options = (default(space)[parent.name], *(choices(parent) or (numeric(parent).lower, numeric(parent).upper)))
    for value in options:
        if condition.satisfied_by_value({parent.name: value}):
            for values in islice(_ways(space, parent.name), MOST_WAYS):
                yield {**values, parent.name: value}


def _alternatives(found: Iterable[Condition | Conjunction]) -> Iterator[list[Condition]]:
    """Conditions that make a child active: all of them together first, then each that will do alone."""
    parts = list(found)
    yield list(_conditions(parts))
    for part in parts:
        if isinstance(part, OrConjunction):
            for component in part.components:
                yield list(_conditions([component]))


def _conditions(found: Iterable[Condition | Conjunction]) -> Iterator[Condition]:
    """Single conditions, those of a conjunction one by one: with all of them the child is active."""
    for condition in found:
        if isinstance(condition, Conjunction):
            yield from _conditions(condition.components)
        else:
            yield condition
