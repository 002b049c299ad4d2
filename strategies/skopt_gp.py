"""scikit-optimize's Gaussian process, through its own ask and tell."""

from __future__ import annotations

import warnings
from typing import Any, ClassVar, Literal

from ConfigSpace import ConfigurationSpace
from ConfigSpace.hyperparameters import UniformFloatHyperparameter
from skopt import Optimizer
from skopt.space import Categorical, Dimension, Integer, Real

from hemobench.strategies.base import Count, NotNegative, Proposal, Status, Supports, Trial, worst_loss
from hemobench.strategies.space import Hyperparameter, choices, coercion, library_seed, numeric


class SkoptGP:
    """`skopt.Optimizer` with a Gaussian process and its default, hedged acquisition.

    It has no conditional hyperparameters, and says so rather than have inactive ones imputed for it. Of a space of
    choices alone it has no gradients: there the best of the random points is taken, as skopt asks for.

    While trials are pending, skopt proposes the same point again and again after its start-up. Then a copy of
    the optimizer is asked that has been told the pending points with a lie, the best loss seen, as in skopt's
    own batches (`cl_min`). A failed trial is told with the worst loss seen; skopt takes no failures.

    For speed alone: a result is passed on to skopt, which then fits at once, only when the next proposal is
    wanted, so that the last fit of a run is not made for nothing; only the newest model is kept.
    """

    supports: ClassVar[Supports] = Supports(conditional=False)

    def __init__(
        self,
        space: ConfigurationSpace,
        *,
        seed: int,
        horizon: int,
        startup_trials: Count = 10,
        initial_point_generator: Literal["random", "sobol", "halton", "hammersly", "lhs", "grid"] = "random",
        acq_func: Literal["gp_hedge", "EI", "LCB", "PI"] = "gp_hedge",
        n_points: Count = 10_000,
        n_restarts_optimizer: Count = 5,
        xi: NotNegative = 0.01,
        kappa: NotNegative = 1.96,
    ) -> None:
        """Create the optimizer.

        Args:
            space: The search space, without conditions.
            seed: Spread by `numpy.random.SeedSequence` to skopt's own.
            horizon: Not used.
            startup_trials: Told points before the model is used.
            initial_point_generator: How these are drawn.
            acq_func: The acquisition; `gp_hedge` chooses among EI, LCB and PI by their gains.
            n_points: Random points at which the acquisition is evaluated.
            n_restarts_optimizer: Best of them from which it is then minimised by L-BFGS.
            xi: Improvement that EI and PI ask for.
            kappa: Exploration of LCB.
        """
        self._space = space
        only_choices = all(choices(hp) is not None for hp in space.values())
        self._optimizer = Optimizer(
            dimensions(space),
            base_estimator="GP",
            n_initial_points=startup_trials,
            initial_point_generator=initial_point_generator,
            n_jobs=1,
            acq_func=acq_func,
            acq_optimizer="sampling" if only_choices else "lbfgs",
            random_state=library_seed(seed),
            model_queue_size=1,
            acq_func_kwargs={"xi": xi, "kappa": kappa},
            acq_optimizer_kwargs={"n_points": n_points, "n_restarts_optimizer": n_restarts_optimizer, "n_jobs": 1},
            avoid_duplicates=True,
        )
        self._coercions = [(name, coercion(hp)) for name, hp in space.items()]
        self._asked: list[list[Any]] = []
        self._pending: dict[int, list[Any]] = {}
        self._told: list[tuple[list[Any], float]] = []
        self._losses: list[float] = []

    def ask(self) -> Proposal | None:
        if len(self._told) < self._optimizer._n_initial_points:  # no model yet, which is all that warns
            point = self._next()
        else:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # a point proposed twice is replaced by a random one, and warned of
                point = self._next()
        self._pending[len(self._asked)] = point
        self._asked.append(point)
        return Proposal({name: coerced(x) for (name, coerced), x in zip(self._coercions, point, strict=True)})

    def _next(self) -> list[Any]:
        """The library's next point, once it was told all that is known."""
        for point, loss in self._told:
            self._optimizer.tell(point, loss)
        self._told.clear()
        return self._ask_beside(list(self._pending.values())) if self._pending else list(self._optimizer.ask())

    def tell(self, trial: Trial) -> None:
        point = self._pending.pop(trial.number)
        if trial.status is Status.OK and trial.loss is not None:
            self._losses.append(trial.loss)
        loss = self._losses[-1] if trial.status is Status.OK else worst_loss(self._losses)
        self._told.append((point, loss))

    def learn(self, trial: Trial) -> None:
        """Take the result of a trial that was not asked for; a failed one has no loss to learn from."""
        if trial.status is Status.OK and trial.loss is not None:
            self._losses.append(trial.loss)
            self._told.append(([trial.proposal.config[name] for name in self._space], trial.loss))

    def _ask_beside(self, pending: list[list[Any]]) -> list[Any]:
        """A proposal that differs from the pending ones."""
        if self._optimizer._n_initial_points > 0:
            return list(self._optimizer.ask())  # the start-up is random: every ask differs
        liar = self._optimizer.copy(random_state=self._optimizer.rng.randint(0, 2**31 - 1))
        liar.tell(pending, [min(self._losses, default=0.0)] * len(pending))
        return list(liar.ask())


def dimensions(space: ConfigurationSpace) -> list[Dimension]:
    """The space as skopt has it: the same bounds, scales and values."""
    return [dimension(hp) for hp in space.values()]


def dimension(hp: Hyperparameter) -> Dimension:
    """One hyperparameter as skopt has it."""
    values = choices(hp)
    if values is not None:
        return Categorical(values, name=hp.name)
    hp = numeric(hp)
    prior = "log-uniform" if hp.log else "uniform"
    if isinstance(hp, UniformFloatHyperparameter):
        return Real(float(hp.lower), float(hp.upper), prior=prior, name=hp.name)
    return Integer(int(hp.lower), int(hp.upper), prior=prior, name=hp.name)
