"""hemobench: which hyperparameter-optimization strategy to spend a GPU-hour budget on."""

from importlib.metadata import PackageNotFoundError, version
from typing import Any

try:
    __version__ = version("hemobench")
except PackageNotFoundError:  # a bare checkout
    __version__ = "0.0.0"


def __getattr__(name: str) -> Any:
    """`hemobench.assert_not_worse`, for tests of one's own strategy; imported when it is used."""
    if name == "assert_not_worse":
        from hemobench.testing import assert_not_worse

        return assert_not_worse
    raise AttributeError(f"module 'hemobench' has no attribute '{name}'")
