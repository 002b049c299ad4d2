"""Device-seconds by what they went into, and the end of a trial whose time is up."""

from __future__ import annotations

import math
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch

from hemobench.strategies.base import Status

OnCharge = Callable[[float], None]
"""Told the device-seconds that a trial has been charged so far."""
TELL_S = 1.0
"""Seconds between two tellings."""
CHARGED = frozenset({"training", "evaluation"})


class TrialEnded(Exception):
    """A trial ended early: diverged, timed out or cut. It becomes an outcome, never a crash."""

    def __init__(self, status: Status, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


class Stopwatch:
    """Sums device-seconds by purpose, waiting for the device at both ends of each piece.

    A CPU core with one thread of PyTorch is charged by its own time, so that what else the machine does costs a trial
    nothing; several threads and GPUs, by the wall clock.

    `training` and `evaluation` are charged to the trial. `preparation` (features that all trials share),
    `loading` (pixels) and `repeated` (epochs that an earlier trial has been charged for) are not.

    Args:
        device: What to wait for.
        limit: Charged seconds after which the trial is cut.
        timeout: Charged seconds after which the trial has timed out.
        on_charge: Told now and then what has been charged.
    """

    def __init__(
        self,
        device: torch.device,
        limit: float = math.inf,
        timeout: float = math.inf,
        on_charge: OnCharge | None = None,
    ) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self._device = device
        self._limit = limit
        self._timeout = timeout
        self._on_charge = on_charge
        self._told = time.monotonic()
        self._running: tuple[str, float] | None = None
        alone = device.type == "cpu" and torch.get_num_threads() == 1
        self._now = time.process_time if alone else time.perf_counter
        self._began = self._now()

    @contextmanager
    def timing(self, purpose: str) -> Iterator[None]:
        """Add the time spent inside to a purpose. Pieces do not nest."""
        self._wait()
        self._running = purpose, self._now()
        try:
            yield
        finally:
            started = self._running[1]
            self._running = None
            self._wait()
            self.seconds[purpose] += self._now() - started

    @property
    def charged(self) -> float:
        """Seconds of training and evaluation so far, those of the running piece included."""
        total = sum(self.seconds[purpose] for purpose in sorted(CHARGED))
        if self._running and self._running[0] in CHARGED:
            total += self._now() - self._running[1]
        return total

    def charge_setting_up(self) -> None:
        """Charge, as training, all the time since the start, if nothing has been charged: setting up failed."""
        if not self.charged:
            self.seconds["training"] = max(self._now() - self._began, 1e-6)

    def check(self) -> None:
        """End the trial if its time is up. Call it after every batch.

        Raises:
            TrialEnded: With the status `cut` or `timed-out`.
        """
        charged = self.charged
        if self._on_charge is not None and time.monotonic() - self._told >= TELL_S:
            self._told = time.monotonic()
            self._on_charge(charged)
        if charged > self._limit:
            raise TrialEnded(Status.CUT, f"stopped after the {self._limit:.6g} device-seconds that were left")
        if charged > self._timeout:
            raise TrialEnded(Status.TIMED_OUT, f"took longer than its {self._timeout:g} device-seconds")

    def _wait(self) -> None:
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)
