"""How far configurations lie from what was recorded."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from hemobench.benchmarks.surrogates.encode import Encoder
from hemobench.benchmarks.tables.schema import Table
from hemobench.benchmarks.tasks import load_task
from hemobench.strategies.base import Config

Floats = NDArray[np.float64]
QUANTILE = 0.99
"""Of 96 configurations of `bone-marrow-head` at the ends of ranges, trained after a surrogate was fitted, the 91
within this limit were predicted as well near it as near others (mean error of loss .018), the five beyond worse (.035,
and too good by .027)."""


def support(table: Table, configs: Sequence[Config]) -> Floats:
    """Distance of each configuration to the nearest recorded one, in the unit cube, shape (len(configs),).

    Between the ends of a numeric hyperparameter lies 1 (on its own scale), and between two values of any other.
    """
    return distances(table.header.task, list(table.configs().values()), configs)


def distances(task: str, recorded: Sequence[Config], configs: Sequence[Config]) -> Floats:
    """As `support`, of the recorded configurations of a task alone."""
    return _nearest(_places(task, configs), _places(task, recorded))


def support_limit(table: Table, quantile: float = QUANTILE) -> float:
    """The distance beyond which a configuration lies outside: a quantile of each recorded one's to the others.

    Searches cluster, so only the points that fill the space are measured where there are some.
    """
    spread = {row.key[0]: row.config for row in table.rows if row.origin in ("sobol", "random")}
    chosen = _places(table.header.task, list((spread if len(spread) > 1 else table.configs()).values()))
    return float(np.quantile(_nearest(chosen, chosen, itself=True), quantile)) if len(chosen) > 1 else 0.0


def outside_share(table: Table, configs: Sequence[Config], limit: float | None = None) -> float:
    """The share of configurations that lie outside what was recorded; 0 of none.

    Args:
        table: What was recorded.
        configs: For example all that a run asked for.
        limit: Distance that is still inside; by default `support_limit`.
    """
    if not configs:
        return 0.0
    return float((support(table, configs) > (support_limit(table) if limit is None else limit)).mean())


def _places(task: str, configs: Sequence[Config]) -> Floats:
    encoder = Encoder(load_task(task).space())
    return encoder.many(configs) * encoder.weights


def _nearest(places: Floats, recorded: Floats, itself: bool = False) -> Floats:
    """Distance to the nearest recorded place; with `itself`, to the nearest other one."""
    if not len(places):
        return np.zeros(0)
    found = cKDTree(recorded).query(places, k=[2 if itself else 1])[0]
    return np.asarray(found[:, 0])
