"""Fair starts: every strategy begins with the task's default, as an analysis by hand does.

A default is expert knowledge: on `c-nmc@published` it is better than 97 % of random trials. A strategy that starts from
it is ahead of those that do not, whatever it does afterwards.
"""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from ConfigSpace import ConfigurationSpace

from hemobench.strategies.base import Proposal, Strategy, Supports, Trial
from hemobench.strategies.space import active, default


class DefaultFirst:
    """A strategy whose first trial is the task's default at full length; the rest is the strategy's own.

    The trial counts like any other: it costs, and may be the incumbent. The strategy within numbers its own trials
    from 0 as ever. It is told of the default where it can take a trial that it did not ask for, by a method `learn`
    (Optuna's samplers, SMAC, skopt); rules without a model have no use for it, and Hyperopt knows its own trials only.
    A strategy that begins with the default by itself (`starts_at_default`) needs no wrapper.
    """

    supports: ClassVar[Supports] = Supports()

    def __init__(self, strategy: Strategy, space: ConfigurationSpace) -> None:
        """Put the default of a space before what a strategy asks for."""
        self._strategy = strategy
        self._default = Proposal(active(space, default(space)))
        self._started = False

    def ask(self) -> Proposal | None:
        if not self._started:
            self._started = True
            return self._default
        proposal = self._strategy.ask()
        if proposal is None or proposal.resume_from is None:
            return proposal
        return replace(proposal, resume_from=proposal.resume_from + 1)

    def tell(self, trial: Trial) -> None:
        if trial.number == 0:
            learn = getattr(self._strategy, "learn", None)
            if learn is not None:
                learn(trial)
            return
        proposal = trial.proposal
        if proposal.resume_from is not None:
            proposal = replace(proposal, resume_from=proposal.resume_from - 1)
        self._strategy.tell(replace(trial, number=trial.number - 1, proposal=proposal))


def starts_at_default(strategy: type[Strategy]) -> bool:
    """Whether a strategy begins with the default by itself, so that it needs no wrapper."""
    return bool(getattr(strategy, "starts_at_default", False))
