"""Importances against Optuna's own fANOVA, and against a function whose variance is known."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import optuna
import pytest
from ConfigSpace import Categorical, ConfigurationSpace, Float

from hemobench.benchmarks.storage.results import Results
from hemobench.reports.comparison.comparison import comparisons
from hemobench.reports.importance.fanova import explained, main_effects
from hemobench.reports.importance.importance import LEAST_TRIALS, Importances, encoded, importances


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_main_effects_are_optunas(seed: int) -> None:
    generator = np.random.default_rng(seed)
    points, level = generator.uniform(size=(240, 2)), generator.integers(0, 3, 240)
    losses = 3 * points[:, 0] ** 2 + points[:, 1] + 1.5 * (level == 1)
    study = optuna.create_study()
    known = {
        "a": optuna.distributions.FloatDistribution(0, 1),
        "b": optuna.distributions.FloatDistribution(0, 1),
        "c": optuna.distributions.CategoricalDistribution((0, 1, 2)),
    }
    study.add_trials(
        optuna.trial.create_trial(value=loss, params={"a": a, "b": b, "c": int(c)}, distributions=known)
        for (a, b), c, loss in zip(points, level, losses, strict=True)
    )
    evaluator = optuna.importance.FanovaImportanceEvaluator(n_trees=32, seed=seed)
    theirs = optuna.importance.get_param_importances(study, evaluator=evaluator)
    mine = main_effects(np.column_stack([points, (level + 0.5) / 3]), losses, np.array([0, 0, 3]), seed)
    assert mine.sum() == pytest.approx(1)
    np.testing.assert_allclose(mine, [theirs[name] for name in "abc"], atol=0.04)


def test_shares_of_a_known_function() -> None:
    points = np.random.default_rng(0).uniform(size=(3000, 2))
    shares = main_effects(points, 2 * points[:, 0] + points[:, 1], np.zeros(2, dtype=np.int64))
    np.testing.assert_allclose(shares, [0.8, 0.2], atol=0.02)  # variances 4 to 1
    np.testing.assert_array_equal(main_effects(points, np.ones(3000), np.zeros(2, dtype=np.int64)), [0, 0])


def test_configurations_in_the_unit_cube() -> None:
    import pandas as pd

    space = ConfigurationSpace(space=[Float("rate", (1e-4, 1e-2), log=True), Categorical("kind", ["a", "b"])])
    table = pd.DataFrame({"config.rate": [1e-4, 1e-3, 1e-2], "config.kind": ["a", "b", "a"], "config.other": 1})
    names, points, levels = encoded(table, space)
    assert names == ["rate", "kind"] or names == ["kind", "rate"]
    np.testing.assert_allclose(points[:, names.index("rate")], [0, 0.5, 1])
    np.testing.assert_allclose(points[:, names.index("kind")], [0.25, 0.75, 0.25])
    assert levels[names.index("kind")] == 2
    gappy, _, _ = encoded(table.assign(**{"config.kind": ["a", None, "a"]}), space)
    assert gappy == ["rate"]


def test_importances_of_random_search_only(run: Callable[..., Any], collect: Callable[..., Results]) -> None:
    generator = np.random.default_rng(1)
    rates = 10 ** generator.uniform(-5, -2, 90)
    runs = [
        run(
            "random",
            seed,
            *((k + 1, float(0.1 + 0.05 * abs(np.log10(rates[30 * seed + k]) + 3.5))) for k in range(30)),
            gpu_hours=40.0,
        )
        for seed in range(3)
    ]
    results = collect(runs)
    trials = results.trials.assign(
        **{"config.learning_rate": rates, "config.dropout_1": generator.uniform(0.1, 0.5, 90)}
    )
    (comparison,) = comparisons(results, lambda name: None)
    known = importances(comparison, Results(results.runs, trials))
    found = known.shares
    assert known.trials == 90
    assert known.explained is not None
    assert known.explained > 0.8
    assert [row.name for row in found] == ["learning_rate", "dropout_1"]
    assert found[0].low <= found[0].share <= found[0].high
    assert found[0].share > 0.9
    assert sum(row.share for row in found) == pytest.approx(1)
    few = Results(results.runs, trials.groupby("run").head(3))
    assert importances(comparison, few) == Importances(9, None, ())
    other = Results(results.runs.assign(strategy="tpe"), trials)
    assert importances(comparisons(other, lambda name: None)[0], other) == Importances(0, None, ())
    noise = trials.assign(loss=generator.uniform(size=90))
    withheld = importances(comparison, Results(results.runs, noise))
    assert withheld.shares == ()
    assert withheld.explained is not None
    assert withheld.explained <= 0


def test_of_pure_noise_nothing_is_explained_and_of_a_function_as_much_as_it_has() -> None:
    continuous = np.zeros(4, dtype=np.int64)
    noise, signal = [], []
    for seed in range(8):
        generator = np.random.default_rng(seed)
        points = generator.uniform(size=(120, 4))
        noise.append(explained(points, generator.normal(size=120), continuous, seed))
        losses = np.sin(3 * points[:, 0]) + 0.1 * generator.normal(size=120)
        signal.append(explained(points, losses, continuous, seed))
    assert np.mean([value > 0 for value in noise]) <= 0.1
    assert min(signal) > 0.6
    assert explained(points, np.ones(120), continuous) == 0


def test_levels_in_no_order_are_seen_as_such() -> None:
    """Level 1 of three is worse: no line through the levels shows that, a column a level does."""
    generator = np.random.default_rng(0)
    level = generator.integers(0, 3, 150)
    points = np.column_stack([(level + 0.5) / 3, generator.uniform(size=150)])
    losses = 1.0 * (level == 1) + 0.2 * generator.normal(size=150)
    assert explained(points, losses, np.array([3, 0])) > 0.7
    assert main_effects(points, losses, np.array([3, 0]))[0] > 0.9
    shuffled = generator.permutation(losses)
    assert explained(points, shuffled, np.array([3, 0])) <= 0


def test_what_few_trials_of_noise_explain_is_rare() -> None:
    generator = np.random.default_rng(9)
    found = [
        explained(
            generator.uniform(size=(LEAST_TRIALS, 5)), generator.normal(size=LEAST_TRIALS), np.zeros(5, dtype=np.int64)
        )
        for _ in range(15)
    ]
    assert np.mean(np.array(found) > 0) <= 0.2
