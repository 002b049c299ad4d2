"""First weights from one's own images, for where ImageNet's cannot be had."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torchvision import models

from hemobench.benchmarks.execution.progress import counting
from hemobench.benchmarks.storage.files import refusals, whole_file
from hemobench.benchmarks.training.checkpoints import Checkpoints
from hemobench.benchmarks.training.cross_validation import OnEpoch
from hemobench.benchmarks.training.hardware import devices
from hemobench.benchmarks.training.inputs.augmentation import Augmentation
from hemobench.benchmarks.training.inputs.feeds import ImageFeed, Pixels, Sides
from hemobench.benchmarks.training.loop import Job, Recipe, Training
from hemobench.benchmarks.training.optimization.losses import make_loss
from hemobench.benchmarks.training.seeds import Stream, forked
from hemobench.benchmarks.training.timer import Timer
from hemobench.datasets.files import cache_folder
from hemobench.datasets.images import ImageSet, Split
from hemobench.datasets.pixels import load_pixels
from hemobench.datasets.splits import stratified_folds
from hemobench.errors import BenchmarkError

VIEWS = Augmentation(rotation=180, shift=0.05, zoom=0.1, mirror="both", gamma=1.4)
"""Strong in colour and orientation: the weights are to serve images of another microscope and stain."""

RECIPE = Recipe(optimizer="adamw", learning_rate=1e-3, batch_size=64, weight_decay=1e-2, plateau=2)
HELD_OUT = 10  # one image in so many


@dataclass(frozen=True, slots=True)
class Pretrained:
    """What a pretraining gave.

    Attributes:
        epochs: Epochs trained.
        accuracy: Of the images held out, with the weights kept: those of the lowest loss on these same images.
        images: How many were trained on.
    """

    epochs: int
    accuracy: float
    images: int


def pretrain(
    images: ImageSet,
    architecture: str,
    out: Path,
    *,
    epochs: int = 15,
    image_size: int = 96,
    seed: int = 0,
    device: str = "auto",
    threads: int = 1,
    on_epoch: OnEpoch | None = None,
) -> Pretrained:
    """Train a torchvision network from random weights to tell the classes of an image set, and save its state dict.

    Interrupted, it goes on after the last whole epoch when it is asked for the same again.

    Args:
        images: With classes; a tenth is held out, every class in its share.
        architecture: torchvision's name for it, as in `efficientnet_b2`.
        out: The state dict's file.
        epochs: At most; training stops early after ten without a lower loss.
        image_size: Side in pixels.
        seed: Decides all that is random.
        device: See `devices.choose`.
        threads: CPU threads.
        on_epoch: Told of every epoch.

    Raises:
        BenchmarkError: If torchvision has no such classifier, or the file cannot be written.
    """
    if architecture not in models.list_models(module=models):
        raise BenchmarkError(f"torchvision has no classifier '{architecture}'", "as in efficientnet_b2 or densenet121")
    where = devices.choose(device)
    held_out = stratified_folds(images.labels, images.groups, HELD_OUT, seed) == 0
    none = np.empty(0, dtype=np.int64)
    sides = Sides.of(images, Split(np.flatnonzero(~held_out), np.flatnonzero(held_out), none))
    with devices.settings(threads, deterministic=True):
        pixels = Pixels(load_pixels(images, image_size, cache_folder(), threads, counting("images")), where)
        with forked(torch.device("cpu"), seed, Stream.WEIGHTS):
            network = models.get_model(architecture, weights=None, num_classes=len(images.classes))
        network.to(where).to(memory_format=torch.channels_last)
        loss = make_loss("cross_entropy", torch.ones(len(images.classes)))
        job = Job(network, ImageFeed(sides, pixels, VIEWS, seed, where), loss, RECIPE, seed)
        kept = Kept(out, [images.checksum, architecture, image_size, seed, str(where), torch.__version__])
        training = Training(job, where, Timer(where, math.inf, math.inf), kept.after_epoch(on_epoch))
        kept.resume(training, epochs, where)
        progress = training.run(epochs)
        training.use_best()
    state = {name: tensor.cpu() for name, tensor in network.state_dict().items()}
    with refusals(out), whole_file(out) as partial:
        torch.save(state, partial)
    kept.forget()
    return Pretrained(progress.epochs, progress.scores[progress.best_epoch], len(sides.labels["train"]))


class Kept:
    """The training's state after its last epoch, in a folder beside the file that it is for.

    Args:
        out: That file.
        identity: All that decides the weights, but for the number of epochs.
    """

    def __init__(self, out: Path, identity: list[str | int]) -> None:
        self._folder = kept_in(out)
        self._store = Checkpoints(self._folder)
        self._key = json.dumps(identity)
        self._training: Training | None = None

    def after_epoch(self, on_epoch: OnEpoch | None) -> Callable[[int, float], None]:
        """What keeps the state after each epoch, and tells of it."""

        def keep(epoch: int, score: float) -> None:
            assert self._training is not None
            self._store.save(self._key, epoch, self._training.state())
            if on_epoch is not None:
                on_epoch(0, epoch, score)

        return keep

    def resume(self, training: Training, epochs: int, device: torch.device) -> None:
        """Give a training the state that an earlier process left, if it has not gone further than this one is to go."""
        self._training = training
        for epoch in range(epochs, 0, -1):
            state = self._store.load(self._key, epoch, device)
            if state is not None:
                training.load_state(state)
                return

    def forget(self) -> None:
        """The weights are there: nothing is to be resumed."""
        shutil.rmtree(self._folder, ignore_errors=True)


def kept_in(out: Path) -> Path:
    """Where the state of a pretraining lies until its weights are written."""
    return out.with_name(f"{out.name}.checkpoints")
