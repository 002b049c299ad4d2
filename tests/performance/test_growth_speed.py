"""Four times the runs should take four times as long, and not sixteen: from folders to the leaderboard.

The groups show both sizes, one beside the other; `times_as_long` is their ratio. docs/growth.md has sizes of up to
100,000 runs, which `growth.py` measures.
"""

from __future__ import annotations

import json

import pytest
from performance.growth import grow

from hemobench.benchmarks.benchmark import load_benchmark
from hemobench.benchmarks.storage.archive_writer import consolidate
from hemobench.benchmarks.storage.load import load_results
from hemobench.reports.comparison.anytime import areas
from hemobench.reports.comparison.comparison import comparisons, leaderboard_columns
from hemobench.reports.comparison.incumbents import only_incumbents
from hemobench.reports.export.export import stored_to_parquet
from hemobench.reports.leaderboard.ranking import leaderboard

RUNS, FACTOR, TRIALS = 768, 4, 50
MOST = 6
"""Ratio that is still taken for a linear one: machines are noisy, and sorting is not quite linear."""
ROUNDS = 3
_taken: dict[tuple[str, int], float] = {}


@pytest.fixture(scope="module", params=[1, FACTOR], ids=["runs", "four times the runs"])
def sized(request, tmp_path_factory):
    """A factor, a tree and its archive."""
    root = tmp_path_factory.mktemp("growth")
    grow(root / "tree", request.param * RUNS, TRIALS)
    consolidate(root / "tree", root / "archive.parquet")
    return request.param, root / "tree", root / "archive.parquet"


def timed(benchmark, what, factor, work):
    """Measure, and hold the larger size against the smaller one."""
    benchmark.group = f"growth of {what}"
    benchmark.pedantic(work, rounds=ROUNDS, warmup_rounds=1)
    if not benchmark.stats:
        return
    _taken[what, factor] = benchmark.stats.stats.min
    benchmark.extra_info["microseconds_a_trial"] = 1e6 * _taken[what, factor] / (factor * RUNS * TRIALS)
    if (what, 1) in _taken and factor > 1:
        benchmark.extra_info["times_as_long"] = ratio = _taken[what, factor] / _taken[what, 1]
        assert ratio < MOST, json.dumps(benchmark.extra_info)


def reference_of(name):
    return load_benchmark(name).reference()


@pytest.mark.benchmark
def test_consolidation(benchmark, sized, tmp_path):
    factor, tree, _ = sized
    timed(benchmark, "consolidation", factor, lambda: consolidate(tree, tmp_path / "x.parquet"))


@pytest.mark.benchmark
def test_reading_an_archive(benchmark, sized):
    factor, _, archive = sized
    timed(benchmark, "reading an archive", factor, lambda: load_results(archive))


@pytest.mark.benchmark
def test_tidy_parquet(benchmark, sized, tmp_path):
    factor, _, archive = sized
    timed(benchmark, "export --parquet", factor, lambda: stored_to_parquet(archive, tmp_path / "tidy.parquet"))


@pytest.mark.benchmark
def test_leaderboard(benchmark, sized):
    factor, _, archive = sized
    timed(
        benchmark,
        "the leaderboard of an archive",
        factor,
        lambda: leaderboard(load_results(archive, leaderboard_columns), reference_of),
    )


@pytest.mark.benchmark
def test_curves(benchmark, sized):
    factor, _, archive = sized
    results = load_results(archive, leaderboard_columns)

    def curves():
        for comparison in comparisons(only_incumbents(results), reference_of):
            comparison.started(comparison.grid)
            areas(comparison)

    timed(benchmark, "curves and areas", factor, curves)
