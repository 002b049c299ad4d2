"""A fitted surrogate: what a training of any configuration would give, in tens of microseconds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hemobench.benchmarks.surrogates.encode import Encoder
from hemobench.benchmarks.surrogates.network import activate
from hemobench.benchmarks.surrogates.scatter import Scatter, spread
from hemobench.benchmarks.surrogates.targets import fraction
from hemobench.benchmarks.tasks import load_task
from hemobench.benchmarks.tasks.base import Task
from hemobench.strategies.base import Config

Floats = NDArray[np.float64]
ARRAYS = ("w1", "b1", "w2", "b2", "w3", "b3", "factors", "rest", "power")
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
        noise: `repeats`: measured on repeated seeds; `residuals`: held-out errors, which it cannot exceed.
        fitted: Rows, configurations, seed and settings of the fit.
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


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a training is expected to give, before noise; T lengths of training, M outputs.

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
        arrays: Weights and biases `w1, b1, w2, b2, w3, b3`, members first, outputs in logits; `factors`, `rest` and
            `power` of the noise.
    """

    def __init__(self, about: About, arrays: Mapping[str, NDArray[np.float32]]) -> None:
        self.about = about
        self.arrays = dict(arrays)
        self.task: Task = load_task(about.task)
        self.encoder = Encoder(self.task.space())
        wide = {name: array.astype(np.float64) for name, array in arrays.items()}
        self.scatter = Scatter(wide["factors"], wide["rest"], wide["power"])
        self.members = len(wide["w2"])
        self._first, self._second = (wide["w1"], wide["b1"]), (wide["w2"], wide["b2"])
        self._last = self._split(wide["w3"], wide["b3"])
        self._epochs = np.array(about.epochs, float)
        self._between = [_between(self._epochs, epoch) for epoch in range(about.full + 1)]
        self._ramp = STEP * np.arange(len(about.epochs))
        self._bounds = np.log(about.seconds[0] / 2), np.log(about.seconds[1] * 2)
        self._fold_inputs = {
            fold: [float(fold == other) for other in about.folds] if len(about.folds) > 1 else []
            for fold in about.folds
        }

    def _split(self, weights: Floats, biases: Floats) -> tuple[Floats, Floats, Floats, Floats]:
        """The last layer by length of training, and what is wanted at all lengths: curve, seconds, failures.

        Biases are of each member, and of the mean of all in the last place.
        """
        looks, outputs = len(self.about.epochs), len(self.about.outputs)
        curve = np.arange(looks) * outputs + outputs - 1
        paths = np.concatenate([curve, np.arange(looks * outputs, weights.shape[2])])
        scaled = weights / self.members
        own = np.concatenate([biases.reshape(self.members, -1), biases.mean(axis=0).reshape(1, -1)])
        by_look = scaled[..., : looks * outputs].reshape(*weights.shape[:2], looks, outputs)
        return (
            np.ascontiguousarray(np.moveaxis(by_look, 2, 0)),
            own[:, : looks * outputs].reshape(-1, looks, outputs),
            np.ascontiguousarray(scaled[..., paths]),
            own[:, paths],
        )

    def encode(self, config: Config, fold: int) -> Floats:
        """A configuration on a fold as the network reads it, shape (d,)."""
        return np.array(self.encoder.one(config) + self._fold_inputs[fold])

    def predict(self, config: Config, epochs: int, *, fold: int | None = None, member: int | None = None) -> Prediction:
        """What a training is expected to give.

        Args:
            config: The configuration.
            epochs: Length of training.
            fold: Which fold; by default the first.
            member: Which member of the ensemble; by default the mean of all (in logits).
        """
        vector = self.encode(config, self.about.folds[0] if fold is None else fold)
        hidden = self._hidden(vector[None], member)
        looks = len(self._epochs)
        paths = _mix(hidden, self._last[2])[0] + self._last[3][_place(member)]
        seconds, failure = self._monotone(paths[looks : 2 * looks], paths[2 * looks :])
        outputs = fraction(self._outputs(hidden, epochs, member))[0]
        return Prediction(outputs, fraction(paths[:looks]), seconds, failure)

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
        hidden, looks = self._hidden(inputs, member), len(self._epochs)
        paths = _mix(hidden, self._last[2][..., looks:]) + self._last[3][_place(member), looks:]
        seconds, failure = self._monotone(paths[:, :looks], paths[:, looks:])
        at = self.seconds_at(seconds, epochs)
        low, high, share = self.between(epochs)
        chance = failure[:, low] * (1 - share) + failure[:, high] * share
        return fraction(self._outputs(hidden, epochs, member)), at, chance

    def _hidden(self, inputs: Floats, member: int | None) -> Floats:
        """The second layer's units, shape (members, n, width); where one member is chosen, all others are 0."""
        (w1, b1), (w2, b2) = self._first, self._second
        if member is None:
            return np.asarray(activate(activate(inputs @ w1 + b1) @ w2 + b2))
        only = slice(member, member + 1)
        hidden = np.zeros((self.members, len(inputs), w2.shape[2]))
        hidden[only] = self.members * activate(activate(inputs @ w1[only] + b1[only]) @ w2[only] + b2[only])
        return hidden

    def _outputs(self, hidden: Floats, epochs: int, member: int | None) -> Floats:
        """Logits at a length of training, linear in its logarithm between the recorded ones."""
        low, high, share = self.between(epochs)
        weights, biases = self._last[0], self._last[1][_place(member)]
        outputs = _mix(hidden, weights[low]) + biases[low]
        if share:
            outputs = (1 - share) * outputs + share * (_mix(hidden, weights[high]) + biases[high])
        return np.asarray(outputs)

    def between(self, epochs: int) -> tuple[int, int, float]:
        """The recorded lengths around one, and how far it lies from the first to the second."""
        return self._between[epochs]

    def seconds_at(self, seconds: Floats, epochs: int) -> Floats:
        """Device-seconds from the start to a length of training: a power of it between the recorded ones."""
        if epochs < self._epochs[0]:
            return np.asarray(seconds[..., 0] * (epochs / self._epochs[0]))
        low, high, share = self.between(epochs)
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

    def noise(self, outputs: Floats, epochs: int, trial: Floats, epoch: float) -> Floats:
        """Outputs with the noise of one seed, within [0, 1], shape (M,).

        Args:
            outputs: Before noise.
            epochs: Length of training.
            trial: Standard normal numbers that all lengths share, shape (FACTORS,).
            epoch: One more that belongs to this length.
        """
        low, high, share = self.between(epochs)
        s = self.scatter
        added = trial @ s.factors[low] + epoch * s.rest[low]
        if share:
            added = (1 - share) * added + share * (trial @ s.factors[high] + epoch * s.rest[high])
        return np.asarray(np.minimum(np.maximum(outputs + added * spread(outputs) ** s.power, 0.0), 1.0))

    def noise_variance(self, outputs: Floats, epochs: int) -> Floats:
        """Variance of the noise at some outputs, of their shape (..., M)."""
        low, high, share = self.between(epochs)
        s = self.scatter
        factors = (1 - share) * s.factors[low] + share * s.factors[high]
        rest = (1 - share) * s.rest[low] + share * s.rest[high]
        size = (factors**2).sum(axis=0) + rest**2
        return np.asarray(size * spread(outputs) ** (2 * s.power))


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
