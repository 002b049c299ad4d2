"""BOHB (Falkner, Klein and Hutter, 2018, "BOHB: robust and efficient hyperparameter optimization at scale", ICML).

Hyperband's brackets, whose new configurations a tree-structured Parzen estimator proposes. The differences from the
paper and from its authors' HpBandSter:

- The estimator is Optuna's multivariate TPE, set as for `optuna-tpe`, so that these two arms differ in the fidelity
  and not in the model; HpBandSter has kernel densities of its own (bandwidth factor 3, best 15 %, 64 candidates).
- Pending configurations are counted among the bad ones (Optuna's constant liar); HpBandSter does not mind them.
- What `hyperband` does otherwise than its paper, such as resuming trials, is done here too.

As in the paper, one configuration in three is random; the model is fitted on the longest rung with d + 3 results
and on no other; a failed trial counts as infinitely bad there.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from ConfigSpace import ConfigurationSpace
from optuna.samplers import TPESampler
from optuna.trial import FrozenTrial, TrialState, create_trial

from hemobench.strategies.base import Config, Count, Factor, Probability, Status, Supports, Trial
from hemobench.strategies.hyperband import Hyperband
from hemobench.strategies.optuna_study import distribution, study, suggestions

Results = list[tuple[Config, float]]
"""Configurations with their losses on one rung; infinite for a failed trial."""


class BOHB(Hyperband):
    """Hyperband with a TPE for new configurations.

    Each of them is suggested by a new study that is told all results of one rung, with a seed of its own: nothing
    is carried over from one suggestion to the next but the results.
    """

    supports: ClassVar[Supports] = Supports(fidelity=True)

    def __init__(
        self,
        space: ConfigurationSpace,
        *,
        seed: int,
        horizon: int,
        epochs: int,
        eta: Factor = 3,
        min_epochs: Count = 1,
        overlap: bool = True,
        startup_trials: Count | None = None,
        random_probability: Probability = 1 / 3,
        n_ei_candidates: Count = 24,
        multivariate: bool = True,
        group: bool = False,
        constant_liar: bool = True,
    ) -> None:
        """Lay out the rungs.

        Args:
            space: The search space.
            seed: Of the stream of random configurations and, by another stream of it, of the model's.
            horizon: Not used; the brackets do not depend on it.
            epochs: The task's full length.
            eta: One trial in so many goes on, to so many times the epochs.
            min_epochs: The first rung.
            overlap: Open the next bracket for workers that would wait.
            startup_trials: Successful results on one rung before a model is fitted there; `None` is the paper's
                number of hyperparameters and 3.
            random_probability: Of a random configuration, model or not.
            n_ei_candidates: Candidates of which the best expected improvement is taken.
            multivariate: Model hyperparameters jointly.
            group: Model each group of hyperparameters that are active together jointly.
            constant_liar: Count pending configurations among the bad ones.
        """
        super().__init__(
            space, seed=seed, horizon=horizon, epochs=epochs, eta=eta, min_epochs=min_epochs, overlap=overlap
        )
        self._suggest = suggestions(space)
        self._distributions = {name: distribution(hp) for name, hp in space.items()}
        self._needed = len(space) + 3 if startup_trials is None else startup_trials
        self._random_probability = random_probability
        self._settings: Mapping[str, int | bool] = {
            "n_startup_trials": 0,
            "n_ei_candidates": n_ei_candidates,
            "multivariate": multivariate,
            "group": group,
            "constant_liar": constant_liar,
        }
        self._rng = np.random.default_rng(np.random.SeedSequence(seed).spawn(1)[0])
        self._results: dict[int, Results] = {}

    def tell(self, trial: Trial) -> None:
        super().tell(trial)
        assert trial.proposal.epochs is not None
        ok = trial.status is Status.OK and trial.loss is not None
        loss = trial.loss if ok and trial.loss is not None else math.inf
        self._results.setdefault(trial.proposal.epochs, []).append((trial.proposal.config, loss))

    def _new(self) -> Config:
        results = self._longest()
        if self._rng.random() < self._random_probability or results is None:
            return super()._new()
        return self._suggested(results)

    def _longest(self) -> Results | None:
        """The results of the longest rung that has enough of them."""
        for _, results in sorted(self._results.items(), reverse=True):
            if sum(math.isfinite(loss) for _, loss in results) >= max(self._needed, 1):
                return results
        return None

    def _suggested(self, results: Results) -> Config:
        model = study(TPESampler(**self._settings, seed=int(self._rng.integers(2**31))))  # type: ignore[arg-type]
        known = [config for config, _ in results]
        pending = [config for _, config in self._pending.values() if config not in known]
        model.add_trials([self._observed(config, loss) for config, loss in results])
        model.add_trials([self._observed(config) for config in pending])
        return self._suggest(model.ask())

    def _observed(self, config: Config, loss: float | None = None) -> FrozenTrial:
        """A finished trial as Optuna has it; without a loss, a running one."""
        return create_trial(
            state=TrialState.RUNNING if loss is None else TrialState.COMPLETE,
            value=loss,
            params=dict(config),
            distributions={name: self._distributions[name] for name in config},
        )
