"""Random search: one seeded stream of uniformly random configurations (Bergstra and Bengio, 2012)."""

from __future__ import annotations

from typing import ClassVar

from ConfigSpace import ConfigurationSpace

from hemobench.strategies.base import Proposal, Supports, Trial
from hemobench.strategies.space import random_stream


class RandomSearch:
    """Draws from the stream that `sssr` draws from too, as in the bone-marrow paper."""

    supports: ClassVar[Supports] = Supports()

    def __init__(self, space: ConfigurationSpace, *, seed: int, horizon: int) -> None:
        self._stream = random_stream(space, seed)

    def ask(self) -> Proposal | None:
        return Proposal(next(self._stream))

    def tell(self, trial: Trial) -> None:
        """Random search does not learn."""
