"""The training loop: plain PyTorch, from top to bottom.

Every epoch starts its own random streams, keyed by the trial's seed and the epoch. A trial that stops after epoch k
and goes on later therefore needs no generator's state, and on a CPU ends bit for bit where the uninterrupted one does.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import ReduceLROnPlateau

from hemobench.benchmarks.training.hardware.precision import autocast
from hemobench.benchmarks.training.inputs.feeds import Feed, Side
from hemobench.benchmarks.training.inputs.sampling import order
from hemobench.benchmarks.training.networks.convolutions import quicken
from hemobench.benchmarks.training.optimization.losses import Loss
from hemobench.benchmarks.training.optimization.optimizers import make_optimizer
from hemobench.benchmarks.training.optimization.steps import Stepper, can_record
from hemobench.benchmarks.training.seeds import Stream, forked, generator
from hemobench.benchmarks.training.timer import Timer, TrialEnded
from hemobench.strategies.base import Status


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a network is trained.

    Attributes:
        optimizer: See `optimizers.CLASSES`.
        learning_rate: Initial.
        batch_size: Images a step.
        weight_decay: See `make_optimizer`.
        sampling: See `sampling.sample`.
        plateau: Epochs without a lower validation loss after which the learning rate is divided by ten; `None` keeps
            it constant.
        patience: Epochs without a lower validation loss after which training stops.
        precision: See `precision.PRECISIONS`.
        graphs: Record the step as a CUDA graph where there is a GPU; see `graphs`.
    """

    optimizer: str
    learning_rate: float
    batch_size: int
    weight_decay: float = 0.0
    sampling: str = "normal"
    plateau: int | None = None
    patience: int = 10
    precision: str = "fp32"
    graphs: bool = False


@dataclass(frozen=True)
class Job:
    """What is trained, on what, how.

    Attributes:
        network: On the device.
        feed: Its inputs.
        loss: Of logits and labels.
        recipe: How.
        seed: Decides order, sampling and dropout.
        shape: Names the network's layers and their sizes: trainings of one shape, batch size and number of images can
            be computed side by side.
    """

    network: nn.Module
    feed: Feed
    loss: Loss
    recipe: Recipe
    seed: int
    shape: str = ""


@dataclass
class Progress:
    """How far a training has come.

    Attributes:
        epochs: Epochs trained.
        train_losses: Mean training loss of each epoch.
        losses: Validation loss after each epoch.
        scores: Validation accuracy after each epoch.
        best_epoch: Epoch (from 0) of the lowest validation loss, whose weights are kept.
        stopped: Early stopping has ended the training.
        best: The weights kept.
        best_logits: Their logits of the validation images, shape (n, classes).
    """

    epochs: int = 0
    train_losses: list[float] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    best_epoch: int = -1
    stopped: bool = False
    best: dict[str, Tensor] = field(default_factory=dict)
    best_logits: Tensor | None = None


class Training:
    """A training that can be stopped after any epoch and taken up again.

    Args:
        job: What to train.
        device: Where its network is.
        watch: What the seconds are counted with.
        on_epoch: Told, after every epoch, how many are trained and the validation accuracy.
    """

    def __init__(
        self,
        job: Job,
        device: torch.device,
        watch: Timer,
        on_epoch: Callable[[int, float], None] | None = None,
    ) -> None:
        self.job = job
        self._on_epoch = on_epoch
        self.progress = Progress()
        self._device = device
        self._watch = watch
        if device.type == "cpu":
            quicken(job.network)
        recipe = job.recipe
        graphed = recipe.graphs and can_record(device, recipe.precision)
        self._optimizer = make_optimizer(
            recipe.optimizer,
            job.network.parameters(),
            recipe.learning_rate,
            recipe.weight_decay,
            graphed_on=device if graphed else None,
        )
        self._step = Stepper(job.network, job.loss, self._optimizer, device, recipe.precision, graphed)
        self._scheduler = (
            ReduceLROnPlateau(self._optimizer, factor=0.1, patience=recipe.plateau)
            if recipe.plateau is not None
            else None
        )

    def run(self, epochs: int, trained: int = 0) -> Progress:
        """Train until `epochs` in all, or until early stopping.

        Args:
            epochs: Epochs in all, those before a resumption included.
            trained: Of those, how many have been charged before; repeating them is not charged.

        Raises:
            TrialEnded: If the loss is no longer finite, or the time is up.
        """
        progress, recipe = self.progress, self.job.recipe
        for epoch in range(progress.epochs, epochs):
            if progress.stopped:
                break
            repeated = epoch < trained
            self.job.feed.prepare(epoch, self._watch)
            with self._watch.timing("repeated" if repeated else "training"):
                train_loss = self._train_epoch(epoch)
            _check_finite(train_loss, "training", epoch)
            with self._watch.timing("repeated" if repeated else "evaluation"):
                logits = self.predict("validation")
                labels = self.job.feed.labels("validation").to(self._device)
                loss = float(self.job.loss(logits, labels))
                score = float((logits.argmax(dim=1) == labels).double().mean())
                self._keep(epoch, loss, logits)
            _check_finite(loss, "validation", epoch)
            progress.train_losses.append(train_loss)
            progress.losses.append(loss)
            progress.scores.append(score)
            progress.epochs = epoch + 1
            progress.stopped = epoch - progress.best_epoch >= recipe.patience
            if self._scheduler is not None:
                self._scheduler.step(loss)
            if self._on_epoch is not None:
                self._on_epoch(epoch + 1, score)
        return progress

    def _train_epoch(self, epoch: int) -> float:
        """Mean training loss over the epoch's batches."""
        network, feed, recipe = self.job.network, self.job.feed, self.job.recipe
        labels = feed.labels("train")
        rows, slots = order(labels, recipe.sampling, generator(self.job.seed, Stream.ORDER, epoch))
        targets = torch.split(labels[rows].to(self._device), recipe.batch_size)
        total, steps = torch.zeros((), device=self._device), 0
        network.train()
        with forked(self._device, self.job.seed, Stream.DROPOUT, epoch):
            for inputs, target in zip(feed.batches(epoch, rows, slots, recipe.batch_size), targets, strict=True):
                if len(target) == 1 < recipe.batch_size:
                    continue  # a last batch of one image: batch normalisation cannot train on it
                loss = self._step(inputs, target, full=len(target) == recipe.batch_size)
                total, steps = total + loss, steps + 1
                self._watch.check()
        return float(total / steps)

    @torch.no_grad()
    def predict(self, side: Side) -> Tensor:
        """Logits of the images held out, shape (n, classes), float32, on the device."""
        self.job.network.eval()
        parts = []
        for inputs in self.job.feed.held_out(side):
            with autocast(self._device, self.job.recipe.precision):
                parts.append(self.job.network(inputs).float())
            self._watch.check()
        return torch.cat(parts)

    def _keep(self, epoch: int, loss: float, logits: Tensor) -> None:
        """Keep the weights if they are the best so far."""
        if loss < min(self.progress.losses, default=math.inf):
            self.progress.best_epoch = epoch
            self.progress.best = {k: v.detach().clone() for k, v in self.job.network.state_dict().items()}
            self.progress.best_logits = logits

    def use_best(self) -> None:
        """Give the network the weights of the epoch with the lowest validation loss. Training cannot go on after it."""
        self.job.network.load_state_dict(self.progress.best)

    def state(self) -> dict[str, Any]:
        """All that going on needs, as tensors and built-in values."""
        return {
            "network": self.job.network.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "scheduler": self._scheduler.state_dict() if self._scheduler is not None else None,
            "scaler": self._step.scaler.state_dict(),
            "progress": asdict(self.progress),
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Go on from a state of the same job."""
        self.job.network.load_state_dict(state["network"])
        self._optimizer.load_state_dict(state["optimizer"])
        if self._scheduler is not None:
            self._scheduler.load_state_dict(state["scheduler"])
        self._step.scaler.load_state_dict(state["scaler"])
        self.progress = Progress(**state["progress"])


def _check_finite(loss: float, which: str, epoch: int) -> None:
    if not math.isfinite(loss):
        raise TrialEnded(Status.DIVERGED, f"the {which} loss is {loss} in epoch {epoch + 1}")
