"""One definition of a search space, a `ConfigSpace.ConfigurationSpace`, and what is derived from it."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from ConfigSpace import AndConjunction, ConfigurationSpace, OrConjunction
from ConfigSpace.conditions import Condition, Conjunction
from ConfigSpace.hyperparameters import (
    CategoricalHyperparameter,
    Constant,
    OrdinalHyperparameter,
    UniformFloatHyperparameter,
    UniformIntegerHyperparameter,
)
from ConfigSpace.hyperparameters import Hyperparameter as AnyHyperparameter

from hemobench.strategies.base import Config, UnsupportedTask

Hyperparameter = AnyHyperparameter[Any, Any]
Numeric = UniformFloatHyperparameter | UniformIntegerHyperparameter


def choices(hp: Hyperparameter) -> tuple[Any, ...] | None:
    """The values of a categorical, ordinal or constant hyperparameter as built-ins; `None` for a numeric one."""
    match hp:
        case CategoricalHyperparameter():
            return tuple(builtin(v) for v in hp.choices)
        case OrdinalHyperparameter():
            return tuple(builtin(v) for v in hp.sequence)
        case Constant():
            return (builtin(hp.value),)
        case UniformFloatHyperparameter() | UniformIntegerHyperparameter():
            return None
    raise UnsupportedTask(
        f"hyperparameter '{hp.name}' is a {type(hp).__name__}",
        "use uniform floats or integers (linear or log), categoricals, ordinals or constants",
    )


def require_known(space: ConfigurationSpace) -> None:
    """Make sure that every hyperparameter is of a kind that all strategies can deal with.

    Raises:
        UnsupportedTask: Naming the first that is not.
    """
    for hp in space.values():
        choices(hp)


def numeric(hp: Hyperparameter) -> Numeric:
    """A hyperparameter that has no choices, seen as what it then is: bounds and perhaps a log scale."""
    assert isinstance(hp, Numeric)
    return hp


def builtin(value: Any) -> Any:
    """The plain Python value behind a NumPy scalar (`numpy.float64` is a `float` already, but prints otherwise)."""
    return value.item() if isinstance(value, np.generic) else value


def coerce(hp: Hyperparameter, value: Any) -> Any:
    """A library's value as a legal built-in one: of the declared type, within the bounds."""
    return coercion(hp)(value)


def coercion(hp: Hyperparameter) -> Callable[[Any], Any]:
    """`coerce` of one hyperparameter, which looks up bounds and choices once."""
    if isinstance(hp, UniformIntegerHyperparameter):
        least, most = int(hp.lower), int(hp.upper)
        return lambda value: min(max(round(builtin(value)), least), most)
    if isinstance(hp, UniformFloatHyperparameter):
        return _bounded(float(hp.lower), float(hp.upper))
    return _among_own(choices(hp) or ())


def _bounded(low: float, high: float) -> Callable[[Any], float]:
    def bounded(value: Any) -> float:
        plain = float(value)
        return low if plain < low else high if plain > high else plain

    return bounded


def _among_own(options: Sequence[Any]) -> Callable[[Any], Any]:
    """Libraries keep choices in arrays, where 0 and 0.1 are both floats: the equal value is given back."""
    own = {option: option for option in reversed(options)}  # of equal ones, the first

    def chosen(value: Any) -> Any:
        try:
            return own[value]
        except (KeyError, TypeError):  # a list, for example, is no key
            return builtin(value)

    return chosen


def active(space: ConfigurationSpace, values: Mapping[str, Any]) -> dict[str, Any]:
    """Keep the hyperparameters whose conditions hold, in the space's order, as built-in values.

    Args:
        space: The search space.
        values: A value for at least every active hyperparameter; inactive ones may be present too.
    """
    config: dict[str, Any] = {}
    for name, hp in space.items():  # parents come before their children
        if is_active(space, name, config):
            config[name] = coerce(hp, values[name])
    return config


def is_active(space: ConfigurationSpace, name: str, config: Config) -> bool:
    """Whether the conditions of a hyperparameter hold, given its active ancestors."""
    return all_hold(space.parent_conditions_of[name], config)


def all_hold(conditions: Sequence[Condition | Conjunction], config: Config) -> bool:
    """Whether all of a hyperparameter's conditions hold, given its active ancestors; most have none."""
    return not conditions or all(_holds(condition, config) for condition in conditions)


def _holds(condition: Condition | Conjunction, config: Config) -> bool:
    if isinstance(condition, AndConjunction):
        return all(_holds(part, config) for part in condition.components)
    if isinstance(condition, OrConjunction):
        return any(_holds(part, config) for part in condition.components)
    assert isinstance(condition, Condition)
    return condition.parent.name in config and condition.satisfied_by_value(dict(config))


def default(space: ConfigurationSpace) -> dict[str, Any]:
    """The space's default values, the inactive ones too: what a one-dimensional grid varies around."""
    return {name: builtin(hp.default_value) for name, hp in space.items()}


def legality(space: ConfigurationSpace) -> Callable[[Config], None]:
    """A check of configurations: every active hyperparameter, no other, legal values of built-in types.

    Returns:
        A function that raises a `ValueError` naming what is wrong. It takes microseconds, a `Configuration` tens
        of them.
    """
    checks = [(name, _legal_values(hp), space.parent_conditions_of[name]) for name, hp in space.items()]

    def require_legal(config: Config) -> None:
        known = 0
        for name, is_legal, conditions in checks:
            if name in config:
                known += 1
                if not is_legal(config[name]):
                    raise ValueError(f"{name} cannot be {config[name]!r}")
                if conditions and not all_hold(conditions, config):
                    raise ValueError(f"{name} is not active here")
            elif all_hold(conditions, config):
                raise ValueError(f"{name} is missing")
        if known < len(config):
            raise ValueError(f"unknown hyperparameters: {sorted(config.keys() - set(space))}")

    return require_legal


def _legal_values(hp: Hyperparameter) -> Callable[[Any], bool]:
    values = choices(hp)
    if values is not None:
        return _among({(type(value), value) for value in values})
    hp = numeric(hp)
    kind, low, high = (int if isinstance(hp, UniformIntegerHyperparameter) else float), hp.lower, hp.upper
    return lambda value: type(value) is kind and low <= value <= high


def _among(typed: set[tuple[type, Any]]) -> Callable[[Any], bool]:
    def is_among(value: Any) -> bool:
        try:
            return (type(value), value) in typed
        except TypeError:  # a list, for example, which no set can hold
            return False

    return is_among


def quantile(hp: Hyperparameter) -> Callable[[float], Any]:
    """The inverse of the hyperparameter's own distribution function: [0, 1) to values.

    Integers take equal shares of the (linear or log) range that each stands in the middle of, so that the ends
    are as likely as the rest.
    """
    values = choices(hp)
    if values is not None:
        weights = getattr(hp, "probabilities", None)
        shares = np.full(len(values), 1 / len(values)) if weights is None else np.asarray(weights)
        upper_ends = np.cumsum(shares)[:-1].tolist()
        return lambda u: values[bisect_right(upper_ends, u)]
    hp, coerced = numeric(hp), coercion(hp)
    margin = 0.5 if isinstance(hp, UniformIntegerHyperparameter) else 0.0
    low, high = float(hp.lower) - margin, float(hp.upper) + margin
    if hp.log:
        bottom, height = math.log(low), math.log(high) - math.log(low)
        return lambda u: coerced(math.exp(bottom + u * height))
    return lambda u: coerced(low + u * (high - low))


def random_stream(space: ConfigurationSpace, seed: int) -> Iterator[Config]:
    """The endless seeded stream of uniformly random configurations that `random` and `sssr` share.

    One uniform number is drawn for every hyperparameter, active or not, so that streams of spaces that differ
    in one condition stay aligned.
    """
    rng = np.random.default_rng(np.random.SeedSequence(seed))
    quantiles = [(name, quantile(hp), space.parent_conditions_of[name]) for name, hp in space.items()]
    return _drawn(rng, quantiles)


def _drawn(
    rng: np.random.Generator, quantiles: list[tuple[str, Callable[[float], Any], Any]]
) -> Iterator[dict[str, Any]]:
    while True:
        config: dict[str, Any] = {}
        for (name, value_at, conditions), u in zip(quantiles, rng.random(len(quantiles)).tolist(), strict=True):
            if all_hold(conditions, config):
                config[name] = value_at(u)
        yield config


def library_seed(seed: int) -> int:
    """A 31-bit seed for a library's own generator, spread by `numpy.random.SeedSequence`."""
    return int(np.random.SeedSequence(seed).generate_state(1)[0]) & 0x7FFFFFFF
