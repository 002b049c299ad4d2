"""Provenance: what a result was made with. Only names and versions; no paths, hosts or users."""

from __future__ import annotations

import platform
import subprocess
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

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


@cache
def environment() -> dict[str, str]:
    """Versions of Python, the packages that shape results, the platform, and the git state of a checkout."""
    found = {"python": platform.python_version(), "platform": f"{platform.system()} {platform.machine()}"}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "absent"
    return {**found, "git": git_state()}


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
