"""What stands behind a live result: first weights, split, and what the constant answer would give.

The constant answer names, for every image, the training images' commonest class. A run's provenance
holds its figures (see `benchmarks.training.protocols.constant`); results of older versions lack them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hemobench.benchmarks.tasks.base import Task
from hemobench.reports.comparison.comparison import Comparison
from hemobench.reports.leaderboard.model import Row

SIDES = ("validation", "test")
ROUNDED = 1e-4  # the constant answer is kept to a millionth, and this is percent


@dataclass(frozen=True, slots=True)
class Basis:
    """What live trainings rest on.

    Attributes:
        weights: What the networks start from.
        split: Who is trained, selected and reported on.
        constant: The constant answer's headline metric in percent, by side; empty if not known.
    """

    weights: str
    split: str
    constant: Mapping[str, float]


def basis_of(provenance: Mapping[str, Any], task: Task) -> Basis | None:
    """The basis that a provenance tells of; `None` if it is of no live training, or tells nothing."""
    told = provenance.get("weights"), provenance.get("split")
    if provenance.get("source") != "live" or None in told:
        return None
    return Basis(str(told[0]), str(told[1]), _constant(provenance.get("constant_answer"), task.headline))


def _constant(text: Any, metric: str) -> dict[str, float]:
    """Percent by side; nothing where the text, which anybody may have edited, is not as we write it."""
    try:
        found = json.loads(text)
        return {side: 100 * float(found[side][metric]) for side in SIDES if side in found}
    except (TypeError, ValueError, KeyError):
        return {}


def sentences(basis: Basis, task: Task) -> list[str]:
    """The basis in words."""
    lines = [f"First weights: {basis.weights}. Split: {basis.split}."]
    if basis.constant:
        figures = ", ".join(f"{value:.2f} % on {side}" for side, value in basis.constant.items())
        lines.append(f"Always naming the commonest class gives {task.headline_label} {figures}.")
    return lines


def warnings(basis: Basis, means: Mapping[str, Mapping[str, float | None]]) -> list[str]:
    """Which results are none.

    Args:
        basis: With the constant answer.
        means: Percent by side and strategy; `None` where there is no figure.
    """
    lines = []
    for side, constant in basis.constant.items():
        figures = means.get(side, {})
        below = [name for name, mean in figures.items() if mean is not None and mean <= constant + ROUNDED]
        if below:
            lines.append(f"Not above the constant answer on {side}, so no result: {', '.join(sorted(below))}.")
    return lines


def basis_notes(comparison: Comparison, rows: Sequence[Row]) -> list[str]:
    """What a board of a live benchmark says of it; nothing on other boards."""
    if "header" not in comparison.runs or not len(comparison.runs):
        return []
    header = json.loads(str(comparison.runs["header"].iloc[0]))
    basis = basis_of(header.get("source", {}), comparison.task)
    if basis is None:
        return []
    means = {
        "validation": {row.strategy: row.validation.mean if row.validation else None for row in rows},
        "test": {row.strategy: row.test.mean if row.test else None for row in rows},
    }
    return [*sentences(basis, comparison.task), *warnings(basis, means)]
