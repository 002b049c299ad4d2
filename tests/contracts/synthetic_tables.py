"""Tables whose truth and noise are known: heteroscedastic, skewed, two-humped after one epoch, correlated."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from hemobench.benchmarks.tables.schema import Header, Row, Table
from hemobench.benchmarks.tasks import load_task
from hemobench.strategies.base import Config, Status
from hemobench.strategies.space import random_stream

Floats = NDArray[np.float64]
SPACE = load_task("c-nmc").space()
EPOCHS = (1, 4, 10)
FULL = 10

Truth = Callable[[Config], float]
Noise = Callable[[float, np.random.Generator], Floats]
"""Noise of one training of a true quality: shape (lengths, 2), validation and test."""


def smooth_truth(config: Config) -> float:
    """A smooth surface from 0.6 to 0.9, best near a learning rate of 1e-3 and little dropout."""
    rate = math.log10(config["learning_rate"]) + 3
    return 0.9 - 0.06 * rate**2 - 0.2 * (config["dropout_1"] - 0.1) ** 2 - 0.1 * (config["dropout_2"] - 0.1)


def recorded(
    truth: Truth,
    noise: Noise,
    *,
    configs: int,
    seeds: int = 1,
    repeated: int | None = None,
    folds: tuple[int, ...] = (0,),
    stream: int = 0,
    epochs: tuple[int, ...] = EPOCHS,
) -> Table:
    """A table of random configurations; the first `repeated` with all seeds, the others with one."""
    rng = np.random.default_rng(stream)
    rows = []
    for number, config in enumerate(islice(random_stream(SPACE, stream), configs)):
        count = seeds if repeated is None or number < repeated else 1
        for fold in folds:
            rows += [_row(config, seed, fold, truth(config), noise, rng, epochs) for seed in range(count)]
    header = Header("c-nmc", "c-nmc@live", 1, "synthetic", FULL, "none", "", {}, {}, {})
    return Table(header, tuple(rows))


def _row(
    config: Config, seed: int, fold: int, level: float, noise: Noise, rng: np.random.Generator, epochs: tuple[int, ...]
) -> Row:
    rising = np.array([level - 0.15 * (1 - math.log(e) / math.log(FULL)) for e in epochs])
    figures = np.clip(rising[:, None] + noise(level, rng), 0.0, 1.0)
    validation, test = figures.T.tolist()
    curve = np.interp(np.log(np.arange(1, FULL + 1)), np.log(epochs), validation).tolist()
    return Row(
        config=config,
        seed=seed,
        fold=fold,
        origin="random",
        epochs=epochs,
        seconds=tuple(2.0 * e for e in epochs),
        evaluation_seconds=tuple(0.2 * e for e in epochs),
        validation={"accuracy": tuple(validation)},
        test={"accuracy": tuple(test)},
        curve=tuple(curve),
        status=Status.OK,
    )
