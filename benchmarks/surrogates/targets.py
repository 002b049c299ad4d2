"""A table as arrays: what a surrogate is fitted to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hemobench.benchmarks.surrogates.encode import Encoder
from hemobench.benchmarks.tables.schema import Row, Table
from hemobench.benchmarks.tasks import load_task
from hemobench.errors import BenchmarkError
from hemobench.strategies.base import Status

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]
CURVE = "curve"
EDGE = 0.002
"""Fractions are drawn in by this much before their logit is taken, so that 0 and 1 have one."""


@dataclass(frozen=True, slots=True)
class Targets:
    """The rows of a table; n rows, T lengths of training, M outputs.

    Attributes:
        inputs: Shape (n, d): the configuration's vector, then one element for each fold.
        outputs: Names of the M outputs: `validation.*`, `test.*` and `curve`.
        epochs: Shape (T,).
        values: Logits of the outputs, shape (n, T, M); 0 where there are none.
        reached: Whether there are, shape (n, T).
        seconds: Logarithms of the device-seconds from the start, shape (n, T); 0 where not recorded.
        timed: Whether they are, shape (n, T).
        failed: Whether the training had failed by then, shape (n, T).
        groups: Number of the configuration, shape (n,).
        seeds: Shape (n,).
        folds: Shape (n,).
    """

    inputs: Floats
    outputs: tuple[str, ...]
    epochs: Ints
    values: Floats
    reached: Bools
    seconds: Floats
    timed: Bools
    failed: Bools
    groups: Ints
    seeds: Ints
    folds: Ints

    def part(self, rows: NDArray[np.int64] | Bools) -> Targets:
        """Some of the rows."""
        whole = {"outputs", "epochs"}
        fields = {name: getattr(self, name) for name in self.__slots__}
        return Targets(**{name: value if name in whole else value[rows] for name, value in fields.items()})


def logit(fractions: Floats) -> Floats:
    """The logit of fractions in [0, 1], finite at both ends; `fraction` undoes it exactly."""
    inner = EDGE + (1 - 2 * EDGE) * fractions
    return np.asarray(np.log(inner / (1 - inner)))


def fraction(logits: Floats) -> Floats:
    """The fraction of a logit, always in [0, 1]."""
    return np.minimum(np.maximum((1 / (1 + np.exp(-logits)) - EDGE) / (1 - 2 * EDGE), 0.0), 1.0)


def targets(table: Table) -> Targets:
    """A table's rows as arrays.

    Raises:
        BenchmarkError: If no training in the table ended well.
    """
    well = [row for row in table.rows if row.status is Status.OK]
    if not well:
        raise BenchmarkError("no training in the table ended well", "record more")
    epochs = np.array(sorted({epoch for row in well for epoch in row.epochs}))
    outputs = (*_shared(well, "validation"), *_shared(well, "test"), CURVE)
    encoder = Encoder(load_task(table.header.task).space())
    numbers = {key: number for number, key in enumerate(table.configs())}
    folds = np.array([row.fold for row in table.rows])
    shape = (len(table.rows), len(epochs))
    found = Targets(
        inputs=np.hstack([encoder.many([row.config for row in table.rows]), one_hot(folds, table.folds)]),
        outputs=outputs,
        epochs=epochs,
        values=np.zeros((*shape, len(outputs))),
        reached=np.zeros(shape, bool),
        seconds=np.zeros(shape),
        timed=np.zeros(shape, bool),
        failed=np.zeros(shape, bool),
        groups=np.array([numbers[row.key[0]] for row in table.rows]),
        seeds=np.array([row.seed for row in table.rows]),
        folds=folds,
    )
    for i, row in enumerate(table.rows):
        _fill(found, i, row)
    return found


def _shared(rows: Sequence[Row], side: str) -> list[str]:
    """The metrics that every training has, sorted."""
    return sorted(f"{side}.{name}" for name in set.intersection(*(set(getattr(row, side)) for row in rows)))


def one_hot(folds: Ints, known: tuple[int, ...]) -> Floats:
    """Which fold, shape (n, len(known)); nothing where there is but one."""
    if len(known) < 2:
        return np.zeros((len(folds), 0))
    return np.asarray(folds[:, None] == np.array(known), dtype=float)


def _fill(found: Targets, i: int, row: Row) -> None:
    looked = np.array(row.epochs)
    place = np.searchsorted(found.epochs, looked)
    known = (place < len(found.epochs)) & (found.epochs[np.minimum(place, len(found.epochs) - 1)] == looked)
    found.seconds[i, place[known]] = np.log(np.array(row.seconds)[known])
    found.timed[i, place[known]] = True
    if row.status is not Status.OK:
        found.failed[i] = found.epochs >= looked[-1]
    for k in range(row.reached):
        if not known[k]:
            continue
        sides = {"validation": row.validation, "test": row.test}
        figures = [sides[side][name][k] for side, _, name in (o.partition(".") for o in found.outputs[:-1])]
        figures.append(row.curve[min(row.epochs[k], len(row.curve)) - 1] if row.curve else figures[0])
        found.values[i, place[k]] = logit(np.array(figures))
        found.reached[i, place[k]] = True
