"""Tables as arrays, losses, and answers without noise, by hand."""

from __future__ import annotations

import math
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from contracts.small_tables import table_of

from hemobench.benchmarks.surrogates.encode import Encoder
from hemobench.benchmarks.surrogates.losses import loss_weights, losses
from hemobench.benchmarks.surrogates.targets import fraction, logit, one_hot, targets
from hemobench.benchmarks.surrogates.truth import noise_free
from hemobench.benchmarks.tables.schema import Row, Table
from hemobench.benchmarks.tasks import load_task
from hemobench.errors import BenchmarkError
from hemobench.strategies.base import Status

ROWS = [
    (0, 0, 0, (0.6, 0.7)),
    (1, 5, 2, (0.8, 0.9)),
    (0, 2, 0, (0.4, 0.5)),
    (2, 0, 2, None),
]


def test_logits_by_hand() -> None:
    """Fractions are drawn in by two thousandths first."""
    edge = math.log(0.998 / 0.002)
    assert logit(np.array([0.0, 0.5, 1.0])) == pytest.approx([-edge, 0.0, edge])
    assert logit(np.array([0.25])) == pytest.approx([math.log(0.251 / 0.749)])
    assert fraction(np.array([-50.0, -edge, 0.0, math.log(0.251 / 0.749), 50.0])) == pytest.approx([0, 0, 0.5, 0.25, 1])


def test_a_table_as_arrays() -> None:
    table = table_of("bone-marrow", ROWS)
    t = targets(table)
    assert t.outputs == ("validation.macro_f1", "validation.micro_f1", "test.macro_f1", "test.micro_f1", "curve")
    assert t.epochs.tolist() == [1, 5, 10]
    assert t.groups.tolist() == [0, 1, 0, 2]
    assert t.seeds.tolist() == [0, 5, 2, 0]
    assert t.folds.tolist() == [0, 2, 0, 2]
    vectors = Encoder(load_task("bone-marrow").space()).many([row.config for row in table.rows])
    assert t.inputs.tolist() == [[*v, *fold] for v, fold in zip(vectors, [(1, 0), (0, 1), (1, 0), (0, 1)], strict=True)]
    whole = [True, True, True, False]
    assert t.reached.tolist() == [[one] * 3 for one in whole]
    for i, (_, _, _, figures) in enumerate(ROWS[:3]):
        for look, share in enumerate((0.5, 0.9, 1.0)):
            macro, micro = (share * value for value in figures)
            assert fraction(t.values[i, look]) == pytest.approx([macro, micro, macro, micro, macro])
    assert not t.values[3].any()
    assert t.timed.tolist() == [[True] * 3] * 3 + [[False, True, False]]
    assert np.exp(t.seconds[:3]) == pytest.approx(np.array([[10, 50, 100], [11, 51, 101], [10, 50, 100]]))
    assert t.seconds[3] == pytest.approx([0, math.log(52), 0])
    assert t.failed.tolist() == [[False] * 3] * 3 + [[False, True, True]]


def altered(row: Row, **changes: Any) -> Table:
    """A table of a whole training and of one that is given."""
    table = table_of("bone-marrow", ROWS)
    return Table(table.header, (table.rows[0], replace(row, **changes)))


def test_the_curve_is_that_of_the_epochs_where_one_was_recorded() -> None:
    """A curve that ends early stands for the rest with its last value."""
    row = table_of("bone-marrow", ROWS).rows[1]
    t = targets(altered(row, curve=tuple((k + 1) / 100 for k in range(10))))
    assert fraction(t.values[1, :, -1]) == pytest.approx([0.01, 0.05, 0.10])
    t = targets(altered(row, curve=(0.01, 0.02, 0.03)))
    assert fraction(t.values[1, :, -1]) == pytest.approx([0.01, 0.03, 0.03])


def test_a_failed_training_counts_as_far_as_it_went() -> None:
    """It was seen after one epoch, and failed before the seventh, which no other was looked at."""
    row = table_of("bone-marrow", ROWS).rows[3]
    side = {"macro_f1": (0.2,), "micro_f1": (0.3,)}
    one = {"validation": side, "test": side, "evaluation_seconds": (0.0, 0.0)}
    t = targets(altered(row, epochs=(1, 7), seconds=(4.0, 9.0), **one))
    assert t.epochs.tolist() == [1, 5, 10]
    assert t.reached[1].tolist() == [True, False, False]
    assert t.timed[1].tolist() == [True, False, False]
    assert t.failed[1].tolist() == [False, False, True]
    assert t.seconds[1] == pytest.approx([math.log(4), 0, 0])
    assert fraction(t.values[1, 0]) == pytest.approx([0.2, 0.3, 0.2, 0.3, 0.2])
    t = targets(altered(row, epochs=(5, 12), seconds=(4.0, 9.0), **one))  # beyond all that others reached
    assert t.reached[1].tolist() == [False, True, False]
    assert t.failed[1].tolist() == [False, False, False]
    assert fraction(t.values[1, 1, :2]) == pytest.approx([0.2, 0.3])


def test_outputs_are_what_all_whole_trainings_have() -> None:
    row = table_of("bone-marrow", ROWS).rows[1]
    t = targets(altered(row, validation={**row.validation, "auroc": (0.5,) * 3}, test={"macro_f1": (0.1, 0.2, 0.3)}))
    assert t.outputs == ("validation.macro_f1", "validation.micro_f1", "test.macro_f1", "curve")
    assert fraction(t.values[1, :, 2]) == pytest.approx([0.1, 0.2, 0.3])


def test_without_any_whole_training_there_are_no_arrays() -> None:
    table = table_of("bone-marrow", ROWS)
    with pytest.raises(BenchmarkError, match="ended well"):
        targets(Table(table.header, table.rows[3:]))
    timed_out = replace(table.rows[3], status=Status.TIMED_OUT)
    assert targets(Table(table.header, (table.rows[0], timed_out))).failed[1].tolist() == [False, True, True]


def test_folds_are_told_apart_where_there_are_several() -> None:
    assert one_hot(np.array([3, 0, 3]), (0, 2, 3)).tolist() == [[0, 0, 1], [1, 0, 0], [0, 0, 1]]
    assert one_hot(np.array([3, 3]), (3,)).shape == (2, 0)
    assert one_hot(np.array([1, 0]), (0, 1)).shape == (2, 2)


def test_a_part_is_of_its_rows() -> None:
    t = targets(table_of("bone-marrow", ROWS))
    for rows in (np.array([2, 0]), np.array([True, False, True, False])):
        part = t.part(rows)
        assert (part.outputs, part.epochs.tolist()) == (t.outputs, t.epochs.tolist())
        for name in ("inputs", "values", "reached", "seconds", "timed", "failed", "groups", "seeds", "folds"):
            np.testing.assert_array_equal(getattr(part, name), getattr(t, name)[rows])


def test_losses_by_hand() -> None:
    """Half of macro and of micro F1; a deviation over folds counts where a training has its own, and tests never do."""
    table = table_of("bone-marrow", ROWS)
    t = targets(table)
    assert loss_weights(table, t).tolist() == [-0.5, -0.5, 0, 0, 0]
    found = losses(table, t, fraction(t.values))
    assert found[:3] == pytest.approx(np.array([[0.675, 0.415, 0.35], [0.575, 0.235, 0.15], [0.775, 0.595, 0.55]]))
    own = replace(t, outputs=("validation.macro_f1_std", "validation.macro_f1", "curve"))
    assert loss_weights(table, own).tolist() == [1.0, -0.5, 0]


def answering(offset: float, noise: list[list[float]], outputs: tuple[str, ...]) -> Any:
    """A surrogate that says the moments of its noise at full length, the last of three lengths."""

    def moments(predicted: np.ndarray, between: tuple[int, int, float]) -> tuple[np.ndarray, np.ndarray]:
        assert between == (2, 2, 0.0)
        return np.full_like(predicted, offset), np.array(noise)

    about = SimpleNamespace(full=3, outputs=outputs)
    between = [(0, 0, 0.0), (0, 0, 0.0), (1, 1, 0.0), (2, 2, 0.0)]
    return SimpleNamespace(noise=SimpleNamespace(moments=moments), about=about, between=between)


def test_an_answer_without_noise_by_hand() -> None:
    """Noise of .03, .04 and .00 on three folds: two thirds of its mean square are seen between them."""
    surrogate = answering(
        0.05, [[0.03, 0.0, 0.0], [0.04, 0.1, 0.0], [0.0, 0.0, 0.0]], ("validation.accuracy", "test.accuracy", "curve")
    )
    predicted = np.array([[0.5, 0.90, 0.5], [0.6, 0.97, 0.6], [0.7, 1.00, 0.7]])
    validation, test = noise_free(surrogate, predicted)
    deviation = math.sqrt(0.02 / 3 + 2 / 3 * 0.0025 / 3)
    assert validation == {"accuracy": 0.65, "accuracy_std": pytest.approx(deviation, abs=1e-6)}
    # fractions end at 1
    own = np.var([0.95, 1.0, 1.0]) + 2 / 3 * 0.01 / 3
    assert test == {
        "accuracy": pytest.approx(2.95 / 3, abs=1e-6),
        "accuracy_std": pytest.approx(math.sqrt(own), abs=1e-6),
    }


def test_one_fold_has_no_deviation() -> None:
    surrogate = answering(-0.2, [[0.1, 0.1]], ("validation.accuracy", "curve"))
    assert noise_free(surrogate, np.array([[0.1, 0.1]])) == ({"accuracy": 0.0}, {})
