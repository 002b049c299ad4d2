"""What lies between a network and a fitted surrogate, by hand and by loops."""

from __future__ import annotations

import math

import numpy as np
import pytest
from contracts.small_tables import FEW_TRAININGS, held_out, table_of

from hemobench.benchmarks.surrogates import fit as fitting
from hemobench.benchmarks.surrogates.network import Training
from hemobench.benchmarks.surrogates.noise.repeats import repeats
from hemobench.benchmarks.surrogates.targets import fraction, targets
from hemobench.benchmarks.tables.schema import Table


def test_residuals_between_seeds_lie_about_what_is_expected_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """A configuration's mean is drawn towards its prediction by as much as the latter is the better guess."""
    table = table_of("bone-marrow", FEW_TRAININGS)
    t = targets(table)
    predicted = held_out(t).outputs
    predicted[..., 1] = fraction(t.values[..., 1]).mean(axis=0)  # nearly as good as the means
    monkeypatch.setattr(fitting, "predicted", lambda surrogate, t: predicted)
    found = repeats(t)
    residuals = fitting._between_seeds(t, None, found)  # type: ignore[arg-type]
    rows, members = [0, 2, 4, 5, 6], {0: [0, 2, 4], 3: [5, 6]}
    values = fraction(t.values)
    for look in range(3):
        for output in range(5):
            x, p = values[:, look, output], predicted[:, look, output]
            means = {k: x[own].mean() for k, own in members.items()}
            group = {row: k for k, own in members.items() for row in own}
            variance = np.mean([x[members[group[r]]].var(ddof=1) for r in rows])
            misses = [(means[group[r]] - p[r]) ** 2 for r in rows]
            wrong = max(np.mean(misses) - np.mean([variance / len(members[group[r]]) for r in rows]), 0)
            for k, r in enumerate(rows):
                own = variance / len(members[group[r]])
                share = wrong / (wrong + own)
                centre = (1 - share) * p[r] + share * means[group[r]]
                assert residuals.shapes[k, look, output] == pytest.approx(x[r] - centre)
    assert residuals.predicted == pytest.approx(predicted[rows])
    assert residuals.squares == pytest.approx(found.differences**2)
    whole = [0, 1, 2, 4, 5, 6]
    assert residuals.offsets == pytest.approx((values - predicted)[whole])
    assert residuals.offsets_at == pytest.approx(predicted[whole])


def test_residuals_of_held_out_predictions_are_their_errors() -> None:
    t = targets(table_of("bone-marrow", FEW_TRAININGS))
    held = held_out(t)
    found = fitting._of_held_out(t, held)
    whole = [0, 1, 2, 4, 5, 6]
    errors = (fraction(t.values) - held.outputs)[whole]
    assert found.shapes == pytest.approx(errors)
    assert found.squares == pytest.approx(errors * errors)
    assert found.predicted == pytest.approx(held.outputs[whole])
    assert found.offsets_at == pytest.approx(held.outputs[whole])
    assert found.offsets.shape == errors.shape
    assert not found.offsets.any()


def test_what_matters_together_is_what_objective_headline_and_curve_need() -> None:
    table = table_of("bone-marrow", FEW_TRAININGS)
    assert fitting.important(table) == ("macro_f1", "micro_f1")
    assert fitting._emphasised(table, targets(table)) == [0, 1, 2, 3, 4]
    table = table_of("c-nmc", [(k, s, f, level[:1] if level else None) for k, s, f, level in FEW_TRAININGS])
    assert fitting.important(table) == ("accuracy",)
    assert fitting._emphasised(table, targets(table)) == [0, 1, 2]


def test_the_last_layer_gives_logits_as_they_were(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a network gives of standardised outputs is multiplied and moved; chances of failure stay as they are."""
    table = table_of("bone-marrow", FEW_TRAININGS)
    t = targets(table)
    weights, biases = np.ones((2, 4, 21), np.float32), np.full((2, 1, 21), 0.5, np.float32)
    monkeypatch.setattr(fitting, "train", lambda *_: ["others", weights.copy(), biases.copy()])
    others, scaled, moved = fitting.network(t, table, fitting.Training(), 0)
    known = t.reached.all(axis=1)
    logits = t.values[known].reshape(6, -1)
    assert others == "others"
    assert scaled[1, 2, :15] == pytest.approx(logits.std(axis=0), rel=1e-5)
    assert moved[1, 0, :15] == pytest.approx(logits.mean(axis=0) + logits.std(axis=0) / 2, rel=1e-5)
    seconds = [[math.log(10 + k) for k in (0, 1, 0, 0, 3, 3)], [math.log(50 + k) for k in (0, 1, 0, 2, 0, 3, 3)]]
    for column, series in zip((15, 16), seconds, strict=True):
        assert scaled[0, 0, column] == pytest.approx(np.std(series), rel=1e-4)
        assert moved[0, 0, column] == pytest.approx(np.mean(series) + np.std(series) / 2, rel=1e-4)
    assert (scaled[..., 18:] == 1).all()
    assert (moved[..., 18:] == 0.5).all()


def arrays_of(looks: int, outputs: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    shapes = {
        "w3": (2, 4, looks * outputs + looks),
        "b3": (2, 1, looks * outputs + looks),
        "knots": (looks, outputs, 9),
        "margins": (looks, outputs, 9, 31),
        "trial": (looks, 23, outputs),
        "epoch": (looks, 6, outputs),
    }
    return {name: rng.standard_normal(shape) for name, shape in shapes.items()}


def test_a_curve_that_is_the_headline_is_predicted_as_it_is() -> None:
    """At every length, with the same noise; the curve of another metric stays its own."""
    table = table_of("bone-marrow", FEW_TRAININGS)
    t, given = targets(table), arrays_of(3, 5)
    kept = fitting._one_curve(given, t, "micro_f1")  # the curve is macro F1's here
    assert all(kept[name] is given[name] for name in given)
    found = fitting._one_curve(given, t, "macro_f1")
    for name in ("w3", "b3"):
        wanted = given[name].copy()
        for look in range(3):
            wanted[..., 5 * look + 4] = wanted[..., 5 * look]
        np.testing.assert_array_equal(found[name], wanted)
    for name, axis in (("knots", 1), ("margins", 1), ("trial", 2), ("epoch", 2)):
        rows = [np.take(given[name], k, axis) for k in (0, 1, 2, 3, 0)]
        np.testing.assert_array_equal(found[name], np.stack(rows, axis))


def test_the_share_of_evaluation_is_the_usual_one_of_whole_trainings(small_table: Table) -> None:
    of_each = sorted(row.evaluation_seconds[-1] / row.seconds[-1] for row in small_table.rows)
    middle = len(of_each) // 2
    expected = of_each[middle] if len(of_each) % 2 else (of_each[middle - 1] + of_each[middle]) / 2
    found = fitting.fit(small_table, how=Training(steps=1)).about
    assert found.evaluation_share == pytest.approx(expected, abs=1e-6)
    least, most = min(row.seconds[0] for row in small_table.rows), max(row.seconds[-1] for row in small_table.rows)
    assert found.seconds == pytest.approx((least, most))
