"""Rows of `Results.trials` as the records that they were, whether they come from run folders or from an archive."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd
from ConfigSpace import ConfigurationSpace
from ConfigSpace.hyperparameters import UniformIntegerHyperparameter

from hemobench.benchmarks.evaluator import Cost
from hemobench.benchmarks.storage.records import TrialRecord
from hemobench.strategies.base import Status
from hemobench.strategies.space import Hyperparameter, choices


def trial_records(trials: pd.DataFrame, space: ConfigurationSpace) -> list[TrialRecord]:
    """Trials with every value of its own type, in the order of their rows.

    Learning curves, and what went wrong in a single trial, are not among the columns of `Results.trials`: the
    records' `curve` is empty and their `error` is `None`.

    Args:
        trials: Rows with all columns.
        space: Of the task: says which numbers are integers, as a column with gaps does not.
    """
    configs = configurations(trials, space)
    groups = {name: _group(trials, f"{name}.") for name in ("validation", "test", "measured", "cost")}
    plain = ["number", "epochs", "resume_from", "status", "loss", "started", "finished"]
    rows = trials[plain].itertuples(index=False, name=None)
    return [
        TrialRecord(
            number=int(number),
            config=configs[place],
            epochs=int(epochs),
            resume_from=None if pd.isna(resume_from) else int(resume_from),
            status=Status(status),
            loss=None if pd.isna(loss) else float(loss),
            validation=groups["validation"][place],
            test=groups["test"][place],
            curve=(),
            cost=Cost(**groups["cost"][place]),
            started=float(started),
            finished=float(finished),
            measured=groups["measured"][place],
        )
        for place, (number, epochs, resume_from, status, loss, started, finished) in enumerate(rows)
    ]


def configurations(trials: pd.DataFrame, space: ConfigurationSpace | None = None) -> list[dict[str, Any]]:
    """The configurations of some trials, active hyperparameters only.

    Args:
        trials: Rows with their `config.` columns.
        space: Gives each value the type that its hyperparameter declares; without, integers may be floats.
    """
    configs = _group(trials, "config.")
    if space is None:
        return configs
    typed = {name: _declared(hp) for name, hp in space.items()}
    return [{name: typed[name](value) for name, value in config.items()} for config in configs]


def _group(trials: pd.DataFrame, prefix: str) -> list[dict[str, Any]]:
    """The columns with a prefix as one mapping a row, without what the row lacks."""
    columns = {}
    for column in trials:
        if str(column).startswith(prefix):
            values = trials[column]
            columns[str(column).removeprefix(prefix)] = values.notna().tolist(), values.tolist()
    return [
        {name: values[place] for name, (there, values) in columns.items() if there[place]}
        for place in range(len(trials))
    ]


def _declared(hp: Hyperparameter) -> Callable[[Any], Any]:
    """Gives a value the type that a hyperparameter declares; equal numbers may have had another in a table."""
    values = choices(hp)
    if values is not None:
        known: Mapping[Any, Any] = {value: value for value in values}
        return lambda value: known.get(value, value)
    return int if isinstance(hp, UniformIntegerHyperparameter) else float
