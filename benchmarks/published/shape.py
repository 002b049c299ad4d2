"""What every response surface gives, and the few curves that they are made of. Points are per cent."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from hemobench.benchmarks.noise import Draw

Parameters = Mapping[str, Any]
"""The free and the chosen parameters of a surface, as stored: numbers, or tables of numbers by value."""


Values = Mapping[str, Any]
"""A `Config` whose values are of the types that the task's space declares."""


@dataclass(frozen=True, slots=True)
class Response:
    """A surface's answer for one configuration, length of training and draw of noise.

    Attributes:
        validation: Metrics as fractions in [0, 1]; empty if the training diverged.
        test: Likewise.
        curve: Headline validation metric after each epoch trained: to the early stop at most.
        diverged: The epoch at which the training diverged, or `None`.
    """

    validation: Mapping[str, float]
    test: Mapping[str, float]
    curve: tuple[float, ...]
    diverged: int | None = None


class Surface(Protocol):
    """A module with a surface's two functions."""

    def respond(self, config: Values, parameters: Parameters, epochs: int, noise: Draw) -> Response:
        """Metrics after that many epochs."""

    def gpu_seconds(self, config: Values, parameters: Parameters, epochs: int) -> float:
        """Cost of that many epochs from the start, strictly increasing in them."""


def logistic(x: float) -> float:
    """1 / (1 + exp(-x)), without overflow."""
    return 0.5 * (1.0 + math.tanh(0.5 * x))


def progress(epochs: int, last: int, pace: float) -> NDArray[np.float64]:
    """How much has been learned after each epoch: exponential saturation that reaches 1 at epoch `last`.

    Args:
        epochs: Length of the result.
        last: Where the full length ends; beyond it the curve rises slightly above 1.
        pace: Epochs in which the rest to be learned shrinks by a factor of e.
    """
    return np.asarray(np.expm1(np.arange(1, epochs + 1) / -pace) / math.expm1(-last / pace))


def fraction(points: float) -> float:
    """Points as a fraction in [0, 1], rounded so that the bytes are the same on every machine."""
    return round(min(max(points / 100.0, 0.0), 1.0), 6)


def fractions(points: NDArray[np.float64]) -> tuple[float, ...]:
    """The same for a curve."""
    return tuple(np.clip(points / 100.0, 0.0, 1.0).round(6).tolist())
