"""Noise of one Gaussian shape: what surrogates of the first format draw. New ones have a `Copula`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hemobench.benchmarks import noise
from hemobench.benchmarks.surrogates.noise.copula import Drawn
from hemobench.strategies.base import Config

Floats = NDArray[np.float64]
FACTORS = 12
"""Directions that noise is drawn along, of the 16 numbers that `noise.draw` gives a trial."""
FAILURE = 15
"""Which of these numbers decides whether a trial fails."""
FLOOR = 1e-4


@dataclass(frozen=True, slots=True)
class Plan:
    """What answers of one length of training need; see `Gaussian` for the fields' meaning.

    Attributes:
        factors: Shape (FACTORS, M).
        rest: Shape (M,).
        curve_factors: Shape (epochs, FACTORS).
        curve_rest: Shape (epochs,).
    """

    factors: Floats
    rest: Floats
    curve_factors: Floats
    curve_rest: Floats


@dataclass(frozen=True, slots=True)
class Gaussian:
    """Noise of M outputs after each of T lengths of training, as fractions.

    An output's noise is `(p (1 - p)) ** power * (trial @ factors + epoch * rest)`, of standard normal numbers: some
    that all lengths of a trial share, and one of its own for each epoch.

    Attributes:
        factors: Shape (T, FACTORS, M).
        rest: Shape (T, M).
        power: Shape (M,).
    """

    factors: Floats
    rest: Floats
    power: Floats

    def draw(self, names: list[str], version: int, seed: int, config: Config, epochs: int) -> Drawn:
        """A trial's numbers on folds; see `Copula.draw`."""
        drawn = [noise.draw(name, version, seed, config, epochs) for name in names]
        trial = np.array([one.trial for one in drawn])
        epoch = np.array([one.epoch for one in drawn])
        return Drawn(trial[:, :FACTORS], epoch[:, :, None], trial[:, FAILURE].tolist())

    def answer(self, outputs: Floats, curve: Floats, plan: Plan, drawn: Drawn) -> tuple[Floats, Floats]:
        """Figures and curve with noise; see `Copula.answer`."""
        added = drawn.trial @ plan.factors + drawn.epoch[:, -1] * plan.rest
        along = drawn.trial @ plan.curve_factors.T + drawn.epoch[:, :, 0] * plan.curve_rest
        figures = outputs + added * spread(outputs) ** self.power
        curves = curve + along * spread(curve) ** self.power[-1]
        return np.clip(figures, 0.0, 1.0), np.clip(curves, 0.0, 1.0)

    def plan(self, between: list[tuple[int, int, float]], epochs: int) -> Plan:
        """What answers of one length need; see `Copula.plan`."""
        low, high, share = (np.array(part) for part in zip(*between[1 : epochs + 1], strict=True))
        weight = share[:, None]
        factors = (1 - weight[..., None]) * self.factors[low] + weight[..., None] * self.factors[high]
        rest = (1 - weight) * self.rest[low] + weight * self.rest[high]
        return Plan(factors[-1], rest[-1], np.ascontiguousarray(factors[:, :, -1]), rest[:, -1])

    def moments(self, outputs: Floats, between: tuple[int, int, float]) -> tuple[Floats, Floats]:
        """Mean and deviation of what is added; see `Copula.moments`."""
        low, high, share = between
        factors = (1 - share) * self.factors[low] + share * self.factors[high]
        rest = (1 - share) * self.rest[low] + share * self.rest[high]
        size = np.sqrt((factors**2).sum(axis=0) + rest**2)
        return np.zeros_like(outputs), size * spread(outputs) ** self.power


def spread(p: Floats) -> Floats:
    """The variance p (1 - p) of one yes or no, kept away from 0."""
    return np.asarray(np.maximum(p * (1 - p), FLOOR))
