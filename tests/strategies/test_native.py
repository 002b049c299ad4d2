"""Each wrapped library, driven natively with the same seed and losses, proposes what our adapter proposes.

The spaces are written out by hand in each library's own words, from the C-NMC paper's Table 1, with an integer
added so that both numeric kinds are seen.
"""

from __future__ import annotations

import math
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from ConfigSpace import Categorical, ConfigurationSpace, Float, Integer

from hemobench.strategies import load_strategy
from hemobench.strategies.space import library_seed
from hemobench.testing.drives import drive, loss_of

SEED, TRIALS = 7, 24
GP_TRIALS = 16
"""Of a Gaussian process, which takes up to a second a trial: ten random trials and six that it proposes."""


def space() -> ConfigurationSpace:
    return ConfigurationSpace(
        space=[
            Categorical("batch_size", [32, 40, 48, 56, 64]),
            Float("dropout_1", (0.1, 0.5)),
            Integer("epochs_warm", (1, 9)),
            Categorical("hidden_size", [256, 512, 768, 1024]),
            Float("learning_rate", (1e-5, 1e-2), log=True),
        ]
    )


def ours(name: str, trials: int = TRIALS) -> list[dict]:
    strategy = load_strategy(name)(space(), seed=SEED, horizon=trials)
    return [dict(proposal.config) for proposal in drive(strategy, trials)]


def plain(config) -> dict:
    """A `ConfigSpace` configuration as built-in values, in the space's order."""
    values = {name: value.item() if hasattr(value, "item") else value for name, value in dict(config).items()}
    return {name: values[name] for name in space()}


def native_optuna(sampler, trials: int = TRIALS) -> list[dict]:
    """What Optuna's own loop proposes with a sampler."""
    import optuna

    seen = []

    def objective(trial):
        config = {
            "batch_size": trial.suggest_categorical("batch_size", [32, 40, 48, 56, 64]),
            "dropout_1": trial.suggest_float("dropout_1", 0.1, 0.5),
            "epochs_warm": trial.suggest_int("epochs_warm", 1, 9),
            "hidden_size": trial.suggest_categorical("hidden_size", [256, 512, 768, 1024]),
            "learning_rate": trial.suggest_float("learning_rate", 1e-5, 1e-2, log=True),
        }
        seen.append(config)
        return loss_of(config)

    optuna.create_study(sampler=sampler).optimize(objective, n_trials=trials)
    return seen


def test_optuna():
    import optuna

    assert native_optuna(optuna.samplers.TPESampler(seed=library_seed(SEED))) == ours("optuna-tpe")


def test_optuna_gp():
    pytest.importorskip("torch")
    import optuna

    native = native_optuna(optuna.samplers.GPSampler(seed=library_seed(SEED)), GP_TRIALS)
    assert native == ours("optuna-gp", GP_TRIALS)


def test_optuna_cmaes():
    pytest.importorskip("cmaes")
    import optuna

    native = native_optuna(optuna.samplers.CmaEsSampler(seed=library_seed(SEED), warn_independent_sampling=False))
    assert native == ours("optuna-cmaes")


def test_hyperopt():
    from hyperopt import fmin, hp, space_eval, tpe

    native = {
        "batch_size": hp.choice("batch_size", [32, 40, 48, 56, 64]),
        "dropout_1": hp.uniform("dropout_1", 0.1, 0.5),
        "epochs_warm": hp.quniform("epochs_warm", 0.5, 9.5, 1),
        "hidden_size": hp.choice("hidden_size", [256, 512, 768, 1024]),
        "learning_rate": hp.loguniform("learning_rate", math.log(1e-5), math.log(1e-2)),
    }
    seen = []

    def objective(config):
        config = {**config, "epochs_warm": int(config["epochs_warm"])}
        seen.append(config)
        return loss_of(config)

    fmin(
        objective,
        native,
        algo=partial(tpe.suggest, verbose=False),
        max_evals=TRIALS,
        rstate=np.random.default_rng(library_seed(SEED)),
        show_progressbar=False,
        verbose=False,
    )
    assert space_eval(native, {"batch_size": 1, "dropout_1": 0.2, "epochs_warm": 3.0, "hidden_size": 0,
                               "learning_rate": 1e-3})["batch_size"] == 40  # fmt: skip
    assert seen == ours("hyperopt-tpe")


def test_smac_by_default_and_ours_set_for_speed(tmp_path: Path):
    """Native SMAC fits its forest on all cores with the default `max_leaf_nodes`, and saves its state."""
    from smac import HyperparameterOptimizationFacade, Scenario

    seen = []

    def objective(config, seed=0):
        seen.append(plain(config))
        return loss_of(seen[-1])

    scenario = Scenario(
        space(), deterministic=True, n_trials=GP_TRIALS, seed=library_seed(SEED), output_directory=tmp_path
    )
    intensifier = HyperparameterOptimizationFacade.get_intensifier(scenario, max_config_calls=1)
    facade = HyperparameterOptimizationFacade(scenario, objective, intensifier=intensifier, logging_level=False)
    facade.optimize()
    assert seen == ours("smac", GP_TRIALS)


def test_smac_hyperband(tmp_path: Path):
    """SMAC's own loop, on its own budgets, which it trains anew: the same configurations for the rounded epochs."""
    from smac import MultiFidelityFacade, Scenario
    from smac.intensifier.hyperband_utils import get_n_trials_for_hyperband_multifidelity

    epochs, horizon, seen = 10, 12, []
    n_trials = get_n_trials_for_hyperband_multifidelity(horizon * epochs, 1, epochs, 3, print_summary=False)

    def objective(config, seed=0, budget=0.0):
        seen.append((plain(config), round(budget)))
        return loss_of(seen[-1][0]) + 0.1 / seen[-1][1]

    scenario = Scenario(
        space(),
        deterministic=True,
        n_trials=n_trials,
        min_budget=1,
        max_budget=epochs,
        seed=library_seed(SEED),
        output_directory=tmp_path,
    )
    MultiFidelityFacade(scenario, objective, logging_level=False).optimize()
    strategy = load_strategy("smac-hyperband")(space(), seed=SEED, horizon=horizon, epochs=epochs)
    mine = drive(strategy, len(seen))
    assert len(seen) == n_trials > 25
    assert seen == [(dict(proposal.config), proposal.epochs) for proposal in mine]
    assert {proposal.epochs for proposal in mine} == {1, 3, 10}
    assert any(proposal.resume_from is not None for proposal in mine)


def test_skopt():
    import skopt

    native = skopt.Optimizer(
        [
            skopt.space.Categorical([32, 40, 48, 56, 64]),
            skopt.space.Real(0.1, 0.5),
            skopt.space.Integer(1, 9),
            skopt.space.Categorical([256, 512, 768, 1024]),
            skopt.space.Real(1e-5, 1e-2, prior="log-uniform"),
        ],
        base_estimator="GP",
        random_state=library_seed(SEED),
    )
    seen = []
    for number in range(GP_TRIALS):
        point = native.ask()
        config = dict(zip(space(), (x.item() if hasattr(x, "item") else x for x in point), strict=True))
        seen.append(config)
        if number < GP_TRIALS - 1:  # the last fit would be used by nobody
            native.tell(point, loss_of(config))
    mine = ours("skopt-gp", GP_TRIALS)
    for there, here in zip(seen, mine, strict=True):
        assert here == pytest.approx(there, rel=1e-12)
