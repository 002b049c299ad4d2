"""Result files of every schema version must load for ever; a folder here is never rewritten."""

from __future__ import annotations

from pathlib import Path

import pytest

from hemobench.benchmarks.benchmark import load_benchmark
from hemobench.benchmarks.storage.load import load_results
from hemobench.benchmarks.storage.run_folder import TRIALS, find_runs, read_trials
from hemobench.reports.leaderboard.ranking import leaderboard

HERE = Path(__file__).parent


@pytest.mark.parametrize("version", sorted(folder.name for folder in HERE.glob("v*")))
def test_old_results_load_and_are_ranked(version):
    results = load_results(HERE / version)
    assert len(results.trials) > 0
    boards = leaderboard(results, lambda name: load_benchmark(name).reference())
    assert {row.strategy for row in boards[0].rows} == {"random", "sssr"}
    for folder in find_runs(HERE / version):
        records = read_trials(folder / TRIALS)
        assert records
        if version == "v1":  # written before there was a truth
            assert all(record.truth is None for record in records)
            assert not [name for name in results.trials if name.startswith("truth")]


def test_version_1_says_what_it_said():
    results = load_results(HERE / "v1")
    assert results.runs["status"].tolist() == ["budget-spent", "strategy-done"]
    assert results.trials.groupby("run")["loss"].min().round(6).tolist() == EXPECTED


EXPECTED = [0.065783, 0.107098]
