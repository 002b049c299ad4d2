"""Two recordings of the same thing put together."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from hemobench.benchmarks.tables.schema import SIDE_BY_SIDE, Row, Table
from hemobench.errors import BenchmarkError

SAME = ("task", "benchmark", "version", "scale", "epochs", "device", "data")
FOLDS = re.compile(r"\bfolds? (\d+(?:, \d+)*)")
CONSTANT = "constant_answer"
HINT = "merge only what one source on one device gave"


def merge_tables(tables: Sequence[Table], names: Sequence[str] = ()) -> Table:
    """One table with the rows of all; a row that several hold is taken from the first.

    Equal trainings have equal metrics, but for those that were trained side by side: see `SIDE_BY_SIDE`.

    Recordings of several folds of one split are of one source: it then names all of them, and its constant answer is
    the mean of theirs.

    Args:
        tables: At least one; all recorded from the same source, on the same device.
        names: What to call them in messages, as in their paths.

    Raises:
        BenchmarkError: If their sources differ, or two give different metrics for the same training.
    """
    names = names or [f"table {i + 1}" for i in range(len(tables))]
    first = tables[0]
    repeatable = first.header.source.get("recorded") != SIDE_BY_SIDE
    rows: dict[tuple[str, int, int], Row] = {}
    for table, name in zip(tables, names, strict=True):
        _require_same(table, first, name, names[0])
        for row in table.rows:
            held = rows.setdefault(row.key, row)
            if repeatable and _unmeasured(held) != _unmeasured(row):
                raise BenchmarkError(
                    f"{name}: other metrics than before for seed {row.seed}, fold {row.fold}, {dict(row.config)}",
                    "leave that table out, or record it again",
                )
    designs = [dict(table.header.design) for table in tables]
    design = designs[0] if all(d == designs[0] for d in designs) else {"merged": designs}
    source = _source_of_all([table.header.source for table in tables])
    return Table(replace(first.header, design=design, source=source), tuple(rows.values()))


def _require_same(table: Table, first: Table, name: str, first_name: str) -> None:
    """Refuse a table of something else, naming the first thing that differs."""
    here, there = _facts(table), _facts(first)
    for part in sorted({*here, *there}, key=[*here, *there].index):
        if here.get(part) != there.get(part):
            raise BenchmarkError(
                f"{name} was not recorded like {first_name}: {part} is {here.get(part)!r} there and "
                f"{there.get(part)!r} here",
                HINT,
            )


def _facts(table: Table) -> dict[str, Any]:
    """What has to be equal, by name: of the source, what is the same for all folds of a split."""
    source = {name: FOLDS.sub("fold", value) for name, value in table.header.source.items() if name != CONSTANT}
    return {**{part: getattr(table.header, part) for part in SAME}, **source}


def _source_of_all(sources: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """One source that names every fold that one of them names, each with its share in the constant answer."""
    each = list({source.get("split", ""): source for source in sources}.values())
    if len(each) == 1:
        return dict(sources[0])
    folds = [_folds(source.get("split", "")) for source in each]
    all_folds = ", ".join(map(str, sorted(set().union(*folds))))
    found = {name: FOLDS.sub(f"folds {all_folds}", value) for name, value in each[0].items()}
    if all(CONSTANT in source for source in each):
        answers = [json.loads(source[CONSTANT]) for source in each]
        found[CONSTANT] = json.dumps(_mean(answers, [len(some) for some in folds]), sort_keys=True)
    return found


def _folds(split: str) -> set[int]:
    """The folds that a split's words name."""
    return {int(number) for some in FOLDS.findall(split) for number in some.split(", ")}


def _mean(answers: Sequence[Any], weights: Sequence[int]) -> Any:
    """The weighted mean of numbers, or of each of the numbers in equal nested mappings."""
    if isinstance(answers[0], Mapping):
        return {key: _mean([answer[key] for answer in answers], weights) for key in answers[0]}
    return round(float(np.average(answers, weights=weights)), 6)


def _unmeasured(row: Row) -> tuple[object, ...]:
    """A row without what may differ between two equal trainings: their seconds, and who asked for them."""
    return dict(row.validation), dict(row.test), row.curve, row.epochs, row.status
