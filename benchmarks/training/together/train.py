"""Several trainings of one shape, trained side by side.

What each does is what `training.loop` does with it: its own first weights, order of images, views, class weights,
loss, optimizer, learning-rate schedule and dropout rate. Two things differ: sums are added up in another order, as
on another processor, and dropout draws other numbers. A training has no seconds of its own here: a recording asks
`pace` what it would have taken alone, and a trial is charged for all its splits at once.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional
from torch.optim.lr_scheduler import ReduceLROnPlateau

from hemobench.benchmarks.training.cross_validation import Result, figures
from hemobench.benchmarks.training.inputs.feeds import SIDES, Side
from hemobench.benchmarks.training.inputs.sampling import order
from hemobench.benchmarks.training.loop import Job
from hemobench.benchmarks.training.optimization.graphs import Graphed
from hemobench.benchmarks.training.optimization.losses import ClassWeighted, focused
from hemobench.benchmarks.training.optimization.optimizers import make_optimizer
from hemobench.benchmarks.training.protocols.base import TrainingProtocol
from hemobench.benchmarks.training.seeds import Stream, forked, generator
from hemobench.benchmarks.training.timer import Timer, TrialEnded
from hemobench.benchmarks.training.together.stacked import Stacked, can_stack
from hemobench.errors import BenchmarkError
from hemobench.strategies.base import Status

AT_ONCE = 2048
"""Images held out that all networks together look at, at a time."""
Found = tuple[dict[str, float], NDArray[np.int64]]
"""Metrics by name, and the confusion matrix."""


@dataclass
class Standing:
    """How far one of the trainings has come.

    Attributes:
        job: What is trained.
        losses: Validation loss after each epoch.
        scores: Validation accuracy after each epoch.
        found: Metrics and confusion matrix, by side, of the epoch with the lowest validation loss.
        ended: What ended it early, if anything did: then it stays where it was.
    """

    job: Job
    losses: list[float] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    found: dict[Side, Found] = field(default_factory=dict)
    ended: TrialEnded | None = None

    @property
    def result(self) -> Result:
        """What a trial that ended here would have."""
        metrics = {side: found for side, (found, _) in self.found.items()}
        confusion: dict[str, NDArray[np.int64]] = {side: counts for side, (_, counts) in self.found.items()}
        return Result(metrics["validation"], metrics.get("test", {}), tuple(self.scores), confusion)


class Together:
    """Trainings of equal network, batch size and numbers of images.

    Args:
        jobs: Their networks are stacked, and are not to be used again.
        device: Where they are.
    """

    def __init__(self, jobs: Sequence[Job], device: torch.device) -> None:
        self._jobs = jobs
        self._device = device
        self._stacked = Stacked([job.network for job in jobs])
        graphed = device if device.type == "cuda" else None
        rows = self._stacked.rows()
        self._optimizers = [
            make_optimizer(
                job.recipe.optimizer, [row], job.recipe.learning_rate, job.recipe.weight_decay, graphed_on=graphed
            )
            for job, row in zip(jobs, rows, strict=True)
        ]
        self._schedulers = [
            ReduceLROnPlateau(optimizer, factor=0.1, patience=plateau) if plateau is not None else None
            for optimizer, plateau in zip(self._optimizers, (job.recipe.plateau for job in jobs), strict=True)
        ]
        self._weights = torch.stack([_loss(job).weights for job in jobs]).to(device)
        self._focal = torch.tensor([_loss(job).focal for job in jobs], device=device).unsqueeze(1)
        self._graphed = Graphed(device, enabled=graphed is not None)

    def train(self, epoch: int, watch: Timer) -> Tensor:
        """Train an epoch; the mean loss of each over its steps, shape (K,).

        Raises:
            TrialEnded: If the time is up.
        """
        size = self._jobs[0].recipe.batch_size
        inputs, targets = self._epoch(epoch)
        total, steps = torch.zeros(len(self._jobs), device=self._device), 0
        self._stacked.network.train()
        with forked(self._device, *(job.seed for job in self._jobs), Stream.DROPOUT, epoch):
            for some, labels in zip(inputs.split(size, dim=1), targets.split(size, dim=1), strict=True):
                if labels.shape[1] == 1 < size:
                    continue  # as in the loop: batch normalisation cannot train on one image
                total += self._graphed(self._by_optimizers, some, labels, full=labels.shape[1] == size)
                steps += 1
                watch.check()
        return total / steps

    def _epoch(self, epoch: int) -> tuple[Tensor, Tensor]:
        """What each shows in the epoch: inputs (K, n, ...) and labels (K, n)."""
        inputs, targets = [], []
        for job in self._jobs:
            labels = job.feed.labels("train")
            rows, slots = order(labels, job.recipe.sampling, generator(job.seed, Stream.ORDER, epoch))
            (whole,) = job.feed.batches(epoch, rows, slots, len(rows))
            inputs.append(whole.contiguous(memory_format=torch.contiguous_format))
            targets.append(labels[rows])
        return torch.stack(inputs), torch.stack(targets).to(self._device)

    def _by_optimizers(self, inputs: Tensor, targets: Tensor) -> Tensor:
        self._stacked.gradients.zero_()
        losses = self.losses(self._stacked(inputs), targets)
        losses.sum().backward()  # type: ignore[no-untyped-call]  # each depends on its own network alone
        for optimizer in self._optimizers:
            optimizer.step()
        return losses.detach()

    def losses(self, logits: Tensor, labels: Tensor) -> Tensor:
        """The loss of each, shape (K,), of logits (K, n, classes) and labels (K, n)."""
        entropy = functional.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="none")
        entropy = entropy.view(labels.shape)
        shaped = torch.where(self._focal, focused(entropy), entropy)
        weight = self._weights.gather(1, labels)
        return (weight * shaped).sum(1) / weight.sum(1)

    @torch.no_grad()
    def predict(self, side: Side) -> Tensor:
        """Logits of the images held out, shape (K, n, classes)."""
        self._stacked.network.eval()
        # Trainings of one fold share what is held out: a feed is asked once.
        feeds = {id(job.feed.labels(side)): job.feed for job in self._jobs}
        held_out = {key: torch.cat(list(feed.held_out(side))) for key, feed in feeds.items()}
        order = [id(job.feed.labels(side)) for job in self._jobs]
        step = max(1, AT_ONCE // len(self._jobs))
        n = len(held_out[order[0]])
        parts = []
        for start in range(0, n, step):
            some = [held_out[key][start : start + step] for key in order]
            parts.append(self._stacked(torch.stack(some).contiguous()).float())
        return torch.cat(parts, dim=1)

    def schedule(self, losses: Sequence[float]) -> None:
        """Tell the learning rates' schedules the validation losses."""
        for scheduler, loss in zip(self._schedulers, losses, strict=True):
            if scheduler is not None and math.isfinite(loss):
                scheduler.step(loss)


def train_together(
    protocol: TrainingProtocol,
    jobs: Sequence[Job],
    epochs: int,
    device: torch.device,
    watch: Timer,
    trained: int = 0,
) -> Iterator[Sequence[Standing]]:
    """Train jobs of one shape side by side; gives, after every epoch, how far each has come.

    Args:
        protocol: The task's, for the metrics.
        jobs: Of equal network, batch size and numbers of images; none may stop early within the epochs.
        epochs: How many.
        device: Where.
        watch: What the seconds are counted with. Tests are made after every epoch that is the best so far.
        trained: Epochs charged before; repeating them is not charged.

    Raises:
        TrialEnded: If the time is up.
    """
    together = Together(jobs, device)
    standings = [Standing(job) for job in jobs]
    with _settings():
        for epoch in range(epochs):
            for job in jobs:
                job.feed.prepare(epoch, watch)
            repeated = epoch < trained
            with watch.timing("repeated" if repeated else "training"):
                losses = together.train(epoch, watch).tolist()
            with watch.timing("repeated" if repeated else "evaluation"):
                _judge(protocol, together, standings, losses, device)
            yield standings


def in_step(jobs: Sequence[Job], most: int | None = None) -> list[list[int]]:
    """Which of some jobs of one shape keep step: those of equal numbers of images, at most `most` at once.

    Returns:
        Their places in `jobs`.
    """
    groups: dict[tuple[int, ...], list[int]] = {}
    for number, job in enumerate(jobs):
        images = tuple(len(job.feed.labels(side)) for side in SIDES)
        groups.setdefault(images, []).append(number)
    parts = []
    for group in groups.values():
        step = most or len(group)
        parts += [group[start : start + step] for start in range(0, len(group), step)]
    return parts


def require_stackable(job: Job, epochs: int) -> None:
    """Refuse trainings that cannot go side by side.

    Raises:
        BenchmarkError: If they could stop early or see more or fewer images than others, or their network's layers
            are not known here.
    """
    hint = "record them one by one, without --together"
    if job.recipe.patience < epochs or job.recipe.sampling != "normal":
        raise BenchmarkError("trainings that stop early or sample classes do not keep step with others", hint)
    if not can_stack(job.network) or job.recipe.precision != "fp32":
        raise BenchmarkError(f"trainings of {job.shape} in {job.recipe.precision} cannot be computed together", hint)


def _judge(
    protocol: TrainingProtocol,
    together: Together,
    standings: Sequence[Standing],
    trained: Sequence[float],
    device: torch.device,
) -> None:
    """Look at all after an epoch, whose mean training losses are given."""
    logits = together.predict("validation")
    labels = torch.stack([one.job.feed.labels("validation") for one in standings]).to(device)
    losses = together.losses(logits, labels).tolist()
    scores = (logits.argmax(2) == labels).double().mean(1).tolist()
    together.schedule(losses)
    better = [k for k, one in enumerate(standings) if losses[k] < min(one.losses, default=math.inf)]
    if better:
        _find(protocol, together, standings, better, logits)
    for one, train_loss, loss, score in zip(standings, trained, losses, scores, strict=True):
        _advance(one, train_loss, loss, score)


def _find(
    protocol: TrainingProtocol,
    together: Together,
    standings: Sequence[Standing],
    better: Sequence[int],
    logits: Tensor,
) -> None:
    """Metrics of those whose validation loss is their lowest so far."""
    seen: dict[Side, Tensor] = {"validation": logits.cpu()}
    if len(standings[0].job.feed.labels("test")):
        seen["test"] = together.predict("test").cpu()
    for k in better:
        one = standings[k]
        for side, some in seen.items():
            one.found[side] = figures(protocol, one.job.feed, some[k], side)


def _advance(one: Standing, train_loss: float, loss: float, score: float) -> None:
    """Put down what an epoch gave; a training that has diverged stays where it was."""
    if one.ended is not None:
        return
    epoch = len(one.losses) + 1
    for which, value in (("training", train_loss), ("validation", loss)):
        if not math.isfinite(value):
            one.ended = TrialEnded(Status.DIVERGED, f"the {which} loss is {value} in epoch {epoch}")
            return
    one.losses.append(loss)
    one.scores.append(score)


@contextmanager
def _settings() -> Iterator[None]:
    """Matrix products may round as convolutions do by default; and gradients are views of one tensor by intent."""
    before = torch.backends.cuda.matmul.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32
    try:
        with warnings.catch_warnings(), torch.backends.cudnn.flags(enabled=False):  # wide, shallow: others serve better
            warnings.filterwarnings("ignore", message="grad and param do not obey the gradient layout")
            yield
    finally:
        torch.backends.cuda.matmul.allow_tf32 = before


def _loss(job: Job) -> ClassWeighted:
    assert isinstance(job.loss, ClassWeighted), "only class-weighted losses can be stacked"
    return job.loss
