"""ConfigSpace without `scipy.stats`, until somebody asks for what needs it.

ConfigSpace imports three distributions of `scipy.stats`, which takes two thirds of a second at the start of every
process, and uses none of them for uniform, categorical and ordinal hyperparameters, unless it draws an integer itself.
So it is imported with a stand-in beside it, whose distributions are loaded when they are used. Where `scipy.stats` is
there already, or ConfigSpace wants more of it than is known here, all goes as without.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any

STATS, FROZEN = "scipy.stats", "scipy.stats._distn_infrastructure"


class Uniform:
    """The uniform distribution between 0 and 1 as `scipy.stats` has it, loaded when it is used."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # what copying and pickling look for
            raise AttributeError(name)
        return getattr(_frozen_uniform(), name)


@cache
def _frozen_uniform() -> Any:
    return import_module(STATS).uniform()


def uniform() -> Uniform:
    """Every integer hyperparameter has one, and hardly any is drawn from."""
    return Uniform()


def beta(*parameters: Any, **named: Any) -> Any:
    """Loaded at once: it stands only in hyperparameters of that distribution."""
    return import_module(STATS).beta(*parameters, **named)


def truncnorm(*parameters: Any, **named: Any) -> Any:
    """Loaded at once, as `beta`."""
    return import_module(STATS).truncnorm(*parameters, **named)


@contextmanager
def stand_in() -> Iterator[None]:
    """`scipy.stats` is something light, unless it is there already."""
    if STATS in sys.modules:
        yield
        return
    stats, frozen = ModuleType(STATS), ModuleType(FROZEN)
    stats.__dict__.update(uniform=uniform, beta=beta, truncnorm=truncnorm)
    frozen.__dict__.update(rv_continuous_frozen=object)  # what an `assert isinstance` of a truncated normal asks for
    sys.modules.update({STATS: stats, FROZEN: frozen})
    try:
        yield
    finally:
        for name, module in ((STATS, stats), (FROZEN, frozen)):
            if sys.modules.get(name) is module:
                del sys.modules[name]


class WithStandIn(Loader):
    """Loads as another loader does, with the stand-in beside."""

    def __init__(self, loader: Loader) -> None:
        self._loader = loader

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        before = set(sys.modules)
        try:
            with stand_in():
                self._loader.exec_module(module)
        except ImportError:  # it wants what the stand-in lacks
            for name in set(sys.modules) - before:
                if name.startswith("ConfigSpace."):
                    del sys.modules[name]
            self._loader.exec_module(module)


class Finder(MetaPathFinder):
    """Finds ConfigSpace, once."""

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        if name != "ConfigSpace":
            return None
        sys.meta_path.remove(self)
        spec = PathFinder.find_spec(name, path)
        if spec is not None and spec.loader is not None:
            spec.loader = WithStandIn(spec.loader)
        return spec


def install() -> None:
    """Have ConfigSpace found so, if it is not there already."""
    if "ConfigSpace" not in sys.modules:
        sys.meta_path.insert(0, Finder())
