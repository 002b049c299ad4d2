"""What a recorded table holds: a header, and a row for every configuration, seed and fold that was trained."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from hemobench.benchmarks.tasks.base import Objective
from hemobench.strategies.base import Config, Status

SCHEMA = 1
ALL_FOLDS = -1
"""The fold of a row whose metrics are means over all folds, as the bone-marrow task reports them."""

SIDE_BY_SIDE = "trained side by side; seconds are reckoned from trainings measured alone"
"""What a header's source says under `recorded` where trainings shared a device. What shares it decides the order of
sums, so that the same training may end otherwise the next time."""

Metrics = Mapping[str, tuple[float, ...]]
"""Metrics by name, fractions in [0, 1]; element k belongs to `Row.epochs[k]`."""


@dataclass(frozen=True, slots=True)
class Header:
    """What all rows of a table share.

    Attributes:
        task: The task's name.
        benchmark: What was recorded, as in `c-nmc@live`.
        version: Its version.
        scale: What was scaled down, for people; `paper` if nothing was.
        epochs: Full length of a training.
        device: The device whose seconds were counted.
        data: SHA-256 of the images; empty where there were none.
        source: The evaluator's provenance: weights, split, checksums.
        environment: Versions of what was recorded with.
        design: How the configurations were chosen, as plain data.
    """

    task: str
    benchmark: str
    version: int
    scale: str
    epochs: int
    device: str
    data: str
    source: Mapping[str, str]
    environment: Mapping[str, str]
    design: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Row:
    """One training, looked at after several numbers of epochs.

    Attributes:
        config: The configuration.
        seed: What decided its noise.
        fold: Which part of the split was held out; `ALL_FOLDS` for means over all of them.
        origin: What part of the design asked for it, as in `sobol` or `optuna-tpe/0`.
        epochs: Lengths of training that it was looked at, ascending; of a failed training, the last is the one asked
            for when it failed.
        seconds: Device-seconds from the start to each of `epochs`, strictly increasing.
        evaluation_seconds: What of these went into validation and test.
        validation: Metrics that a trial of each of `epochs` ends with; of a failed training, all but the last.
        test: Likewise.
        curve: Headline validation metric after each epoch trained.
        status: How the training ended.
        error: What went wrong.
    """

    config: Config
    seed: int
    fold: int
    origin: str
    epochs: tuple[int, ...]
    seconds: tuple[float, ...]
    evaluation_seconds: tuple[float, ...]
    validation: Metrics
    test: Metrics
    curve: tuple[float, ...]
    status: Status
    error: str | None = None

    @property
    def key(self) -> tuple[str, int, int]:
        """What tells one row from another: configuration, seed and fold."""
        return config_key(self.config), self.seed, self.fold

    @property
    def reached(self) -> int:
        """How many of `epochs` have metrics."""
        return len(self.epochs) - (self.status is not Status.OK)

    def at(self, index: int) -> tuple[dict[str, float], dict[str, float]]:
        """Validation and test metrics at `epochs[index]`."""
        return (
            {name: values[index] for name, values in self.validation.items()},
            {name: values[index] for name, values in self.test.items()},
        )


@dataclass(frozen=True, slots=True)
class Table:
    """A recorded table; rows are in the order of their keys' first appearance."""

    header: Header
    rows: tuple[Row, ...]

    @property
    def folds(self) -> tuple[int, ...]:
        """The folds that were recorded, ascending."""
        return tuple(sorted({row.fold for row in self.rows}))

    @property
    def metrics(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Names of the validation and of the test metrics, sorted."""
        validation = {name for row in self.rows for name in row.validation}
        test = {name for row in self.rows for name in row.test}
        return tuple(sorted(validation)), tuple(sorted(test))

    def configs(self) -> dict[str, Config]:
        """The distinct configurations by key, in order of appearance."""
        return {row.key[0]: row.config for row in self.rows}


def final_loss(row: Row, objective: Objective) -> float:
    """The loss of a training that ended well."""
    return objective.loss(row.at(-1)[0])


def config_key(config: Config) -> str:
    """Canonical JSON of a configuration: equal for equal configurations, whatever their order."""
    return json.dumps(dict(config), sort_keys=True, separators=(",", ":"), allow_nan=False)


def row_problem(row: Row, full: int) -> str | None:
    """The first thing that is wrong with a row's figures, or `None`.

    Args:
        row: The row.
        full: The full length of a training.
    """
    times = (row.epochs, row.seconds, row.evaluation_seconds)
    if not row.epochs or len({len(values) for values in times}) != 1:
        return "epochs, seconds and evaluation_seconds are empty or of different lengths"
    if not (_rising(row.epochs) and row.epochs[0] >= 1 and row.epochs[-1] <= full):
        return f"epochs do not rise from 1 to at most {full}"
    if not (_rising(row.seconds) and row.seconds[0] > 0 and math.isfinite(row.seconds[-1])):
        return "seconds are not positive, finite and rising"
    if not all(0 <= part <= whole for part, whole in zip(row.evaluation_seconds, row.seconds, strict=True)):
        return "evaluation_seconds are not within the seconds"
    if row.reached and not row.validation:
        return "a training that ended well has no validation metrics"
    for side, metrics in (("validation", row.validation), ("test", row.test)):
        for name, values in metrics.items():
            if len(values) != row.reached:
                return f"{side}.{name} has {len(values)} values for {row.reached} lengths of training"
            if not _fractions(values):
                return f"{side}.{name} has a value that is no fraction in [0, 1]"
    if len(row.curve) > full or not _fractions(row.curve):
        return f"the curve is longer than {full} epochs or has a value that is no fraction in [0, 1]"
    return None


def _rising(values: tuple[int, ...] | tuple[float, ...]) -> bool:
    return all(a < b for a, b in pairwise(values))


def _fractions(values: Iterable[float]) -> bool:
    return all(0.0 <= value <= 1.0 for value in values)  # NaN is not
