"""Trainings side by side, looked at after several lengths, as a recording needs them."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from hemobench.benchmarks.training.looking import Look, Looks
from hemobench.benchmarks.training.loop import Job
from hemobench.benchmarks.training.protocols.base import TrainingProtocol
from hemobench.benchmarks.training.timer import Timer
from hemobench.benchmarks.training.together.pace import Pace
from hemobench.benchmarks.training.together.train import Standing, in_step, train_together


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
        jobs: Of equal network and batch size; those of equal numbers of images keep step. None may stop early within
            `lengths`.
        lengths: Numbers of epochs, rising.
        device: Where.
        pace: What each would have taken alone.
    """
    found: dict[int, Looks] = {}
    for numbers in in_step(jobs):
        looked = _look([jobs[number] for number in numbers], protocol, lengths, device, pace)
        found |= dict(zip(numbers, looked, strict=True))
    return [found[number] for number in range(len(jobs))]


def _look(
    jobs: Sequence[Job], protocol: TrainingProtocol, lengths: Sequence[int], device: torch.device, pace: Pace
) -> list[Looks]:
    watch = Timer(device)  # its seconds are nobody's
    looks: list[list[Look]] = [[] for _ in jobs]
    standings: Sequence[Standing] = ()
    for epoch, standings in enumerate(train_together(protocol, jobs, lengths[-1], device, watch), start=1):
        for one, seen in zip(standings, looks, strict=True):
            if epoch in lengths and one.ended is None:
                seen.append(_seen(one, pace, epoch))
    return [_ended(one, seen, pace) for one, seen in zip(standings, looks, strict=True)]


def _seen(one: Standing, pace: Pace, epochs: int) -> Look:
    seconds, evaluation = pace.seconds(one.job, epochs)
    return Look(one.result, seconds, evaluation)


def _ended(one: Standing, looks: Sequence[Look], pace: Pace) -> Looks:
    if one.ended is None:
        last = looks[-1]
        return Looks(tuple(looks), None, (last.seconds, last.evaluation_seconds))
    return Looks(tuple(looks), one.ended, pace.seconds(one.job, len(one.losses) + 1))
