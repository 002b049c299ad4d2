"""Other models than the surrogate's, cross-validated on the same parts: why it is what it is."""

from __future__ import annotations

from typing import Any

import numpy as np

from hemobench.benchmarks.surrogates.fit import parts
from hemobench.benchmarks.surrogates.targets import fraction, targets
from hemobench.benchmarks.surrogates.trust import agreement, losses
from hemobench.benchmarks.tables.schema import Table

TREES = 200


def forest(table: Table, *, folds: int = 5, seed: int = 0) -> dict[str, Any]:
    """A random forest on the same inputs, as `trust` measures the surrogate's `loss`."""
    from sklearn.ensemble import RandomForestRegressor

    t = targets(table)
    well = t.reached[:, -1]
    loss = losses(table, t, fraction(t.values[:, -1]))
    predicted = np.zeros(len(loss))
    for left_out in parts(t.groups, folds, seed):
        model = RandomForestRegressor(TREES, min_samples_leaf=2, random_state=seed, n_jobs=1)
        predicted[left_out] = model.fit(t.inputs[~left_out & well], loss[~left_out & well]).predict(t.inputs[left_out])
    return agreement(loss[well], predicted[well])
