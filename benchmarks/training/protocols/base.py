"""What the two tasks have in common: images turned into trainings, one for each split."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

import torch

from hemobench.benchmarks.tasks.base import Task
from hemobench.benchmarks.training.loop import Job, Recipe
from hemobench.benchmarks.training.options import Options
from hemobench.datasets.images import ImageSet
from hemobench.errors import BenchmarkError
from hemobench.strategies.base import Config


class TrainingProtocol(Protocol):
    """A task's images, split and ready: gives the training of a configuration on one of the splits."""

    @property
    def folds(self) -> Sequence[int]:
        """Numbers of the splits that a configuration is trained on."""

    @property
    def classes(self) -> Sequence[str]:
        """Class names."""

    @property
    def positive(self) -> str | None:
        """The class to be found, of a two-class task."""

    @property
    def provenance(self) -> Mapping[str, str]:
        """What its results rest on, but for the data's checksum and the device."""

    def job(self, config: Config, fold: int, seed: int) -> Job:
        """The training of a configuration.

        Args:
            config: A point of the task's search space.
            fold: One of `folds`.
            seed: Decides all its noise.
        """

    def recipe(self, config: Config) -> Recipe:
        """How a configuration is trained."""

    def shape(self, config: Config) -> str:
        """See `Job.shape`, of a configuration's training."""

    def most_together(self, batch_size: int) -> int:
        """How many trainings of a batch size fit a device's memory side by side."""


Make = Callable[[Task, ImageSet, Any, Options, torch.device, Path], TrainingProtocol]
"""What makes a task's protocol, of task, images, pixels, options, device and cache folder."""


Require = Callable[[Task, ImageSet, Options], None]
"""Refuses images and options that do not fit each other, before a pixel or a weight is read."""


def maker(task: Task) -> Make:
    """What makes the protocol that a task names.

    Raises:
        BenchmarkError: If it names none.
    """
    module, attribute = _place(task)
    make: Make = getattr(import_module(module), attribute)
    return make


def requirement(task: Task) -> Require | None:
    """What stands beside the maker as `require`, if anything does.

    Raises:
        BenchmarkError: If the task names no maker.
    """
    module, _ = _place(task)
    require: Require | None = getattr(import_module(module), "require", None)
    return require


def _place(task: Task) -> tuple[str, str]:
    if not task.training:
        raise BenchmarkError(f"the task {task.name} does not say how it is trained", "use another source of answers")
    module, _, attribute = task.training.partition(":")
    return module, attribute
