"""hemobench: which hyperparameter-optimization strategy to spend a GPU-hour budget on."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("hemobench")
except PackageNotFoundError:  # a bare checkout
    __version__ = "0.0.0"
