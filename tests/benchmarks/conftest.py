"""What tests of tables and of their surrogates share."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from hemobench.benchmarks.benchmark import load_benchmark
from hemobench.benchmarks.recording.design import Design, across_folds, repeated
from hemobench.benchmarks.recording.points import points
from hemobench.benchmarks.recording.rows import look
from hemobench.benchmarks.tables.schema import Header, Table


def recorded_table(name: str, design: Design) -> Table:
    """What `record` gives for a task and a design without searches, without journal and processes."""
    benchmark = load_benchmark(f"{name}@published")
    task, evaluator = benchmark.task, benchmark.evaluator()
    looks = design.looks(task.epochs)
    rows = [look(evaluator, looks, origin, config, 0, -1) for origin, config in points(design, task.space())]
    for choose in (across_folds, repeated):
        rows += [look(evaluator, looks, *asked) for asked in choose(design, rows, task.objective)]
    header = Header(
        task=name,
        benchmark=benchmark.name,
        version=benchmark.version,
        scale="paper",
        epochs=task.epochs,
        device=task.reference_device,
        data="",
        source=dict(evaluator.provenance),
        environment={},
        design=design.as_data(),
    )
    return Table(header, tuple(rows))


@pytest.fixture(scope="session")
def recorded() -> Callable[[str, Design], Table]:
    return recorded_table
