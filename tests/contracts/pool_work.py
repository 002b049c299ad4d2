"""Work that a pool's processes can import, as they cannot a test's own module."""

from __future__ import annotations

import os

from hemobench.benchmarks.execution.progress import tell

MANY = 3000
"""Steps of some 200 bytes: ten times as much as a pipe holds."""


def work(number: int) -> int:
    """Tells many steps, each the last of its kind, so that none is passed over."""
    for step in range(MANY):
        tell("epochs", 5, 5, f"worker's step {step} " + "x" * 100)
    tell("run", note=f"work {number}")
    return os.getpid()
