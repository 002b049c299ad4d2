"""Trainings of a validation, a line each as soon as it is done, so that a kill loses only those at hand."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hemobench.benchmarks.storage.journal import Journal
from hemobench.strategies.base import Status

LASTING = (Status.OK, Status.DIVERGED)
"""Ends that another try would have, too; any other is tried again."""


@dataclass(frozen=True, slots=True)
class Retraining:
    """One training and what it rests on.

    Attributes:
        identity: Benchmark, settings, epochs, configuration, seed and provenance: all that decides the figures.
        status: How it ended.
        validation: Metrics, fractions; empty unless it ended well.
        test: Likewise.
        gpu_seconds: What it cost.
        error: What went wrong.
        curve: Headline validation metric after each epoch.
    """

    identity: str
    status: Status
    validation: Mapping[str, float]
    test: Mapping[str, float]
    gpu_seconds: float
    error: str | None = None
    curve: tuple[float, ...] = ()


def identity(**parts: Any) -> str:
    """All that decides a training's figures, as text."""
    return json.dumps(parts, sort_keys=True, default=str)


def open_trainings(path: Path) -> Journal[Retraining]:
    """The journal of a validation; see `Journal`."""
    hint = "delete the line, or the file to train all of it again"
    return Journal(path, Retraining, lambda training: training.identity, hint)


def lasting(trainings: Iterable[Retraining]) -> dict[str, Retraining]:
    """By identity, those that need no other try."""
    return {one.identity: one for one in trainings if one.status in LASTING}
