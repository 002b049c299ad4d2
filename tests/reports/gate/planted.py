"""Regressions as they happen, planted into Optuna's TPE: what a gate must find, and the reason that it must give."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace

from ConfigSpace import ConfigurationSpace
from ConfigSpace.hyperparameters import UniformFloatHyperparameter

from hemobench.strategies.base import Proposal, Trial
from hemobench.strategies.optuna_tpe import OptunaTPE


class Same(OptunaTPE):
    """No regression: bit-identical."""


class OtherStream(OptunaTPE):
    """No regression: the same algorithm on another stream of random numbers."""

    def __init__(self, space: ConfigurationSpace, *, seed: int, horizon: int) -> None:
        super().__init__(space, seed=seed + 10_000, horizon=horizon)


class Swapped(OptunaTPE):
    """Good and bad groups swapped: a sign lost."""

    def tell(self, trial: Trial) -> None:
        super().tell(trial if trial.loss is None else replace(trial, loss=-trial.loss))


class Forgetful(OptunaTPE):
    """Every other tell is lost."""

    def tell(self, trial: Trial) -> None:
        if trial.number % 2:
            super().tell(trial)


class Clipped(OptunaTPE):
    """Searches the lowest fifth of every float's range."""

    def __init__(self, space: ConfigurationSpace, *, seed: int, horizon: int) -> None:
        clipped = ConfigurationSpace()
        clipped.add([self._clipped(deepcopy(hp)) for hp in space.values()])
        super().__init__(clipped, seed=seed, horizon=horizon)

    @staticmethod
    def _clipped(hp):
        if not isinstance(hp, UniformFloatHyperparameter):
            return hp
        low, high = hp.lower, hp.to_value(0.2)
        return UniformFloatHyperparameter(hp.name, low, float(high), log=hp.log)


class Stuck(OptunaTPE):
    """Asks for its first point again and again."""

    first: Proposal | None = None

    def ask(self) -> Proposal | None:
        proposal = super().ask()
        self.first = self.first or proposal
        return self.first


class Crashing(OptunaTPE):
    """Raises in its thirteenth ask."""

    def ask(self) -> Proposal | None:
        if len(self._asked) == 12:
            raise ValueError("the good group is empty")
        return super().ask()
