"""One configuration trained on every split of its task, and the folds' figures put together."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray

from hemobench.benchmarks.training.checkpoints import Checkpoints, InMemory
from hemobench.benchmarks.training.inputs.feeds import Feed, Side
from hemobench.benchmarks.training.loop import Training
from hemobench.benchmarks.training.metrics import confusion_matrix, evaluate, over_folds
from hemobench.benchmarks.training.protocols.base import TrainingProtocol
from hemobench.benchmarks.training.seeds import spread
from hemobench.benchmarks.training.timer import Timer
from hemobench.strategies.base import Config

OnEpoch = Callable[[int, int, float], None]
"""Told of every epoch: fold and epochs trained, and the validation accuracy."""


@dataclass(frozen=True, slots=True)
class Result:
    """What training gave on one split, or on all of them.

    Attributes:
        validation: Metrics by name, of the epoch with the lowest validation loss.
        test: Likewise, of the same weights; empty without a test set.
        curve: Validation accuracy after each epoch.
        confusion: Counts on `validation` and `test`, shape (classes, classes): rows are the true class. Summed over
            folds.
        folds: Of several splits, the result of each.
    """

    validation: dict[str, float]
    test: dict[str, float]
    curve: tuple[float, ...]
    confusion: Mapping[str, NDArray[np.int64]] = field(default_factory=dict, compare=False)
    folds: tuple[Result, ...] = ()


@dataclass(frozen=True, slots=True)
class Resumption:
    """Where half-trained networks are kept, and what of a trial has been trained and charged before.

    Attributes:
        store: The checkpoints.
        key: Names the trial: benchmark, configuration and seed.
        trained: Epochs charged before; 0 for a new trial.
        keep: Whether the trial may be resumed later, so that its end is kept.
    """

    store: Checkpoints | InMemory
    key: str
    trained: int
    keep: bool


def train_all(
    protocol: TrainingProtocol,
    config: Config,
    epochs: int,
    seed: int,
    *,
    device: torch.device,
    watch: Timer,
    resumption: Resumption,
    on_epoch: OnEpoch | None = None,
) -> Result:
    """Train a configuration on every split of its task, one after the other.

    Args:
        protocol: The task's images and splits.
        config: What to train.
        epochs: In all, those trained before included.
        seed: The trial's; every fold has its own noise.
        device: Where.
        watch: Charged with the increment over `resumption.trained`.
        on_epoch: Told of every epoch.
        resumption: What to go on from. Where no checkpoint is found, the earlier epochs are trained again, with equal
            results, and not charged again.

    Raises:
        TrialEnded: If a fold diverges or the time is up.
    """
    results = [
        _train_one(protocol, config, fold, epochs, spread(seed, fold), device, watch, resumption, on_epoch)
        for fold in protocol.folds
    ]
    return put_together(results)


def put_together(results: Sequence[Result]) -> Result:
    """The result of a trial, of those of its splits: means, deviations, and the sum of the confusion matrices."""
    if len(results) == 1:
        return results[0]
    return Result(
        validation=over_folds([r.validation for r in results]),
        test=over_folds([r.test for r in results]),
        curve=mean_curve([r.curve for r in results]),
        confusion={side: sum_of([r.confusion[side] for r in results]) for side in results[0].confusion},
        folds=tuple(results),
    )


def _train_one(
    protocol: TrainingProtocol,
    config: Config,
    fold: int,
    epochs: int,
    seed: int,
    device: torch.device,
    watch: Timer,
    resumption: Resumption,
    on_epoch: OnEpoch | None,
) -> Result:
    training = Training(protocol.job(config, fold, seed), device, watch, partial(on_epoch, fold) if on_epoch else None)
    key = f"{resumption.key} fold {fold}"
    if resumption.trained:
        state = resumption.store.load(key, resumption.trained, device)
        if state is not None:
            training.load_state(state)
    progress = training.run(epochs, resumption.trained)
    if resumption.keep:
        resumption.store.save(key, epochs, training.state())
    else:
        resumption.store.drop(key, below=epochs)
    assert progress.best_logits is not None
    feed = training.job.feed
    found = {"validation": figures(protocol, feed, progress.best_logits, "validation")}
    if len(feed.labels("test")):
        training.use_best()
        with watch.timing("evaluation"):
            logits = training.predict("test")
        found["test"] = figures(protocol, feed, logits, "test")
    metrics = {side: figures for side, (figures, _) in found.items()}
    confusion = {side: counts for side, (_, counts) in found.items()}
    return Result(metrics["validation"], metrics.get("test", {}), tuple(progress.scores), confusion)


def figures(
    protocol: TrainingProtocol, feed: Feed, logits: torch.Tensor, side: Side
) -> tuple[dict[str, float], NDArray[np.int64]]:
    """Metrics and confusion matrix of logits (n, classes) of a side's images."""
    labels = feed.labels(side).numpy()
    probabilities = logits.double().softmax(dim=1).cpu().numpy()
    counts = confusion_matrix(labels, probabilities.argmax(axis=1), len(protocol.classes))
    return evaluate(labels, probabilities, protocol.classes, protocol.positive), counts


def sum_of(matrices: Sequence[NDArray[np.int64]]) -> NDArray[np.int64]:
    """Confusion matrices of several folds as one."""
    return np.sum(matrices, axis=0, dtype=np.int64)


def mean_curve(curves: Sequence[Sequence[float]]) -> tuple[float, ...]:
    """Mean over folds after each epoch; a fold that stopped early goes on with its last value."""
    longest = max(len(c) for c in curves)
    padded = [[*c, *[c[-1]] * (longest - len(c))] for c in curves]
    return tuple(float(x) for x in np.mean(padded, axis=0))
