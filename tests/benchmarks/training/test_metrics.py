"""Every metric against scikit-learn, and what scikit-learn has no word on against hand-made cases."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics as reference

from hemobench.benchmarks.training.metrics import (
    auroc,
    confusion_matrix,
    evaluate,
    expected_calibration_error,
    over_folds,
    per_class,
)


def predictions(classes: int, n: int = 200, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, n)
    scores = rng.random((n, classes)) + 0.8 * np.eye(classes)[labels]
    scores = np.round(scores, 1)  # ties
    return labels, scores / scores.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("classes", [2, 10])
def test_metrics_equal_scikit_learns(classes: int) -> None:
    labels, probabilities = predictions(classes)
    said = probabilities.argmax(axis=1)
    found = evaluate(labels, probabilities, [str(c) for c in range(classes)])
    expected = {
        "accuracy": reference.accuracy_score(labels, said),
        "micro_f1": reference.f1_score(labels, said, average="micro"),
        "macro_f1": reference.f1_score(labels, said, average="macro"),
        "precision": reference.precision_score(labels, said, average="macro"),
        "recall": reference.recall_score(labels, said, average="macro"),
        "balanced_accuracy": reference.balanced_accuracy_score(labels, said),
        "auroc": np.mean([reference.roc_auc_score(labels == c, probabilities[:, c]) for c in range(classes)]),
    }
    assert {name: found[name] for name in expected} == pytest.approx(expected)
    each = reference.f1_score(labels, said, average=None)
    assert [found[f"f1_{c}"] for c in range(classes)] == pytest.approx(list(each))
    assert np.array_equal(confusion_matrix(labels, said, classes), reference.confusion_matrix(labels, said))


def test_sensitivity_and_specificity_are_those_of_the_positive_class() -> None:
    labels = np.array([0, 0, 0, 1, 1])
    probabilities = np.array([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7], [0.4, 0.6], [0.6, 0.4]])
    found = evaluate(labels, probabilities, ["all", "hem"], positive="all")
    assert found["sensitivity"] == pytest.approx(2 / 3)
    assert found["specificity"] == pytest.approx(1 / 2)


def test_a_class_that_nobody_names_has_no_part_in_macro_figures() -> None:
    labels, probabilities = np.array([0, 1, 1]), np.array([[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.1, 0.8, 0.1]])
    assert evaluate(labels, probabilities, ["a", "b", "c"])["macro_f1"] == 1.0
    assert evaluate(labels, probabilities, ["a", "b", "c"])["f1_c"] == 0.0


def test_specificity_counts_true_negatives() -> None:
    confusion = np.array([[5, 1], [2, 8]])
    assert per_class(confusion)["specificity"] == pytest.approx([8 / 10, 5 / 6])


def test_auroc_of_one_class_alone_is_a_half() -> None:
    assert auroc(np.zeros(3, dtype=np.int64), np.array([[0.2, 0.8], [0.4, 0.6], [0.9, 0.1]])) == 0.5


def test_calibration_error_is_the_gap_between_confidence_and_accuracy() -> None:
    labels = np.array([0, 0, 0, 1])
    probabilities = np.array([[0.9, 0.1]] * 3 + [[0.9, 0.1]])
    assert expected_calibration_error(labels, probabilities) == pytest.approx(0.15)
    assert expected_calibration_error(np.array([1]), np.array([[0.0, 1.0]])) == 0.0


def test_deviation_over_folds_is_the_papers() -> None:
    """Table 3 of the C-NMC paper: 84.84 and, from rounded runs, 1.68 (printed as 1.66)."""
    found = over_folds([{"accuracy": a} for a in (0.8672, 0.8264, 0.8517)])
    assert found["accuracy"] == pytest.approx(0.8484, abs=5e-5)
    assert found["accuracy_std"] == pytest.approx(0.0168, abs=5e-5)
