"""Optuna's storages written in bulk: a database, or a journal file.

Optuna adds trials one by one, each in a transaction of its own with a flush to the disk: a tenth of a second a trial,
and twenty minutes for a suite of thirty seeds. A database gets all rows in one transaction here, through Optuna's own
table definitions; a journal gets all its lines in one write.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hemobench.errors import BenchmarkError

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial
    from sqlalchemy import Connection

JOURNAL = "journal:"


@dataclass(frozen=True)
class Study:
    """A study to be written.

    Attributes:
        name: No two studies of a storage have the same.
        attributes: Of the user.
        trials: Finished ones; they are numbered in this order.
    """

    name: str
    attributes: Mapping[str, Any]
    trials: Sequence[FrozenTrial]


def _refuse_present(present: Iterable[str], names: Sequence[str], what: str) -> None:
    there = set(present) & set(names)
    if there:
        raise BenchmarkError(f"the {what} holds '{min(there)}' already", f"name a new {what}, or delete the study")


def to_database(url: str, names: Sequence[str], studies: Iterable[Study]) -> None:
    """Write studies into a database, all or nothing: in one transaction.

    Args:
        url: As in `sqlite:///studies.db`; a path without a scheme is SQLite.
        names: Of the studies.
        studies: One after the other.

    Raises:
        BenchmarkError: If it cannot be opened or written, or holds one of the names already.
    """
    from optuna.storages import RDBStorage
    from optuna.storages._rdb import models
    from sqlalchemy import select

    url = url if "://" in url else f"sqlite:///{url}"
    with _explained(url):
        storage = RDBStorage(url)  # makes the tables, and refuses those of another version of Optuna
        try:
            with storage.engine.begin() as connection:
                _refuse_present(connection.scalars(select(models.StudyModel.study_name)), names, "database")
                for study in studies:
                    _insert(connection, study)
        finally:
            storage.remove_session()
            storage.engine.dispose()


def _insert(connection: Connection, study: Study) -> None:
    """The rows that `RDBStorage.create_new_study`, `set_study_user_attr` and `create_new_trial` would write."""
    from optuna.storages._rdb import models
    from optuna.study import StudyDirection
    from sqlalchemy import insert, select

    key: Any = connection.execute(insert(models.StudyModel).values(study_name=study.name)).inserted_primary_key
    number = key[0]
    direction = {"study_id": number, "direction": StudyDirection.MINIMIZE, "objective": 0}
    connection.execute(insert(models.StudyDirectionModel.__table__), [direction])
    attributes = [{"study_id": number, "key": k, "value_json": json.dumps(v)} for k, v in study.attributes.items()]
    connection.execute(insert(models.StudyUserAttributeModel.__table__), attributes)
    if not study.trials:
        return
    rows = [_trial_row(place, number, trial) for place, trial in enumerate(study.trials)]
    table = models.TrialModel.__table__
    connection.execute(insert(table), rows)
    # asked for, since not every database returns the keys of many rows
    keys: dict[int, int] = dict(
        connection.execute(select(table.c.number, table.c.trial_id).where(table.c.study_id == number)).all()
    )
    for model, rows in _about_trials([(keys[place], trial) for place, trial in enumerate(study.trials)]).items():
        if rows:
            connection.execute(insert(model.__table__), rows)


def _trial_row(place: int, study: int, trial: FrozenTrial) -> dict[str, Any]:
    return {
        "number": place,
        "study_id": study,
        "state": trial.state,
        "datetime_start": _utc(trial.datetime_start),
        "datetime_complete": _utc(trial.datetime_complete),
    }


def _utc(date: datetime | None) -> datetime | None:
    """As Optuna stores dates: UTC, without saying so."""
    return None if date is None else date.astimezone(UTC).replace(tzinfo=None)


def _about_trials(trials: Sequence[tuple[int, FrozenTrial]]) -> dict[Any, list[dict[str, Any]]]:
    """Rows of values, hyperparameters and attributes, by table."""
    from optuna.distributions import distribution_to_json
    from optuna.storages._rdb import models

    spaces = {name: distribution for _, trial in trials for name, distribution in trial.distributions.items()}
    texts = {name: distribution_to_json(distribution) for name, distribution in spaces.items()}
    kind = models.TrialValueModel.value_to_stored_repr
    stored = [(key, *kind(trial.value)) for key, trial in trials if trial.value is not None]
    return {
        models.TrialValueModel: [
            {"trial_id": key, "objective": 0, "value": value, "value_type": kind} for key, value, kind in stored
        ],
        models.TrialParamModel: [
            {
                "trial_id": key,
                "param_name": name,
                "param_value": spaces[name].to_internal_repr(value),
                "distribution_json": texts[name],
            }
            for key, trial in trials
            for name, value in trial.params.items()
        ],
        models.TrialUserAttributeModel: [
            {"trial_id": key, "key": name, "value_json": json.dumps(value)}
            for key, trial in trials
            for name, value in trial.user_attrs.items()
        ],
    }


@contextmanager
def _explained(url: str) -> Iterator[None]:
    """What a database complains of, without the password."""
    from sqlalchemy.exc import SQLAlchemyError

    shown = re.sub(r"//[^@/]*@", "//…@", url)
    try:
        yield
    except ImportError as problem:
        raise BenchmarkError(f"{shown}: {problem}", "pip install the database's driver, as psycopg2-binary") from None
    except (SQLAlchemyError, ValueError, RuntimeError) as problem:
        first = str(problem).splitlines()[0].replace(url, shown)
        raise BenchmarkError(f"{shown}: {first}", "give a database URL, as sqlite:///studies.db") from None


def to_journal(url: str, names: Sequence[str], studies: Iterable[Study]) -> None:
    """Write studies into a journal file: Optuna's storage writes into memory, and the file gets its lines at once.

    Args:
        url: `journal:PATH`.
        names: Of the studies.
        studies: One after the other.

    Raises:
        BenchmarkError: If it cannot be opened or written, is no journal, or holds one of the names already.
    """
    from optuna.storages import JournalStorage
    from optuna.storages.journal import BaseJournalBackend, JournalFileBackend
    from optuna.study import StudyDirection

    class Lines(BaseJournalBackend):
        def __init__(self, lines: Iterable[dict[str, Any]]) -> None:
            self.lines = list(lines)

        def read_logs(self, log_number_from: int) -> list[dict[str, Any]]:
            return self.lines[log_number_from:]

        def append_logs(self, logs: list[dict[str, Any]]) -> None:
            self.lines += logs

    path = url.removeprefix(JOURNAL).removeprefix("//")
    try:
        file = JournalFileBackend(path)
        lines = Lines(file.read_logs(0))
        if Path(path).read_bytes().count(b"\n") != len(lines.lines):  # Optuna would pass over it
            raise ValueError("the last line is no entry of a journal")
        before, storage = len(lines.lines), JournalStorage(lines)
        _refuse_present((study.study_name for study in storage.get_all_studies()), names, "journal")
        for study in studies:
            number = storage.create_new_study([StudyDirection.MINIMIZE], study.name)
            for key, value in study.attributes.items():
                storage.set_study_user_attr(number, key, value)
            for trial in study.trials:
                storage.create_new_trial(number, trial)
        file.append_logs(lines.lines[before:])
    except (OSError, ValueError, KeyError) as problem:
        hint = "name a new file, as in journal:studies.log, or one that Optuna wrote"
        raise BenchmarkError(f"{path}: {getattr(problem, 'strerror', None) or problem}", hint) from None
