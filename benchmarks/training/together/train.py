"""Several trainings of one shape, trained side by side and looked at after several lengths.

What each does is what `training.loop` does with it: its own first weights, order of images, views, class weights,
loss, optimizer, learning-rate schedule and dropout rate. Two things differ: sums are added up in another order, as
on another processor, and dropout draws other numbers. A training has no seconds of its own here: what it would
have taken alone is told by `pace`.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.nn import functional
from torch.optim.lr_scheduler import ReduceLROnPlateau

from hemobench.benchmarks.training.cross_validation import Result, figures
from hemobench.benchmarks.training.inputs.feeds import Side
from hemobench.benchmarks.training.inputs.sampling import order
from hemobench.benchmarks.training.looking import Look, Looks
from hemobench.benchmarks.training.loop import Job
from hemobench.benchmarks.training.optimization.graphs import Graphed
from hemobench.benchmarks.training.optimization.losses import ClassWeighted, focused
from hemobench.benchmarks.training.optimization.optimizers import make_optimizer
from hemobench.benchmarks.training.protocols.base import TrainingProtocol
from hemobench.benchmarks.training.seeds import Stream, forked, generator
from hemobench.benchmarks.training.timer import Timer, TrialEnded
from hemobench.benchmarks.training.together.pace import Pace
from hemobench.benchmarks.training.together.stacked import Stacked, can_stack
from hemobench.errors import BenchmarkError
from hemobench.strategies.base import Status

AT_ONCE = 2048
"""Images held out that all networks together look at, at a time."""


@dataclass
class _One:
    """How far one of the trainings has come."""

    job: Job
    losses: list[float] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    validation: dict[str, float] = field(default_factory=dict)
    test: dict[str, float] = field(default_factory=dict)
    looks: list[Look] = field(default_factory=list)
    ended: TrialEnded | None = None


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

    def train(self, epoch: int) -> Tensor:
        """Train an epoch; the mean loss of each over its steps, shape (K,)."""
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


def look_together(
    protocol: TrainingProtocol,
    jobs: Sequence[Job],
    lengths: Sequence[int],
    device: torch.device,
    pace: Pace,
) -> list[Looks]:
    """Train jobs of one shape side by side, and look at each after some numbers of epochs.

    Args:
        protocol: The task's, for the metrics.
        jobs: Of equal network, batch size and numbers of images; none may stop early within `lengths`.
        lengths: Numbers of epochs, rising.
        device: Where.
        pace: What each would have taken alone.
    """
    watch = Timer(device)  # its seconds are nobody's
    together = Together(jobs, device)
    each = [_One(job) for job in jobs]
    with _settings():
        for epoch in range(lengths[-1]):
            for job in jobs:
                job.feed.prepare(epoch, watch)
            trained = together.train(epoch).tolist()
            logits = together.predict("validation")
            labels = torch.stack([job.feed.labels("validation") for job in jobs]).to(device)
            lost = together.losses(logits, labels).tolist()
            scores = (logits.argmax(2) == labels).double().mean(1).tolist()
            together.schedule(lost)
            better = [k for k, one in enumerate(each) if lost[k] < min(one.losses, default=math.inf)]
            _judge(protocol, together, each, better, logits)
            for k, one in enumerate(each):
                _advance(one, epoch, trained[k], lost[k], scores[k], pace, looked=epoch + 1 in lengths)
    return [_ended(one, pace) for one in each]


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
    protocol: TrainingProtocol, together: Together, each: Sequence[_One], better: Sequence[int], logits: Tensor
) -> None:
    """Metrics of those whose validation loss is their lowest so far."""
    if not better:
        return
    tested = together.predict("test").cpu() if len(each[0].job.feed.labels("test")) else None
    seen = logits.cpu()
    for k in better:
        one = each[k]
        one.validation = figures(protocol, one.job.feed, seen[k], "validation")[0]
        if tested is not None:
            one.test = figures(protocol, one.job.feed, tested[k], "test")[0]


def _advance(one: _One, epoch: int, trained: float, lost: float, score: float, pace: Pace, *, looked: bool) -> None:
    """Put down what an epoch gave; a training that has diverged stays where it was."""
    if one.ended is not None:
        return
    for which, loss in (("training", trained), ("validation", lost)):
        if not math.isfinite(loss):
            one.ended = TrialEnded(Status.DIVERGED, f"the {which} loss is {loss} in epoch {epoch + 1}")
            return
    one.losses.append(lost)
    one.scores.append(score)
    if looked:
        seconds, evaluation = pace.seconds(one.job, epoch + 1)
        one.looks.append(Look(Result(one.validation, one.test, tuple(one.scores)), seconds, evaluation))


def _ended(one: _One, pace: Pace) -> Looks:
    if one.ended is None:
        last = one.looks[-1]
        return Looks(tuple(one.looks), None, (last.seconds, last.evaluation_seconds))
    return Looks(tuple(one.looks), one.ended, pace.seconds(one.job, len(one.losses) + 1))


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
