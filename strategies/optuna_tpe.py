"""Optuna's tree-structured Parzen estimator, through Optuna's own ask and tell."""

from __future__ import annotations

from typing import Any, ClassVar

import optuna
from ConfigSpace import ConfigurationSpace
from ConfigSpace.hyperparameters import UniformFloatHyperparameter
from optuna.trial import TrialState

from hemobench.strategies.base import Proposal, Status, Supports, Trial
from hemobench.strategies.space import Hyperparameter, choices, coerce, is_active, library_seed, numeric


class OptunaTPE:
    """`optuna.samplers.TPESampler` on a study in memory.

    What shapes the search is written out, since Optuna 5 changed two of its defaults (`multivariate`,
    `constant_liar`). `gamma`, `weights` and the rest of the original knobs are deprecated there and stay at
    their defaults. Conditional hyperparameters are suggested only where they are active, as Optuna means them
    to be; in a multivariate search they are then sampled independently unless `group` is set.

    The in-memory storage affects speed alone: a trial costs under 1 ms there and 110 ms in SQLite.
    """

    supports: ClassVar[Supports] = Supports()

    def __init__(
        self,
        space: ConfigurationSpace,
        *,
        seed: int,
        horizon: int,
        startup_trials: int = 10,
        n_ei_candidates: int = 24,
        multivariate: bool = True,
        group: bool = False,
        constant_liar: bool = True,
    ) -> None:
        """Create the study.

        Args:
            space: The search space.
            seed: Spread by `numpy.random.SeedSequence` to Optuna's own.
            horizon: Not used; TPE does not plan.
            startup_trials: Random trials before the model is used.
            n_ei_candidates: Candidates of which the best expected improvement is taken.
            multivariate: Model hyperparameters jointly.
            group: Model each group of hyperparameters that are active together jointly.
            constant_liar: Count pending trials among the bad ones.
        """
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        sampler = optuna.samplers.TPESampler(
            n_startup_trials=startup_trials,
            n_ei_candidates=n_ei_candidates,
            multivariate=multivariate,
            group=group,
            constant_liar=constant_liar,
            seed=library_seed(seed),
        )
        self._study = optuna.create_study(direction="minimize", sampler=sampler)
        self._space = space
        self._asked: list[optuna.Trial] = []

    def ask(self) -> Proposal | None:
        trial = self._study.ask()
        self._asked.append(trial)
        return Proposal(suggest(trial, self._space))

    def tell(self, trial: Trial) -> None:
        asked = self._asked[trial.number]
        if trial.status is Status.OK:
            self._study.tell(asked, trial.loss)
        else:
            self._study.tell(asked, state=TrialState.FAIL)


def suggest(trial: optuna.Trial, space: ConfigurationSpace) -> dict[str, Any]:
    """Suggest the active hyperparameters one by one, parents before children (define-by-run)."""
    config: dict[str, Any] = {}
    for name, hp in space.items():
        if is_active(space, name, config):
            config[name] = coerce(hp, suggest_one(trial, hp))
    return config


def suggest_one(trial: optuna.Trial, hp: Hyperparameter) -> Any:
    """Suggest one hyperparameter with the bounds, scale and values that the space gives it."""
    values = choices(hp)
    if values is not None:
        return trial.suggest_categorical(hp.name, values)
    hp = numeric(hp)
    if isinstance(hp, UniformFloatHyperparameter):
        return trial.suggest_float(hp.name, float(hp.lower), float(hp.upper), log=hp.log)
    return trial.suggest_int(hp.name, int(hp.lower), int(hp.upper), log=hp.log)
