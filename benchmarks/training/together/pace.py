"""What a training takes alone: measured on a few, worked out for the rest.

Trainings side by side share a device, so none has seconds of its own; a live trial of the same configuration would
have been alone. Its time is that of its steps and of its images: two batch sizes of one network and optimizer tell
both.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from hemobench.benchmarks.tables.schema import Row
from hemobench.benchmarks.training.loop import Job, Training
from hemobench.benchmarks.training.protocols.base import TrainingProtocol
from hemobench.benchmarks.training.timer import Timer
from hemobench.errors import BenchmarkError
from hemobench.strategies.base import Config, Status

EPOCHS = {"cpu": 6, "cuda": 2}
"""Of a training that is measured. In the first, kernels are chosen and steps recorded; of the others the quickest
counts, since a processor is never quite idle."""
LEAST_BATCH = {"cpu": 2, "cuda": 8}
"""Smaller batches are reckoned from larger ones: an epoch of them is long."""


@dataclass(frozen=True, slots=True)
class Beat:
    """Device-seconds of one kind of network under one optimizer.

    Attributes:
        start: What the first epoch takes beyond another.
        step: A step.
        images: An epoch's images, however many steps they are dealt into.
        validation: A validation pass.
        test: A test pass.
    """

    start: float
    step: float
    images: float
    validation: float
    test: float


@dataclass(frozen=True, slots=True)
class Pace:
    """Device-seconds of any training of the kinds that were measured.

    Attributes:
        beats: By `kind`.
    """

    beats: dict[str, Beat]

    def seconds(self, job: Job, epochs: int) -> tuple[float, float]:
        """In all, and of these for validation and test, of a trial of so many epochs."""
        beat = self.beats[kind(job.shape, job.recipe.optimizer)]
        trained = beat.start + epochs * (beat.images + steps(job) * beat.step)
        evaluated = epochs * beat.validation + beat.test
        return trained + evaluated, evaluated


def read_pace(data: Mapping[str, Any]) -> Pace:
    """What `dataclasses.asdict` made of a pace."""
    return Pace({name: Beat(**beat) for name, beat in data.get("beats", {}).items()})


def recovered(protocol: TrainingProtocol, rows: Sequence[Row]) -> Pace:
    """The pace at which an earlier recording was charged: least squares over its trainings.

    Exact where its seconds were reckoned from a pace themselves.

    Args:
        protocol: Of the same task; the trainings had as many images.
        rows: Trainings of single splits, however they ended. Kinds of one batch size alone tell nothing of others.
    """
    charged: dict[str, list[_Charged]] = {}
    images = {fold: _images(protocol, rows[0].config, fold) for fold in protocol.folds} if rows else {}
    for row in rows:
        if row.status is not Status.OK or row.fold not in images:
            continue
        recipe = protocol.recipe(row.config)
        steps_of_epoch = math.ceil(images[row.fold] / recipe.batch_size)
        looks = zip(row.epochs, row.seconds, row.evaluation_seconds, strict=True)
        name = kind(protocol.shape(row.config), recipe.optimizer)
        charged.setdefault(name, []).extend(_Charged(epochs, steps_of_epoch, *spent) for epochs, *spent in looks)
    return Pace({name: _solved(each) for name, each in charged.items() if len({one.steps for one in each}) > 1})


def require_known(protocol: TrainingProtocol, configs: Sequence[Config], pace: Pace, of: str) -> None:
    """Refuse configurations whose pace a recording does not tell: measured here, it would be another device's.

    Raises:
        BenchmarkError: Naming the first such kind.
    """
    for config in configs:
        name = kind(protocol.shape(config), protocol.recipe(config).optimizer)
        if name not in pace.beats:
            raise BenchmarkError(
                f"{of} does not tell the pace of {name}: it has no trainings of two batch sizes",
                "leave out --pace-of, to measure it on this device",
            )


@dataclass(frozen=True, slots=True)
class _Charged:
    """What a training of so many epochs, of so many steps each, was charged, and what of it went into evaluation."""

    epochs: int
    steps: int
    seconds: float
    evaluation: float


def _images(protocol: TrainingProtocol, config: Config, fold: int) -> int:
    return len(protocol.job(config, fold, 0).feed.labels("train"))


def _solved(charged: Sequence[_Charged]) -> Beat:
    epochs = np.array([one.epochs for one in charged], dtype=float)
    steps_in_all = epochs * [one.steps for one in charged]
    evaluation = np.array([one.evaluation for one in charged])
    training = np.array([one.seconds for one in charged]) - evaluation
    ones = np.ones_like(epochs)
    start, step, images = np.linalg.lstsq(np.stack([ones, steps_in_all, epochs], axis=1), training, rcond=None)[0]
    validation, test = np.linalg.lstsq(np.stack([epochs, ones], axis=1), evaluation, rcond=None)[0]
    return Beat(*(max(float(part), 0.0) for part in (start, step, images, validation, test)))


def kind(shape: str, optimizer: str) -> str:
    """What trainings of one pace have in common."""
    return f"{shape}, {optimizer}"


def steps(job: Job) -> int:
    """Of an epoch. What over- or undersampling would change is not asked for together."""
    return math.ceil(len(job.feed.labels("train")) / job.recipe.batch_size)


def measure(
    protocol: TrainingProtocol, configs: Sequence[Config], device: torch.device, known: Pace | None = None
) -> Pace:
    """Train the configurations of smallest and of largest batch of each kind, alone, for a few epochs.

    Args:
        protocol: Of their task; its first split is trained on.
        configs: Of trainings of these kinds, and of no others, the pace will be asked.
        device: Where; idle, or the seconds will be others'.
        known: What was measured before, which is not measured again.
    """
    beats = dict(known.beats) if known else {}
    kinds: dict[str, dict[int, Config]] = {}
    for config in configs:
        recipe = protocol.recipe(config)
        batches = kinds.setdefault(kind(protocol.shape(config), recipe.optimizer), {})
        batches.setdefault(recipe.batch_size, config)
    missing = {name: batches for name, batches in kinds.items() if name not in beats}
    for batches in list(missing.values())[:1]:
        _beat(protocol, batches, device)  # a process' first training loads kernels: it is not counted
    measured = {name: _beat(protocol, batches, device) for name, batches in missing.items()}
    return Pace(_without_loading(beats | measured))


def _without_loading(beats: Mapping[str, Beat]) -> dict[str, Beat]:
    """The least start of one network is everybody's: more is what loading kernels took, once a process."""
    least: dict[str, float] = {}
    for name, beat in beats.items():
        shape = name.rpartition(", ")[0]
        least[shape] = min(beat.start, least.get(shape, math.inf))
    return {name: replace(beat, start=least[name.rpartition(", ")[0]]) for name, beat in beats.items()}


def _beat(protocol: TrainingProtocol, batches: dict[int, Config], device: torch.device) -> Beat:
    usual = [size for size in sorted(batches) if size >= LEAST_BATCH[device.type]] or sorted(batches)[-1:]
    chosen = list(dict.fromkeys([usual[0], usual[-1]]))
    jobs = [protocol.job(batches[size], protocol.folds[0], 0) for size in chosen]
    timed = [_timed(job, device) for job in jobs]
    few, many = timed[-1], timed[0]
    least, most = steps(jobs[-1]), steps(jobs[0])
    # Both epochs hold the same images: what one takes more, its steps take. Noise must not make either negative.
    step = (many.epoch - few.epoch) / max(most - least, 1)
    step = min(max(step, 0.0), few.epoch / least)
    return Beat(
        start=_mean([t.start for t in timed]),
        step=step,
        images=few.epoch - least * step,
        validation=_mean([t.validation for t in timed]),
        test=_mean([t.test for t in timed]),
    )


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


@dataclass(frozen=True, slots=True)
class _Timed:
    """Seconds of one training: of its start, an epoch's steps, a validation and a test pass."""

    start: float
    epoch: float
    validation: float
    test: float


def _timed(job: Job, device: torch.device) -> _Timed:
    watch = Timer(device)
    training = Training(job, device, watch)
    each = [_epoch(training, watch) for _ in range(EPOCHS[device.type])]
    epoch = min(train for train, _ in each[1:])
    validation = min(validate for _, validate in each[1:])
    test = 0.0
    if len(job.feed.labels("test")):
        with watch.timing("look"):
            training.predict("test")
        test = watch.seconds["look"]
    return _Timed(max(each[0][0] - epoch, 0.0), epoch, validation, test)


def _epoch(training: Training, watch: Timer) -> tuple[float, float]:
    """Seconds of one more epoch: of its training and of its validation."""
    before = watch.seconds["training"], watch.seconds["evaluation"]
    training.run(training.progress.epochs + 1)
    return watch.seconds["training"] - before[0], watch.seconds["evaluation"] - before[1]
