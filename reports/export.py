"""Results for other tools: tidy tables as Parquet and CSV, the leaderboard as LaTeX, studies for Optuna."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pandas as pd

from hemobench.benchmarks.results import IDENTITY, Results
from hemobench.benchmarks.task import load_task
from hemobench.errors import BenchmarkError
from hemobench.reports.boards import Board
from hemobench.reports.curves import with_trials
from hemobench.reports.tables import fitting, plain, title

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.storages import RDBStorage
    from optuna.trial import FrozenTrial

EPOCH = datetime(2000, 1, 1)
"""When every exported run begins: Optuna wants dates, and GPU-clocks start at zero."""


def tidy(results: Results) -> pd.DataFrame:
    """One row a trial, beginning with what tells its run from others; see `Results.trials` for the other columns."""
    return (
        with_trials(results)
        .trials.join(results.runs[IDENTITY], on="run")
        .pipe(lambda table: table[[*IDENTITY, *(name for name in table.columns if name not in (*IDENTITY, "run"))]])
    )


def to_parquet(results: Results, path: Path) -> None:
    """Write `tidy` as Parquet; a hyperparameter whose values have several types is written as text.

    Raises:
        BenchmarkError: If the file cannot be written.
    """
    table = tidy(results)
    for name in table.select_dtypes(object).columns:
        if table[name].dropna().map(type).nunique() > 1:
            table[name] = table[name].map(str, na_action="ignore")
    _write(path, lambda: table.to_parquet(path, index=False))


def to_csv(results: Results, path: Path) -> None:
    """Write `tidy` as CSV.

    Raises:
        BenchmarkError: If the file cannot be written.
    """
    _write(path, lambda: tidy(results).to_csv(path, index=False))


def to_latex(boards: Sequence[Board]) -> str:
    """All boards as LaTeX tables (package `booktabs`), with all columns that have something to show."""
    return "\n\n".join(_latex_table(board) for board in boards if board.rows) + "\n"


def latex(text: str) -> str:
    """Text that LaTeX sets as the text."""
    special = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
    special |= {
        "<": r"\textless{}",
        ">": r"\textgreater{}",
        "|": r"\textbar{}",
        "±": r"$\pm$",
        "–": "--",
        "·": r"$\cdot$",
    }
    special |= {character: f"\\{character}" for character in "&%$#_{}"}
    return "".join(special.get(character, character) for character in plain(text))


def _latex_table(board: Board) -> str:
    columns = fitting(board, 10**6)
    rows = [[latex(column.cell(row)) for column in columns] for row in board.rows]
    body = [" & ".join(cells) + r" \\" for cells in rows]
    header = " & ".join(latex(column.title) for column in columns) + r" \\"
    return "\n".join(
        [
            r"\begin{table}",
            rf"\caption{{{latex(title(board))}}}",
            rf"\begin{{tabular}}{{l{'r' * (len(columns) - 1)}}}",
            r"\toprule",
            header,
            r"\midrule",
            *body,
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{table}",
        ]
    )


def to_optuna(results: Results, url: str, *, per: Literal["run", "strategy"] = "run") -> list[str]:
    """Write Optuna studies, which optuna-dashboard and `optuna.visualization` read.

    The value is the loss that strategies minimised. What failed or was cut is a failed trial. User attributes
    hold the seed, GPU-seconds, all validation and test metrics, and how a failed trial ended; dates count GPU-clock
    seconds from 1 January 2000. Learning curves stay in the run folders. A hundred trials take about a second.

    Args:
        results: Runs and trials.
        url: Of the database, as in `sqlite:///studies.db` or `postgresql://…`; a path without a scheme is SQLite.
        per: A study a `run`, whose trials then stand in the order in which they finished; or one a `strategy` on
            a benchmark under a budget, with the trials of all seeds one after the other.

    Returns:
        The names of the studies.

    Raises:
        BenchmarkError: If the database cannot be opened, or holds one of the studies already; nothing is then
            written.
    """
    import optuna

    storage = _storage(url if "://" in url else f"sqlite:///{url}")
    names = {_study_name(results.runs.loc[run], per): None for run in results.runs.index}
    there = {study.study_name for study in storage.get_all_studies()} & names.keys()
    if there:
        raise BenchmarkError(f"the database holds '{min(there)}' already", "name a new database, or delete the study")
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        for name, runs in results.runs.groupby(results.runs.apply(_study_name, axis=1, per=per), sort=False):
            _write_study(storage, str(name), runs, with_trials(results).trials)
    finally:
        optuna.logging.set_verbosity(before)
        storage.remove_session()
        storage.engine.dispose()
    return list(names)


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


def _study_name(run: pd.Series[Any], per: str) -> str:
    name = f"{run['benchmark']} v{run['version']} / {run['strategy']} / {run['gpu_hours']:g} h"
    name += f", {run['workers']} workers" if run["workers"] != 1 else ""
    return f"{name} / seed {run['seed']}" if per == "run" else name


def _write_study(storage: RDBStorage, name: str, runs: pd.DataFrame, trials: pd.DataFrame) -> None:
    import optuna

    study = optuna.create_study(storage=storage, study_name=name, direction="minimize")
    first = runs.iloc[0]
    for key in ("benchmark", "strategy", "gpu_hours"):
        study.set_user_attr(key, first[key])
    known = distributions(str(first["benchmark"]).partition("@")[0])
    for run, seed in runs["seed"].items():
        rows = trials[trials["run"] == run].to_dict("records")
        study.add_trials(frozen_trials(rows, known, int(seed)))


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


def _attributes(row: Mapping[Any, Any]) -> dict[str, Any]:
    """Few and nested, since a database takes a millisecond for each."""
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


def _storage(url: str) -> RDBStorage:
    from optuna.storages import RDBStorage
    from sqlalchemy import event
    from sqlalchemy.exc import SQLAlchemyError

    shown = re.sub(r"//[^@/]*@", "//…@", url)  # without the password
    try:
        storage = RDBStorage(url)
        if url.startswith("sqlite"):
            event.listen(storage.engine, "connect", lambda connection, _: connection.execute("PRAGMA synchronous=OFF"))
            storage.engine.dispose()  # what is open was opened without
        return storage
    except ImportError as problem:
        raise BenchmarkError(f"{shown}: {problem}", "pip install the database's driver, as psycopg2-binary") from None
    except (SQLAlchemyError, ValueError) as problem:
        first = str(problem).splitlines()[0].replace(url, shown)
        raise BenchmarkError(f"{shown}: {first}", "give a database URL, as sqlite:///studies.db") from None


def _write(path: Path, write: Callable[[], Any]) -> None:
    try:
        write()
    except OSError as problem:
        raise BenchmarkError(
            f"{path}: {problem.strerror or problem}", "name a file in a folder that can be written"
        ) from None
