"""Brackets of successive halving, and the schedule in which Hyperband opens them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import cycle

from hemobench.strategies.base import Trial
from hemobench.strategies.fidelity.rungs import ranked


class Bracket:
    """So many configurations on the first rung; when all of a rung have finished, the best go on to the next.

    Failed trials never go on, so a rung may have fewer than planned; if none goes on the bracket is done.

    Args:
        rungs: Epochs of each rung, rising.
        sizes: Trials on each rung, falling.
    """

    def __init__(self, rungs: Sequence[int], sizes: Sequence[int]) -> None:
        self._later = list(zip(rungs, sizes, strict=True))[1:]
        self._epochs = rungs[0]
        self._waiting: list[Trial | None] = [None] * sizes[0]
        self._pending = 0
        self._finished: list[Trial] = []

    def next(self) -> tuple[int, Trial | None] | None:
        """Epochs to train to, and the trial to go on with (`None`: a new configuration); `None` if all are asked."""
        if not self._waiting:
            return None
        self._pending += 1
        return self._epochs, self._waiting.pop(0)

    def tell(self, trial: Trial) -> None:
        """Take the outcome of a trial of this bracket."""
        self._pending -= 1
        self._finished.append(trial)
        if not self._waiting and not self._pending and self._later:
            self._epochs, size = self._later.pop(0)
            self._waiting, self._finished = [*ranked(self._finished)[:size]], []

    @property
    def done(self) -> bool:
        """Whether nothing is left to ask or to be told."""
        return not self._waiting and not self._pending


def schedule(rungs: Sequence[int], eta: int) -> Iterator[Bracket]:
    """Hyperband's brackets, from the one that starts on the first rung to the one on the last alone, and again.

    The bracket that starts s rungs below the last has `ceil((s_max + 1) / (s + 1) * eta**s)` configurations, of
    which one in `eta` goes on from each rung (Li et al., 2018, algorithm 1).
    """
    top = len(rungs) - 1
    for s in cycle(range(top, -1, -1)):
        size = -(-(top + 1) * eta**s // (s + 1))
        yield Bracket(rungs[top - s :], [size // eta**i for i in range(s + 1)])
