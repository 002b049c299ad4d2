"""What always naming the commonest class would give: no result below it is one."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np

from hemobench.benchmarks.training.inputs.feeds import Side, Sides
from hemobench.benchmarks.training.metrics import evaluate, over_folds


def constant_answer(splits: Sequence[Sides], classes: Sequence[str], positive: str | None = None) -> str:
    """The metrics of naming, for every image held out, the training images' commonest class.

    Args:
        splits: The splits; figures are means over them.
        classes: Class names.
        positive: The class to be found, of a two-class task.

    Returns:
        JSON, for a run's provenance: `{"validation": {metric: fraction}, "test": {...}}`.
    """
    sides: tuple[Side, ...] = ("validation", "test")
    result = {}
    for side in sides:
        each = [_of(split, side, classes, positive) for split in splits if len(split.labels[side])]
        if each:
            metrics = each[0] if len(each) == 1 else over_folds(each)
            result[side] = {name: round(value, 6) for name, value in sorted(metrics.items())}
    return json.dumps(result, sort_keys=True)


def _of(split: Sides, side: Side, classes: Sequence[str], positive: str | None) -> dict[str, float]:
    commonest = int(np.bincount(split.labels["train"].numpy(), minlength=len(classes)).argmax())
    labels = split.labels[side].numpy()
    probabilities = np.zeros((len(labels), len(classes)))
    probabilities[:, commonest] = 1.0
    metrics = evaluate(labels, probabilities, classes, positive)
    kept = ("accuracy", "micro_f1", "macro_f1", "balanced_accuracy")
    return {name: metrics[name] for name in kept}
