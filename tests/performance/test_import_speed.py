"""How long the front door takes to open, against an interpreter that imports typer and nothing of ours."""

from __future__ import annotations

import subprocess
import sys

import pytest

ROUNDS = 7


def python(*arguments):
    subprocess.run([sys.executable, *arguments], check=True, capture_output=True, timeout=120)


@pytest.mark.benchmark(group="import of the front door")
def test_bare_typer(benchmark):
    benchmark.pedantic(python, args=("-c", "import typer"), rounds=ROUNDS, warmup_rounds=1)


@pytest.mark.benchmark(group="import of the front door")
def test_front_door(benchmark):
    benchmark.pedantic(python, args=("-c", "import hemobench.cli"), rounds=ROUNDS, warmup_rounds=1)


@pytest.mark.benchmark(group="import of the front door")
def test_help(benchmark):
    benchmark.pedantic(python, args=("-m", "hemobench", "--help"), rounds=ROUNDS, warmup_rounds=1)
