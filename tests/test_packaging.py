"""What is installed is what lies in the folders, each module once; type checkers find it; new files need no install."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from importlib.metadata import version
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
LINKED = ("strategies", "datasets", "benchmarks", "reports")
LAYERS = ("hemobench", *LINKED)
BUILT = [*LAYERS, "pyproject.toml", "README.md", "LICENSE"]
BUILD = "import setuptools.build_meta as build; build.build_{}({!r})"
NEEDED = int(PROJECT["build-system"]["requires"][0].rpartition("=")[2])
SCRATCH = """\
from hemobench.benchmarks.benchmark import load_benchmark
from hemobench.datasets import open_images
from hemobench.strategies.base import Proposal

reveal_type(Proposal({}).epochs)
reveal_type(load_benchmark("c-nmc@published").version)
open_images(1)
"""


def modules() -> list[str]:
    """The files of the layers as they lie in an installation."""
    found = []
    for layer in LAYERS:
        for file in (ROOT / layer).rglob("*.py"):
            parts = file.relative_to(ROOT).parts
            if layer == "hemobench" and parts[1] in LINKED:  # Python 3.11's rglob follows links to folders
                continue
            found.append("/".join(parts if layer == "hemobench" else ("hemobench", *parts)))
    return sorted(found)


def copied(folder: Path) -> Path:
    """What a build needs of the checkout, links as links."""
    folder.mkdir()
    for name in BUILT:
        if (ROOT / name).is_dir():
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / name, folder / name, symlinks=True, ignore=ignored)
        else:
            shutil.copy(ROOT / name, folder / name)
    return folder


def built(kind: str, source: Path, out: Path) -> Path:
    """The one file that a build of that kind makes."""
    out.mkdir()
    command = [sys.executable, "-c", BUILD.format(kind, str(out))]
    subprocess.run(command, cwd=source, check=True, capture_output=True, text=True)
    (file,) = out.iterdir()
    return file


def contents(wheel: Path) -> list[str]:
    with zipfile.ZipFile(wheel) as archive:
        return sorted(archive.namelist())


def test_the_layers_are_links_in_the_package():
    for layer in LINKED:
        link = ROOT / "hemobench" / layer
        assert link.is_symlink(), f"{link}: on Windows, git clone -c core.symlinks=true"
        assert link.readlink() == Path("..", layer)


def test_every_folder_with_code_is_a_package():
    for layer in LAYERS:
        for file in (ROOT / layer).rglob("*.py"):
            assert (file.parent / "__init__.py").exists(), file


@pytest.mark.skipif(
    int(version("setuptools").partition(".")[0]) < NEEDED, reason="builds with hemobench[dev]'s setuptools"
)
def test_wheel_and_sdist_hold_each_module_once_and_build_elsewhere(tmp_path):
    checkout = copied(tmp_path / "checkout")
    sdist = built("sdist", checkout, tmp_path / "sdist")
    with tarfile.open(sdist) as archive:
        assert not [member.name for member in archive if member.issym() or member.islnk()]
        archive.extractall(tmp_path / "elsewhere", filter="data")
    (source,) = (tmp_path / "elsewhere").iterdir()
    assert sorted(str(file.relative_to(source)) for file in source.rglob("hemobench/**/*.py")) == modules()
    names = contents(built("wheel", source, tmp_path / "from-sdist"))
    assert names == contents(built("wheel", checkout, tmp_path / "from-checkout"))
    assert [name for name in names if name.endswith(".py")] == modules()
    assert all(name.startswith("hemobench") for name in names)
    patterns = PROJECT["tool"]["setuptools"]["package-data"]
    for package, ending in ((package, one) for package, many in patterns.items() for one in many):
        folder = package.replace(".", "/")
        assert [name for name in names if Path(name).match(f"{folder}/{ending}")], (package, ending)


def test_type_checkers_resolve_the_layers_from_the_checkout(tmp_path):
    """Names and types arrive: a call with a wrong type is an error."""
    scratch = tmp_path / "scratch.py"
    scratch.write_text(SCRATCH)
    options = ["--config-file", str(ROOT / "pyproject.toml"), "--cache-dir", str(tmp_path / "cache")]
    options += ["--no-site-packages", "--ignore-missing-imports"]  # it is our names that are to be found, and fast
    command = [sys.executable, "-m", "mypy", *options, "--follow-imports", "silent", str(scratch)]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True).stdout
    assert 'scratch.py:5: note: Revealed type is "int | None"' in said.replace("builtins.", "")
    assert 'scratch.py:6: note: Revealed type is "int"' in said.replace("builtins.", "")
    assert "scratch.py:7: error: " in said
    assert "import-not-found" not in said


def test_a_new_strategy_runs_without_installing_again(tmp_path):
    """A file that is put into the checkout's folder is there at once."""
    checkout = copied(tmp_path / "checkout")
    strategy = (checkout / "strategies" / "random_search.py").read_text()
    (checkout / "strategies" / "brand_new.py").write_text(strategy.replace("class RandomSearch", "class BrandNew"))
    arm = "hemobench.strategies.brand_new:BrandNew"
    options = [
        "--strategies",
        arm,
        "--benchmarks",
        "c-nmc@published",
        "--seeds",
        "1",
        "--gpu-hours",
        "0.5",
        "--out",
        str(tmp_path / "out"),
    ]
    command = [sys.executable, "-m", "hemobench", "run", "papers", *options]
    done = subprocess.run(command, cwd=checkout, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert list((tmp_path / "out").rglob("trials.jsonl"))


@pytest.mark.parametrize("name", ["pyproject.toml", "tox.ini", "constraints.txt", "README.md", ".ci/run"])
def test_nothing_names_a_registry_or_a_path_of_a_machine(name):
    text = (ROOT / name).read_text()
    for word in ("index-url", "find-links", "://files.", "file://"):
        assert word not in text
