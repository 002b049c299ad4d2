"""The recorded benchmarks that come along: for each a table of real trainings, its surrogate, and a card.

`release` makes the three files. What answers is the surrogate; the table is there for exact look-ups, and for telling
how far a run went out of support.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hemobench.benchmarks.benchmark import Benchmark
from hemobench.benchmarks.evaluators.surrogate import Member, SurrogateEvaluator, fitted
from hemobench.benchmarks.published import Reference
from hemobench.errors import BenchmarkError
from hemobench.strategies.base import Config

FOLDER = Path(__file__).parent
HINT = "install the package again, or run python -m hemobench.benchmarks.recorded.release"


@dataclass(frozen=True, slots=True)
class Artefacts:
    """The files of a recorded benchmark: the table, Parquet; the surrogate, `.npz`; the card, JSON."""

    table: Path
    surrogate: Path
    card: Path


def artefacts(task: str) -> Artefacts:
    """Where the files of a task lie, whether or not they are there."""
    return Artefacts(*(FOLDER / f"{task}.{ending}" for ending in ("parquet", "npz", "json")))


def evaluator(
    benchmark: Benchmark, *, member: Member = "seed", folds: Sequence[int] | None = None
) -> SurrogateEvaluator:
    """What answers for `task@recorded`: its surrogate; see `SurrogateEvaluator` for the settings."""
    return fitted(benchmark, surrogate=artefacts(benchmark.task.name).surrogate, member=member, folds=folds)


@cache
def document(task: str) -> Mapping[str, Any]:
    """A card's file.

    Raises:
        BenchmarkError: If it is missing or damaged.
    """
    path = artefacts(task).card
    try:
        found: Mapping[str, Any] = json.loads(path.read_bytes())
        found["reference"], found["card"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as problem:
        raise BenchmarkError(f"{path}: {problem}", HINT) from None
    return found


def reference(task: str) -> Reference:
    """What regret is normalised by: the surrogate's optimum, and simulated random searches on it."""
    kept = document(task)["reference"]
    try:
        return Reference(**{**kept, "random": tuple((hours, loss) for hours, loss in kept["random"])})
    except (KeyError, TypeError, ValueError) as problem:
        raise BenchmarkError(f"{artefacts(task).card}: reference: {problem}", HINT) from None


def card(task: str) -> Mapping[str, Any]:
    """What was recorded and how, how far to trust the surrogate, and whether strategies rank alike elsewhere."""
    found: Mapping[str, Any] = document(task)["card"]
    return found


def outside(task: str, configs: Sequence[Config]) -> NDArray[np.bool_]:
    """Which configurations lie outside what was recorded, shape (n,); see `surrogates.support`."""
    from hemobench.benchmarks.surrogates.support import distances

    far = distances(task, _recorded(task), configs)
    return np.asarray(far > card(task)["trust"]["support"]["limit"])


@cache
def _recorded(task: str) -> list[Config]:
    from hemobench.benchmarks.tables.configs import read_configs

    return read_configs(artefacts(task).table)
