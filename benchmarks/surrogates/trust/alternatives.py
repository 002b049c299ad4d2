"""Other models than the surrogate's, cross-validated on the same parts: why it is what it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from hemobench.benchmarks.surrogates.losses import losses
from hemobench.benchmarks.surrogates.targets import fraction, targets
from hemobench.benchmarks.surrogates.trust.card import agreement
from hemobench.benchmarks.surrogates.trust.held_out import parts
from hemobench.benchmarks.tables.schema import Table

TREES = 200


def forest(table: Table, answering: Sequence[int], *, folds: int = 5, seed: int = 0) -> dict[str, Any]:
    """A random forest on the same inputs, as `trust` measures the surrogate's `loss` on the folds that answer."""
    from sklearn.ensemble import RandomForestRegressor

    t = targets(table)
    well = t.reached[:, -1]
    loss = losses(table, t, fraction(t.values[:, -1]))
    predicted = np.zeros(len(loss))
    for left_out in parts(t.groups, folds, seed):
        model = RandomForestRegressor(TREES, min_samples_leaf=2, random_state=seed, n_jobs=1)
        kept = ~left_out & well
        predicted[left_out] = model.fit(t.inputs[kept], loss[kept]).predict(t.inputs[left_out])
    here = well & np.isin(t.folds, answering)
    return agreement(loss[here], predicted[here])
