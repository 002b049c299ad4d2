"""Noise as recorded trainings have it: any shape that changes with epoch and quality, and correlated as measured.

A Gaussian copula (Sklar, 1959; Nelsen, *An Introduction to Copulas*, 2006): standard normal scores, correlated between
epochs and metrics, are mapped through the empirical quantiles of residuals.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from hemobench.benchmarks import noise
from hemobench.benchmarks.surrogates.noise.lines import Lines
from hemobench.strategies.base import Config

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
TRIAL_FACTORS, EPOCH_FACTORS = 23, 6
"""Directions of the noise that all epochs of a trial share, and of what belongs to one epoch."""
TRIAL_NUMBERS = TRIAL_FACTORS + 1
"""Numbers drawn for a trial before those of its epochs; the last decides whether it fails."""
KNOTS, SCORES, REACH = 9, 31, 3.0
SCORE_GRID = np.linspace(-REACH, REACH, SCORES)
"""Normal scores at which quantiles are kept; beyond the ends they are constant."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """Standard normal numbers of a trial on F folds.

    Attributes:
        trial: Shape (F, factors): the same however long it is trained.
        epoch: Shape (F, epochs, factors of an epoch): row k belongs to epoch k + 1, however many follow.
        failure: One number a fold, which decides whether and when the training fails.
    """

    trial: Floats
    epoch: Floats
    failure: list[float]


@dataclass(frozen=True)
class Copula:
    """Noise of M outputs after each of T lengths of training, as fractions.

    Attributes:
        knots: Predicted values at which quantiles are kept, rising, shape (T, M, KNOTS).
        margins: What is added to a predicted value at `SCORE_GRID`'s scores, shape (T, M, KNOTS, SCORES).
        trial: Loadings of the scores on the trial's numbers, shape (T, TRIAL_FACTORS, M).
        epoch: Loadings on the epoch's own, shape (T, EPOCH_FACTORS, M). Squares of an output's loadings sum to 1.
    """

    knots: Floats
    margins: Floats
    trial: Floats
    epoch: Floats

    def draw(self, names: list[str], version: int, seed: int, config: Config, epochs: int) -> Drawn:
        """A trial's numbers on folds; `names` tells the folds apart."""
        count = TRIAL_NUMBERS + EPOCH_FACTORS * epochs
        rows = [each.standard_normal(count) for each in noise.generators(names, version, seed, config)]
        numbers = np.array(rows)
        return Drawn(
            trial=numbers[:, :TRIAL_FACTORS],
            epoch=numbers[:, TRIAL_NUMBERS:].reshape(len(names), epochs, EPOCH_FACTORS),
            failure=numbers[:, TRIAL_FACTORS].tolist(),
        )

    def answer(self, outputs: Floats, curve: Floats, plan: Plan, drawn: Drawn) -> tuple[Floats, Floats]:
        """Figures and curve with noise, within [0, 1], of shapes (F, M) and (F, epochs).

        Args:
            outputs: Predicted at the length asked for, shape (F, M).
            curve: Predicted after every epoch, shape (F, epochs).
            plan: Of that length.
            drawn: The trial's numbers.
        """
        scores = drawn.trial @ plan.trial + drawn.epoch[:, -1] @ plan.epoch
        along = drawn.trial @ plan.curve_trial + (drawn.epoch * plan.curve_epoch).sum(axis=2)
        predicted = np.concatenate([outputs, curve], axis=1)
        added = self._added(np.concatenate([scores, along], axis=1), predicted, plan)
        answered = np.minimum(np.maximum(predicted + added, 0.0), 1.0)
        middle = outputs.shape[1]
        return answered[:, :middle], answered[:, middle:]

    def plan(self, between: list[tuple[int, int, float]], epochs: int) -> Plan:
        """What answers of one length need.

        Args:
            between: For every epoch from 0 the lengths around it and its share of the second.
            epochs: The length.
        """
        low, high, share = (np.array(part) for part in zip(*between[1 : epochs + 1], strict=True))
        outputs, last = self.trial.shape[2], self.trial.shape[2] - 1
        columns = np.concatenate([np.arange(outputs), np.full(epochs, last)])
        trial, epoch = _mixed(self.trial, self.epoch, low, high, share)
        at = [np.concatenate([np.full(outputs, looks[-1]), looks]) for looks in (low, high)]
        shares = np.concatenate([np.full(outputs, share[-1]), share])
        return Plan(
            trial=trial[-1],
            epoch=epoch[-1],
            curve_trial=np.ascontiguousarray(trial[:, :, last].T),
            curve_epoch=np.ascontiguousarray(epoch[:, :, last]),
            low=self._places(at[0], columns),
            high=self._places(at[1], columns) if shares.any() else None,
            share=shares,
        )

    def _places(self, looks: Ints, columns: Ints) -> Places:
        knots = np.ascontiguousarray(self.knots[looks, columns])
        inner = np.ascontiguousarray(knots[:, 1:-1])
        starts = (looks * self.knots.shape[1] + columns) * KNOTS * SCORES
        return Places(inner, knots[:, :-1].ravel(), (1 / np.diff(knots, axis=1)).ravel(), starts)

    def _added(self, scores: Floats, predicted: Floats, plan: Plan) -> Floats:
        position = (np.minimum(np.maximum(scores, -REACH), REACH - 1e-9) + REACH) * ((SCORES - 1) / (2 * REACH))
        column = position.astype(np.int64)
        beyond = position - column
        added = self._quantiles(plan.low, predicted, column, beyond)
        if plan.high is None:
            return added
        return (1 - plan.share) * added + plan.share * self._quantiles(plan.high, predicted, column, beyond)

    def _quantiles(self, places: Places, predicted: Floats, column: Ints, beyond: Floats) -> Floats:
        """Bilinear between the knots around a predicted value and the grid's scores around its score."""
        knot = (predicted[..., None] > places.inner).sum(axis=-1)
        flat = knot + (KNOTS - 1) * np.arange(knot.shape[-1])
        share = np.minimum(np.maximum((predicted - places.start[flat]) * places.inverse[flat], 0.0), 1.0)
        cell = places.cells + knot * SCORES + column
        values = self._flat
        first = values[cell]
        second = values[cell + SCORES]
        first = first + beyond * (values[cell + 1] - first)
        second = second + beyond * (values[cell + SCORES + 1] - second)
        return np.asarray(first + share * (second - first))

    @cached_property
    def _flat(self) -> Floats:
        return np.ascontiguousarray(self.margins).ravel()

    @cached_property
    def _moments(self) -> list[Lines]:
        """Mean and deviation of what is added, by the value predicted, of every length."""
        found = np.stack(moments(self.margins))
        return [Lines.through(knots, found[:, look]) for look, knots in enumerate(self.knots)]

    def moments(self, outputs: Floats, between: tuple[int, int, float]) -> tuple[Floats, Floats]:
        """Mean and deviation of what is added to outputs at a length of training, of their shape (F, M)."""
        low, high, share = between
        mean, deviation = self._moments[low].at(outputs)
        if share:
            mean, deviation = (1 - share) * np.stack([mean, deviation]) + share * self._moments[high].at(outputs)
        return mean, deviation


@dataclass(frozen=True, slots=True)
class Places:
    """Where quantiles of n predicted values stand.

    Attributes:
        inner: Knots but the outer two, shape (n, KNOTS - 2).
        start: The lower knot of every interval, shape (n * (KNOTS - 1),).
        inverse: One over the intervals' widths, likewise.
        cells: Where the values' quantiles begin, shape (n,).
    """

    inner: Floats
    start: Floats
    inverse: Floats
    cells: Ints


@dataclass(frozen=True, slots=True)
class Plan:
    """What answers of one length of training need: M outputs at that length, then the curve's epochs.

    Attributes:
        trial: Loadings on the trial's numbers, shape (TRIAL_FACTORS, M).
        epoch: Loadings on the last epoch's numbers, shape (EPOCH_FACTORS, M).
        curve_trial: The curve's, shape (TRIAL_FACTORS, epochs).
        curve_epoch: Shape (epochs, EPOCH_FACTORS).
        low: Quantiles of the recorded lengths below.
        high: Of those above; `None` where all lengths were recorded.
        share: How far a length lies from the lower to the upper, shape (M + epochs,).
    """

    trial: Floats
    epoch: Floats
    curve_trial: Floats
    curve_epoch: Floats
    low: Places
    high: Places | None
    share: Floats


def _mixed(trial: Floats, epoch: Floats, low: Ints, high: Ints, share: Floats) -> tuple[Floats, Floats]:
    """Loadings after every epoch, linear between recorded lengths, then scaled so that squares sum to 1 again."""
    weight = share[:, None, None]
    mixed = [(1 - weight) * loadings[low] + weight * loadings[high] for loadings in (trial, epoch)]
    size = np.sqrt(sum((part**2).sum(axis=1, keepdims=True) for part in mixed))
    return mixed[0] / size, mixed[1] / size


_FINE = np.linspace(-5, 5, 2001)


def moments(margins: Floats) -> tuple[Floats, Floats]:
    """Mean and deviation of quantiles, piecewise linear in a standard normal score, over their last axis."""
    weights = _weights()
    mean = margins @ weights.sum(axis=0)
    # The integral of a squared piecewise linear function: sum over the fine grid, as a quadratic form.
    square = np.einsum("...i,ij,...j->...", margins, _products(), margins)
    return mean, np.sqrt(np.maximum(square - mean**2, 0.0))


def _weights() -> Floats:
    """How a fine grid of scores, each with its normal weight, falls on `SCORE_GRID`, shape (fine, SCORES)."""
    density = np.exp(-0.5 * _FINE**2)
    hats = _hats()
    return np.asarray(hats * (density / density.sum())[:, None])


def _hats() -> Floats:
    return np.stack([np.interp(_FINE, SCORE_GRID, row) for row in np.eye(SCORES)], axis=1)


def _products() -> Floats:
    return np.asarray(_hats().T @ _weights())
