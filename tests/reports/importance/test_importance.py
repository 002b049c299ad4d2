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
from hemobench.reports.importance.fanova import main_effects
from hemobench.reports.importance.importance import encoded, importances


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
    found = importances(comparison, Results(results.runs, trials))
    assert [row.name for row in found] == ["learning_rate", "dropout_1"]
    assert found[0].low <= found[0].share <= found[0].high
    assert found[0].share > 0.9
    assert sum(row.share for row in found) == pytest.approx(1)
    few = Results(results.runs, trials.groupby("run").head(3))
    assert importances(comparison, few) == []
    other = Results(results.runs.assign(strategy="tpe"), trials)
    assert importances(comparisons(other, lambda name: None)[0], other) == []
