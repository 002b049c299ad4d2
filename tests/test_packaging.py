"""What is installed is what lies in the folders."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
LAYERS = ("hemobench", "strategies", "datasets", "benchmarks", "reports")


def packages():
    for layer in LAYERS:
        for file in (ROOT / layer).rglob("__init__.py"):
            parts = file.parent.relative_to(ROOT).parts
            yield ".".join(parts if layer == "hemobench" else ("hemobench", *parts))


def test_every_package_is_listed():
    assert sorted(PROJECT["tool"]["setuptools"]["packages"]) == sorted(packages())


def test_every_folder_with_code_is_a_package():
    for layer in LAYERS:
        for file in (ROOT / layer).rglob("*.py"):
            assert (file.parent / "__init__.py").exists(), file


@pytest.mark.parametrize("name", ["pyproject.toml", "tox.ini", "constraints.txt", "README.md", ".ci/run"])
def test_nothing_names_a_registry_or_a_path_of_a_machine(name):
    text = (ROOT / name).read_text()
    for word in ("index-url", "find-links", "://files.", "file://"):
        assert word not in text


def test_what_comes_along_is_packaged():
    listed = PROJECT["tool"]["setuptools"]["package-data"]
    for package, patterns in listed.items():
        folder = (
            ROOT.joinpath(*package.split(".")) if package == "hemobench" else ROOT.joinpath(*package.split(".")[1:])
        )
        for pattern in patterns:
            assert list(folder.glob(pattern)), f"{package}: nothing matches {pattern}"
