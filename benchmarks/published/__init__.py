"""Analytic response surfaces, fitted to the papers' published statistics; `calibrate` fits and stores them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, cast

import numpy as np

from hemobench.benchmarks.published.shape import Parameters, Surface
from hemobench.errors import BenchmarkError
from hemobench.strategies.base import Config

FOLDER = Path(__file__).parent
RANDOM_SEARCH = "random_search.json"
Curve = tuple[tuple[float, float], ...]
SURFACES = {
    "c-nmc": "hemobench.benchmarks.published.c_nmc",
    "bone-marrow": "hemobench.benchmarks.published.bone_marrow",
    "bone-marrow-full": "hemobench.benchmarks.published.bone_marrow",
}


@dataclass(frozen=True, slots=True)
class Reference:
    """What regret is normalised by; see `hemobench.benchmarks.benchmark.Reference`.

    Attributes:
        best_loss: Noise-free loss of the best known configuration: on a surface, its mean's optimum. An observed loss
            may be lower, by the noise.
        best_config: That optimum.
        trial_gpu_hours: Mean cost of a uniformly random trial at full length.
        random: What random search's incumbent is worth on average with one worker, without noise: pairs (GPU-hours,
            loss), ascending. The incumbent is chosen by what is observed, as every search has to.
        observed: The same as random search sees it, luck included: what regret was normalised by before. Results of
            the gate that were recorded then are held against it. Empty where it never was.
    """

    best_loss: float
    best_config: Config
    trial_gpu_hours: float
    random: Curve
    observed: Curve = ()

    def random_expected(self, gpu_hours: float) -> float:
        """Expected loss of random search's incumbent: linear in the logarithm of the budget, flat beyond the ends."""
        hours, losses = zip(*self.random, strict=True)
        return float(np.interp(np.log(max(gpu_hours, hours[0])), np.log(hours), losses))

    def as_observed(self) -> Reference:
        """With what random search sees in place of what that is worth."""
        return replace(self, random=self.observed) if self.observed else self


@dataclass(frozen=True, slots=True)
class Target:
    """A row of a surface's card: what the paper reports beside what the surface gives.

    Attributes:
        name: What is compared.
        source: Where the target comes from: a place in the paper, or `ours`.
        target: The figure to meet.
        tolerance: How far from it the surface may lie.
        achieved: What the surface gives.
        unit: As in `points`.
    """

    name: str
    source: str
    target: float
    tolerance: float
    achieved: float
    unit: str = "points"

    @property
    def met(self) -> bool:
        """Whether the surface keeps within the tolerance."""
        return abs(self.achieved - self.target) <= self.tolerance


@dataclass(frozen=True, slots=True)
class Stored:
    """A surface as calibrated.

    Attributes:
        surface: Its functions.
        parameters: Their parameters.
        targets: Its card.
        notes: What is ours and not the paper's.
        reference: What regret is normalised by.
        checksum: SHA-256 of the file.
    """

    surface: Surface
    parameters: Parameters
    targets: tuple[Target, ...]
    notes: tuple[str, ...]
    reference: Reference
    checksum: str


def surface_of(task: str) -> Surface:
    """The module with the functions of a task's surface.

    Raises:
        BenchmarkError: If the task has none.
    """
    if task not in SURFACES:
        raise BenchmarkError(
            f"task '{task}' has no published response surface", f"choose one of: {', '.join(SURFACES)}"
        )
    return cast(Surface, import_module(SURFACES[task]))


@cache
def stored(task: str) -> Stored:
    """The calibrated surface of a task, read from its file.

    Raises:
        BenchmarkError: If the task has none, or its file is missing or damaged.
    """
    surface, path = surface_of(task), FOLDER / f"{task}.json"
    try:
        content = path.read_bytes()
        document: Mapping[str, Any] = json.loads(content)
        kept = document["reference"]
        reference = Reference(
            best_loss=kept["best_loss"],
            best_config=kept["best_config"],
            trial_gpu_hours=kept["trial_gpu_hours"],
            random=_random_searches()[task],
            observed=_curve(kept["random"]),
        )
        return Stored(
            surface=surface,
            parameters=document["parameters"],
            targets=tuple(Target(**row) for row in document["card"]),
            notes=tuple(document["notes"]),
            reference=reference,
            checksum=hashlib.sha256(content).hexdigest(),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as problem:
        raise BenchmarkError(
            f"{path}: {problem}", "install the package again, or run python -m hemobench.benchmarks.published.calibrate"
        ) from None


@cache
def _random_searches() -> Mapping[str, Curve]:
    """What random search is expected to reach, by task: in a file of its own, so that those of the answers stay.

    Raises:
        BenchmarkError: If the file is missing or damaged.
    """
    path = FOLDER / RANDOM_SEARCH
    try:
        return {task: _curve(rows) for task, rows in json.loads(path.read_bytes()).items()}
    except (OSError, ValueError, TypeError, AttributeError, RecursionError) as problem:
        raise BenchmarkError(f"{path}: {problem}", "install the package again") from None


def _curve(rows: Iterable[tuple[float, float]]) -> Curve:
    return tuple((hours, loss) for hours, loss in rows)


def reference(task: str) -> Reference:
    """What regret is normalised by on a task's published surface."""
    return stored(task).reference


def card(task: str) -> tuple[Target, ...]:
    """The targets of a task's surface, each beside what the surface gives."""
    return stored(task).targets


def notes(task: str) -> tuple[str, ...]:
    """What of a task's surface is ours and not the paper's."""
    return stored(task).notes
