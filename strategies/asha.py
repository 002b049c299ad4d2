"""Asynchronous successive halving, ASHA (Li et al., 2020, "A system for massively parallel hyperparameter tuning").

The variant that promotes: a trial is stopped at a rung and goes on from there when it is found good enough. The
differences from the paper's algorithm 2:

- Trials resume where they stopped, and the ledger charges the increment; the paper counts likewise.
- A failed trial counts among those that finished a rung, as the worst, and is never promoted; the paper has none.
- The last rung is the task's full length, whether or not that is a power of eta (see `rungs`).
- The early-stopping rate s is 0: every configuration starts on the first rung. `min_epochs` does what s does.
"""

from __future__ import annotations

from bisect import insort
from itertools import pairwise
from typing import ClassVar

from ConfigSpace import ConfigurationSpace

from hemobench.strategies.base import Count, Factor, Proposal, Status, Supports, Trial
from hemobench.strategies.fidelity.rungs import rank, rungs
from hemobench.strategies.space import random_stream


class ASHA:
    """Promotes a trial that is among the best 1/eta of its rung, from the highest rung that has one; else a new one.

    Nothing is ever waited for, so pending trials need no lie: they are not yet among those that finished their
    rung. New configurations come from the stream of `random`, in its order.
    """

    supports: ClassVar[Supports] = Supports(fidelity=True)

    def __init__(
        self, space: ConfigurationSpace, *, seed: int, horizon: int, epochs: int, eta: Factor = 3, min_epochs: Count = 1
    ) -> None:
        """Lay out the rungs.

        Args:
            space: The search space.
            seed: Of the stream of configurations.
            horizon: Not used; ASHA does not plan.
            epochs: The task's full length.
            eta: One trial in so many is promoted, to so many times the epochs.
            min_epochs: The first rung.
        """
        self._stream = random_stream(space, seed)
        self._eta = eta
        self._rungs = rungs(epochs, min_epochs, eta)
        self._finished = dict.fromkeys(self._rungs, 0)
        self._ranked: dict[int, list[Trial]] = {epochs: [] for epochs in self._rungs}
        self._promoted: set[int] = set()

    def ask(self) -> Proposal | None:
        for epochs, longer in reversed(list(pairwise(self._rungs))):
            for trial in self._ranked[epochs][: self._finished[epochs] // self._eta]:
                if trial.number not in self._promoted:
                    self._promoted.add(trial.number)
                    return Proposal(trial.proposal.config, longer, trial.number)
        return Proposal(next(self._stream), self._rungs[0])

    def tell(self, trial: Trial) -> None:
        epochs = trial.proposal.epochs
        assert epochs is not None
        self._finished[epochs] += 1
        if trial.status is Status.OK:
            insort(self._ranked[epochs], trial, key=rank)
