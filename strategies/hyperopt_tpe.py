"""Hyperopt's tree-structured Parzen estimator, driven as its own `fmin` drives it."""

from __future__ import annotations

import math
from functools import partial
from typing import Any, ClassVar

import numpy as np
from ConfigSpace import ConfigurationSpace
from ConfigSpace.conditions import Condition, Conjunction
from ConfigSpace.hyperparameters import UniformFloatHyperparameter
from hyperopt import JOB_STATE_DONE, JOB_STATE_RUNNING, STATUS_FAIL, STATUS_OK, Trials, hp, tpe
from hyperopt.base import Domain

from hemobench.strategies.base import Count, Positive, Proposal, Share, Status, Supports, Trial, UnsupportedTask
from hemobench.strategies.space import Numeric, choices, coerce, library_seed, numeric


class HyperoptTPE:
    """`hyperopt.tpe.suggest` on Hyperopt's own `Trials`.

    Hyperopt has no ask and tell. A suggestion is made and inserted as `fmin` does it, with one seed drawn for
    each from the same generator, so that it proposes what `fmin` would. A pending trial stands as running, with
    no loss: it counts towards the start-up and, after it, as bad. A failed one is done with status `fail`.
    Hyperopt's forgetting (weights fall after the 25 newest trials) is captured in its code and no setting.
    """

    supports: ClassVar[Supports] = Supports()

    def __init__(
        self,
        space: ConfigurationSpace,
        *,
        seed: int,
        horizon: int,
        startup_trials: Count = 20,
        n_ei_candidates: Count = 24,
        gamma: Share = 0.25,
        prior_weight: Positive = 1.0,
    ) -> None:
        """Create the domain.

        Args:
            space: The search space.
            seed: Spread by `numpy.random.SeedSequence` to Hyperopt's own.
            horizon: Not used; TPE does not plan.
            startup_trials: Random trials before the model is used, pending ones counted.
            n_ei_candidates: Candidates of which the best expected improvement is taken.
            gamma: Share of the trials that count as good, of the square root of their number.
            prior_weight: Of the uniform prior among the observations.
        """
        self._space = space
        self._domain = Domain(lambda config: None, search_space(space))
        self._trials = Trials()
        self._rng = np.random.default_rng(library_seed(seed))
        self._suggest = partial(
            tpe.suggest,
            n_startup_jobs=startup_trials,
            n_EI_candidates=n_ei_candidates,
            gamma=gamma,
            prior_weight=prior_weight,
            verbose=False,
        )

    def ask(self) -> Proposal | None:
        ids = self._trials.new_trial_ids(1)
        self._trials.refresh()
        documents = self._suggest(ids, self._domain, self._trials, self._rng.integers(2**31 - 1))
        self._trials.insert_trial_docs(documents)
        self._trials.refresh()
        document = self._document(ids[0])
        document["state"] = JOB_STATE_RUNNING
        values = {name: found[0] for name, found in document["misc"]["vals"].items() if found}
        return Proposal(decode(self._space, values))

    def tell(self, trial: Trial) -> None:
        document = self._document(trial.number)
        document["state"] = JOB_STATE_DONE
        if trial.status is Status.OK:
            document["result"] = {"status": STATUS_OK, "loss": trial.loss}
        else:
            document["result"] = {"status": STATUS_FAIL}
        self._trials.refresh()

    def _document(self, number: int) -> Any:
        """Hyperopt numbers trials as we do, from 0, in the order of the asks."""
        return self._trials._dynamic_trials[number]


def search_space(space: ConfigurationSpace) -> dict[str, Any]:
    """The space as Hyperopt has it: conditional hyperparameters hang below the choices that make them active.

    Raises:
        UnsupportedTask: If one hangs on a numeric parent or on several parents, which Hyperopt cannot say.
    """
    for name in space:
        parents = space.parent_conditions_of[name]
        if len(parents) > 1 or any(isinstance(parent, Conjunction) for parent in parents):
            raise UnsupportedTask(f"'{name}' hangs on several parents", "Hyperopt cannot express that")
    nodes: dict[str, Any] = {}
    for name, hyperparameter in reversed(list(space.items())):  # children before their parents
        values = choices(hyperparameter)
        children = [c for c in space.conditions if isinstance(c, Condition) and c.parent.name == name]
        if values is None and children:
            raise UnsupportedTask(f"'{name}' is numeric and has conditional children", "Hyperopt cannot express that")
        if values is None:
            nodes[name] = bounded(numeric(hyperparameter))
            continue
        branches = [
            {
                "value": value,
                **{c.child.name: nodes[c.child.name] for c in children if c.satisfied_by_value({name: value})},
            }
            for value in values
        ]
        nodes[name] = hp.choice(name, branches)
    return {name: node for name, node in nodes.items() if not space.parent_conditions_of[name]}


def bounded(hyperparameter: Numeric) -> Any:
    """A numeric hyperparameter as Hyperopt has it.

    An integer is a float rounded to the nearest, from half below the lowest to half above the highest, so that
    the ends are as likely as the rest (`hp.uniformint` gives them half; `hp.randint` forgets the order).
    """
    name, log = hyperparameter.name, hyperparameter.log
    if isinstance(hyperparameter, UniformFloatHyperparameter):
        low, high = float(hyperparameter.lower), float(hyperparameter.upper)
        return hp.loguniform(name, math.log(low), math.log(high)) if log else hp.uniform(name, low, high)
    low, high = hyperparameter.lower - 0.5, hyperparameter.upper + 0.5
    return hp.qloguniform(name, math.log(low), math.log(high), 1) if log else hp.quniform(name, low, high, 1)


def decode(space: ConfigurationSpace, values: dict[str, Any]) -> dict[str, Any]:
    """Hyperopt's values (positions, for choices) as a configuration, in the space's order."""
    config = {}
    for name, hyperparameter in space.items():
        if name in values:
            options = choices(hyperparameter)
            config[name] = coerce(hyperparameter, values[name]) if options is None else options[int(values[name])]
    return config
