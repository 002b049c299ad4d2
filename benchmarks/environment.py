"""Provenance: what a result was made with. Only names and versions; no paths, hosts or users.

Beside versions stands the *numerical fingerprint*: two processors with the same packages choose different kernels of
linear algebra and of numpy's functions, whose last bits differ. A Gaussian process then proposes other points.
"""

from __future__ import annotations

import platform
import subprocess
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

PACKAGES = (
    "hemobench",
    "ConfigSpace",
    "hyperopt",
    "numpy",
    "optuna",
    "scikit-learn",
    "scikit-optimize",
    "scipy",
    "smac",
    "torch",
    "torchvision",
)

DATE = "date"
"""What of a run's environment is the day on which it began, UTC: no version of anything."""
NUMERICS = ("simd", "blas")
"""What of the environment is the numerical fingerprint: the processor's doing, not an installation's."""


@cache
def environment() -> dict[str, str]:
    """Versions of Python and the packages that shape results, platform, numerical fingerprint, and git state."""
    found = {"python": platform.python_version(), "platform": f"{platform.system()} {platform.machine()}"}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "absent"
    return {**found, **numerics(), "git": git_state()}


def dated_environment() -> dict[str, str]:
    """The same with the day, for a run that begins."""
    return {**environment(), DATE: datetime.now(UTC).date().isoformat()}


@cache
def numerics() -> dict[str, str]:
    """The numerical fingerprint.

    Returns:
        `simd`: the vector extensions that numpy uses here. `blas`: each linear algebra library that numpy and scipy
        use, with its version and the processor whose kernels it chose, as in `openblas 0.3.30 Haswell`.
    """
    import numpy as np
    import scipy.linalg  # noqa: F401 - brings a BLAS of its own, which is seen only when it is loaded
    from threadpoolctl import threadpool_info  # type: ignore[import-untyped]

    config: Any = np.show_config(mode="dicts")
    extensions = config.get("SIMD Extensions", {})
    simd = [name for kind in ("baseline", "found") for name in extensions.get(kind, [])]
    parts = ("internal_api", "version", "architecture")
    libraries = {
        " ".join(str(library[part]) for part in parts if library.get(part))
        for library in threadpool_info()
        if library.get("user_api") == "blas"
    }
    return {"simd": " ".join(simd) or "unknown", "blas": ", ".join(sorted(libraries)) or "unknown"}


def git_state() -> str:
    """The commit that this code stands at, `-dirty` where the tree differs; `none` outside a checkout."""
    root = Path(__file__).resolve().parent.parent
    if not (root / ".git").exists():
        return "none"
    try:
        done = subprocess.run(
            # Without its lock on the index, which a run that is killed would leave behind in the user's checkout.
            ["git", "--no-optional-locks", "describe", "--always", "--dirty", "--abbrev=12"],
            cwd=root,
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return "unknown"
    return done.stdout.strip() or "unknown"
