"""Two recordings of the same thing put together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from hemobench.benchmarks.tables.schema import Row, Table
from hemobench.errors import BenchmarkError

SAME = ("task", "benchmark", "version", "scale", "epochs", "device", "data", "source")


def merge_tables(tables: Sequence[Table], names: Sequence[str] = ()) -> Table:
    """One table with the rows of all; a row that several hold is taken from the first.

    Args:
        tables: At least one; all recorded from the same source, on the same device.
        names: What to call them in messages, as in their paths.

    Raises:
        BenchmarkError: If their sources differ, or two give different metrics for the same training.
    """
    names = names or [f"table {i + 1}" for i in range(len(tables))]
    first = tables[0]
    rows: dict[tuple[str, int, int], Row] = {}
    for table, name in zip(tables, names, strict=True):
        for part in SAME:
            here, there = getattr(table.header, part), getattr(first.header, part)
            if here != there:
                raise BenchmarkError(
                    f"{name} was not recorded like {names[0]}: {part} is {here!r} there and {there!r} here",
                    "merge only what one source on one device gave",
                )
        for row in table.rows:
            held = rows.setdefault(row.key, row)
            if _unmeasured(held) != _unmeasured(row):
                raise BenchmarkError(
                    f"{name}: other metrics than before for seed {row.seed}, fold {row.fold}, {dict(row.config)}",
                    "leave that table out, or record it again",
                )
    designs = [dict(table.header.design) for table in tables]
    design = designs[0] if all(d == designs[0] for d in designs) else {"merged": designs}
    return Table(replace(first.header, design=design), tuple(rows.values()))


def _unmeasured(row: Row) -> tuple[object, ...]:
    """A row without what may differ between two equal trainings: their seconds, and who asked for them."""
    return dict(row.validation), dict(row.test), row.curve, row.epochs, row.status
