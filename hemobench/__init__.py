"""hemobench: which hyperparameter-optimization strategy to spend a GPU-hour budget on.

All that stands in `__all__` is imported when it is used, so that `hemobench --help` answers at once.
"""

from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from hemobench import late

if TYPE_CHECKING:
    from hemobench.api import leaderboard as leaderboard
    from hemobench.api import load_results as load_results
    from hemobench.api import recommend as recommend
    from hemobench.api import run_suite as run_suite
    from hemobench.optuna_problem import OptunaProblem as OptunaProblem
    from hemobench.problem import load_benchmark as load_benchmark
    from hemobench.testing import assert_not_worse as assert_not_worse

late.install()
try:
    __version__ = version("hemobench")
except PackageNotFoundError:  # a bare checkout
    __version__ = "0.0.0"

_LAZY = {
    "OptunaProblem": "hemobench.optuna_problem",
    "assert_not_worse": "hemobench.testing",
    "leaderboard": "hemobench.api",
    "load_benchmark": "hemobench.problem",
    "load_results": "hemobench.api",
    "recommend": "hemobench.api",
    "run_suite": "hemobench.api",
}
__all__ = [
    "OptunaProblem",
    "__version__",
    "assert_not_worse",
    "leaderboard",
    "load_benchmark",
    "load_results",
    "recommend",
    "run_suite",
]


def __getattr__(name: str) -> Any:
    """The calls of `__all__`, imported when they are used (PEP 562)."""
    if name in _LAZY:
        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'hemobench' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted([*globals(), *_LAZY])
