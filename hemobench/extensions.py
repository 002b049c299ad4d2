"""What other installed packages add, by entry points. A name of ours stays ours.

The groups are `hemobench.strategies`, `hemobench.datasets`, `hemobench.tasks` and `hemobench.benchmarks`.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any

from hemobench.errors import BenchmarkError


@dataclass(frozen=True, slots=True)
class Extension:
    """One entry point.

    Attributes:
        name: What it is asked for by.
        path: `module:attribute`, or a module.
        package: Name and version of the package that declares it.
    """

    name: str
    path: str
    package: str

    def load(self) -> Any:
        """What it points to.

        Raises:
            BenchmarkError: If that cannot be imported.
        """
        module, _, attribute = self.path.partition(":")
        try:
            found = import_module(module)
            return getattr(found, attribute) if attribute else found
        except (ImportError, AttributeError) as problem:
            raise self.wrong(str(problem)) from None

    def wrong(self, problem: str) -> BenchmarkError:
        """What to raise where it is not what its group asks for."""
        hint = f"correct or uninstall the package {self.package}"
        return BenchmarkError(f"'{self.name}' of the package {self.package} ({self.path}): {problem}", hint)


def declared(group: str, ours: Collection[str]) -> Mapping[str, Extension]:
    """The entry points of a group by name, but for names that are ours."""
    found = _declared(group, tuple(sys.path))
    return {name: extension for name, extension in found.items() if name not in ours}


@lru_cache(maxsize=16)
def _declared(group: str, _path: tuple[str, ...]) -> Mapping[str, Extension]:
    """Looked up once for a search path: it reads a file of every installed package."""
    found: dict[str, Extension] = {}
    for point in entry_points(group=group):
        package = f"{point.dist.name} {point.dist.version}" if point.dist is not None else "of no name"
        path = re.sub(r"\s*\[.*\]$", "", point.value).strip()
        found.setdefault(point.name, Extension(point.name, path, package))
    return found
