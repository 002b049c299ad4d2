"""One training looked at after each of several lengths, as a recording needs it.

What a trial of k epochs ends with is known when a longer one passes epoch k: the best epoch so far, its validation
and test metrics. A trial of k epochs tests once, at its end, so that is what it is charged, however often a recording
looks.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from hemobench.benchmarks.execution.progress import tell
from hemobench.benchmarks.training.cross_validation import Result, figures, mean_curve
from hemobench.benchmarks.training.loop import Training
from hemobench.benchmarks.training.metrics import over_folds
from hemobench.benchmarks.training.protocols.base import TrainingProtocol
from hemobench.benchmarks.training.seeds import spread
from hemobench.benchmarks.training.timer import Timer, TrialEnded
from hemobench.strategies.base import Config


@dataclass(frozen=True, slots=True)
class Look:
    """What a trial of a length would have ended with.

    Attributes:
        result: Its metrics and curve.
        seconds: Device-seconds that it would have been charged.
        evaluation_seconds: What of these went into validation and test.
    """

    result: Result
    seconds: float
    evaluation_seconds: float


@dataclass(frozen=True, slots=True)
class Looks:
    """A training looked at.

    Attributes:
        looks: One for each length that was reached.
        ended: What ended it early, if anything did.
        seconds: Charged until it ended, and what of these went into evaluation.
    """

    looks: tuple[Look, ...]
    ended: TrialEnded | None
    seconds: tuple[float, float]


def look_all(
    protocol: TrainingProtocol,
    config: Config,
    lengths: Sequence[int],
    seed: int,
    device: torch.device,
    timeout: float = math.inf,
) -> Looks:
    """Train a configuration on every split of its task, and look at it after some numbers of epochs.

    Args:
        protocol: The task's images and splits.
        config: What to train.
        lengths: Numbers of epochs, rising.
        seed: The trial's.
        device: Where.
        timeout: Charged device-seconds of all splits together after which the trial has timed out.
    """
    each: list[Looks] = []
    left = timeout
    for fold in protocol.folds:
        each.append(_look(protocol, config, fold, lengths, seed, Timer(device, timeout=left), device))
        left = max(left - each[-1].seconds[0], 0.0)
    if len(each) == 1:
        return each[0]
    reached = min(len(fold.looks) for fold in each)
    together = [_together([fold.looks[k] for fold in each]) for k in range(reached)]
    ended = next((fold.ended for fold in each if fold.ended is not None), None)
    charged, evaluation = np.sum([fold.seconds for fold in each], axis=0)
    return Looks(tuple(together), ended, (float(charged), float(evaluation)))


def _look(
    protocol: TrainingProtocol,
    config: Config,
    fold: int,
    lengths: Sequence[int],
    seed: int,
    timer: Timer,
    device: torch.device,
) -> Looks:
    training = Training(protocol.job(config, fold, spread(seed, fold)), device, timer)
    looks: list[Look] = []
    test: dict[str, float] = {}
    tests = 0
    try:
        for epoch in range(1, lengths[-1] + 1):
            progress = training.run(epoch)
            tell("epochs", epoch, lengths[-1])
            if progress.epochs == epoch and progress.best_epoch == epoch - 1:
                test, tests = _test(protocol, training, timer), tests + 1
            if epoch in lengths:
                looks.append(_seen(protocol, training, test, timer, timer.seconds["look"] / max(1, tests)))
    except TrialEnded as ended:
        return Looks(tuple(looks), ended, (timer.charged, timer.seconds["evaluation"]))
    return Looks(tuple(looks), None, (looks[-1].seconds, looks[-1].evaluation_seconds))


def _test(protocol: TrainingProtocol, training: Training, timer: Timer) -> dict[str, float]:
    """Test metrics of the weights as they are; timed as a look, which is charged to nobody."""
    if not len(training.job.feed.labels("test")):
        return {}
    with timer.timing("look"):
        logits = training.predict("test")
    return figures(protocol, training.job.feed, logits, "test")[0]


def _seen(
    protocol: TrainingProtocol, training: Training, test: dict[str, float], timer: Timer, test_seconds: float
) -> Look:
    """What a trial that ends here has; it is charged one test, of the mean length of those made."""
    progress = training.progress
    assert progress.best_logits is not None
    validation = figures(protocol, training.job.feed, progress.best_logits, "validation")[0]
    result = Result(validation, test, tuple(progress.scores))
    evaluation = timer.seconds["evaluation"] + test_seconds
    return Look(result, timer.charged + test_seconds, evaluation)


def _together(folds: Sequence[Look]) -> Look:
    results = [look.result for look in folds]
    result = Result(
        validation=over_folds([r.validation for r in results]),
        test=over_folds([r.test for r in results]),
        curve=mean_curve([r.curve for r in results]),
    )
    seconds = sum(look.seconds for look in folds)
    return Look(result, seconds, sum(look.evaluation_seconds for look in folds))
