"""Common random numbers: a trial's noise is decided by what is trained, never by who asked for it or when."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.random import PCG64, Generator, SeedSequence
from numpy.typing import NDArray

from hemobench.strategies.base import Config

TRIAL_DRAWS = 16
"""Numbers drawn for the trial as a whole, before those of its epochs; part of what a benchmark's version fixes."""

_canonical = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False).encode


@dataclass(frozen=True, slots=True)
class Draw:
    """Independent standard normal numbers of one trial.

    Attributes:
        trial: Shape (TRIAL_DRAWS,): the same however long the trial is trained.
        epoch: Shape (epochs,): number k belongs to epoch k + 1 and does not depend on how many follow.
    """

    trial: tuple[float, ...]
    epoch: NDArray[np.float64]


def generator(benchmark: str, version: int, seed: int, config: Config) -> Generator:
    """The generator of one trial: SHA-256 of the key's canonical JSON, spread by `SeedSequence`.

    Args:
        benchmark: As in `c-nmc@published`.
        version: The benchmark's version.
        seed: The run's seed.
        config: The configuration; the order of its hyperparameters is of no account.
    """
    return generators([benchmark], version, seed, config)[0]


def generators(benchmarks: Sequence[str], version: int, seed: int, config: Config) -> list[Generator]:
    """The generators of one trial under several names, as a trial on several folds has them; see `generator`."""
    same = _canonical([version, seed, dict(config)])[1:]
    found = []
    for benchmark in benchmarks:
        key = f"[{_canonical(benchmark)},{same}".encode()
        entropy = np.frombuffer(hashlib.sha256(key).digest(), dtype="<u4")
        found.append(Generator(PCG64(SeedSequence(entropy))))
    return found


def draw(benchmark: str, version: int, seed: int, config: Config, epochs: int) -> Draw:
    """All the noise of one trial of that many epochs; a shorter trial gets the beginning of a longer one's."""
    numbers = generator(benchmark, version, seed, config).standard_normal(TRIAL_DRAWS + epochs)
    return Draw(tuple(numbers[:TRIAL_DRAWS].tolist()), numbers[TRIAL_DRAWS:])


def silence(epochs: int) -> Draw:
    """No noise at all: what is left is the mean surface."""
    return Draw((0.0,) * TRIAL_DRAWS, np.zeros(epochs))
