"""What all tests share."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

# Before any library starts its threads: two busy cores and four threads are slower than one.
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

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
