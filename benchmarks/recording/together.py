"""Trainings that are alike, recorded side by side: how they are grouped, and what each would have taken alone."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hemobench.benchmarks.evaluator import PACE_OF, Alike, LookingTogether
from hemobench.benchmarks.recording.design import Asked
from hemobench.benchmarks.recording.source import Source, Unit, shared_evaluator
from hemobench.benchmarks.storage.files import write_whole
from hemobench.benchmarks.tables.schema import ALL_FOLDS, Table
from hemobench.errors import BenchmarkError

PACE = "pace.json"


def evaluator_of(source: Source, folds: Sequence[int]) -> LookingTogether:
    """What trains side by side: one evaluator for all folds, or that of the only one.

    Raises:
        BenchmarkError: If the source cannot do it.
    """
    evaluator = shared_evaluator(source.key, folds[0] if len(folds) == 1 else ALL_FOLDS)
    if not isinstance(evaluator, LookingTogether):
        raise BenchmarkError(f"{source.benchmark} does not train side by side", "record it without --together")
    missing = set(folds) - set(evaluator.folds) if len(folds) > 1 else set()
    if missing:
        raise BenchmarkError(
            f"{source.benchmark} has no fold {min(missing)} among those that it holds at once",
            "record each fold with --folds of its own, and merge the tables",
        )
    return evaluator


def groups(source: Source, folds: Sequence[int], folder: Path, name: str, asked: Sequence[Asked]) -> list[Unit]:
    """Units of trainings that are alike, those that take longest first; what their pace takes is measured."""
    evaluator = evaluator_of(source, folds)
    _keep_pace(folder, evaluator, asked)
    members: dict[Alike, list[Asked]] = {}
    for one in asked:
        members.setdefault(evaluator.alike(one[1]), []).append(one)
    parts: list[tuple[Asked, ...]] = []
    for alike in sorted(members, key=lambda alike: (-alike.work, alike.key)):
        group = members[alike]
        parts += [tuple(group[start : start + alike.most]) for start in range(0, len(group), alike.most)]
    return [Unit(f"{name}-{number:05}", points=part) for number, part in enumerate(parts)]


def take_pace(source: Source, folds: Sequence[int], folder: Path, earlier: Table, name: str) -> None:
    """Charge what an earlier recording charged, whatever the device.

    Args:
        source: What trains.
        folds: That it trains on.
        folder: The new recording's journal.
        earlier: The earlier recording.
        name: What it is called.

    Raises:
        BenchmarkError: If what is recorded already was charged otherwise.
    """
    known = read_pace(folder) if (folder / PACE).exists() else {}
    if known.get(PACE_OF) == name:
        return
    if known and any(folder.glob("*.jsonl")):
        charged = known.get(PACE_OF, "its own device")
        raise BenchmarkError(f"{folder} charges the seconds of {charged}, not of {name}", "give another --out")
    write_whole(folder / PACE, {**evaluator_of(source, folds).pace_of(earlier.rows), PACE_OF: name})


def _keep_pace(folder: Path, evaluator: LookingTogether, asked: Sequence[Asked]) -> None:
    """Measure, on the idle device, kinds of trainings that were not measured before."""
    path = folder / PACE
    known = read_pace(folder) if path.exists() else {}
    found = evaluator.pace([config for _, config, _, _ in asked], known) if asked else known
    if found != known:
        write_whole(path, dict(found))


def read_pace(folder: Path) -> Mapping[str, Any]:
    """What `groups` has measured."""
    pace: Mapping[str, Any] = json.loads((folder / PACE).read_bytes())
    return pace
