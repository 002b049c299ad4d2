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

import torch

from hemobench.benchmarks.training.loop import Job, Training
from hemobench.benchmarks.training.protocols.base import TrainingProtocol
from hemobench.benchmarks.training.timer import Timer
from hemobench.strategies.base import Config

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
