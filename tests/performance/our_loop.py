"""Training as live benchmarks carry it out, on images that are drawn: what `gpu_speed` measures."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(Path(__file__).parent)]
import hemobench  # noqa: E402

hemobench.__path__.append(str(ROOT))  # a checkout that is not installed: its layers lie beside the package

from plain_loop import Files, Step, plain_rate, ready_rate, wait  # noqa: E402

from hemobench.benchmarks.training.checkpoints import InMemory  # noqa: E402
from hemobench.benchmarks.training.cross_validation import Resumption, train_all  # noqa: E402
from hemobench.benchmarks.training.hardware import devices  # noqa: E402
from hemobench.benchmarks.training.hardware.precision import PRECISIONS, choose_precision  # noqa: E402
from hemobench.benchmarks.training.inputs.augmentation import C_NMC  # noqa: E402
from hemobench.benchmarks.training.inputs.features import FeatureCache  # noqa: E402
from hemobench.benchmarks.training.inputs.feeds import ImageFeed, Pixels, Sides  # noqa: E402
from hemobench.benchmarks.training.loop import Job, Recipe, Training  # noqa: E402
from hemobench.benchmarks.training.networks.backbones import backbone  # noqa: E402
from hemobench.benchmarks.training.networks.head import FrozenBackbone, make_head  # noqa: E402
from hemobench.benchmarks.training.networks.models import Architecture, build  # noqa: E402
from hemobench.benchmarks.training.networks.weights import Weights  # noqa: E402
from hemobench.benchmarks.training.optimization.losses import make_loss  # noqa: E402
from hemobench.benchmarks.training.timer import Timer  # noqa: E402
from hemobench.benchmarks.training.together.train import train_together  # noqa: E402

CLASSES = 10
B2 = "efficientnet_b2"
HEAD = {"dropout_1": 0.3, "dropout_2": 0.3, "hidden_size": 512}
NEVER = 10**9  # epochs of patience
SPLITS, SIDE, TIMED = 3, 64, 3
"""Of a trial: its splits, its images' side in pixels, and the epochs that are timed after a first one."""
TRIAL_BATCHES = 6
"""Of a trial of the memory check: steps are recorded as a graph after the third."""


def lite0() -> nn.Module:
    """Fine-tuned, as in `bone-marrow-lite`."""
    return build(Architecture("efficientnet_lite", 0), CLASSES, "none", 0)


def densenet121() -> nn.Module:
    """Fine-tuned, as in `bone-marrow`."""
    return build(Architecture("densenet", 121), CLASSES, "none", 0)


def frozen_b2() -> nn.Module:
    """Frozen below the C-NMC paper's head, as in `c-nmc` without shared features."""
    return nn.Sequential(frozen(), make_head(HEAD, backbone(B2).features, CLASSES, 0))


def frozen() -> FrozenBackbone:
    """EfficientNet-B2 with random weights."""
    return FrozenBackbone(backbone(B2), Weights(None, "none"), 0)


NETWORKS: Mapping[str, Callable[[], nn.Module]] = {
    "efficientnet_lite0": lite0,
    "densenet121": densenet121,
    "efficientnet_b2 frozen": frozen_b2,
}


@dataclass
class Bench:
    """What is measured, and on what.

    Attributes:
        device: Where.
        files: Images as files.
        pixels: The same, decoded, shape (n, s, s, 3).
        labels: Shape (n,).
        batch: Images a step.
        workers: Of the plain loop's DataLoader.
        seconds: How long each rate is measured.
        folder: For files.
    """

    device: torch.device
    files: list[Path]
    pixels: NDArray[np.uint8]
    labels: torch.Tensor
    batch: int
    workers: int
    seconds: float
    folder: Path

    @property
    def precision(self) -> str:
        """What live training computes in on this device."""
        return choose_precision("auto", self.device)

    @property
    def sides(self) -> Sides:
        """All images train; a batch of them is held out."""
        rows = torch.arange(len(self.labels))
        held = rows[: self.batch]
        return Sides(
            {"train": rows, "validation": held, "test": rows[:0]},
            {"train": self.labels, "validation": self.labels[held], "test": self.labels[:0]},
        )

    def job(self, network: nn.Module, seed: int = 0) -> Job:
        """A training as live benchmarks carry it out."""
        weights = torch.ones(CLASSES, device=self.device)
        recipe = Recipe("adamw", 1e-4, self.batch, patience=NEVER, precision=self.precision, graphs=True)
        return Job(
            network=network.to(self.device).to(memory_format=torch.channels_last),
            feed=ImageFeed(self.sides, Pixels(self.pixels, self.device), C_NMC, 0, self.device),
            loss=make_loss("cross_entropy", weights),
            recipe=recipe,
            seed=seed,
        )

    def step(self, network: nn.Module, memory_format: torch.memory_format) -> Step:
        """A step of the plain loop."""
        return Step(network.to(memory_format=memory_format), self.device, PRECISIONS[self.precision])

    def plain(self, network: nn.Module) -> float:
        """Images a second of the plain loop."""
        data = Files(self.files, self.labels.tolist(), self.pixels.shape[1])
        step = self.step(network, torch.contiguous_format)
        return plain_rate(step, data, self.batch, self.workers, self.seconds)

    def ready(self, network: nn.Module) -> float:
        """Images a second with inputs on the device."""
        step = self.step(network, torch.channels_last)
        return ready_rate(step, self.batch, self.pixels.shape[1], self.seconds / 2)

    def ours(self, network: nn.Module, deterministic: bool) -> float:
        """Images a second of whole epochs after a first one; validation is not counted."""
        with devices.settings(1, deterministic):
            watch = Timer(self.device)
            training = Training(self.job(network), self.device, watch)
            training.run(1)
            before, epochs = watch.seconds["training"], 1
            while watch.seconds["training"] - before < self.seconds:
                epochs += 1
                training.run(epochs)
        return len(self.labels) * (epochs - 1) / (watch.seconds["training"] - before)

    def in_turn(self) -> float:
        """Images a second of the splits of a trial that are trained one after the other; see `splits`."""
        seconds = 0.0
        with devices.settings(1, True):
            for job in self.splits():
                watch = Timer(self.device)
                training = Training(job, self.device, watch)
                training.run(1)
                before = watch.seconds["training"]
                training.run(1 + TIMED)
                seconds += watch.seconds["training"] - before
        return SPLITS * TIMED * len(self.labels) / seconds

    def side_by_side(self) -> float:
        """Images a second of the splits of a trial that are trained side by side; see `splits`."""
        with devices.settings(1, True):
            watch = Timer(self.device)
            epochs = train_together(Trials(self), self.splits(), 1 + TIMED, self.device, watch)
            seconds = [watch.seconds["training"] for _ in epochs]
        return SPLITS * TIMED * len(self.labels) / (seconds[-1] - seconds[0])

    def splits(self) -> list[Job]:
        """The splits of a trial of `bone-marrow-lite`, in 32 bits."""
        little = replace(self, pixels=np.ascontiguousarray(self.pixels[:, :SIDE, :SIDE]))
        jobs = [little.job(lite0(), seed) for seed in range(SPLITS)]
        return [replace(job, recipe=replace(job.recipe, precision="fp32")) for job in jobs]

    def features(self, precision: str) -> float:
        """Images a second of augmented views through a frozen backbone, written to the cache as live training does."""
        cache = FeatureCache(
            backbone=frozen().to(self.device),
            which=backbone(B2),
            precision=precision,
            fingerprint="random",
            pixels=Pixels(self.pixels, self.device),
            checksum="speed",
            how=C_NMC,
            view_seed=0,
            folder=self.folder / "features",
            device=self.device,
        )
        rows = torch.arange(len(self.labels))
        cache.get(rows, 0)
        started, epochs = time.perf_counter(), 0
        while not epochs or time.perf_counter() - started < self.seconds:
            epochs += 1
            cache.get(rows, epochs)
        return len(rows) * epochs / (time.perf_counter() - started)

    def feed_alone(self) -> float:
        """Images a second of our augmented batches with nothing trained on them."""
        rows = torch.arange(len(self.labels))
        feed = self.job(nn.Linear(1, 1)).feed
        list(feed.batches(0, rows, rows, self.batch))
        wait(self.device)
        started, epochs = time.perf_counter(), 0
        while not epochs or time.perf_counter() - started < self.seconds / 2:
            epochs += 1
            for _ in feed.batches(epochs, rows, rows, self.batch):
                pass
            wait(self.device)
        return len(rows) * epochs / (time.perf_counter() - started)

    def memory(self, trials: int) -> dict[str, float]:
        """MB held after some short trials, networks taking turns: allocated on a GPU, else resident in the process."""
        held, some = [], self.batch * TRIAL_BATCHES
        short = replace(self, pixels=self.pixels[:some], labels=self.labels[:some])
        for number in range(trials):
            resumption = Resumption(InMemory(), str(number), 0, keep=False)
            with devices.settings(1, True):
                watch = Timer(self.device)
                train_all(Trials(short), {}, 1, number, device=self.device, watch=watch, resumption=resumption)
            held.append(held_mb(self.device))
        marks = sorted({2, 10, trials} & set(range(trials + 1)))
        return {f"after {mark} trials": round(held[mark - 1], 1) for mark in marks}


class Trials:
    """One split, trained on networks in turn; see `training.protocols.base`."""

    folds = (0,)
    classes = tuple(f"class {k}" for k in range(CLASSES))
    positive = None
    provenance: Mapping[str, str] = {}

    def __init__(self, bench: Bench) -> None:
        self._bench = bench

    def job(self, config: Any, fold: int, seed: int) -> Job:
        """See `TrainingProtocol`."""
        return self._bench.job((lite0, densenet121)[seed % 2](), seed)


def held_mb(device: torch.device) -> float:
    """MB of 10^6 bytes that this process holds now."""
    if device.type == "cuda":
        return torch.cuda.memory_allocated(device) / 1e6
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6
