"""The task's loss of a table's single trainings, as arrays."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hemobench.benchmarks.surrogates.targets import Targets
from hemobench.benchmarks.tables.schema import Table
from hemobench.benchmarks.tasks import load_task

Floats = NDArray[np.float64]


def loss_weights(table: Table, t: Targets) -> Floats:
    """What a loss adds for every output, shape (M,): `loss = 1 + outputs @ weights`.

    Where a deviation over folds is known of no single fold, it is left out: the loss is then of the folds' own.
    """
    weights = load_task(table.header.task).objective.weights
    return np.array([-weights.get(name.removeprefix("validation."), 0.0) for name in t.outputs])


def losses(table: Table, t: Targets, outputs: Floats) -> Floats:
    """The loss of outputs, of their shape (..., M) without the last axis."""
    return np.asarray(1.0 + outputs @ loss_weights(table, t))
