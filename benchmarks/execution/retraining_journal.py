"""Trainings of a validation, a line each as soon as it is done, so that a kill loses only those at hand."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from hemobench.benchmarks.storage.files import append_line, cut_partial_line, lock, refusals
from hemobench.errors import BenchmarkError
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


_trainings = TypeAdapter(Retraining)


def identity(**parts: Any) -> str:
    """All that decides a training's figures, as text."""
    return json.dumps(parts, sort_keys=True, default=str)


class RetrainingJournal:
    """An append-only file that one process holds. A half-written last line, which a kill leaves, is cut off.

    Args:
        path: The file; it and its folder are made if they are not there.

    Raises:
        BenchmarkError: If it cannot be written, another process has it open, or a line cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with refusals(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            self._lines = open(path, "ab", buffering=0)  # noqa: SIM115 - closed by close()
        lock(self._lines, path)
        try:
            cut_partial_line(path)
            self.trainings = {one.identity: one for one in read_trainings(path) if one.status in LASTING}
        except BaseException:
            self.close()
            raise

    def append(self, training: Retraining) -> None:
        """Add a training, all of it or nothing, and force it to the disk.

        Raises:
            BenchmarkError: If the disk does not take it; the trainings before it are kept, whole.
        """
        line = json.dumps(asdict(training), separators=(",", ":"), allow_nan=False).encode() + b"\n"
        with refusals(self.path):
            append_line(self._lines, line, durable=True)
        self.trainings[training.identity] = training

    def close(self) -> None:
        """Let go of the file."""
        self._lines.close()


def read_trainings(path: Path) -> list[Retraining]:
    """All trainings of a journal, in the order in which they ended.

    Raises:
        BenchmarkError: If a line is no training.
    """
    found = []
    for number, line in enumerate(path.read_bytes().splitlines(), start=1):
        try:
            found.append(_trainings.validate_json(line))
        except ValidationError as problem:
            first = problem.errors()[0]
            place = ".".join(map(str, first["loc"]))
            hint = "delete the line, or the file to train all of it again"
            raise BenchmarkError(f"{path}, line {number}: {place} {first['msg']}", hint) from None
    return found
