"""Hyperband (Li et al., 2018, "Hyperband: a novel bandit-based approach to hyperparameter optimization", JMLR).

The differences from the paper's algorithm 1:

- Trials resume where they stopped, and the ledger charges the increment; the paper trains anew or resumes.
- Brackets follow one another for as long as the budget lasts; the paper runs each once.
- A failed trial never goes on to the next rung; the paper has none.
- Rungs are counted up from the shortest, and the last is the task's full length (see `rungs`).
- With several workers a bracket cannot keep them all busy while a rung is being finished. The paper leaves that
  open; here the next bracket is opened for the idle ones (`overlap`), as BOHB's authors do in HpBandSter.
"""

from __future__ import annotations

from typing import ClassVar

from ConfigSpace import ConfigurationSpace

from hemobench.strategies.base import Config, Count, Factor, Proposal, Supports, Trial
from hemobench.strategies.fidelity.brackets import Bracket, schedule
from hemobench.strategies.fidelity.rungs import rungs
from hemobench.strategies.space import random_stream


class Hyperband:
    """Brackets of synchronous successive halving, oldest first.

    Within a bracket no trial goes on before all of its rung have finished. Pending trials need no lie: nothing is
    concluded from a rung before it is complete. New configurations come from the stream of `random`, in its order.
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
    ) -> None:
        """Lay out the rungs.

        Args:
            space: The search space.
            seed: Of the stream of configurations.
            horizon: Not used; the brackets do not depend on it.
            epochs: The task's full length.
            eta: One trial in so many goes on, to so many times the epochs.
            min_epochs: The first rung.
            overlap: Open the next bracket for workers that would wait; without, they wait. Makes no difference
                with one worker.
        """
        self._stream = random_stream(space, seed)
        self._overlap = overlap
        self._schedule = schedule(rungs(epochs, min_epochs, eta), eta)
        self._open: list[Bracket] = []
        self._pending: dict[int, tuple[Bracket, Config]] = {}
        self._asked = 0

    def ask(self) -> Proposal | None:
        for bracket in self._open:
            if (found := bracket.next()) is not None:
                return self._propose(bracket, *found)
        if self._pending and not self._overlap:
            return None
        bracket = next(self._schedule)
        self._open.append(bracket)
        first = bracket.next()
        assert first is not None
        return self._propose(bracket, *first)

    def tell(self, trial: Trial) -> None:
        bracket, _ = self._pending.pop(trial.number)
        bracket.tell(trial)
        if bracket.done:
            self._open.remove(bracket)

    def _propose(self, bracket: Bracket, epochs: int, earlier: Trial | None) -> Proposal:
        config = self._new() if earlier is None else earlier.proposal.config
        self._pending[self._asked] = bracket, config
        self._asked += 1
        return Proposal(config, epochs, None if earlier is None else earlier.number)

    def _new(self) -> Config:
        """A configuration that has not been tried; what model-based kinds of Hyperband do otherwise."""
        return next(self._stream)
