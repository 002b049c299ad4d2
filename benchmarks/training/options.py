"""What a live benchmark can be told besides its task and its images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import StrictBool, StrictInt, TypeAdapter, ValidationError

from hemobench.benchmarks.training.networks.models import Scale
from hemobench.errors import BenchmarkError

SPECIAL = ("backbone", "split", "fold", "split_seed", "folds", "extended", "scale", "share_features", "together")
"""Options that only some trainings read: see `Task.options`."""
LARGEST = 4096
"""Pixels a side: far beyond what any of the networks is made for, and short of filling a disk by a slip."""


@dataclass(frozen=True, slots=True)
class Options:
    """Settings of live training; the defaults are the papers'.

    Attributes:
        image_size: Side in pixels that images are scaled to.
        weights: `auto`, `imagenet`, `none` or a path; see `weights.resolve`.
        backbone: C-NMC: whose frozen features are classified; see `backbones.BACKBONES`.
        split: C-NMC: `paper`, `official`, `subject` or `random`; see `datasets.splits.c_nmc_split`.
        fold: C-NMC: which part of that split, by default 0. Bone marrow, cells: train this split alone, by default all.
        split_seed: Which partition, of the splits that draw one.
        folds: Bone marrow, cells: how many folds, at least 3.
        extended: Bone marrow, cells: every fold but the test fold is the validation set once (6 x 5 trainings).
        scale: Bone marrow: `paper` or `micro` networks.
        share_features: C-NMC: compute the frozen backbone's features once for all trials. Without, the backbone runs
            in every trial, and is charged, as in the paper.
        view_seed: Decides the augmented views; the same for all trials, so that they differ in nothing else.
        precision: `fp32`, `bf16`, `fp16`, or `auto`; see `precision.choose_precision`.
        graphs: On a GPU, record the step of a training once and replay it, which spares the processor most of its
            work; see `graphs`.
        together: Bone marrow: on a GPU, train the splits of a trial side by side, as one wider network, which takes
            half of the time or less; see `training.together`. A trial is charged what it took so.
        device: `auto`, `cpu`, `cuda`, `cuda:1`, ...
        threads: CPU threads of PyTorch. With one, equal seeds give equal bits.
        deterministic: Ask PyTorch for deterministic algorithms where it has them.
        cache: Folder of pixels and features; by default the user's (`datasets.files.cache_folder`).
        checkpoints: Where half-trained trials are kept: on `disk`, in the folder of their run, until it ends; or in
            `memory`, which is faster and ends with the process; trials are then trained again, uncharged.
        checkpoints_gb: Most that half-trained trials may take, in GB of 10^9 bytes; those that were used least recently
            go first, and their trials are trained again, uncharged, should they be resumed.
        trial_timeout: Charged device-seconds after which a trial has timed out; `None` for no such limit.
    """

    image_size: StrictInt = 224
    weights: str = "auto"
    backbone: str = "efficientnet_b2"
    split: Literal["paper", "official", "subject", "random"] = "official"
    fold: StrictInt | None = None
    split_seed: StrictInt = 0
    folds: StrictInt = 6
    extended: StrictBool = False
    scale: Scale = "paper"
    share_features: StrictBool = True
    view_seed: StrictInt = 0
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    graphs: StrictBool = True
    together: StrictBool = False
    device: str = "auto"
    threads: StrictInt = 1
    deterministic: StrictBool = True
    cache: Path | None = None
    checkpoints: Literal["disk", "memory"] = "disk"
    checkpoints_gb: float = 10.0
    trial_timeout: float | None = None

    def __post_init__(self) -> None:
        if self.scale not in ("paper", "micro"):
            raise BenchmarkError(f"there is no scale '{self.scale}'", "choose paper or micro")
        if self.threads < 1:
            raise BenchmarkError(f"PyTorch cannot train with {self.threads} threads", "give at least 1")
        if not 1 <= self.image_size <= LARGEST:
            raise BenchmarkError(f"images of {self.image_size} pixels a side", f"give 64 to {LARGEST}")
        if self.folds < 3:
            raise BenchmarkError(f"{self.folds} folds cannot hold training, validation and test", "give at least 3")
        if self.together and self.precision != "fp32":
            raise BenchmarkError(f"splits side by side are not trained in {self.precision}", "give precision=fp32")
        if not self.checkpoints_gb >= 0:
            raise BenchmarkError(f"checkpoints cannot take {self.checkpoints_gb} GB", "give 0 or more")
        if self.trial_timeout is not None and not self.trial_timeout > 0:
            raise BenchmarkError(f"a trial cannot time out after {self.trial_timeout} seconds", "give more than 0")


_options = TypeAdapter(Options)


def read_options(
    task: str,
    special: Sequence[str] | None,
    given: Mapping[str, Any],
    others: Sequence[str] = (),
) -> Options:
    """The options that a task's training is given, checked before anything is read.

    Args:
        task: Its name, for messages.
        special: Which of `SPECIAL` its training reads; `None` for all.
        given: By name.
        others: Further settings that may be given elsewhere, for messages.

    Raises:
        BenchmarkError: If an option is unknown, is not read by this task, or has a wrong value.
    """
    unread = set() if special is None else set(SPECIAL) - set(special)
    known = [name for name in Options.__slots__ if name not in unread]
    for name in sorted(given.keys() - set(known)):
        problem = f"live training has no option '{name}'"
        if name in unread:
            problem = f"the training of {task} does not read the option '{name}'"
        raise BenchmarkError(problem, f"choose from: {', '.join([*others, *known])}")
    try:
        return _options.validate_python(dict(given))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        message = f"live training: {place}: {first['msg']}"
        raise BenchmarkError(message, f"not {first['input']!r}") from None
