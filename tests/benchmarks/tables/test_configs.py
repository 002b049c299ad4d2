"""Configurations are read without their trainings as they are read with them."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pytest

from hemobench.benchmarks.recorded import artefacts, card, outside
from hemobench.benchmarks.surrogates.support import distances, support
from hemobench.benchmarks.tables.configs import read_configs
from hemobench.benchmarks.tables.io import read_table, write_table
from hemobench.benchmarks.tasks import load_task
from hemobench.errors import BenchmarkError
from hemobench.strategies.space import random_stream


@pytest.mark.parametrize("task", ["c-nmc", "bone-marrow-lite", "bone-marrow-head", "bone-marrow-micro"])
def test_a_shipped_table_s(task):
    table, found = read_table(artefacts(task).table), read_configs(artefacts(task).table)
    whole = list(table.configs().values())
    assert sorted(map(sorted_items, found)) == sorted(map(sorted_items, whole))
    asked = list(islice(random_stream(load_task(task).space(), 5), 100))
    np.testing.assert_array_equal(distances(task, found, asked), support(table, asked))
    limit = card(task)["trust"]["support"]["limit"]
    np.testing.assert_array_equal(outside(task, asked), support(table, asked) > limit)


def sorted_items(config) -> str:
    return repr(sorted(config.items()))


def test_one_with_conditions(small, tmp_path):
    write_table(small, tmp_path / "t.parquet")
    found = read_configs(tmp_path / "t.parquet")
    assert sorted(map(sorted_items, found)) == sorted(map(sorted_items, small.configs().values()))
    assert len({len(config) for config in found}) > 1  # what is inactive is left out


def test_a_file_of_something_else_is_refused(tmp_path):
    (tmp_path / "t.parquet").write_bytes(b"PAR1 nothing PAR1")
    with pytest.raises(BenchmarkError, match=r"t\.parquet"):
        read_configs(tmp_path / "t.parquet")
