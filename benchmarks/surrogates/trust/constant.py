"""The constant answer: naming the commonest class, whatever the image. No result below it is one."""

from __future__ import annotations

import json
from collections.abc import Mapping

import numpy as np

from hemobench.benchmarks.tables.schema import Row, Table
from hemobench.benchmarks.tasks.base import Objective

APART = 0.2
"""Sensitivity and specificity that differ by less do not tell the share of the positive class."""
EQUAL = 2e-6
"""How far figures of six decimals may differ that are the same."""


def constant_answer(table: Table, metric: str) -> float | None:
    """What the constant answer reaches of a metric: mean over the table's folds, or None where nothing tells.

    The header says it under `source["constant_answer"]`, JSON text with metrics by name, perhaps for each side; or the
    figures of trainings tell the share of the commonest class, which for one label an image is accuracy and micro F1.

    Args:
        table: What was recorded.
        metric: As in `accuracy`.
    """
    said = _said(table.header.source.get("constant_answer", ""))
    if metric in said:
        return said[metric]
    if metric not in ("accuracy", "micro_f1"):
        return None
    shares = [_share(table, fold) for fold in table.folds]
    known = [share for share in shares if share is not None]
    return round(float(np.mean(known)), 6) if known else None


def constant_loss(table: Table, objective: Objective) -> float | None:
    """The loss of the constant answer, or None where the table's header does not tell all that it is of."""
    said = _said(table.header.source.get("constant_answer", ""))
    return objective.loss(said) if set(objective.weights) <= set(said) else None


def _said(text: str) -> Mapping[str, float]:
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    if isinstance(found, dict):
        found = found.get("validation", found)  # training says it of validation and of test
    if not isinstance(found, dict):
        return {}
    return {name: float(value) for name, value in found.items() if isinstance(value, int | float)}


def _share(table: Table, fold: int) -> float | None:
    """The commonest class's share of a fold's validation images."""
    rows = [row for row in table.rows if row.fold == fold and row.reached]
    return _of_two(rows) or _collapsed(rows)


def _of_two(rows: list[Row]) -> float | None:
    """Of two classes: accuracy lies between specificity and sensitivity, by the share of the positive one."""
    shares = []
    for row in rows:
        if not {"accuracy", "sensitivity", "specificity"} <= set(row.validation):
            return None
        accuracy, positive, negative = (row.validation[n][-1] for n in ("accuracy", "sensitivity", "specificity"))
        if abs(positive - negative) > APART:
            shares.append((accuracy - negative) / (positive - negative))
    if not shares:
        return None
    share = float(np.median(shares))
    return max(share, 1 - share)


def _collapsed(rows: list[Row]) -> float | None:
    """The best of the trainings, after any epoch, that name one class only: their other classes' F1 are 0."""
    shares = []
    for row in rows:
        each = [values for name, values in row.validation.items() if name.startswith("f1_")]
        accuracy = row.validation.get("accuracy", row.validation.get("micro_f1"))
        if len(each) < 2 or accuracy is None:
            continue
        for f1, share in zip(np.array(each).T, accuracy, strict=True):
            one = 2 * share / (1 + share)
            if (f1 > 0).sum() == 1 and abs(f1.max() - one) < EQUAL:
                shares.append(share)
    return max(shares, default=None)
