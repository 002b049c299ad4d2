"""Fetching: what is said when it cannot be done, and where the files end up when it can."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from hemobench.datasets import open_images
from hemobench.datasets.fetch import fetch
from hemobench.errors import BenchmarkError


def kagglehub(monkeypatch: pytest.MonkeyPatch, answer: Callable[[str], str]) -> None:
    """Stand in for the package, which cannot reach Kaggle from a test."""
    module = ModuleType("kagglehub")
    module.dataset_download = answer  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "kagglehub", module)


def test_absent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "kagglehub", None)
    with pytest.raises(BenchmarkError, match="not installed") as caught:
        fetch("c-nmc", tmp_path / "out")
    assert "hemobench data verify c-nmc DIR" in caught.value.hint
    assert "hemobench[fetch]" in caught.value.hint


def refused() -> Exception:
    error = RuntimeError("403 Client Error")
    error.response = SimpleNamespace(status_code=403)  # type: ignore[attr-defined]
    return error


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ConnectionError("resolve"), "network cannot be reached"),
        (refused(), "refuses the credentials"),
        (OSError(28, "No space left on device"), "No space left"),
    ],
)
def test_failures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, said: str) -> None:
    def fail(handle: str) -> str:
        raise error

    kagglehub(monkeypatch, fail)
    with pytest.raises(BenchmarkError, match=said) as caught:
        fetch("c-nmc", tmp_path / "out")
    assert "in a browser" in caught.value.hint


def test_downloaded_files_are_placed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, c_nmc: Path) -> None:
    kagglehub(monkeypatch, lambda handle: str(c_nmc))
    assert len(open_images("c-nmc", fetch("c-nmc", tmp_path / "out"))) == 120
    with pytest.raises(BenchmarkError, match="not an empty folder"):
        fetch("c-nmc", tmp_path / "out")


def test_sets_without_download(tmp_path: Path) -> None:
    with pytest.raises(BenchmarkError, match="no download for programs"):
        fetch("bone-marrow", tmp_path)
