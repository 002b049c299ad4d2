"""A search of a recorded table by exact look-ups: strategies restricted to the configurations that were recorded.

What a strategy proposes is replaced by the nearest recorded configuration that the run has not trained yet, and that
one is looked up. Two things follow:

- The strategy is told the outcome as that of its own proposal: libraries take no answers to other questions. Its model
  then has an error in its inputs, under the same rule for every strategy; `TableRestricted.distances` says how large.
- Every configuration is used once. A table that gave one answer for a whole neighbourhood, again and again, would
  punish whoever searches near the best, where a real training would have been another one.
"""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from hemobench.benchmarks.evaluators.table import folds_needed
from hemobench.benchmarks.surrogates.encode import Encoder
from hemobench.benchmarks.tables.schema import Table
from hemobench.benchmarks.tasks import load_task
from hemobench.errors import BenchmarkError
from hemobench.strategies.base import Config, Proposal, Strategy, Supports, Trial


class Pool:
    """The recorded configurations that can be looked up, as points of the unit cube.

    Args:
        table: What was recorded.

    Raises:
        BenchmarkError: If no configuration was recorded on all the folds that the objective needs.
    """

    def __init__(self, table: Table) -> None:
        task = load_task(table.header.task)
        folds = set(folds_needed(task.objective.weights, table.metrics[0], table))
        recorded: dict[str, set[int]] = {}
        for row in table.rows:
            recorded.setdefault(row.key[0], set()).add(row.fold)
        self.configs = [config for key, config in table.configs().items() if folds <= recorded[key]]
        if not self.configs:
            raise BenchmarkError(f"no configuration was recorded on all of the folds {sorted(folds)}", "record more")
        self._encoder = Encoder(task.space())
        self._places = self._encoder.many(self.configs) * self._encoder.weights

    def distances(self, config: Config) -> NDArray[np.float64]:
        """From a configuration to each of the pool, in the unit cube (see `Encoder.weights`), shape (len(configs),)."""
        place = np.array(self._encoder.one(config)) * self._encoder.weights
        return np.asarray(np.sqrt(((self._places - place) ** 2).sum(axis=1)))


class TableRestricted:
    """A `Strategy` that trains recorded configurations only, each of them once.

    Args:
        strategy: Who proposes; a new one.
        pool: What may be trained.

    Attributes:
        distances: From each proposal to what was trained in its place.
    """

    supports: ClassVar[Supports] = Supports()

    def __init__(self, strategy: Strategy, pool: Pool) -> None:
        self._strategy, self._pool = strategy, pool
        self._asked: list[Proposal] = []
        self._places: list[int] = []
        self.distances: list[float] = []

    def ask(self) -> Proposal | None:
        """The nearest recorded configuration not trained yet, or that of the trial to resume; `None`: none is left."""
        if len(set(self._places)) == len(self._pool.configs):
            return None
        proposal = self._strategy.ask()
        if proposal is None:
            return None
        distances = self._pool.distances(proposal.config)
        if proposal.resume_from is None:
            distances[self._places] = np.inf
            place = int(distances.argmin())
        else:
            place = self._places[proposal.resume_from]
        self._asked.append(proposal)
        self._places.append(place)
        self.distances.append(float(distances[place]))
        return replace(proposal, config=self._pool.configs[place])

    def tell(self, trial: Trial) -> None:
        """The outcome, as that of what the strategy itself proposed."""
        self._strategy.tell(replace(trial, proposal=self._asked[trial.number]))
