"""Configurations as vectors: what networks read, and where distances to recorded configurations are measured."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from ConfigSpace import ConfigurationSpace
from numpy.typing import NDArray

from hemobench.strategies.base import Config
from hemobench.strategies.space import Hyperparameter, choices, numeric

Floats = NDArray[np.float64]
WIDE = 8.0
"""A linear hyperparameter whose ends differ by this factor is read on a logarithmic scale too."""

Write = Callable[[list[float], Any], None]


class Encoder:
    """Turns configurations of one space into vectors, in microseconds.

    A numeric hyperparameter becomes its place between its ends, from -1 to 1, on its own scale (and, if wide, on a
    logarithmic one); any other becomes a 0 or 1 for each of its values. What is inactive is written as the middle, or
    as no value; a conditional hyperparameter has one more element, 1 where it is active.

    Attributes:
        names: What each element stands for.
        weights: Factors that turn differences of vectors into distances in the unit cube: 1 between the ends of a
            numeric hyperparameter, and 1 between any two values of another.
    """

    def __init__(self, space: ConfigurationSpace) -> None:
        self.names: list[str] = []
        weights: list[float] = []
        self._write: dict[str, Write] = {}
        for name, hp in space.items():
            conditional = bool(space.parent_conditions_of[name])
            write, names, weight = _column(hp, len(self.names), conditional)
            self._write[name] = write
            self.names += names
            weights += weight
        self.weights: Floats = np.array(weights)
        self._blank = [0.0] * len(self.names)

    def one(self, config: Config) -> list[float]:
        """The vector of a configuration."""
        vector = self._blank.copy()
        for name, value in config.items():
            self._write[name](vector, value)
        return vector

    def many(self, configs: Sequence[Config]) -> Floats:
        """The vectors of many, shape (n, len(names))."""
        return np.array([self.one(config) for config in configs]).reshape(len(configs), len(self.names))


def _column(hp: Hyperparameter, start: int, conditional: bool) -> tuple[Write, list[str], list[float]]:
    """How a value is written, the names of its elements, and their weights in distances."""
    values = choices(hp)
    if values is not None:
        places = {value: start + i for i, value in enumerate(values)}
        names, weights = [f"{hp.name}={value}" for value in values], [math.sqrt(0.5)] * len(values)
    else:
        names, weights, scales = _scales(hp)
    flag = start + len(names)

    def write(vector: list[float], value: Any) -> None:
        if values is not None:
            vector[places[value]] = 1.0
        else:
            for i, (low, width, log) in enumerate(scales):
                vector[start + i] = 2 * ((math.log(value) if log else value) - low) / width - 1
        if conditional:
            vector[flag] = 1.0

    return write, [*names, f"{hp.name} active"] if conditional else names, weights + [0.0] * conditional


def _scales(hp: Hyperparameter) -> tuple[list[str], list[float], list[tuple[float, float, bool]]]:
    hp = numeric(hp)
    low, high, log = float(hp.lower), float(hp.upper), bool(hp.log)
    bottom, top = (math.log(low), math.log(high)) if log else (low, high)
    names, weights, scales = [hp.name], [0.5], [(bottom, top - bottom, log)]
    if not log and low > 0 and high / low >= WIDE:
        names, weights = [*names, f"log {hp.name}"], [*weights, 0.0]
        scales.append((math.log(low), math.log(high / low), True))
    return names, weights, scales
