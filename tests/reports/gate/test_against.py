"""The gate against another commit, which is installed and run on the same machine."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib

import pytest

from hemobench.benchmarks.suite import Suite, load_suite
from hemobench.errors import BenchmarkError
from hemobench.reports.gate.against import to_toml
from hemobench.reports.gate.baseline import Terms, load
from hemobench.reports.gate.installed import installed

PROJECT = """
[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"
[project]
name = "theirs"
version = "1.0"
[tool.setuptools]
py-modules = ["theirs"]
"""
SOUND = """
from hemobench.strategies.random_search import RandomSearch
class Mine(RandomSearch):
    first = None
    def ask(self):
        proposal = super().ask()
        self.first = self.first or proposal
        return self.first if {stuck} else proposal
"""
SUITE = """
seeds = 16
strategies = ["random", "theirs:Mine"]
[[benchmarks]]
name = "c-nmc@published"
gpu_hours = [2.0]
"""


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    """A strategy's package with a commit `good`; what lies in the folder has got stuck since, and is not committed."""
    folder = tmp_path_factory.mktemp("theirs")

    def git(*arguments):
        who = ("-c", "user.name=x", "-c", "user.email=x@example.org")
        subprocess.run(["git", *who, *arguments], cwd=folder, check=True, capture_output=True)

    (folder / "pyproject.toml").write_text(PROJECT)
    (folder / "theirs.py").write_text(SOUND.format(stuck=False))
    (folder / "suite.toml").write_text(SUITE)
    git("init")
    git("add", ".")
    git("commit", "-m", "Sound")
    git("tag", "good")
    (folder / "theirs.py").write_text(SOUND.format(stuck=True))
    return folder


def hemobench(folder, *arguments):
    return subprocess.run(
        [sys.executable, "-m", "hemobench", *arguments, "--jobs", "1"],
        cwd=folder,
        env={**os.environ, "COLUMNS": "200"},
        capture_output=True,
        text=True,
    )


def test_what_got_worse_since_a_commit_is_red_and_the_rest_is_bit_identical(repository):
    made = hemobench(
        repository, "baseline", "suite.toml", "-o", "held.json.gz", "--strategies", "random", "--margin", "1"
    )
    assert made.returncode == 0, made.stderr
    found = hemobench(repository, "gate", "held.json.gz", "--strategy", "random,theirs:Mine", "--against", "good")
    assert found.returncode == 1, found.stdout + found.stderr
    assert "REGRESS: 1 pass, 1 regress (1 bit-identical), held against commit " in found.stdout
    assert "of its asks repeat an earlier one of the same run" in " ".join(found.stdout.split())
    assert "random 3 seeds, theirs.Mine 3 seeds" in found.stderr
    assert "theirs.Mine 16 seeds" in found.stderr
    assert "random 16 seeds" not in found.stderr


def test_the_other_environment_has_its_own_code_and_borrows_the_rest(repository, monkeypatch):
    monkeypatch.chdir(repository)
    program = "import theirs, hemobench, numpy; print(theirs.__file__, hemobench.__file__, theirs.Mine.ask is not None)"
    with installed("good") as other:
        done = subprocess.run([other.python, "-P", "-c", program], cwd=other.folder, capture_output=True, text=True)
        theirs, ours, _ = done.stdout.split()
        assert theirs.startswith(str(other.folder))
        assert not ours.startswith(str(other.folder))
        with pytest.raises(BenchmarkError, match=r"commit \w+: there is no suite 'nosuch'"):
            other.hemobench("baseline", "nosuch")
    assert not other.folder.exists()


def test_what_is_neither_commit_nor_requirement_is_said(repository, monkeypatch):
    monkeypatch.chdir(repository)
    with pytest.raises(BenchmarkError, match="--against better: no commit"), installed("better"):
        pass
    with pytest.raises(BenchmarkError, match=r"--against \./nowhere"), installed("./nowhere"):
        pass


@pytest.mark.parametrize("name", ["gate", "full", "quick"])
def test_a_suite_is_the_same_after_it_was_written(name):
    suite = load_suite(name)
    written = to_toml(suite.model_dump(exclude_defaults=True))
    assert Suite.model_validate(tomllib.loads(written)) == suite
    assert load("gate").terms == Terms()
