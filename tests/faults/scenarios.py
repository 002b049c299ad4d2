"""What may befall a suite, drawn from a seed: the same seed is the same scenario on any machine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Ground:
    """A suite that a scenario is played on; the undisturbed results of each are computed once.

    Attributes:
        benchmarks: Names, with GPU-hours.
        strategies: Names; most import no optimizer library, so that commands start at once.
        seeds: Of each strategy.
        workers: Simulated ones.
    """

    benchmarks: tuple[tuple[str, float], ...]
    strategies: tuple[str, ...]
    seeds: int
    workers: int = 1

    @property
    def toml(self) -> str:
        """The suite's file."""
        lines = [f"seeds = {self.seeds}", f"workers = [{self.workers}]", f"strategies = {list(self.strategies)}"]
        for name, gpu_hours in self.benchmarks:
            lines += ["", "[[benchmarks]]", f'name = "{name}"', f"gpu_hours = [{gpu_hours}]"]
        return "\n".join(lines) + "\n"


C_NMC, MARROW = ("c-nmc@published", 3.0), ("bone-marrow@published", 800.0)
GROUNDS: tuple[tuple[Ground, int], ...] = (
    (Ground((C_NMC,), ("manual", "random", "sssr"), 8), 25),
    (Ground((("c-nmc@published", 3.6),), ("random", "sssr"), 10, workers=4), 20),
    (Ground((C_NMC,), ("random", "asha"), 10), 15),
    (Ground((C_NMC,), ("asha", "hyperband"), 5, workers=4), 10),
    (Ground((C_NMC, MARROW), ("manual", "random", "sssr"), 4), 15),
    (Ground((C_NMC,), ("random", "optuna-tpe"), 3), 8),
    (Ground((C_NMC,), ("sssr", "hyperopt-tpe"), 3, workers=4), 7),
)
"""Suites with their weights."""

KINDS: dict[str, int] = {
    "kill-coordinator": 12,
    "terminate-coordinator": 6,
    "interrupt": 6,
    "interrupt-everybody": 4,
    "kill-worker": 10,
    "several-kills": 6,
    "disk-full": 12,
    "file-limit": 4,
    "read-only": 8,
    "half-a-line": 8,
    "garbage-at-the-end": 6,
    "damaged-line": 10,
    "lost-lines": 4,
    "doubled-line": 4,
    "damaged-header": 6,
    "damaged-end": 6,
    "leftovers": 4,
    "clock": 8,
    "memory-error": 4,
    "out-of-memory-in-training": 3,
    "two-at-once": 5,
    "second-refused": 4,
    "messages": 10,
    "kill-dask-worker": 0,
}
"""Kinds of scenarios with their weights; what weighs nothing is played by `--kind` alone, as it starts slowly."""

PLAYED_WITHOUT_A_SUITE = frozenset({"messages", "out-of-memory-in-training"})


@dataclass(frozen=True, slots=True)
class Scenario:
    """One scenario.

    Attributes:
        seed: That it is drawn from.
        kind: What is injured.
        ground: The suite.
        jobs: Processes.
        moments: When the injuries come, as fractions of the undisturbed suite's output; rising.
        draw: Seed of the injury's own details.
    """

    seed: int
    kind: str
    ground: Ground
    jobs: int
    moments: tuple[float, ...]
    draw: int

    @property
    def rng(self) -> np.random.Generator:
        """A new generator of the injury's details: the same each time."""
        return np.random.default_rng(self.draw)


def scenario(seed: int, kind: str | None = None) -> Scenario:
    """The scenario of a seed.

    Args:
        seed: Any integer from 0.
        kind: Instead of a drawn one.
    """
    rng = np.random.default_rng(np.random.SeedSequence(seed))
    drawn = _choice(rng, tuple(KINDS.items()))
    chosen = kind or drawn
    ground = _choice(rng, GROUNDS)
    moments = int(rng.integers(2, 5)) if chosen == "several-kills" else 1
    return Scenario(
        seed=seed,
        kind=chosen,
        ground=ground,
        jobs=int(rng.integers(1, 3)),
        moments=tuple(sorted(rng.uniform(0.02, 0.95, moments).tolist())),
        draw=int(rng.integers(2**32)),
    )


def _choice(rng: np.random.Generator, weighted: tuple[tuple[T, int], ...]) -> T:
    weights = np.array([weight for _, weight in weighted], dtype=float)
    return weighted[int(rng.choice(len(weighted), p=weights / weights.sum()))][0]
