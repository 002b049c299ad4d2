"""What runs ended with, as points of a recording."""

from __future__ import annotations

from itertools import islice

import pandas as pd
import pytest

from hemobench.benchmarks.recording.design import Design
from hemobench.benchmarks.recording.incumbents import incumbents
from hemobench.benchmarks.recording.points import points
from hemobench.benchmarks.recording.recording import record
from hemobench.benchmarks.recording.source import Source
from hemobench.benchmarks.storage.results import Results
from hemobench.benchmarks.tasks import load_task
from hemobench.errors import BenchmarkError
from hemobench.strategies.space import random_stream

TASK = load_task("c-nmc")
CONFIGS = list(islice(random_stream(TASK.space(), 7), 6))


def results(runs, trials):
    """Runs as (benchmark, strategy, seed); trials as (run, number of the configuration, epochs, loss)."""
    described = pd.DataFrame(runs, columns=["benchmark", "strategy", "seed"]).rename_axis("run")
    rows = [
        {"run": run, "epochs": epochs, "loss": loss, **{f"config.{n}": v for n, v in CONFIGS[number].items()}}
        for run, number, epochs, loss in trials
    ]
    return Results(described, pd.DataFrame(rows))


FULL = TASK.epochs
SEARCHED = results(
    [
        ("c-nmc@recorded", "smac", 1),
        ("c-nmc@published", "random", 0),
        ("c-nmc@recorded", "smac", 0),
        ("bone-marrow-lite@recorded", "smac", 0),
    ],
    [
        (0, 0, FULL, 0.3),
        (0, 1, FULL, 0.2),
        (0, 2, 1, 0.1),  # a short training is no incumbent
        (1, 3, FULL, 0.4),
        (1, 4, FULL, None),
        (2, 1, FULL, 0.5),  # the same as run 0 ended with
        (3, 5, FULL, 0.0),  # of another task
    ],
)


def test_incumbents_of_the_first_seeds_come_first_and_none_twice():
    assert incumbents(SEARCHED, TASK, 9) == (CONFIGS[3], CONFIGS[1])
    assert incumbents(SEARCHED, TASK, 1) == (CONFIGS[3],)


def test_of_equal_trials_a_run_ends_with_the_first():
    tied = results([("c-nmc@recorded", "smac", 0)], [(0, 2, FULL, 0.2), (0, 1, FULL, 0.2)])
    assert incumbents(tied, TASK, 5) == (CONFIGS[2],)


def test_results_without_a_run_of_the_task_are_refused():
    other = results([("bone-marrow@recorded", "smac", 0)], [(0, 5, 6, 0.1)])
    with pytest.raises(BenchmarkError, match=r"no run of c-nmc among the results ended with a trial") as refused:
        incumbents(other, TASK, 3)
    assert "bone-marrow" in refused.value.hint


def test_they_are_points_beside_those_that_fill_the_space():
    design = Design(sobol=4, random=2, incumbents=tuple(CONFIGS[:3]))
    origins = [origin for origin, _ in points(design, TASK.space())]
    assert origins == ["sobol"] * 4 + ["random"] * 2 + ["incumbent"] * 3
    assert [config for origin, config in points(design, TASK.space()) if origin == "incumbent"] == CONFIGS[:3]
    assert not Design(incumbents=design.incumbents, sobol=3, random=2, every_fold=7).everywhere
    assert Design(incumbents=design.incumbents, sobol=3, random=2, every_fold=8).everywhere


def test_they_alone_make_a_design(tmp_path):
    design = Design(sobol=0, random=0, strategies=(), incumbents=tuple(CONFIGS[:3]), repeats=0)
    table = record(Source("c-nmc@published"), design, tmp_path / "t.parquet")
    assert [row.config for row in table.rows] == CONFIGS[:3]
    assert table.header.design["incumbents"] == 3
    others = Design(sobol=0, random=0, strategies=(), incumbents=tuple(CONFIGS[3:]), repeats=0)
    with pytest.raises(BenchmarkError, match="another"):  # of as many others the journal is not
        record(Source("c-nmc@published"), others, tmp_path / "t.parquet")
