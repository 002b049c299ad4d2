"""Results as Optuna studies."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

import pandas as pd

from hemobench.benchmarks.storage.results import Results
from hemobench.benchmarks.tasks import load_task
from hemobench.reports.comparison.incumbents import with_trials
from hemobench.reports.export.optuna_storages import JOURNAL, Study, to_database, to_journal

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.trial import FrozenTrial

EPOCH = datetime(2000, 1, 1)
"""When every exported run begins: Optuna wants dates, and GPU-clocks start at zero."""


def to_optuna(results: Results, url: str, *, per: Literal["run", "strategy"] = "run") -> list[str]:
    """Write Optuna studies, which optuna-dashboard and `optuna.visualization` read.

    The value is the loss that strategies minimised. What failed or was cut is a failed trial. User attributes
    hold the seed, GPU-seconds, all validation and test metrics, and how a failed trial ended; dates count GPU-clock
    seconds from 1 January 2000. Learning curves stay in the run folders. Thousands of trials take a second.

    Args:
        results: Runs and trials.
        url: Of the database, as in `sqlite:///studies.db` or `postgresql://…`; a path without a scheme is SQLite,
            and `journal:PATH` is Optuna's journal file.
        per: A study a `run`, whose trials then stand in the order in which they finished; or one a `strategy` on
            a benchmark under a budget, with the trials of all seeds one after the other.

    Returns:
        The names of the studies.

    Raises:
        BenchmarkError: If the database or file cannot be opened, or holds one of the studies already; nothing is
            then written.
    """
    import optuna

    names = list({_study_name(run, per): None for _, run in results.runs.iterrows()})
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        write = to_journal if url.startswith(JOURNAL) else to_database
        write(url, names, _studies(results, per))
    finally:
        optuna.logging.set_verbosity(before)
    return names


def distributions(task: str) -> dict[str, BaseDistribution]:
    """A task's search space as Optuna's distributions, conditions left out."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    from hemobench.strategies.space import choices, numeric

    found: dict[str, BaseDistribution] = {}
    for name, hyperparameter in load_task(task).space().items():
        values = choices(hyperparameter)
        if values is not None:
            found[name] = CategoricalDistribution(values)
            continue
        bounds = numeric(hyperparameter)
        if isinstance(bounds.default_value, int) and not isinstance(bounds.default_value, bool):
            found[name] = IntDistribution(int(bounds.lower), int(bounds.upper), log=bounds.log)
        else:
            found[name] = FloatDistribution(float(bounds.lower), float(bounds.upper), log=bounds.log)
    return found


def frozen_trials(
    rows: Sequence[Mapping[Any, Any]], known: Mapping[str, BaseDistribution], seed: int
) -> Iterator[FrozenTrial]:
    """Rows of `Results.trials` as Optuna's trials, with the distributions given and the seed as an attribute."""
    from optuna.trial import FrozenTrial, TrialState

    for row in rows:
        ok = row["status"] == "ok"
        params = {name: _value(row.get(f"config.{name}"), known[name]) for name in known}
        params = {name: value for name, value in params.items() if value is not None}
        yield FrozenTrial(
            number=-1,  # the storage counts
            trial_id=-1,
            state=TrialState.COMPLETE if ok else TrialState.FAIL,
            value=float(row["loss"]) if ok else None,
            values=None,
            datetime_start=EPOCH + timedelta(seconds=float(row["started"])),
            datetime_complete=EPOCH + timedelta(seconds=float(row["finished"])),
            params=params,
            distributions={name: known[name] for name in params},
            user_attrs={"seed": seed, **_attributes(row)},
            system_attrs={},
            intermediate_values={},
        )


def _study_name(run: pd.Series[Any], per: str) -> str:
    name = f"{run['benchmark']} v{run['version']} / {run['strategy']} / {run['gpu_hours']:g} h"
    name += f", {run['workers']} workers" if run["workers"] != 1 else ""
    return f"{name} / seed {run['seed']}" if per == "run" else name


def _studies(results: Results, per: str) -> Iterator[Study]:
    """One after the other, so that no more than one is in memory."""
    by_run: dict[Any, pd.DataFrame] = dict(iter(with_trials(results).trials.groupby("run", sort=False)))
    spaces: dict[str, dict[str, BaseDistribution]] = {}
    for name, runs in results.runs.groupby(results.runs.apply(_study_name, axis=1, per=per), sort=False):
        first = runs.iloc[0]
        task = str(first["benchmark"]).partition("@")[0]
        if task not in spaces:
            spaces[task] = distributions(task)
        trials = [
            trial
            for run, seed in runs["seed"].items()
            if run in by_run
            for trial in frozen_trials(by_run[run].to_dict("records"), spaces[task], int(seed))
        ]
        attributes = {key: first[key] for key in ("benchmark", "strategy", "gpu_hours")}
        yield Study(str(name), attributes, trials)


def _attributes(row: Mapping[Any, Any]) -> dict[str, Any]:
    """Few and nested, since each is a row in a database."""
    found: dict[str, Any] = {"gpu_seconds": row.get("cost.gpu_seconds")}
    if row["status"] != "ok":
        return {**found, "status": str(row["status"])}
    for part in ("validation", "test"):
        found[part] = {
            str(name).removeprefix(f"{part}."): float(value)
            for name, value in row.items()
            if str(name).startswith(f"{part}.") and value == value  # not NaN
        }
    return found


def _value(value: Any, distribution: BaseDistribution) -> Any:
    """A table's value as one that the distribution knows: pandas turns integers to floats where some are missing."""
    from optuna.distributions import CategoricalDistribution, IntDistribution

    if value is None or value != value:  # NaN
        return None
    if isinstance(distribution, CategoricalDistribution):
        return next((choice for choice in distribution.choices if choice == value), None)
    return int(value) if isinstance(distribution, IntDistribution) else float(value)
