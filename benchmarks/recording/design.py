"""Which configurations a recording trains, and how often: a function of a seed and of what was recorded before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import islice
from typing import Any

import numpy as np
from ConfigSpace import ConfigurationSpace

from hemobench.benchmarks.tables.schema import ALL_FOLDS, Row, config_key, final_loss
from hemobench.benchmarks.tasks.base import Objective
from hemobench.errors import BenchmarkError
from hemobench.strategies.base import Config, Status
from hemobench.strategies.space import choices, coerce, is_active, quantile, random_stream


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
        every_fold: Configurations trained on every fold; if that is all points, they are from the start.
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
        if not (self.sobol + self.random or (self.strategies and self.strategy_seeds and self.strategy_trials)):
            raise BenchmarkError("a design without configurations", "give sobol, random or strategies")

    def as_data(self) -> dict[str, Any]:
        """As plain data, for the table's header."""
        plain = {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}
        return plain | {"grid": {name: list(values) for name, values in self.grid.items()}}

    @property
    def everywhere(self) -> bool:
        """Whether all points are trained on every fold from the start."""
        return self.every_fold >= self.sobol + self.random + self.near_best

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


def points(design: Design, space: ConfigurationSpace) -> list[tuple[str, Config]]:
    """The points to train before anything is known: origin and configuration, none twice."""
    stream = islice(random_stream(space, design.seed), design.random)
    spread_out = sobol(space, design.sobol, design.seed)
    found = [*(("sobol", config) for config in spread_out), *(("random", config) for config in stream)]
    snapped = [(origin, on_grid(config, design.grid)) for origin, config in found]
    return list({config_key(config): (origin, config) for origin, config in reversed(snapped)}.values())[::-1]


def on_grid(config: Config, grid: Mapping[str, tuple[float, ...]]) -> Config:
    """The configuration with the nearest value of the grid, where there is one."""
    result = dict(config)
    for name, values in grid.items():
        if name in result:
            result[name] = _nearest(result[name], values)
    return result


def _nearest(own: Any, values: Sequence[float]) -> Any:
    distances = [abs(value - own) for value in values]
    return type(own)(values[distances.index(min(distances))])


def require_grid(design: Design, space: ConfigurationSpace) -> None:
    """Refuse a grid that is not of numbers of the space.

    Raises:
        BenchmarkError: Naming the hyperparameter.
    """
    for name, values in design.grid.items():
        if name not in space or choices(space[name]) is not None:
            numbers = [known for known, hp in space.items() if choices(hp) is None]
            raise BenchmarkError(f"a grid of '{name}', which is no number of the space", f"it has {', '.join(numbers)}")
        strange = [value for value in values if coerce(space[name], value) != value]
        if not values or strange:
            wrong = strange[0] if strange else "no value"
            raise BenchmarkError(f"a grid of '{name}' with {wrong}", f"give values of {space[name]}")


def sobol(space: ConfigurationSpace, count: int, seed: int) -> list[Config]:
    """Configurations spread evenly over a space: a scrambled Sobol sequence through each one's quantiles.

    Every hyperparameter has its own dimension, active or not.
    """
    from scipy.stats import qmc

    if count == 0:
        return []
    engine = qmc.Sobol(len(space), scramble=True, rng=np.random.default_rng(np.random.SeedSequence([seed, 1])))
    cube = engine.random_base2((count - 1).bit_length())[:count]
    values_at = [(name, quantile(hp)) for name, hp in space.items()]
    return [_at(space, values_at, row) for row in cube.tolist()]


def _at(space: ConfigurationSpace, values_at: Sequence[tuple[str, Any]], row: Sequence[float]) -> Config:
    config: dict[str, Any] = {}
    for (name, value_at), u in zip(values_at, row, strict=True):
        if is_active(space, name, config):
            config[name] = value_at(u)
    return config


Asked = tuple[str, Config, int, int]
"""A training: origin, configuration, seed and fold."""


def across_folds(design: Design, rows: Sequence[Row], objective: Objective) -> list[Asked]:
    """What to train on the other folds, once the first is recorded.

    Args:
        design: The design.
        rows: What is recorded, in the design's order.
        objective: What they are ranked by.
    """
    first, others = design.folds[0], design.folds[1:]
    if design.everywhere:
        return []
    ended = [row for row in rows if row.status is Status.OK and row.fold == first and row.seed == 0]
    ranked = sorted(ended, key=lambda row: final_loss(row, objective))
    chosen = _spread(ranked, design.every_fold) if others else []
    return [("folds", row.config, 0, fold) for row in chosen for fold in others]


NEAR = 0.1
"""Standard deviation of a step away from a good configuration, as a share of a hyperparameter's range (of its
logarithm's, where that is what is searched)."""
OTHER_CHOICE = 0.15
"""Probability that a choice is made anew."""


def near_best(design: Design, rows: Sequence[Row], objective: Objective, space: ConfigurationSpace) -> list[Asked]:
    """New configurations near the best tenth of those recorded, at least five, to be trained with seed 0.

    Points spread over a space leave few where searches end; a surrogate has to be good there.

    Args:
        design: The design.
        rows: What is recorded, in the design's order.
        objective: What they are ranked by.
        space: The task's.
    """
    ranked = _ranked(rows, objective)
    best = ranked[: max(5, len(ranked) // 10)]
    if not best or not design.near_best:
        return []
    stream = np.random.default_rng(np.random.SeedSequence([design.seed, 2]))
    known = {row.key[0] for row in rows}
    found: dict[str, Config] = {}
    for turn in range(20 * design.near_best):
        if len(found) == design.near_best:
            break
        config = on_grid(_near(best[turn % len(best)].config, space, stream), design.grid)
        if config_key(config) not in known:
            found.setdefault(config_key(config), config)
    folds = design.folds if design.everywhere else design.folds[:1]
    return [("near-best", config, 0, fold) for config in found.values() for fold in folds]


def _near(config: Config, space: ConfigurationSpace, stream: np.random.Generator) -> Config:
    moved: dict[str, Any] = {}
    for name, hp in space.items():
        if not is_active(space, name, moved):
            continue
        fresh, step = stream.random(), stream.normal(0.0, NEAR)
        if choices(hp) is None and name in config:
            place = float(hp.to_vector(config[name])) + step
            moved[name] = quantile(hp)(_reflected(place))
        elif name in config and stream.random() >= OTHER_CHOICE:
            moved[name] = config[name]
        else:
            moved[name] = quantile(hp)(fresh)
    return moved


def _reflected(place: float) -> float:
    """A place mirrored at the ends of [0, 1)."""
    within = abs(place) % 2
    return min(within, 2 - within, 1 - 1e-9)


def repeated(design: Design, rows: Sequence[Row], objective: Objective) -> list[Asked]:
    """What to train with other seeds, once all configurations are recorded; the best come first.

    Args:
        design: The design.
        rows: What is recorded, in the design's order.
        objective: What they are ranked by: the mean over the folds that each was trained on.
    """
    first, seeds = design.folds[0], range(1, design.repeat_seeds)
    folds = _folds_of(rows)
    ranked = _ranked(rows, objective)
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


def _ranked(rows: Sequence[Row], objective: Objective) -> list[Row]:
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
