"""What all tests share."""

from __future__ import annotations

import inspect
import os
import re
import sys
from functools import cache
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import settings

# Before any library starts its threads: two busy cores and four threads are slower than one.
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

# The same examples every time, so that what fails is what was changed; FUZZ=1 looks for new ones.
settings.register_profile("repeatable", derandomize=True)
if "FUZZ" not in os.environ:
    settings.load_profile("repeatable")

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared"
sys.path.insert(0, str(Path(__file__).parent))  # tests may import `contracts.…`


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The real cell images beside the checkout, where they are."""
    data = SHARED / "data"
    if not data.is_dir():
        pytest.skip("no shared/data beside the checkout")
    return data


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that need torch, which are all that `tox -e train` runs: they skip themselves where it is not."""
    for item in items:
        if isinstance(item, pytest.Function) and (_needs_torch(item.module) or _skips(inspect.getsource(item.obj))):
            item.add_marker("torch")


@cache
def _needs_torch(module: ModuleType) -> bool:
    lines = inspect.getsource(module).splitlines()
    return any(_skips(line) for line in lines if re.match(r"\w", line))


def _skips(code: str) -> bool:
    return 'importorskip("torch")' in code
