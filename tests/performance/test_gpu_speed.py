"""The benchmark for a GPU, run at its least size where there is none."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("timm")

SCRIPT = Path(__file__).with_name("gpu_speed.py")
LEAST = ("--device", "cpu", "--size", "64", "--images", "8", "--batch", "4", "--workers", "0", "--seconds", "0.01")


def test_every_stage_is_measured_and_nothing_is_left_over(tmp_path: Path) -> None:
    """All figures are there, as positive numbers, with the ratios that they give."""
    out = tmp_path / "speed.json"
    command = [sys.executable, str(SCRIPT), *LEAST, "--trials", "2", "--json", str(out)]
    subprocess.run(command, check=True, cwd=tmp_path, timeout=300)
    found = json.loads(out.read_text())
    figures = found["figures"]
    rates = {name: value for name, value in figures.items() if name.endswith("images/s")}
    assert len(rates) == 3 * 4 + 1 + 2 + 1
    assert all(value > 0 for value in rates.values())
    assert figures["memory, MB"]["after 2 trials"] > 0
    ours, plain = figures["densenet121, ours, images/s"], figures["densenet121, plain loop, images/s"]
    assert found["times as fast as the plain loop"]["densenet121"] == pytest.approx(ours / plain, abs=0.06)


def test_what_the_limit_leaves_no_time_for_is_named(tmp_path: Path) -> None:
    """With no time at all, every stage is there and has no figure."""
    command = [sys.executable, str(SCRIPT), *LEAST, "--limit", "0", "--json", str(tmp_path / "speed.json")]
    said = subprocess.run(command, check=True, capture_output=True, text=True, cwd=tmp_path, timeout=120).stdout
    figures = json.loads((tmp_path / "speed.json").read_text())["figures"]
    assert set(figures.values()) == {None}
    assert said.count("left out: the limit was reached") == len(figures)
