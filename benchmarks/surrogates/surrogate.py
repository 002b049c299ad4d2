"""A fitted surrogate: what a training of any configuration would give, in tens of microseconds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hemobench.benchmarks.surrogates.encode import Encoder
from hemobench.benchmarks.surrogates.network import activate
from hemobench.benchmarks.surrogates.noise.copula import Copula, Drawn
from hemobench.benchmarks.surrogates.noise.gaussian import Gaussian
from hemobench.benchmarks.surrogates.targets import fraction
from hemobench.benchmarks.tasks import load_task
from hemobench.benchmarks.tasks.base import Task
from hemobench.strategies.base import Config

Floats = NDArray[np.float64]
NETWORK = ("w1", "b1", "w2", "b2", "w3", "b3")
COPULA = ("knots", "margins", "trial", "epoch")
GAUSSIAN = ("factors", "rest", "power")
"""Arrays of the ensemble, of the noise, and of the noise in files of the first format."""
BATCH = 512
STEP = 1e-6
"""Least relative growth of the cost from one length of training to the next."""


@dataclass(frozen=True, slots=True)
class About:
    """What a surrogate was fitted to, and how.

    Attributes:
        task: The task's name.
        benchmark: What was recorded.
        version: Its version.
        scale: What was scaled down.
        device: Whose seconds are predicted.
        data: SHA-256 of the images.
        full: Full length of a training.
        outputs: Names of the outputs: `validation.*`, `test.*`, `curve`.
        epochs: Lengths of training between which is interpolated, ascending.
        folds: Folds that can be asked for.
        evaluation_share: Share of the cost that goes into validation and test.
        seconds: Least and greatest device-seconds that were recorded; predictions stay within a factor of two.
        failures: Whether trainings failed, so that the surrogate's may.
        noise: `repeats`: measured on trainings that differ by noise alone, see `noise.repeats`; `residuals`: held-out
            errors, which it cannot exceed.
        fitted: Rows, configurations, seed and settings of the fit.
        widening: Factor on the members' deviations from their mean that makes them as large as held-out errors, net
            of noise; 1 in files of the first format.
    """

    task: str
    benchmark: str
    version: int
    scale: str
    device: str
    data: str
    full: int
    outputs: tuple[str, ...]
    epochs: tuple[int, ...]
    folds: tuple[int, ...]
    evaluation_share: float
    seconds: tuple[float, float]
    failures: bool
    noise: str
    fitted: Mapping[str, Any]
    widening: float = 1.0


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a training is expected to give, before noise; T lengths of training, M outputs.

    Of several folds at once, every array has the folds in front.

    Attributes:
        outputs: Fractions at the length asked for, shape (M,).
        curve: Headline validation metric at the T lengths, shape (T,).
        seconds: Device-seconds from the start at the T lengths, rising, shape (T,).
        failure: Probability of having failed by the T lengths, rising, shape (T,); zeros where nothing failed.
    """

    outputs: Floats
    curve: Floats
    seconds: Floats
    failure: Floats


class Surrogate:
    """Predictions of one table's trainings.

    Args:
        about: What it was fitted to.
        arrays: Weights and biases `w1, b1, w2, b2, w3, b3`, members first, outputs in logits; and those of the noise,
            `knots`, `margins`, `trial`, `epoch` (or `factors`, `rest` and `power` of the first format).

    Attributes:
        members: How many members the ensemble has.
        between: For every epoch from 0, between which recorded lengths it lies, and its share of the second.
    """

    def __init__(self, about: About, arrays: Mapping[str, NDArray[np.float32]]) -> None:
        self.about = about
        self.arrays = dict(arrays)
        self.task: Task = load_task(about.task)
        self.encoder = Encoder(self.task.space())
        wide = {name: array.astype(np.float64) for name, array in arrays.items()}
        self.noise: Copula | Gaussian = (
            Gaussian(*(wide[name] for name in GAUSSIAN))
            if "power" in wide
            else Copula(*(wide[name] for name in COPULA))
        )
        self.members = len(wide["w2"])
        self._first, self._second = (wide["w1"], wide["b1"]), (wide["w2"], wide["b2"])
        self._shares = _shares(self.members, about.widening), _shares(self.members, 1.0)
        self._last = self._split(wide["w3"], wide["b3"])
        self._epochs = np.array(about.epochs, float)
        self.between = [_between(self._epochs, epoch) for epoch in range(about.full + 1)]
        self._along = self._curve_places()
        self._every = about.epochs == tuple(range(1, about.full + 1))
        self._plans: dict[int, Any] = {}
        self._ramp = STEP * np.arange(len(about.epochs))
        self._bounds = np.log(about.seconds[0] / 2), np.log(about.seconds[1] * 2)
        self._fold_inputs = {
            fold: [float(fold == other) for other in about.folds] if len(about.folds) > 1 else []
            for fold in about.folds
        }

    def _split(self, weights: Floats, biases: Floats) -> tuple[Floats, Floats, Floats, Floats]:
        """The last layer by length of training, the curve at all lengths beside, and seconds and failures at all.

        Biases are of each member, and of the mean of all in the last place.
        """
        looks, outputs = len(self.about.epochs), len(self.about.outputs)
        known = looks * outputs
        scaled = weights / self.members
        by_look = np.moveaxis(scaled[..., :known].reshape(*weights.shape[:2], looks, outputs), 2, 0)
        curve = np.moveaxis(by_look[..., -1], 0, -1)
        figures = [np.concatenate([one, curve], axis=-1) for one in by_look]
        own = biases.reshape(self.members, -1)
        widened, plain = ((shares @ own) / self.members for shares in self._shares)
        at_look = widened[:, :known].reshape(-1, looks, outputs)
        along = np.broadcast_to(at_look[:, None, :, -1], (len(widened), looks, looks))
        return (
            np.stack(figures),
            np.concatenate([at_look, along], axis=2),
            np.ascontiguousarray(scaled[..., known:]),
            plain[:, known:],
        )

    def _curve_places(self) -> tuple[NDArray[np.int64], NDArray[np.int64], Floats]:
        """Between which recorded lengths every epoch lies, and its share of the second."""
        low, high, share = (np.array(part) for part in zip(*self.between[1:], strict=True))
        return low, high, share

    def encode(self, config: Config, fold: int) -> Floats:
        """A configuration on a fold as the network reads it, shape (d,)."""
        return np.array(self.encoder.one(config) + self._fold_inputs[fold])

    def predict(self, config: Config, epochs: int, *, fold: int | None = None, member: int | None = None) -> Prediction:
        """What a training is expected to give.

        Args:
            config: The configuration.
            epochs: Length of training.
            fold: Which fold; by default the first.
            member: Which member of the ensemble, its deviation from the mean widened; by default the mean of all (in
                logits).
        """
        one = self.predict_folds(config, epochs, (self.about.folds[0] if fold is None else fold,), member=member)
        return Prediction(one.outputs[0], one.curve[0], one.seconds[0], one.failure[0])

    def predict_folds(
        self, config: Config, epochs: int, folds: Sequence[int], *, member: int | None = None
    ) -> Prediction:
        """What trainings on several folds are expected to give; every array has the folds in front."""
        vector = self.encoder.one(config)
        hidden = self._hidden(np.array([vector + self._fold_inputs[fold] for fold in folds]))
        figures = fraction(self._figures(hidden, epochs, member))
        seconds, failure = self._paths(hidden, member)
        outputs = len(self.about.outputs)
        return Prediction(figures[:, :outputs], figures[:, outputs:], seconds, failure)

    def predict_many(self, inputs: Floats, epochs: int, *, member: int | None = None) -> tuple[Floats, Floats, Floats]:
        """What many trainings are expected to give.

        Args:
            inputs: Rows of `encode`, shape (n, d).
            epochs: Length of training, the same for all.
            member: Which member of the ensemble; by default the mean of all.

        Returns:
            Outputs as fractions, shape (n, M), device-seconds and probability of failure, shape (n,).
        """
        parts = [self._part(inputs[i : i + BATCH], epochs, member) for i in range(0, len(inputs), BATCH)]
        outputs, seconds, failure = zip(*parts, strict=True)
        return np.concatenate(outputs), np.concatenate(seconds), np.concatenate(failure)

    def _part(self, inputs: Floats, epochs: int, member: int | None) -> tuple[Floats, Floats, Floats]:
        hidden = self._hidden(inputs)
        seconds, failure = self._paths(hidden, member)
        low, high, share = self.between[epochs]
        chance = failure[:, low] * (1 - share) + failure[:, high] * share
        figures = self._figures(hidden, epochs, member)[:, : len(self.about.outputs)]
        return fraction(figures), self.seconds_at(seconds, epochs), chance

    def _hidden(self, inputs: Floats) -> Floats:
        """The second layer's units, shape (members, n, width)."""
        (w1, b1), (w2, b2) = self._first, self._second
        return np.asarray(activate(activate(inputs @ w1 + b1) @ w2 + b2))

    def _figures(self, hidden: Floats, epochs: int, member: int | None) -> Floats:
        """Logits of the outputs at a length of training, linear in its logarithm between the recorded ones.

        Behind them, the curve's at all recorded lengths.
        """
        if member is not None:
            hidden = hidden * self._shares[0][member][:, None, None]
        low, high, share = self.between[epochs]
        weights, biases = self._last[0], self._last[1][_place(member)]
        figures = _mix(hidden, weights[low]) + biases[low]
        if share:
            figures = (1 - share) * figures + share * (_mix(hidden, weights[high]) + biases[high])
        return np.asarray(figures)

    def _paths(self, hidden: Floats, member: int | None) -> tuple[Floats, Floats]:
        """Device-seconds and probability of failure at all recorded lengths, shape (n, T)."""
        if member is not None:
            hidden = hidden * self._shares[1][member][:, None, None]
        looks = len(self._epochs)
        paths = _mix(hidden, self._last[2]) + self._last[3][_place(member)]
        return self._monotone(paths[:, :looks], paths[:, looks:])

    def curve(self, curve: Floats, epochs: int) -> Floats:
        """A curve at the recorded lengths, shape (..., T), at every epoch: linear in the epochs' logarithm."""
        if self._every:
            return curve[..., :epochs]
        low, high, share = (part[:epochs] for part in self._along)
        return np.asarray((1 - share) * curve[..., low] + share * curve[..., high])

    def answer(self, expected: Prediction, epochs: int, drawn: Drawn) -> tuple[Floats, Floats]:
        """Outputs and curve of trainings on F folds with the noise of one seed, of shapes (F, M) and (F, epochs).

        Args:
            expected: As from `predict_folds`.
            epochs: Length of training.
            drawn: As from `noise.draw`.
        """
        if epochs not in self._plans:
            self._plans[epochs] = self.noise.plan(self.between, epochs)
        return self.noise.answer(expected.outputs, self.curve(expected.curve, epochs), self._plans[epochs], drawn)

    def seconds_at(self, seconds: Floats, epochs: int) -> Floats:
        """Device-seconds from the start to a length of training: a power of it between the recorded ones."""
        if epochs < self._epochs[0]:
            return np.asarray(seconds[..., 0] * (epochs / self._epochs[0]))
        low, high, share = self.between[epochs]
        if not share:
            return np.asarray(seconds[..., low])
        return np.asarray(seconds[..., low] ** (1 - share) * seconds[..., high] ** share)

    def _monotone(self, seconds: Floats, failure: Floats) -> tuple[Floats, Floats]:
        """Seconds of their logarithms and chances of their logits, such that neither falls with the epochs."""
        low, high = self._bounds
        rising = np.maximum.accumulate(np.minimum(np.maximum(seconds, low), high) - self._ramp, axis=-1) + self._ramp
        if not failure.shape[-1]:
            return np.exp(rising), np.zeros_like(rising)
        chance = 1 / (1 + np.exp(np.minimum(-failure, 30.0)))
        return np.exp(rising), np.maximum.accumulate(chance, axis=-1)


def _shares(members: int, widening: float) -> Floats:
    """How much the members count, beside 1 for the mean, in each one's answer; in the last place, in the mean.

    A member's answer is the mean and its own deviation from it, so many times as large. Shape (members + 1, members).
    """
    own = (1 - widening) + widening * members * np.eye(members)
    return np.concatenate([own, np.ones((1, members))])


def _place(member: int | None) -> int:
    """Where a member's own biases stand, or those of all."""
    return -1 if member is None else member


def _mix(hidden: Floats, weights: Floats) -> Floats:
    """The last layer of all members, summed, shape (n, o); one product where there is one row."""
    if hidden.shape[1] == 1:
        return np.asarray(hidden.reshape(1, -1) @ weights.reshape(-1, weights.shape[2]))
    return np.asarray((hidden @ weights).sum(axis=0))


def _between(epochs: Floats, epoch: int) -> tuple[int, int, float]:
    """Between which of some rising numbers one lies, and how far from the first to the second on a log scale."""
    place = int(np.searchsorted(epochs, epoch))
    if place == 0 or place == len(epochs):
        end = min(place, len(epochs) - 1)
        return end, end, 0.0
    if epochs[place] == epoch:
        return place, place, 0.0
    share = np.log(epoch / epochs[place - 1]) / np.log(epochs[place] / epochs[place - 1])
    return place - 1, place, float(share)
