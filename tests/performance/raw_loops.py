"""Each library's own loop on the C-NMC paper's space, as its documentation has it: nothing of hemobench is called.

The space is written out in each library's words. Losses are rounded as our task rounds them, or proposals would part
after a few trials. What is set beside the defaults is what our adapters set for speed alone (docs/performance.md).
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

Config = dict[str, Any]
Loop = Callable[[], list[Config]]
"""Runs a prepared loop and gives what was proposed."""
Prepare = Callable[[int, int], Loop]
"""A loop for so many trials and a seed."""
HIDDEN, BATCH = [256, 512, 768, 1024], [32, 40, 48, 56, 64]
NAMES = ("batch_size", "dropout_1", "dropout_2", "hidden_size", "learning_rate", "weight_decay")
"""In ConfigSpace's order, which is the alphabet's."""


def loss_of(config: Config) -> float:
    """A smooth loss, best near a learning rate of 1e-3, rounded to nine digits."""
    rate, decay = math.log10(config["learning_rate"]) + 3, math.log10(config["weight_decay"]) + 4
    curved = 0.04 * rate**2 + 0.01 * decay**2 + 0.3 * (config["dropout_1"] - 0.2) ** 2
    flat = 0.1 * config["dropout_2"] + 0.02 * (config["hidden_size"] == 256) + 0.0005 * abs(config["batch_size"] - 48)
    return round(1 - (1 - (0.05 + curved + flat)), 9)


def library_seed(seed: int) -> int:
    """The seed that our adapters give to a library."""
    return int(np.random.SeedSequence(seed).generate_state(1)[0]) & 0x7FFFFFFF


def random(trials: int, seed: int) -> Loop:
    """Random search in numpy."""
    rng = np.random.default_rng(np.random.SeedSequence(seed))

    def loop() -> list[Config]:
        seen = []
        for _ in range(trials):
            u = rng.random(6).tolist()
            config = {
                "batch_size": BATCH[min(int(5 * u[0]), 4)],
                "dropout_1": 0.1 + 0.4 * u[1],
                "dropout_2": 0.1 + 0.3 * u[2],
                "hidden_size": HIDDEN[int(4 * u[3])],
                "learning_rate": 10 ** (-5 + 3 * u[4]),
                "weight_decay": 10 ** (-6 + 4 * u[5]),
            }
            loss_of(config)
            seen.append(config)
        return seen

    return loop


def optuna_tpe(trials: int, seed: int) -> Loop:
    """Optuna's `optimize`, in memory."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=library_seed(seed)))
    seen: list[Config] = []

    def objective(trial: optuna.Trial) -> float:
        config = {
            "batch_size": trial.suggest_categorical("batch_size", BATCH),
            "dropout_1": trial.suggest_float("dropout_1", 0.1, 0.5),
            "dropout_2": trial.suggest_float("dropout_2", 0.1, 0.4),
            "hidden_size": trial.suggest_categorical("hidden_size", HIDDEN),
            "learning_rate": trial.suggest_float("learning_rate", 1e-5, 1e-2, log=True),
            "weight_decay": trial.suggest_float("weight_decay", 1e-6, 1e-2, log=True),
        }
        seen.append(config)
        return loss_of(config)

    def loop() -> list[Config]:
        study.optimize(objective, n_trials=trials)
        return seen

    return loop


def hyperopt_tpe(trials: int, seed: int) -> Loop:
    """Hyperopt's `fmin`."""
    from hyperopt import fmin, hp, tpe

    space = {
        "batch_size": hp.choice("batch_size", BATCH),
        "dropout_1": hp.uniform("dropout_1", 0.1, 0.5),
        "dropout_2": hp.uniform("dropout_2", 0.1, 0.4),
        "hidden_size": hp.choice("hidden_size", HIDDEN),
        "learning_rate": hp.loguniform("learning_rate", math.log(1e-5), math.log(1e-2)),
        "weight_decay": hp.loguniform("weight_decay", math.log(1e-6), math.log(1e-2)),
    }
    seen: list[Config] = []

    def objective(config: Config) -> float:
        seen.append(dict(config))
        return loss_of(config)

    def loop() -> list[Config]:
        fmin(
            objective,
            space,
            algo=partial(tpe.suggest, verbose=False),
            max_evals=trials,
            rstate=np.random.default_rng(library_seed(seed)),
            show_progressbar=False,
            verbose=False,
        )
        return seen

    return loop


def space(seed: int | None = None) -> Any:
    """In ConfigSpace's words."""
    from ConfigSpace import Categorical, ConfigurationSpace, Float

    return ConfigurationSpace(
        seed=seed,
        space=[
            Categorical("batch_size", BATCH),
            Float("dropout_1", (0.1, 0.5)),
            Float("dropout_2", (0.1, 0.4)),
            Categorical("hidden_size", HIDDEN),
            Float("learning_rate", (1e-5, 1e-2), log=True),
            Float("weight_decay", (1e-6, 1e-2), log=True),
        ],
    )


def forest(searched: Any, trials: int, seed: int) -> Any:
    """SMAC's, on one job, whose trees have room for so many trials."""
    from smac.model.random_forest.random_forest import RandomForest

    return RandomForest(
        searched,
        n_trees=10,
        ratio_features=1.0,
        min_samples_split=2,
        min_samples_leaf=1,
        max_depth=2**20,
        max_leaf_nodes=max(2048, 16 * trials),
        bootstrapping=True,
        log_y=True,
        seed=seed,
        n_jobs=1,
    )


def smac(trials: int, seed: int, folder: str = "") -> Loop:
    """SMAC's facade and its `optimize`, with that forest."""
    from smac import HyperparameterOptimizationFacade as Facade
    from smac import Scenario

    searched = space()
    seen: list[Config] = []

    def objective(config: Any, seed: int = 0) -> float:
        seen.append({name: getattr(config[name], "item", lambda n=name: config[n])() for name in NAMES})
        return loss_of(seen[-1])

    place = Path(folder or tempfile.mkdtemp())
    scenario = Scenario(
        searched,
        deterministic=True,
        n_trials=trials,
        seed=library_seed(seed),
        output_directory=place,
        use_default_config=False,
    )
    facade = Facade(
        scenario,
        objective,
        model=forest(searched, trials, scenario.seed),
        intensifier=Facade.get_intensifier(scenario, max_config_calls=1),
        logging_level=False,
        overwrite=True,
    )

    def loop() -> list[Config]:
        facade.optimize()
        return seen

    return loop


def skopt_gp(trials: int, seed: int) -> Loop:
    """scikit-optimize's ask and tell; the last tell, with a fit that nobody uses, is left out."""
    import warnings

    from skopt import Optimizer
    from skopt.space import Categorical, Real

    optimizer = Optimizer(
        [
            Categorical(BATCH),
            Real(0.1, 0.5),
            Real(0.1, 0.4),
            Categorical(HIDDEN),
            Real(1e-5, 1e-2, prior="log-uniform"),
            Real(1e-6, 1e-2, prior="log-uniform"),
        ],
        base_estimator="GP",
        random_state=library_seed(seed),
        n_jobs=1,
        model_queue_size=1,
    )

    def loop() -> list[Config]:
        seen = []
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for number in range(trials):
                point = optimizer.ask()
                values = [value.item() if isinstance(value, np.generic) else value for value in point]
                seen.append(dict(zip(NAMES, values, strict=True)))
                loss = loss_of(seen[-1])
                if number < trials - 1:
                    optimizer.tell(point, loss)
        return seen

    return loop


LOOPS: dict[str, Prepare] = {
    "random": random,
    "optuna-tpe": optuna_tpe,
    "hyperopt-tpe": hyperopt_tpe,
    "smac": smac,
    "skopt-gp": skopt_gp,
}
