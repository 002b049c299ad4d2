"""A small table, recorded from a published surface in this process."""

from __future__ import annotations

from pathlib import Path

import pytest

from hemobench.benchmarks.recording.design import Design, across_folds, repeated
from hemobench.benchmarks.recording.recording import _start, chunks, collect, distinct, do_unit, first_asked, searches
from hemobench.benchmarks.recording.source import Source
from hemobench.benchmarks.tables.schema import Table
from hemobench.benchmarks.tasks import load_task


def recorded_here(task: str, design: Design, folder: Path) -> Table:
    """What `record` gives, without processes."""
    source, known = Source(f"{task}@published"), load_task(task)
    header = _start(source, design, folder, known)
    first = [*searches(design), *chunks("points", first_asked(design, known))]
    for unit in first:
        do_unit(unit, source, design, folder)
    rows = collect(first, folder)
    for name, choose in (("folds", across_folds), ("repeats", repeated)):
        units = chunks(name, choose(design, rows, known.objective))
        for unit in units:
            do_unit(unit, source, design, folder)
        rows = distinct([*rows, *collect(units, folder)])
    return Table(header, tuple(rows))


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Table:
    """The full bone-marrow space: conditions, failures, a search, repeats."""
    design = Design(sobol=24, random=8, strategies=("optuna-tpe",), strategy_seeds=1, strategy_trials=12, repeats=4)
    return recorded_here("bone-marrow-full", design, tmp_path_factory.mktemp("small"))
