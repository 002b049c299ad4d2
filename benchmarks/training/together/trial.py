"""A trial whose splits are trained side by side, instead of one after the other."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from hemobench.benchmarks.training.cross_validation import OnEpoch, Result, put_together
from hemobench.benchmarks.training.protocols.base import TrainingProtocol
from hemobench.benchmarks.training.seeds import spread
from hemobench.benchmarks.training.timer import Timer
from hemobench.benchmarks.training.together.train import Standing, in_step, require_stackable, train_together
from hemobench.strategies.base import Config


def train_folds_together(
    protocol: TrainingProtocol,
    config: Config,
    epochs: int,
    seed: int,
    *,
    device: torch.device,
    watch: Timer,
    trained: int = 0,
    on_epoch: OnEpoch | None = None,
) -> Result:
    """Train a configuration on all splits of its task, as many at once as have equal numbers of images and fit memory.

    Each split has the noise that it has in `cross_validation.train_all`, but for dropout's draws.

    Args:
        protocol: The task's images and splits.
        config: What to train.
        epochs: In all, those trained before included.
        seed: The trial's; every split has its own noise.
        device: Where.
        watch: Charged with what is trained beyond `trained`.
        trained: Epochs that an earlier trial was charged for. They are trained again, and not charged again.
        on_epoch: Told of every epoch.

    Raises:
        BenchmarkError: If such trainings cannot go side by side.
        TrialEnded: If one diverges or the time is up.
    """
    jobs = [protocol.job(config, fold, spread(seed, fold)) for fold in protocol.folds]
    require_stackable(jobs[0], epochs)
    most = protocol.most_together(jobs[0].recipe.batch_size)
    results: dict[int, Result] = {}
    for numbers in in_step(jobs, most):
        folds = [protocol.folds[number] for number in numbers]
        trainings = train_together(protocol, [jobs[number] for number in numbers], epochs, device, watch, trained)
        standings: Sequence[Standing] = ()
        for standings in trainings:
            _tell(standings, folds, on_epoch)
        results |= {number: one.result for number, one in zip(numbers, standings, strict=True)}
    return put_together([results[number] for number in range(len(jobs))])


def _tell(standings: Sequence[Standing], folds: Sequence[int], on_epoch: OnEpoch | None) -> None:
    """What every epoch gave; one that has diverged ends the trial."""
    for one, fold in zip(standings, folds, strict=True):
        if one.ended is not None:
            raise one.ended
        if on_epoch is not None:
            on_epoch(fold, len(one.scores), one.scores[-1])
