"""The points of a design: spread over the space, drawn at random, on a grid, or near the best."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import cycle, islice
from typing import Any

import numpy as np
from ConfigSpace import ConfigurationSpace

from hemobench.benchmarks.recording.design import Asked, Design, in_order_of_loss
from hemobench.benchmarks.tables.schema import Row, config_key
from hemobench.benchmarks.tasks.base import Objective
from hemobench.errors import BenchmarkError
from hemobench.strategies.base import Config
from hemobench.strategies.space import choices, coerce, default, is_active, quantile, random_stream

Draw = Callable[[np.random.Generator], Config]
"""Makes a configuration of random numbers."""


def points(design: Design, space: ConfigurationSpace) -> list[tuple[str, Config]]:
    """The points to train before anything is known: origin and configuration, none twice."""
    stream = islice(random_stream(space, design.seed), design.random)
    spread_out = sobol(space, design.sobol, design.seed)
    by_origin = {"sobol": spread_out, "random": stream, "incumbent": design.incumbents}
    found = [(origin, config) for origin, configs in by_origin.items() for config in configs]
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
    ranked = in_order_of_loss(rows, objective)
    best = ranked[: max(5, len(ranked) // 10)]
    if not best or not design.near_best:
        return []
    turns = cycle(best)
    return _further(
        "near-best", design.near_best, 2, lambda stream: _near(next(turns).config, space, stream), design, rows
    )


MOST_CHANGED = 3
"""Hyperparameters in which a configuration near the default may differ from it."""


def near_default(design: Design, rows: Sequence[Row], space: ConfigurationSpace) -> list[Asked]:
    """New configurations near the task's default, to be trained with seed 0.

    Defaults are corners of many spaces, of which points spread over a space know little; searches begin there, and the
    manual analysis never goes far.

    Args:
        design: The design.
        rows: What is recorded, in the design's order.
        space: The task's.
    """
    return _further("near-default", design.near_default, 3, partial(_near_default, space), design, rows)


def corners(design: Design, rows: Sequence[Row], space: ConfigurationSpace) -> list[Asked]:
    """New configurations at the ends of ranges, to be trained with seed 0.

    Args:
        design: The design.
        rows: What is recorded, in the design's order.
        space: The task's.
    """
    return _further("corner", design.corners, 4, partial(_corner, space), design, rows)


def _corner(space: ConfigurationSpace, stream: np.random.Generator) -> Config:
    config: dict[str, Any] = {}
    for name, hp in space.items():
        place = stream.random()
        if choices(hp) is None and stream.random() < 0.5:
            place = float(place > 0.5) * (1 - 1e-9)
        if is_active(space, name, config):
            config[name] = quantile(hp)(place)
    return config


def _further(origin: str, count: int, key: int, draw: Draw, design: Design, rows: Sequence[Row]) -> list[Asked]:
    """Configurations that are not recorded, with seed 0, on the folds of points; fewer than `count`, if few are left.

    `key` tells this kind's stream of random numbers from those of others.
    """
    stream = np.random.default_rng(np.random.SeedSequence([design.seed, key]))
    known = {row.key[0] for row in rows}
    found: dict[str, Config] = {}
    for _ in range(20 * count):
        if len(found) == count:
            break
        config = on_grid(draw(stream), design.grid)
        if config_key(config) not in known:
            found.setdefault(config_key(config), config)
    folds = design.folds if design.everywhere else design.folds[:1]
    return [(origin, config, 0, fold) for config in found.values() for fold in folds]


def _near_default(space: ConfigurationSpace, stream: np.random.Generator) -> Config:
    usual = default(space)
    many = 1 + int(stream.integers(min(MOST_CHANGED, len(usual))))
    changed = {str(name) for name in stream.choice(list(usual), many, replace=False)}
    moved: dict[str, Any] = {}
    for name, hp in space.items():
        fresh = stream.random()
        if not is_active(space, name, moved):
            continue
        kept = name in usual and name not in changed
        moved[name] = usual[name] if kept else quantile(hp)(fresh)
    return moved


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
