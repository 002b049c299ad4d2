"""How many processes answer side by side."""

from __future__ import annotations

import os

import pytest

devices = pytest.importorskip("hemobench.benchmarks.training.hardware.devices", exc_type=ImportError)

from hemobench.benchmarks.benchmark import load_benchmark  # noqa: E402
from hemobench.commands.options import trainings_at_once  # noqa: E402

LIVE, CACHED = load_benchmark("c-nmc@live"), load_benchmark("c-nmc@published")


@pytest.mark.parametrize(
    ("gpus", "asked", "count", "warned"),
    [
        (1, None, 1, False),
        (4, None, 4, False),
        (4, 2, 2, False),
        (1, 3, 3, True),
        (0, 3, 3, False),
        (0, None, os.cpu_count(), False),
    ],
)
def test_trainings_take_one_process_a_gpu_and_sharing_one_is_warned_of(gpus, asked, count, warned, monkeypatch, capsys):
    monkeypatch.setattr(devices, "gpus", lambda: gpus)
    assert trainings_at_once(LIVE, asked) == count
    assert (f"{asked} processes share {gpus} GPU" in capsys.readouterr().err) is warned


def test_what_answers_at_once_needs_no_other_process():
    assert trainings_at_once(CACHED, None) == 1
    assert trainings_at_once(CACHED, 4) == 4
