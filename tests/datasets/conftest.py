"""Synthetic image sets, drawn once a session, and the real ones beside the checkout where they are."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from hemobench.datasets.synthetic import synthesize

REAL = Path(__file__).resolve().parents[3] / "shared" / "data"


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One cache folder for the session; the user's own is never touched."""
    folder = tmp_path_factory.getbasetemp() / "cache"
    monkeypatch.setenv("HEMOBENCH_CACHE", str(folder))
    return folder


@pytest.fixture(scope="session")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Name -> a synthetic set of 120 small images, not to be written to."""
    made: dict[str, Path] = {}

    def get(name: str) -> Path:
        if name not in made:
            made[name] = tmp_path_factory.mktemp(name) / "set"
            synthesize(name, made[name], images=120, seed=1, size=48)
        return made[name]

    return get


@pytest.fixture
def c_nmc(drawn: Callable[[str], Path], tmp_path: Path) -> Path:
    """A synthetic C-NMC set that the test may spoil."""
    return Path(shutil.copytree(drawn("c-nmc"), tmp_path / "c-nmc"))


@pytest.fixture
def bone_marrow(drawn: Callable[[str], Path], tmp_path: Path) -> Path:
    """A synthetic ten-class set that the test may spoil."""
    return Path(shutil.copytree(drawn("bone-marrow"), tmp_path / "bone-marrow"))


@pytest.fixture(scope="session")
def real() -> Callable[[str], Path]:
    """Name of a folder of real images -> its path; the test is skipped where there is none."""

    def get(name: str) -> Path:
        if not (REAL / name).is_dir():
            pytest.skip(f"no real images: {name}")
        return REAL / name

    return get
