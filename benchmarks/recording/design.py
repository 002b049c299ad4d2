"""Which configurations a recording trains, and how often: a function of a seed and of what was recorded before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from hemobench.benchmarks.tables.schema import ALL_FOLDS, Row, config_key, final_loss
from hemobench.benchmarks.tasks.base import Objective
from hemobench.errors import BenchmarkError
from hemobench.strategies.base import Config, Status

Asked = tuple[str, Config, int, int]
"""A training: origin, configuration, seed and fold."""


@dataclass(frozen=True, slots=True)
class Design:
    """A mix of points spread over the space, trajectories of strategies towards its good region, and repetitions.

    Points and trajectories are trained with seed 0 on the first fold. Of what they gave, configurations at equal
    steps of rank, from the best to the worst, are then trained on the other folds and with other seeds.

    Attributes:
        sobol: Points of a scrambled Sobol sequence.
        random: Uniformly random points.
        strategies: Names of strategies that search, each with every one of `strategy_seeds`.
        strategy_seeds: How many searches of each.
        strategy_trials: Trials of a search.
        near_best: Configurations drawn near the best of these, trained on the folds that those were trained on.
        near_default: Configurations that differ from the task's default in one to three hyperparameters, where searches
            begin; likewise.
        corners: Random configurations of which about half of the numbers lie at an end of their range, where models
            promise most and know least; likewise.
        incumbents: Further configurations, as searches of a surrogate ended with: there it flatters.
        every_fold: Configurations trained on every fold; if these are all points, they are from the start.
        best_repeats: The best configurations, so many, are trained with `repeat_seeds` seeds in all, on every fold
            that they were trained on.
        random_repeats: So are so many of those drawn at random.
        repeats: Configurations trained with `repeat_seeds` seeds in all, on the first fold.
        repeat_seeds: See there.
        repeat_folds: The best and the random ones are repeated on the first so many of their folds; 0 for all.
        folds: What folds there are, by the evaluator's numbers; `ALL_FOLDS` where it puts them together itself.
        epochs: Lengths of training to look at; empty for every epoch up to ten, then about 1.5 times as many each.
        seed: Decides points and searches.
        grid: Of some hyperparameters, the only values that points take, so that more trainings are alike and can be
            computed together.
    """

    sobol: int = 256
    random: int = 128
    strategies: tuple[str, ...] = ("optuna-tpe", "smac")
    strategy_seeds: int = 2
    strategy_trials: int = 60
    near_best: int = 0
    near_default: int = 0
    corners: int = 0
    incumbents: tuple[Config, ...] = ()
    every_fold: int = 0
    best_repeats: int = 0
    random_repeats: int = 0
    repeats: int = 30
    repeat_seeds: int = 5
    repeat_folds: int = 0
    folds: tuple[int, ...] = (ALL_FOLDS,)
    epochs: tuple[int, ...] = ()
    seed: int = 0
    grid: Mapping[str, tuple[float, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        counts = asdict(self)
        negative = [name for name, value in counts.items() if isinstance(value, int) and value < 0]
        if negative:
            raise BenchmarkError(f"a design with {negative[0]} = {counts[negative[0]]}", "give 0 or more")
        if not self.folds or len(set(self.folds)) < len(self.folds):
            raise BenchmarkError(f"a design with the folds {self.folds}", "give each fold once, and at least one")
        if list(self.epochs) != sorted(set(self.epochs)) or any(epoch < 1 for epoch in self.epochs):
            raise BenchmarkError(f"a design that looks after the epochs {self.epochs}", "give rising numbers from 1")
        searched = self.strategies and self.strategy_seeds and self.strategy_trials
        if not (self.sobol or self.random or self.incumbents or searched):
            raise BenchmarkError("a design without configurations", "give sobol, random, strategies or incumbents")

    def as_data(self) -> dict[str, Any]:
        """As plain data, for the table's header."""
        plain = {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}
        for name in ("near_default", "corners", "incumbents"):
            if not plain[name]:  # as recordings that were begun before there were any
                del plain[name]
        return plain | {"grid": {name: list(values) for name, values in self.grid.items()}}

    @property
    def everywhere(self) -> bool:
        """Whether all points are trained on every fold from the start."""
        before = self.sobol + self.random + len(self.incumbents)
        after = self.near_best + self.near_default + self.corners
        return self.every_fold >= before + after

    def looks(self, full: int) -> tuple[int, ...]:
        """The lengths of training to look at, the full one last.

        Raises:
            BenchmarkError: If one is beyond the full length.
        """
        if self.epochs and self.epochs[-1] > full:
            raise BenchmarkError(f"{self.epochs[-1]} epochs to look at; a training has {full}", "give no more")
        return tuple(sorted({*(self.epochs or _geometric(full)), full}))


def _geometric(full: int) -> list[int]:
    epochs = list(range(1, min(full, 10) + 1))
    while epochs[-1] * 1.5 < full:
        epochs.append(round(epochs[-1] * 1.5))
    return epochs


def across_folds(design: Design, rows: Sequence[Row], objective: Objective) -> list[Asked]:
    """What to train on the other folds, once the first is recorded.

    Args:
        design: The design.
        rows: What is recorded, in the design's order.
        objective: What they are ranked by.
    """
    first, others = design.folds[0], design.folds[1:]
    there = {row.key for row in rows}
    ended = [row for row in rows if row.status is Status.OK and row.fold == first and row.seed == 0]
    ranked = sorted(ended, key=lambda row: final_loss(row, objective))
    chosen = _spread(ranked, design.every_fold) if others else []
    asked = [(row, fold) for row in chosen for fold in others]
    return [("folds", row.config, 0, fold) for row, fold in asked if (row.key[0], 0, fold) not in there]


def repeated(design: Design, rows: Sequence[Row], objective: Objective) -> list[Asked]:
    """What to train with other seeds, once all configurations are recorded; the best come first.

    Args:
        design: The design.
        rows: What is recorded, in the design's order.
        objective: What they are ranked by: the mean over the folds that each was trained on.
    """
    first, seeds = design.folds[0], range(1, design.repeat_seeds)
    folds = _folds_of(rows)
    ranked = in_order_of_loss(rows, objective)
    drawn = [row for row in ranked if row.origin == "random"]
    most = design.repeat_folds or None
    best = [("repeat-best", row, folds[row.key[0]][:most]) for row in ranked[: design.best_repeats]]
    random = [("repeat-random", row, folds[row.key[0]][:most]) for row in _spread(drawn, design.random_repeats)]
    steps = [("repeat", row, [first]) for row in _spread(ranked, design.repeats)]
    asked = [
        (origin, row.config, seed, fold)
        for origin, row, where in [*best, *random, *steps]
        for seed in seeds
        for fold in where
    ]
    once: dict[tuple[str, int, int], Asked] = {}
    for origin, config, seed, fold in asked:
        once.setdefault((config_key(config), seed, fold), (origin, config, seed, fold))
    return list(once.values())


def _folds_of(rows: Sequence[Row]) -> dict[str, list[int]]:
    """The folds on which each configuration was trained well with seed 0."""
    folds: dict[str, list[int]] = {}
    for row in rows:
        if row.status is Status.OK and row.seed == 0:
            folds.setdefault(row.key[0], []).append(row.fold)
    return folds


def in_order_of_loss(rows: Sequence[Row], objective: Objective) -> list[Row]:
    """One row a configuration, best first by the mean of its folds; those trained on fewer folds than others last."""
    losses: dict[str, list[float]] = {}
    one: dict[str, Row] = {}
    for row in rows:
        if row.status is Status.OK and row.seed == 0:
            losses.setdefault(row.key[0], []).append(final_loss(row, objective))
            one.setdefault(row.key[0], row)
    most = max(map(len, losses.values()), default=0)

    def place(key: str) -> tuple[bool, float]:
        return len(losses[key]) < most, float(np.mean(losses[key]))

    return [one[key] for key in sorted(losses, key=place)]


def _spread(ranked: Sequence[Row], count: int) -> list[Row]:
    """So many of them at equal steps, the first and the last among them."""
    if count == 0:
        return []
    if count >= len(ranked):
        return list(ranked)
    places = np.linspace(0, len(ranked) - 1, count).round().astype(int)
    return [ranked[place] for place in dict.fromkeys(places.tolist())]
