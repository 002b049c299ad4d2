"""The card's figures on tables whose truth is known: it cannot flatter."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import combinations, pairwise
from types import SimpleNamespace

import numpy as np
import pytest
from contracts import synthetic_tables as synthetic

from hemobench.benchmarks.evaluators.surrogate import SurrogateEvaluator
from hemobench.benchmarks.recorded.references import optimum, reference
from hemobench.benchmarks.surrogates.network import Training
from hemobench.benchmarks.surrogates.trust.card import card, ceiling, fitted, intraclass
from hemobench.benchmarks.surrogates.trust.constant import constant_answer
from hemobench.benchmarks.surrogates.trust.tails import error_of_so_few, expected_best, with_error
from hemobench.benchmarks.tables.schema import Table
from hemobench.reports.html.cards import card_of

HOW = Training(steps=600, decay=0.6)
NOISE = 0.02


def even(level: float, rng: np.random.Generator) -> np.ndarray:
    """The same normal noise for validation and test, at all lengths alike."""
    return NOISE * rng.standard_normal((3, 1)) * np.ones((1, 2))


@pytest.fixture(scope="module")
def known():
    table = synthetic.recorded(synthetic.smooth_truth, even, configs=300, seeds=4, repeated=60, folds=(0, 1, 2))
    source = {"constant_answer": json.dumps({"accuracy": 0.7})}
    return fitted(Table(replace(table.header, source=source), table.rows), how=HOW, folds=(0, 1, 2))


@pytest.fixture(scope="module")
def figures(known):
    return card(known)


@pytest.fixture(scope="module")
def best(known):
    evaluator = SurrogateEvaluator(known.surrogate, "c-nmc@known", 1, folds=(0, 1, 2))
    return optimum(evaluator, known)


def test_what_cannot_be_learned_is_not_claimed():
    """Configurations with levels of their own, many seeds each: who has seen one seed knows the others."""
    levels = {}

    def erratic(config) -> float:
        key = json.dumps(dict(config), sort_keys=True)
        return levels.setdefault(key, 0.6 + 0.3 * np.random.default_rng(len(levels)).random())

    table = synthetic.recorded(erratic, even, configs=40, seeds=8)
    found = card(fitted(table, how=Training(steps=500, decay=0.05)))
    assert found["loss"]["r2"] < 0.15
    assert found["loss"]["spearman"] < 0.4
    assert found["answers"]["held_out"]["r2"] < 0.15


def test_the_noise_of_an_answer_is_that_of_the_mean_over_its_folds(figures):
    """Of one fold it would be the square root of three as large."""
    noise = figures["answers"]["noise"]
    assert noise["measured"] == pytest.approx(NOISE / 3**0.5, rel=0.1)
    assert noise["drawn"] == pytest.approx(NOISE / 3**0.5, rel=0.2)
    assert noise["repeated"] == 240


def test_intraclass_correlation_and_ceiling_are_those_of_the_truth(known, figures):
    truth = np.array([1 - synthetic.smooth_truth(config) for config in known.answers.configs])
    variance = float(truth.var())
    wanted = variance / (variance + NOISE**2 / 3)
    assert figures["answers"]["intraclass"] == pytest.approx(wanted, abs=0.03)
    observed = [
        np.corrcoef(np.argsort(np.argsort(truth)), np.argsort(np.argsort(truth + noise)))[0, 1]
        for noise in NOISE / 3**0.5 * np.random.default_rng(0).standard_normal((50, len(truth)))
    ]
    assert figures["answers"]["ceiling"]["spearman"] == pytest.approx(np.mean(observed), abs=0.02)
    assert figures["answers"]["held_out"]["spearman"] <= figures["answers"]["ceiling"]["spearman"] + 0.01
    assert intraclass(np.array([1.0, 2.0, 3.0]), np.zeros(3)) == 1.0
    assert ceiling(truth, truth, np.zeros(len(truth)))["spearman"] is None


def test_held_out_truths_lie_within_the_spread(known):
    """Of noise-free losses, about nine in ten within the 90 % that the members' spread allows."""
    a = known.answers
    truth = np.array([1 - synthetic.smooth_truth(config) for config in a.configs])
    inside = np.abs(truth - a.predicted) <= 1.645 * a.spread
    assert 0.75 < inside.mean() <= 0.99
    assert a.spread.mean() < 0.02
    believed = np.abs(truth - a.believed) <= 1.645 * a.doubt
    assert 0.8 < believed.mean() <= 0.99
    assert np.abs(truth - a.believed).mean() < np.abs(truth - a.first).mean()


def test_noise_that_hides_all_differences_leaves_no_ranking():
    rng = np.random.default_rng(0)
    recorded = rng.normal(0.3, 0.05, 200)
    found = ceiling(rng.normal(0.3, 0.01, 200), recorded, np.full(200, 0.08))
    assert found == {"r2": 0.0, "spearman": None, "top_spearman": None}


def test_configurations_like_the_best_are_counted(known, figures):
    truth = np.array([1 - synthetic.smooth_truth(config) for config in known.answers.configs])
    limit = 1.96 * 2**0.5 * NOISE / 3**0.5
    wanted = int((truth - truth.min() <= limit).sum())
    assert figures["answers"]["like_the_best"]["count"] == pytest.approx(wanted, rel=0.25)
    assert figures["answers"]["like_the_best"]["of"] == 300


def test_the_constant_answer_is_beaten_by_as_many_as_it_is(known, figures):
    beaten = [synthetic.smooth_truth(config) > 0.7 for config in known.answers.configs]
    found = figures["answers"]["constant"]
    assert found["headline"] == 0.7
    assert found["share"] == pytest.approx(np.mean(beaten), abs=0.04)
    assert found["share_sensible"] > found["share"]


def test_tails_of_table_and_surrogate_agree(figures):
    assert set(figures["answers"]["tails"]) == {"20", "100"}
    for pair in figures["answers"]["tails"].values():
        assert abs(pair["apart"]) < 2.5
        assert 0 < pair["table"][1] < 0.02


def test_the_best_of_a_few_is_the_mean_over_all_subsets():
    losses = np.random.default_rng(3).random(9)
    for count in (1, 3, 9):
        wanted = np.mean([min(some) for some in combinations(losses, count)])
        assert expected_best(losses, count) == pytest.approx(wanted)
    bests = [with_error(np.random.default_rng(seed).random(200), 20) for seed in range(60)]
    assert np.std([best for best, _ in bests]) == pytest.approx(np.mean([error for _, error in bests]), rel=0.35)


def test_of_few_draws_the_error_of_the_best_is_that_of_as_few_of_the_population():
    """Resampled, they have too small an error where half of them are asked for."""
    rng = np.random.default_rng(11)
    population = 0.3 + 0.4 * rng.weibull(8.0, 4000)
    tables = [0.3 + 0.4 * rng.weibull(8.0, 192) for _ in range(500)]
    bests = np.array([expected_best(table, 100) for table in tables])
    error = error_of_so_few(population, 192, 100)
    assert error == pytest.approx(bests.std(ddof=1), rel=0.12)
    resampled = np.mean([with_error(table, 100)[1] for table in tables[:60]])
    assert resampled < 0.85 * error


def test_noise_is_shown_as_measured_and_as_drawn(figures):
    rows = figures["noise"]["rows"]
    assert {row["epoch"] for row in rows} == {1, 4, 10}
    for row in rows:
        assert row["measured"]["deviation"] == pytest.approx(NOISE, rel=0.25)
        assert row["drawn"]["deviation"] == pytest.approx(row["measured"]["deviation"], rel=0.25)
    together = figures["noise"]["correlations"]["validation and test"]
    assert together["measured"] == pytest.approx(1.0, abs=0.02)
    assert together["drawn"] == pytest.approx(1.0, abs=0.1)


def test_the_reference_is_what_real_trainings_reach(known):
    """Not what the luckiest showed, and not what an ensemble promises where nobody trained."""
    evaluator = SurrogateEvaluator(known.surrogate, "c-nmc@known", 1, folds=(0, 1, 2))
    found = reference(evaluator, known.surrogate.task, known.answers)
    place = known.answers.configs.index(found.best_config)
    assert found.best_loss >= known.answers.mean[place] - 1e-6
    assert found.best_loss > known.answers.first.min()
    truth = 1 - synthetic.smooth_truth(found.best_config)
    assert found.best_loss == pytest.approx(truth, abs=3 * known.answers.doubt[place] + 1e-3)
    best = min(1 - synthetic.smooth_truth(config) for config in known.answers.configs)
    assert best < found.best_loss < best + 0.03
    assert (known.answers.reached >= known.answers.mean).all()
    expected = [loss for _, loss in found.random]
    assert all(later < earlier + 2e-3 for earlier, later in pairwise(expected))
    assert expected[-1] > found.best_loss - 0.01


def test_the_optimum_is_shown_with_the_trainings_near_it(best):
    truth = 1 - synthetic.smooth_truth(best["config"])
    assert best["loss"] == pytest.approx(truth, abs=3 * best["spread"] + 0.01)
    distances = [row["distance"] for row in best["nearest"]]
    assert distances == sorted(distances)
    assert len(distances) == 5
    for row in best["nearest"]:
        assert row["surrogate"] == pytest.approx(row["mean_loss"], abs=0.06)


def test_people_can_read_it(best, figures):
    shown = card_of({"trust": {**figures, "optimum": best}})
    text = " ".join(shown.words)
    for phrase in ("constant answer", "intraclass", "cannot tell", "best of 20", "ceiling", "90 %"):
        assert phrase in text
    assert any("Noise" in table.caption for table in shown.tables)
    assert any("nearest" in table.caption for table in shown.tables)
    json.dumps(figures, allow_nan=False)


def collapsed(share: float, **metrics: float):
    """A row that names one class only after its second length."""
    row = synthetic.recorded(synthetic.smooth_truth, even, configs=1).rows[0]
    f1 = {"f1_a": (0.5, 2 * share / (1 + share), 0.5), "f1_b": (0.4, 0.0, 0.3), "f1_c": (0.3, 0.0, 0.2)}
    values = {name: (0.5, value, 0.6) for name, value in metrics.items()}
    return replace(row, validation={**values, **f1})


def test_the_constant_answer_that_training_says_is_that_of_validation():
    said = {"test": {"micro_f1": 0.3}, "validation": {"micro_f1": 0.4, "micro_f1_std": 0.01}}
    header = SimpleNamespace(source={"constant_answer": json.dumps(said)})
    assert constant_answer(SimpleNamespace(header=header, rows=(), folds=()), "micro_f1") == 0.4


def test_the_constant_answer_is_read_off_trainings_that_collapsed():
    header = synthetic.recorded(synthetic.smooth_truth, even, configs=1).header
    rows = (collapsed(0.2, micro_f1=0.2), collapsed(0.35, micro_f1=0.35))
    assert constant_answer(Table(header, rows), "micro_f1") == pytest.approx(0.35)
    assert constant_answer(Table(header, rows), "auroc") is None
    said = replace(header, source={"constant_answer": '{"micro_f1": 0.25}'})
    assert constant_answer(Table(said, rows), "micro_f1") == 0.25
    for damaged in ("{", "[1]", '{"micro_f1": "x"}', ""):
        assert constant_answer(Table(replace(header, source={"constant_answer": damaged}), rows), "micro_f1") == 0.35


def test_the_constant_answer_of_two_classes_follows_from_their_rates():
    header = synthetic.recorded(synthetic.smooth_truth, even, configs=1).header
    row = synthetic.recorded(synthetic.smooth_truth, even, configs=1).rows[0]
    rates = {"sensitivity": (0.9,) * 3, "specificity": (0.5,) * 3}
    rows = (replace(row, validation={"accuracy": (0.68 * 0.9 + 0.32 * 0.5,) * 3, **rates}),)
    assert constant_answer(Table(header, rows), "accuracy") == pytest.approx(0.68)
