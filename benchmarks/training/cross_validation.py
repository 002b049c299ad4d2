"""One configuration trained on every split of its task, and the folds' figures put together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from hemobench.benchmarks.training.checkpoints import Checkpoints
from hemobench.benchmarks.training.loop import Training
from hemobench.benchmarks.training.metrics import evaluate, over_folds
from hemobench.benchmarks.training.seeds import spread
from hemobench.benchmarks.training.stopwatch import Stopwatch
from hemobench.benchmarks.training.workbench import Workbench
from hemobench.strategies.base import Config


@dataclass(frozen=True, slots=True)
class Result:
    """What training gave on one split, or on all of them.

    Attributes:
        validation: Metrics by name, of the epoch with the lowest validation loss.
        test: Likewise, of the same weights; empty without a test set.
        curve: Validation accuracy after each epoch.
    """

    validation: dict[str, float]
    test: dict[str, float]
    curve: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Resumption:
    """Where half-trained networks are kept, and what of a trial has been trained and charged before.

    Attributes:
        store: The checkpoints.
        key: Names the trial: benchmark, configuration and seed.
        trained: Epochs charged before; 0 for a new trial.
        keep: Whether the trial may be resumed later, so that its end is kept.
    """

    store: Checkpoints
    key: str
    trained: int
    keep: bool


def train_all(
    workbench: Workbench,
    config: Config,
    epochs: int,
    seed: int,
    *,
    device: torch.device,
    watch: Stopwatch,
    resumption: Resumption,
) -> Result:
    """Train a configuration on every split of its task, one after the other.

    Args:
        workbench: The task's images and splits.
        config: What to train.
        epochs: In all, those trained before included.
        seed: The trial's; every fold has its own noise.
        device: Where.
        watch: Charged with the increment over `resumption.trained`.
        resumption: What to go on from. Where no checkpoint is found, the earlier epochs are trained again, with equal
            results, and not charged again.

    Raises:
        TrialEnded: If a fold diverges or the time is up.
    """
    results = [
        _train_one(workbench, config, fold, epochs, spread(seed, fold), device, watch, resumption)
        for fold in range(workbench.folds)
    ]
    if len(results) == 1:
        return results[0]
    return Result(
        validation=over_folds([r.validation for r in results]),
        test=over_folds([r.test for r in results]),
        curve=mean_curve([r.curve for r in results]),
    )


def _train_one(
    workbench: Workbench,
    config: Config,
    fold: int,
    epochs: int,
    seed: int,
    device: torch.device,
    watch: Stopwatch,
    resumption: Resumption,
) -> Result:
    training = Training(workbench.job(config, fold, seed), device, watch)
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
    validation = _metrics(workbench, training, progress.best_logits, "validation")
    test: dict[str, float] = {}
    if len(training.job.feed.labels("test")):
        training.use_best()
        with watch.timing("evaluation"):
            logits = training.predict("test")
        test = _metrics(workbench, training, logits, "test")
    return Result(validation, test, tuple(progress.scores))


def _metrics(workbench: Workbench, training: Training, logits: torch.Tensor, side: str) -> dict[str, float]:
    labels = training.job.feed.labels(side).numpy()  # type: ignore[arg-type]
    probabilities = logits.double().softmax(dim=1).cpu().numpy()
    return evaluate(labels, probabilities, workbench.classes, workbench.positive)


def mean_curve(curves: Sequence[Sequence[float]]) -> tuple[float, ...]:
    """Mean over folds after each epoch; a fold that stopped early goes on with its last value."""
    longest = max(len(c) for c in curves)
    padded = [[*c, *[c[-1]] * (longest - len(c))] for c in curves]
    return tuple(float(x) for x in np.mean(padded, axis=0))
