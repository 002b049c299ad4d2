"""What a live benchmark can be told besides its task and its images."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from hemobench.benchmarks.training.models import Scale
from hemobench.errors import BenchmarkError


@dataclass(frozen=True, slots=True)
class Options:
    """Settings of live training; the defaults are the papers'.

    Attributes:
        image_size: Side in pixels that images are scaled to.
        weights: `auto`, `imagenet`, `none` or a path; see `weights.resolve`.
        backbone: C-NMC: whose frozen features are classified; see `backbones.BACKBONES`.
        split: C-NMC: `paper`, `official`, `subject` or `random`; see `datasets.splits.c_nmc_split`.
        fold: C-NMC: which part of that split, by default 0. Bone marrow: train this split alone, by default all.
        split_seed: Which partition, of the splits that draw one.
        folds: Bone marrow: how many folds, at least 3.
        extended: Bone marrow: every fold but the test fold is the validation set once (6 x 5 trainings).
        scale: Bone marrow: `paper` or `micro` networks.
        share_features: C-NMC: compute the frozen backbone's features once for all trials. Without, the backbone runs
            in every trial, and is charged, as in the paper.
        view_seed: Decides the augmented views; the same for all trials, so that they differ in nothing else.
        precision: `fp32`, `bf16`, `fp16`, or `auto`; see `precision.choose_precision`.
        graphs: On a GPU, record the step of a training once and replay it, which spares the processor most of its
            work; see `steps`.
        device: `auto`, `cpu`, `cuda`, `cuda:1`, ...
        threads: CPU threads of PyTorch. With one, equal seeds give equal bits.
        deterministic: Ask PyTorch for deterministic algorithms where it has them.
        cache: Folder of pixels, features and checkpoints; by default the user's (`datasets.files.cache_folder`).
        checkpoints: Where half-trained trials are kept: on `disk`, or in `memory`, which is faster and ends with the
            process; trials are then trained again, uncharged.
        trial_timeout: Charged device-seconds after which a trial has timed out; `None` for no such limit.
    """

    image_size: int = 224
    weights: str = "auto"
    backbone: str = "efficientnet_b2"
    split: Literal["paper", "official", "subject", "random"] = "official"
    fold: int | None = None
    split_seed: int = 0
    folds: int = 6
    extended: bool = False
    scale: Scale = "paper"
    share_features: bool = True
    view_seed: int = 0
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    graphs: bool = True
    device: str = "auto"
    threads: int = 1
    deterministic: bool = True
    cache: Path | None = None
    checkpoints: Literal["disk", "memory"] = "disk"
    trial_timeout: float | None = None

    def __post_init__(self) -> None:
        if self.scale not in ("paper", "micro"):
            raise BenchmarkError(f"there is no scale '{self.scale}'", "choose paper or micro")
        if self.threads < 1:
            raise BenchmarkError(f"PyTorch cannot train with {self.threads} threads", "give at least 1")
        if self.trial_timeout is not None and not self.trial_timeout > 0:
            raise BenchmarkError(f"a trial cannot time out after {self.trial_timeout} seconds", "give more than 0")
