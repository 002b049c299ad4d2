"""The report of more seeds against that of few, and Optuna studies against Optuna's own way to write them."""

from __future__ import annotations

import time

import optuna
import pytest
from performance.in_turn import seconds

from hemobench.benchmarks.execution.execute import execute
from hemobench.benchmarks.execution.plan import plans
from hemobench.benchmarks.storage.load import load_results
from hemobench.benchmarks.storage.results import Results
from hemobench.benchmarks.suite import load_suite, narrowed
from hemobench.reports.export.export import to_optuna
from hemobench.reports.html.report import write_report

FEW, FACTOR = 3, 10
MOST_GROWTH = 10
"""How many times as long the report of ten times the seeds may take: no more than in proportion."""
LEAST_OWN = 5
"""How many times as long as ours Optuna's own way must take; 20 were measured."""


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """Thirty seeds of three strategies."""
    root = tmp_path_factory.mktemp("many")
    suite = narrowed(
        load_suite("papers"),
        benchmarks=["c-nmc@published"],
        strategies=["random", "sssr", "manual"],
        seeds=FEW * FACTOR,
        gpu_hours=5.0,
    )
    for plan in plans(suite):
        execute(plan, root, "performance")
    return load_results(root)


@pytest.fixture(scope="module")
def few(many):
    runs = many.runs[many.runs["seed"] < FEW]
    return Results(runs, many.trials[many.trials["run"].isin(runs.index)])


@pytest.mark.benchmark(group="report of ten times the seeds", timer=time.process_time)
def test_a_report_grows_no_faster_than_its_runs(benchmark, few, many, tmp_path):
    benchmark.pedantic(write_report, args=(many, tmp_path / "many.html"), rounds=3)
    if benchmark.stats:
        reference = min(seconds(lambda: write_report(few, tmp_path / "few.html")) for _ in range(3))
        benchmark.extra_info["times_as_long"] = ratio = benchmark.stats.stats.min / reference
        assert ratio < MOST_GROWTH, benchmark.extra_info


@pytest.mark.benchmark(group="trials written as Optuna studies", timer=time.process_time)
def test_studies_are_written_sooner_than_by_optuna(benchmark, few, tmp_path):
    first, *others, own = [f"sqlite:///{tmp_path / f'{number}.db'}" for number in range(4)]
    urls = iter([first, *others])
    benchmark.pedantic(to_optuna, setup=lambda: ((few, next(urls)), {}), rounds=3)
    if benchmark.stats:
        copied = seconds(lambda: copy(first, own))
        benchmark.extra_info["own_over_ours"] = ratio = copied / benchmark.stats.stats.min
        assert ratio > LEAST_OWN, benchmark.extra_info


def copy(source, target):
    """With Optuna's own functions."""
    for name in optuna.study.get_all_study_names(source):
        optuna.copy_study(from_study_name=name, from_storage=source, to_storage=target)
