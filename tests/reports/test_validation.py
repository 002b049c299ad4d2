"""Repeated trainings: the C-NMC paper's Table 3, and scipy's own answers."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from hemobench.errors import BenchmarkError
from hemobench.reports.validation.repeats import as_json, concluded, load, repeats_tests, save, summary
from hemobench.reports.validation.tables import validation_tables, validation_words

accuracies = st.lists(st.floats(0.1, 1.0), min_size=3, max_size=12)


def test_the_papers_table_3():
    """Test accuracy of its three runs; it prints 84.84 ± 1.66 and 1.96 %, its values give 1.68 and 1.98 %."""
    found = summary([86.72, 82.64, 85.17])
    assert found.mean == pytest.approx(84.84, abs=0.005)
    assert found.population_std == pytest.approx(1.66, abs=0.03)
    assert 100 * found.population_std / found.mean == pytest.approx(1.96, abs=0.03)
    assert found.std == pytest.approx(2.06, abs=0.005)
    assert (found.low, found.high) == pytest.approx((79.73, 89.96), abs=0.01)


@given(accuracies)
def test_the_interval_is_scipys(values):
    found = summary(values)
    if found.std > 1e-9:
        low, high = stats.t.interval(0.95, len(values) - 1, loc=found.mean, scale=stats.sem(values))
        assert (found.low, found.high) == pytest.approx((low, high))
        assert found.cv == pytest.approx(100 * stats.variation(values, ddof=1))


def test_one_value_has_no_spread():
    found = summary([0.8])
    assert (found.mean, found.population_std) == (0.8, 0.0)
    assert math.isnan(found.std)
    assert math.isnan(found.low)


def test_comparisons_by_hand():
    """Differences 1, 2, 3, 4, 5: all positive, so Wilcoxon's p is 2 / 2**5; t is 3 / (sqrt(2.5) / sqrt(5))."""
    (found,) = repeats_tests({"a": [2, 4, 6, 8, 10], "b": [1, 2, 3, 4, 5]})
    assert (found.first, found.second, found.difference) == ("a", "b", 3.0)
    assert found.wilcoxon_p == pytest.approx(2 / 2**5)
    assert found.t_p == pytest.approx(2 * stats.t.sf(3 / math.sqrt(0.5), 4))


def test_equal_ones_do_not_differ():
    (found,) = repeats_tests({"a": [0.5, 0.6], "b": [0.5, 0.6]})
    assert found.wilcoxon_p == 1.0
    assert math.isnan(found.t_p)


def test_every_pair_is_compared():
    rng = np.random.default_rng(0)
    values = {name: rng.random(6) for name in "abcd"}
    assert len(repeats_tests(values)) == 6


def whole():
    values = {"optuna-tpe": [86.0, 84.0, 85.0], "smac": [80.0, 82.0, 81.0], "late": [80.0, float("nan"), 81.0]}
    return concluded({"validation": values, "test": values}, "c-nmc@live", "accuracy", 40)


def test_every_metric_is_summarised_read_back_and_shown(tmp_path):
    values = {"optuna-tpe": [86.0, 84.0, 85.0], "late": [80.0, float("nan"), 81.0]}
    metrics = {"test": {"auroc": {"optuna-tpe": [91.0, 93.0, 95.0], "late": [1.0, float("nan"), 1.0]}}}
    found = concluded({"validation": values, "test": values}, "c-nmc@live", "accuracy", 40, metrics)
    assert found.metrics["test"]["auroc"] == {"optuna-tpe": summary([91.0, 93.0, 95.0])}  # without what failed
    save(found, tmp_path / "v.json")
    again = load(tmp_path / "v.json")
    assert again.metrics == found.metrics
    assert again.lost == ("late",)
    (auc,) = [row for table in validation_tables(again) for row in table.rows if row[0] == "AUC"]
    assert auc[1:] == ("optuna-tpe", "93.00", "2.00", "1.63", "2.15", "88.03 … 97.97")
    wide = concluded({"validation": {"a": [20.0, 60.0]}, "test": {"a": [20.0, 60.0]}}, "c-nmc@live", "accuracy", 40)
    assert wide.test["a"].low < 0
    assert validation_tables(wide)[0].rows[0][-1] == "0.00 … 100.00"
    assert validation_words(again) == ["Left out, since a training of theirs failed: late."]


def test_what_is_written_is_read_back(tmp_path):
    found = whole()
    assert found.lost == ("late",)
    save(found, tmp_path / "v.json")
    data = json.loads((tmp_path / "v.json").read_text())
    assert data == as_json(found)
    assert data["test"]["optuna-tpe"]["std"] == 1.0
    assert [test["difference"] for test in data["comparisons"]["test"]] == [4.0]
    again = load(tmp_path / "v.json")
    assert (again.test, again.comparisons, again.epochs) == (found.test, found.comparisons, 40)


def test_what_cannot_be_known_is_null(tmp_path):
    found = concluded({"validation": {"a": [1.0]}, "test": {"a": [2.0]}}, "c-nmc@live", "accuracy", 1)
    save(found, tmp_path / "v.json")
    assert json.loads((tmp_path / "v.json").read_text())["test"]["a"]["low"] is None
    assert load(tmp_path / "v.json").test["a"].values == (2.0,)


def test_only_measured_values_are_believed(tmp_path):
    data = as_json(whole())
    data["test"]["optuna-tpe"]["mean"] = 99.9
    (tmp_path / "v.json").write_text(json.dumps(data))
    assert load(tmp_path / "v.json").test["optuna-tpe"].mean == 85.0


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"schema": 2}, "schema"),
        ({"epochs": "many"}, "epochs"),
        ({"test": {"optuna-tpe": {"values": [1.0]}, "smac": {"values": [1.0, 2.0, 3.0]}}}, "different trainings"),
        ({"test": {"optuna-tpe": {"values": [1.0, 2.0, 3.0]}}}, "different trainings"),
        ({"test": {"smac": {"values": []}}}, "test.smac.values"),
        ({"unit": "points"}, "unit"),
    ],
)
def test_files_that_are_none(tmp_path, change, said):
    (tmp_path / "v.json").write_text(json.dumps({**as_json(whole()), **change}))
    with pytest.raises(BenchmarkError, match=said) as caught:
        load(tmp_path / "v.json")
    assert "v.json" in str(caught.value)


def test_no_file_and_no_json(tmp_path):
    with pytest.raises(BenchmarkError, match="No such file"):
        load(tmp_path / "none.json")
    (tmp_path / "v.json").write_text("{")
    with pytest.raises(BenchmarkError, match="the whole file"):
        load(tmp_path / "v.json")
    save(whole(), tmp_path / "new" / "v.json")
    assert load(tmp_path / "new" / "v.json").epochs == 40
    with pytest.raises(BenchmarkError, match=r"v\.json"):
        save(whole(), tmp_path / "v.json" / "w.json")
