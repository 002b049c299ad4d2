"""What a benchmark would answer from the recorded trainings themselves: its folds put together, one seed at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hemobench.benchmarks.surrogates.noise.margins import smoothed
from hemobench.benchmarks.surrogates.noise.repeats import Repeats
from hemobench.benchmarks.surrogates.targets import Targets, fraction
from hemobench.benchmarks.surrogates.trust.held_out import HeldOut
from hemobench.benchmarks.tables.schema import Table
from hemobench.benchmarks.tasks import load_task
from hemobench.benchmarks.tasks.base import Task
from hemobench.strategies.base import Config

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
SPACE_FILLING = ("sobol", "random")
FEW_REPEATS = 10
"""Repeated answers below which an answer's noise is that of single folds, put together."""


@dataclass(frozen=True, slots=True)
class Answers:
    """Answers at full length for c configurations, all of whose folds were recorded.

    Attributes:
        configs: The configurations.
        filling: Which of them fill the space, chosen by no search, shape (c,).
        first: Loss of the answer with the lowest seed, shape (c,).
        mean: Mean loss over seeds, shape (c,).
        counts: Seeds, shape (c,).
        headline: Mean of the headline metric, shape (c,).
        predicted: Loss that is predicted by surrogates which saw no training of the configuration, shape (c,).
        spread: What these do not know of it: the members' deviation, widened, shape (c,).
        noise: Deviation of one answer between seeds, by predicted quality, shape (c,).
        measured: Deviation between seeds as measured on repeated answers; None of fewer than `FEW_REPEATS`.
        repeated: Number of these.
    """

    configs: tuple[Config, ...]
    filling: NDArray[np.bool_]
    first: Floats
    mean: Floats
    counts: Ints
    headline: Floats
    predicted: Floats
    spread: Floats
    noise: Floats
    measured: float | None
    repeated: int

    @property
    def believed(self) -> Floats:
        """The likeliest true loss: the trainings' mean drawn towards the held-out prediction, shape (c,)."""
        trainings, model = self._certainties
        return (trainings * self.mean + model * self.predicted) / (trainings + model)

    @property
    def doubt(self) -> Floats:
        """Deviation of the true loss from `believed`, shape (c,)."""
        trainings, model = self._certainties
        return np.asarray(1 / np.sqrt(trainings + model))

    @property
    def reached(self) -> Floats:
        """The loss that trainings reach for sure, shape (c,).

        It is what is believed, with its doubt on top, and never better than the mean of the real ones.
        """
        return np.maximum(self.believed + self.doubt, self.mean)

    @property
    def best(self) -> int:
        """Which configuration is best for sure.

        What was trained once is believed less, so that the luckiest of many does not win by its luck.
        """
        return int(np.argmin(self.reached))

    @property
    def _certainties(self) -> tuple[Floats, Floats]:
        noise, spread = np.maximum(self.noise, 1e-6), np.maximum(self.spread, 1e-6)
        return self.counts / noise**2, 1 / spread**2


def answers(
    table: Table, t: Targets, held: HeldOut, found: Repeats, folds: Sequence[int], widening: float
) -> Answers | None:
    """A table's answers; None where no configuration was recorded on all of the folds.

    Args:
        table: What was recorded.
        t: The same as arrays.
        held: Cross-validated predictions.
        found: The repeated trainings.
        folds: What the benchmark puts together.
        widening: Of the members' deviations.
    """
    task = load_task(table.header.task)
    rows = _complete(t, folds)
    if not len(rows):
        return None
    looked = _Looked(task, t.outputs)
    values = fraction(t.values[rows, -1])
    noise = _deviations(t, held, found, looked.needed)[rows]
    recorded = looked.losses(values, np.zeros_like(values))
    places, firsts, counts = np.unique(
        t.groups[rows[:, 0]], return_index=True, return_inverse=False, return_counts=True
    )
    place = np.searchsorted(places, t.groups[rows[:, 0]])
    predicted = looked.losses(held.outputs[rows[firsts], -1], noise[firsts])
    members = np.stack([looked.losses(one[rows[firsts]], noise[firsts]) for one in held.members])
    first_rows = [table.rows[i] for i in rows[firsts, 0].tolist()]
    squares = _squares(recorded, place, counts)
    repeated = counts[place] > 1
    own = _of_folds(found, t, held, looked, predicted, len(folds))
    if repeated.sum() >= FEW_REPEATS:
        own = np.sqrt(smoothed(squares[repeated], predicted[place[repeated]], predicted))
    return Answers(
        configs=tuple(row.config for row in first_rows),
        filling=np.array([row.origin in SPACE_FILLING for row in first_rows]),
        first=recorded[firsts],
        mean=np.bincount(place, recorded) / counts,
        counts=counts,
        headline=np.bincount(place, values[..., looked.headline].mean(axis=1)) / counts,
        predicted=predicted,
        spread=widening * np.sqrt(((members - predicted) ** 2).mean(axis=0)),
        noise=own,
        measured=float(np.sqrt(squares[repeated].mean())) if repeated.sum() >= FEW_REPEATS else None,
        repeated=int(repeated.sum()),
    )


class _Looked:
    """The loss of folds' outputs, as evaluators put them together."""

    def __init__(self, task: Task, outputs: Sequence[str]) -> None:
        places = {name: i for i, name in enumerate(outputs)}
        self.headline = places[f"validation.{task.headline}"]
        self._means: Mapping[int, float] = _weights(task, places, deviation=False)
        self._deviations: Mapping[int, float] = _weights(task, places, deviation=True)
        self.needed = sorted({*self._means, *self._deviations})

    def losses(self, values: Floats, noise: Floats) -> Floats:
        """Losses of shape (a,), of fold values and of noise that is not in them but would be, both (a, folds, M)."""
        share = (values.shape[1] - 1) / values.shape[1]
        score = np.zeros(len(values))
        for i, weight in self._means.items():
            score += weight * values[..., i].mean(axis=1)
        for i, weight in self._deviations.items():
            variance = values[..., i].var(axis=1) + share * (noise[..., i] ** 2).mean(axis=1)
            score += weight * np.sqrt(variance)
        return 1.0 - score


def _weights(task: Task, places: Mapping[str, int], *, deviation: bool) -> dict[int, float]:
    found = {}
    for name, weight in task.objective.weights.items():
        output = f"validation.{name}"
        over_folds = name.endswith("_std") and output not in places
        if over_folds == deviation:
            found[places[output.removesuffix("_std") if deviation else output]] = weight
    return found


def _complete(t: Targets, folds: Sequence[int]) -> Ints:
    """Rows of every configuration and seed that reached the end on all folds, shape (a, folds), lowest seeds first."""
    rows: dict[tuple[int, int], dict[int, int]] = {}
    for i in np.flatnonzero(t.reached[:, -1]).tolist():
        rows.setdefault((int(t.groups[i]), int(t.seeds[i])), {})[int(t.folds[i])] = i
    whole = [[row[fold] for fold in folds] for _, row in sorted(rows.items()) if set(folds) <= set(row)]
    return np.array(whole, dtype=np.int64).reshape(len(whole), len(folds))


def _deviations(t: Targets, held: HeldOut, found: Repeats, needed: Sequence[int]) -> Floats:
    """Deviation by noise of the outputs that are needed, at full length, for every row, shape (n, M)."""
    deviations = np.zeros((len(t.inputs), len(t.outputs)))
    if len(found):
        for i in needed:
            quality = held.outputs[:, -1, i]
            squares = found.differences[:, -1, i] ** 2
            deviations[:, i] = np.sqrt(smoothed(squares, quality[found.rows], quality))
    return deviations


def _squares(losses: Floats, place: Ints, counts: Ints) -> Floats:
    """Squared deviations from the configuration's mean, scaled up for the degree of freedom that it takes."""
    means = np.bincount(place, losses) / counts
    seeds = counts[place]
    return np.asarray((losses - means[place]) ** 2 * seeds / np.maximum(seeds - 1, 1))


def _of_folds(found: Repeats, t: Targets, held: HeldOut, looked: _Looked, predicted: Floats, folds: int) -> Floats:
    """Deviation of the mean of so many folds, each with the noise that was measured on single ones."""
    if not len(found):
        return np.zeros_like(predicted)
    quality = held.outputs[found.rows, -1][:, None]
    nothing = np.zeros_like(quality)
    weighted = looked.losses(found.differences[:, -1][:, None], nothing) - 1.0
    squares = smoothed(weighted**2, looked.losses(quality, nothing), predicted)
    return np.sqrt(squares / folds)
