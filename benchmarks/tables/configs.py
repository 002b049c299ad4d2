"""The configurations of a table, without its trainings: all that is asked of it where a run went out of support."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from hemobench.benchmarks.storage.parquet import judged, opened
from hemobench.benchmarks.tables.io import CONFIG, HINT, LIMITS
from hemobench.errors import BenchmarkError
from hemobench.strategies.base import Config


def read_configs(path: Path) -> list[Config]:
    """Each configuration of a table once, in the order of the rows; a tenth of the time that its trainings take.

    Neither figures nor checksum are looked at: for tables that come with hemobench.

    Raises:
        BenchmarkError: If the file cannot be read.
    """
    judged(path, LIMITS)
    try:
        with opened(path) as file:
            names = [field.name for field in file.schema_arrow if field.name.startswith(CONFIG)]
            columns = file.read(columns=names, use_threads=False).to_pydict()
    except (pa.ArrowException, OSError, ValueError, MemoryError) as problem:
        raise BenchmarkError(f"{path}: no readable Parquet file: {str(problem)[:200]}", HINT) from None
    plain = [name.removeprefix(CONFIG) for name in names]
    rows = dict.fromkeys(zip(*(columns[name] for name in names), strict=True))
    return [{name: value for name, value in zip(plain, row, strict=True) if value is not None} for row in rows]
