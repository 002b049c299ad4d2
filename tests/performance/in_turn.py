"""Two loops in turn, round after round, for as long as other work on the machine leaves it open which is slower."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from dataclasses import dataclass, field

Work = Callable[[], object]
Measure = Callable[[], float]


def seconds(work: Work) -> float:
    """Of the processor, with no garbage of what ran before."""
    gc.collect()
    started = time.process_time()
    work()
    return time.process_time() - started


@dataclass
class InTurn:
    """Seconds of each round of a reference and of what is held against it.

    What disturbs a round makes it longer, and nothing makes it shorter: the fastest rounds of both are what they take.
    A loop that takes twice as long does so in its fastest round too. So going on until a limit is kept lets no slow
    loop pass once the reference has had a quiet moment, of which `least` rounds make sure; it waits for one of ours.
    Medians would not do: stopped at the first look that pleases, a quarter of loops that take twice as long passed.
    """

    raw: list[float] = field(default_factory=list)
    ours: list[float] = field(default_factory=list)

    @property
    def ratio(self) -> float:
        """Of the fastest rounds."""
        return min(self.ours) / min(self.raw)

    @property
    def added(self) -> float:
        """Seconds, likewise."""
        return min(self.ours) - min(self.raw)

    def go_on(
        self, measure_raw: Measure, measure_ours: Measure, kept: Callable[[], bool], *, least: int, most: int
    ) -> None:
        """Measure round after round until a limit is kept, or so many were measured.

        Args:
            measure_raw: Seconds of one more round of the reference.
            measure_ours: Likewise, of what is held against it.
            kept: Whether the limit is kept.
            least: Rounds before that is asked.
            most: Rounds in all.
        """
        while len(self.raw) < least or (len(self.raw) < most and not kept()):
            self.raw.append(measure_raw())
            self.ours.append(measure_ours())
