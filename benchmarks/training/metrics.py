"""How good the predictions are. All figures are fractions in [0, 1].

Reference values for every formula come from scikit-learn, in the tests.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Labels = NDArray[np.int64]
ECE_BINS = 15


def confusion_matrix(labels: Labels, predicted: Labels, classes: int) -> NDArray[np.int64]:
    """Counts, shape (classes, classes): rows are the true class, columns the predicted one."""
    return np.bincount(labels * classes + predicted, minlength=classes * classes).reshape(classes, classes)


def _ratio(top: NDArray[np.int64], bottom: NDArray[np.int64]) -> Floats:
    """Element-wise quotient; 0 where nothing is counted (scikit-learn's `zero_division=0`)."""
    return np.divide(top, bottom, out=np.zeros(len(top)), where=bottom > 0)


def per_class(confusion: NDArray[np.int64]) -> dict[str, Floats]:
    """Precision, recall, specificity and F1 of each class against the rest, each of shape (classes,)."""
    hit, true, said = np.diag(confusion), confusion.sum(axis=1), confusion.sum(axis=0)
    rest = confusion.sum() - true
    return {
        "precision": _ratio(hit, said),
        "recall": _ratio(hit, true),
        "specificity": _ratio(rest - (said - hit), rest),
        "f1": _ratio(2 * hit, true + said),
    }


def auroc(labels: Labels, scores: Floats) -> float:
    """Area under the ROC curve, macro-averaged one class against the rest.

    The rank statistic of Mann and Whitney, ties counted half. Classes that no image or every image belongs to have
    no such area and are left out; without any other class it is 0.5.

    Args:
        labels: Shape (n,).
        scores: Shape (n, classes).
    """
    areas = []
    for c in range(scores.shape[1]):
        positive = labels == c
        n_positive, n_negative = int(positive.sum()), int((~positive).sum())
        if n_positive and n_negative:
            ranks = _ranks(scores[:, c])[positive].sum() - n_positive * (n_positive + 1) / 2
            areas.append(ranks / (n_positive * n_negative))
    return float(np.mean(areas)) if areas else 0.5


def _ranks(values: Floats) -> Floats:
    """Ranks from 1, ties sharing their mean."""
    _, place, count = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(count)
    mean: Floats = (last - (count - 1) / 2)[place]
    return mean


def expected_calibration_error(labels: Labels, probabilities: Floats, bins: int = ECE_BINS) -> float:
    """Mean gap between confidence and accuracy over equally wide bins, weighted by their images (Guo et al., 2017)."""
    confidence = probabilities.max(axis=1)
    correct = (probabilities.argmax(axis=1) == labels).astype(float)
    where = np.minimum((confidence * bins).astype(int), bins - 1)
    gap = np.bincount(where, weights=correct - confidence, minlength=bins)
    return float(np.abs(gap).sum() / len(labels))


def evaluate(
    labels: Labels, probabilities: Floats, classes: Sequence[str], positive: str | None = None
) -> dict[str, float]:
    """All metrics by name.

    Accuracy is micro F1, micro precision and micro recall too: for one label an image the four are one number.
    `macro_f1`, `precision`, `recall` and `specificity` are means over the classes that occur in the labels or the
    predictions. For a two-class task with a positive class, `sensitivity` and `specificity` are that class's own.

    Args:
        labels: Shape (n,), n > 0.
        probabilities: Shape (n, classes); rows sum to 1.
        classes: Class names.
        positive: The class to be found, of a two-class task.
    """
    confusion = confusion_matrix(labels, probabilities.argmax(axis=1), len(classes))
    each = per_class(confusion)
    occurs = (confusion.sum(axis=0) + confusion.sum(axis=1)) > 0
    accuracy = float(np.trace(confusion) / len(labels))
    result = {
        "accuracy": accuracy,
        "micro_f1": accuracy,
        "macro_f1": float(each["f1"][occurs].mean()),
        "precision": float(each["precision"][occurs].mean()),
        "recall": float(each["recall"][occurs].mean()),
        "specificity": float(each["specificity"][occurs].mean()),
        "balanced_accuracy": float(each["recall"][confusion.sum(axis=1) > 0].mean()),
        "auroc": auroc(labels, probabilities),
        "ece": expected_calibration_error(labels, probabilities),
    }
    if positive is not None:
        found = classes.index(positive)
        result |= {"sensitivity": float(each["recall"][found]), "specificity": float(each["specificity"][found])}
    return result | {f"f1_{name}": float(f1) for name, f1 in zip(classes, each["f1"], strict=True)}


def over_folds(results: Sequence[dict[str, float]]) -> dict[str, float]:
    """Mean of each metric over folds, and under `<name>_std` its standard deviation.

    The deviation is the population's (divided by n): the C-NMC paper's 1.66 for 86.72, 82.64 and 85.17 is that one
    (1.68), not the sample's (2.06).
    """
    names = list(results[0])
    values = np.array([[result[name] for name in names] for result in results])
    mean = dict(zip(names, values.mean(axis=0).tolist(), strict=True))
    deviations = zip(names, values.std(axis=0).tolist(), strict=True)
    return mean | {f"{name}_std": deviation for name, deviation in deviations}
