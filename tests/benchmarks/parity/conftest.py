"""A table recorded from a published surface, which stands for live training, and its surrogates."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from hemobench.benchmarks.parity.setup import ParitySetup
from hemobench.benchmarks.recording.design import Design
from hemobench.benchmarks.recording.source import Source
from hemobench.benchmarks.surrogates.fit import fit
from hemobench.benchmarks.surrogates.network import Training
from hemobench.benchmarks.surrogates.store import save
from hemobench.benchmarks.tables.io import write_table
from hemobench.benchmarks.tables.schema import Row, Table

DESIGN = Design(sobol=250, random=0, strategies=(), repeats=10, repeat_seeds=3, epochs=(5, 10))


@pytest.fixture(scope="module")
def table(recorded: Callable[[str, Design], Table]) -> Table:
    return recorded("c-nmc", DESIGN)


@pytest.fixture(scope="module")
def setup(table: Table, tmp_path_factory: pytest.TempPathFactory) -> ParitySetup:
    return kept(table, tmp_path_factory.mktemp("files"))


def kept(table: Table, folder: Path) -> ParitySetup:
    """A table and its surrogate as files; what they were recorded from stands for live training."""
    write_table(table, folder / "table.parquet")
    save(fit(table, how=Training(steps=400)), folder / "surrogate.npz")
    files = str(folder / "table.parquet"), str(folder / "surrogate.npz")
    return ParitySetup("c-nmc@surrogate", *files, Source("c-nmc@published"))


@pytest.fixture(scope="module")
def flattering(table: Table, tmp_path_factory: pytest.TempPathFactory) -> ParitySetup:
    """A table that was recorded four points too high: its surrogate promises four points too much."""

    def raised(row: Row) -> Row:
        sides = {
            s: {n: tuple(min(v + 0.04, 1.0) for v in vs) for n, vs in getattr(row, s).items()}
            for s in ("validation", "test")
        }
        return replace(row, **sides)

    return kept(Table(table.header, tuple(map(raised, table.rows))), tmp_path_factory.mktemp("flattering"))
