"""What live searches tried beside its predictions, where these are right and where they flatter."""

from __future__ import annotations

from pathlib import Path

import pytest

from hemobench.benchmarks.parity.foresight import tried
from hemobench.benchmarks.parity.searches import (
    FIRST,
    Search,
    SearchBudget,
    live_trials,
    searched,
)
from hemobench.benchmarks.parity.setup import (
    LIVE,
    ParitySetup,
)
from hemobench.reports.parity.foresight import foreseen
from hemobench.strategies.base import Status

BUDGET = SearchBudget(gpu_hours=2.0, horizon=10, max_trials=10)


def test_what_live_searches_tried_was_foreseen_and_a_flattering_surrogate_is_found(
    setup: ParitySetup, flattering: ParitySetup, tmp_path: Path
) -> None:
    """What stands for live training is what was recorded, so predictions are right, or four points too high."""
    wide = SearchBudget(gpu_hours=1e6, horizon=30, max_trials=30)
    found = {}
    for name, which in (("fair", setup), ("flattering", flattering)):
        for seed in range(3):
            searched(which, Search(LIVE, "random", FIRST + seed, wide), tmp_path / name)
        chosen = tried(which, wide, ("random",), 3, tmp_path / name, draws=100)
        found[name] = foreseen(chosen)["random"]["validation"]
        records = live_trials(which, Search(LIVE, "random", FIRST, wide), tmp_path / name)
        assert [one.candidate.config for one in chosen[:30]] == [record.config for record in records]
        assert [one.live[0].figures["score"] for one in chosen[:30]] == [
            pytest.approx(1 - record.loss) for record in records if record.loss is not None
        ]
    fair, flattered = found["fair"], found["flattering"]
    assert fair.calibration.trainings == 90
    assert 0.8 <= fair.calibration.inside.value <= 0.98
    assert fair.calibration.bias.value == pytest.approx(0.0, abs=0.006)
    assert flattered.calibration.bias.value - fair.calibration.bias.value == pytest.approx(0.04, abs=0.008)
    assert flattered.calibration.inside.value < fair.calibration.inside.value
    for one in (fair, flattered):
        assert one.order is not None
        assert one.order.value > 0.6


def test_several_trials_of_one_configuration_are_its_trainings(setup: ParitySetup, tmp_path: Path) -> None:
    """The manual analysis begins with the default, whatever its seed."""
    for seed in range(2):
        searched(setup, Search(LIVE, "manual", FIRST + seed, BUDGET), tmp_path)
    chosen = tried(setup, BUDGET, ("manual",), 2, tmp_path, draws=20)
    assert len(chosen[0].live) == 2
    assert chosen[0].live[0] != chosen[0].live[1]
    records = [live_trials(setup, Search(LIVE, "manual", FIRST + seed, BUDGET), tmp_path) for seed in range(2)]
    ended = [record for one in records for record in one if record.status is not Status.CUT]
    assert sum(len(one.live) for one in chosen) == len(ended)
