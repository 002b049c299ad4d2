"""What other tools read: the exports are read back with those tools."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import optuna
import pandas as pd
import pytest
import sqlalchemy

from hemobench.benchmarks.storage.results import Results
from hemobench.benchmarks.tasks import load_task
from hemobench.errors import BenchmarkError
from hemobench.reports.export.export import distributions, tidy, to_csv, to_latex, to_optuna, to_parquet
from hemobench.reports.export.optuna_studies import frozen_trials
from hemobench.reports.leaderboard.ranking import leaderboard
from hemobench.reports.text_tables import latex
from hemobench.strategies.space import random_stream


@pytest.fixture(scope="module")
def results(one_seed: Results) -> Results:
    return one_seed


@pytest.fixture(scope="module")
def database(results: Results, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("optuna") / "studies.db"
    to_optuna(results, str(path))
    return f"sqlite:///{path}"


def test_tidy_has_a_row_a_trial_and_says_whose(results: Results) -> None:
    table = tidy(results)
    assert table.columns[:6].tolist() == ["benchmark", "version", "strategy", "gpu_hours", "workers", "seed"]
    assert len(table) == len(results.trials)
    assert "run" not in table
    sums = table.groupby(["benchmark", "strategy"])["cost.gpu_seconds"].sum()
    assert sums["c-nmc@published", "random"] >= 5 * 3600


def test_parquet_and_csv_are_read_back(results: Results, tmp_path: Path) -> None:
    to_parquet(results, tmp_path / "trials.parquet")
    to_csv(results, tmp_path / "trials.csv")
    expected, parquet, csv = (
        tidy(results), pd.read_parquet(tmp_path / "trials.parquet"), pd.read_csv(tmp_path / "trials.csv")
    )  # fmt: skip
    for found in (parquet, csv):
        assert found.columns.tolist() == expected.columns.tolist()
        for name in ("loss", "config.learning_rate", "finished"):
            pd.testing.assert_series_equal(found[name], expected[name].astype(float), check_names=False)
    assert parquet["config.optimizer"].dropna().tolist() == expected["config.optimizer"].dropna().tolist()


def test_parquet_of_mixed_values(run: Callable[..., Any], collect: Callable[..., Results], tmp_path: Path) -> None:
    results = collect([run("tpe", 0, (1, 0.1), (2, 0.2), (3, 0.3))])
    mixed = Results(
        results.runs, results.trials.assign(**{"config.depth": pd.Series([121, "deep", None], dtype=object)})
    )
    to_parquet(mixed, tmp_path / "trials.parquet")
    assert pd.read_parquet(tmp_path / "trials.parquet")["config.depth"].tolist()[:2] == ["121", "deep"]


def test_a_folder_that_is_not_there(results: Results, tmp_path: Path) -> None:
    for write in (to_parquet, to_csv):
        with pytest.raises(BenchmarkError, match="none"):
            write(results, tmp_path / "none" / "trials")
    with pytest.raises(BenchmarkError, match="unable to open database file"):
        to_optuna(results, str(tmp_path / "none" / "studies.db"))


def test_studies_hold_the_trials(results: Results, database: str) -> None:
    names = optuna.study.get_all_study_names(database)
    assert len(names) == len(results.runs) == 4
    study = optuna.load_study(study_name="bone-marrow@published v1 / random / 5000 h / seed 0", storage=database)
    runs = results.runs
    run = runs[(runs["benchmark"] == "bone-marrow@published") & (runs["strategy"] == "random")].index[0]
    mine = results.trials[results.trials["run"] == run]
    ok = mine[mine["status"] == "ok"]
    assert len(study.trials) == len(mine)
    assert study.best_value == ok["loss"].min()
    complete = study.get_trials(states=[optuna.trial.TrialState.COMPLETE])
    assert [trial.value for trial in complete] == ok["loss"].tolist()
    assert [trial.params["densenet_depth"] for trial in complete] == ok["config.densenet_depth"].tolist()
    best = study.best_trial
    assert best.user_attrs["seed"] == 0
    assert best.user_attrs["test"]["micro_f1"] == ok.loc[ok["loss"].idxmin(), "test.micro_f1"]
    assert (best.datetime_complete - best.datetime_start).total_seconds() == pytest.approx(  # type: ignore[operator]
        best.user_attrs["gpu_seconds"], abs=1e-3
    )
    failed = study.get_trials(states=[optuna.trial.TrialState.FAIL])
    assert [trial.user_attrs["status"] for trial in failed] == mine.loc[mine["status"] != "ok", "status"].tolist()


def test_in_bulk_is_as_one_by_one(results: Results, database: str, tmp_path: Path) -> None:
    """Optuna's own way takes a transaction a trial; every field must come out the same."""
    slow = f"sqlite:///{tmp_path / 'slow.db'}"
    few = Results(results.runs.iloc[:1], results.trials)
    name, known = optuna.study.get_all_study_names(database)[0], distributions("bone-marrow")
    rows = few.trials[few.trials["run"] == few.runs.index[0]].head(12).to_dict("records")
    study = optuna.create_study(storage=slow, study_name=name, direction="minimize")
    study.add_trials(frozen_trials(rows, known, int(few.runs["seed"].iloc[0])))
    fast = optuna.load_study(study_name=name, storage=database)
    assert fast.direction == study.direction
    for one, other in zip(study.trials, fast.trials[: len(rows)], strict=True):
        for field in ("number", "state", "value", "params", "distributions", "user_attrs", "system_attrs"):
            assert getattr(one, field) == getattr(other, field), field
        assert (one.datetime_start, one.datetime_complete) == (other.datetime_start, other.datetime_complete)
        assert one.intermediate_values == other.intermediate_values == {}


def test_a_study_can_go_on(results: Results, tmp_path: Path) -> None:
    """What Optuna writes next has keys and numbers that are free."""
    url = f"sqlite:///{tmp_path / 'studies.db'}"
    (name,) = to_optuna(Results(results.runs.iloc[:1], results.trials), url)
    study = optuna.load_study(study_name=name, storage=url)
    before = len(study.trials)
    asked = study.ask()
    study.tell(asked, 0.5)
    assert asked.number == before
    assert optuna.create_study(storage=url)._study_id != study._study_id


def test_a_journal_file_holds_the_same(results: Results, database: str, tmp_path: Path) -> None:
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    path = tmp_path / "studies.log"
    names = to_optuna(results, f"journal:{path}")
    storage = JournalStorage(JournalFileBackend(str(path)))
    assert sorted(optuna.study.get_all_study_names(storage)) == sorted(names)
    for name in names:
        one, other = (optuna.load_study(study_name=name, storage=where) for where in (storage, database))
        assert one.user_attrs == other.user_attrs
        for a, b in zip(one.trials, other.trials, strict=True):
            assert (a.number, a.state, a.value, a.params, a.user_attrs) == (
                b.number, b.state, b.value, b.params, b.user_attrs
            )  # fmt: skip
            assert (a.datetime_start, a.datetime_complete) == (b.datetime_start, b.datetime_complete)
    size = path.stat().st_size
    with pytest.raises(BenchmarkError, match=r"the journal holds .* already"):
        to_optuna(results, f"journal:{path}")
    assert path.stat().st_size == size


def test_journals_that_are_none(results: Results, tmp_path: Path) -> None:
    with pytest.raises(BenchmarkError, match="No such file"):
        to_optuna(results, f"journal:{tmp_path / 'none' / 'studies.log'}")
    (tmp_path / "text.log").write_text("no journal\n")
    with pytest.raises(BenchmarkError, match=r"text\.log"):
        to_optuna(results, f"journal:{tmp_path / 'text.log'}")
    assert (tmp_path / "text.log").read_text() == "no journal\n"


def test_all_or_nothing(results: Results, tmp_path: Path) -> None:
    """A trial that cannot be written takes the studies before it along."""
    url = f"sqlite:///{tmp_path / 'studies.db'}"
    broken = results.trials["run"] == results.runs.index[-1]
    trials = results.trials.assign(started=results.trials["started"].astype(object).mask(broken, "soon"))
    with pytest.raises(BenchmarkError, match="soon"):
        to_optuna(Results(results.runs, trials), url)
    assert optuna.study.get_all_study_names(url) == []


def statements(results: Results, url: str) -> int:
    """How often the database is asked for something while studies are written."""
    asked: list[str] = []

    def hear(connection: Any, cursor: Any, statement: str, *others: Any) -> None:
        asked.append(statement)

    sqlalchemy.event.listen(sqlalchemy.Engine, "before_cursor_execute", hear)
    try:
        to_optuna(results, url)
    finally:
        sqlalchemy.event.remove(sqlalchemy.Engine, "before_cursor_execute", hear)
    return len(asked)


def test_the_database_is_asked_as_often_for_many_trials_as_for_few(results: Results, tmp_path: Path) -> None:
    """Optuna's own way asks it several times a trial, and takes ten minutes for ten thousand."""
    many = Results(results.runs, pd.concat([results.trials] * 5, ignore_index=True))
    few, more = (f"sqlite:///{tmp_path / name}.db" for name in ("few", "more"))
    assert statements(many, more) == statements(results, few)
    written = [len(trials) for _, trials in many.trials.groupby("run")]
    studies = [optuna.load_study(study_name=name, storage=more) for name in optuna.study.get_all_study_names(more)]
    assert sorted(len(study.trials) for study in studies) == sorted(written)


def test_optunas_own_pictures_and_importance_work(database: str) -> None:
    study = optuna.load_study(study_name="c-nmc@published v1 / random / 5 h / seed 0", storage=database)
    for plot in ("plot_optimization_history", "plot_parallel_coordinate", "plot_slice"):
        assert getattr(optuna.visualization, plot)(study).data
    assert sum(optuna.importance.get_param_importances(study).values()) == pytest.approx(1)


def test_a_study_is_never_written_twice(results: Results, database: str) -> None:
    with pytest.raises(BenchmarkError, match="already"):
        to_optuna(results, database)
    assert len(optuna.study.get_all_study_names(database)) == 4


def test_one_study_a_strategy(run: Callable[..., Any], collect: Callable[..., Results], tmp_path: Path) -> None:
    results = collect([run("tpe", seed, (1, 0.1), (2, "diverged")) for seed in (0, 1)])
    results = Results(results.runs, results.trials.assign(started=0.0))
    (name,) = to_optuna(results, str(tmp_path / "studies.db"), per="strategy")
    study = optuna.load_study(study_name=name, storage=f"sqlite:///{tmp_path / 'studies.db'}")
    assert [trial.user_attrs["seed"] for trial in study.trials] == [0, 0, 1, 1]
    assert study.user_attrs == {"benchmark": "c-nmc@published", "strategy": "tpe", "gpu_hours": 10.0}


@pytest.mark.parametrize("task", ["c-nmc", "bone-marrow", "bone-marrow-full"])
def test_distributions_contain_what_the_space_gives(task: str) -> None:
    known, space = distributions(task), load_task(task).space()
    assert list(known) == list(space)
    for _, config in zip(range(50), random_stream(space, 1), strict=False):
        for name, value in config.items():
            assert known[name]._contains(known[name].to_internal_repr(value))


def test_a_password_is_not_shown(results: Results) -> None:
    for url in ("nosuch://me:secret@host/db", "postgresql://me:secret@host/db"):
        with pytest.raises(BenchmarkError) as caught:
            to_optuna(results, url)
        assert "secret" not in str(caught.value)
        assert "host/db" in str(caught.value)


def test_latex(worked: Results, reference: Any) -> None:
    text = to_latex(leaderboard(worked, lambda name: reference))
    assert text.count(r"\begin{tabular}{lrrr") == text.count(r"\toprule") == 1
    lines = [line for line in text.splitlines() if line.endswith(r"\\")]
    assert len({line.count(" & ") for line in lines}) == 1
    assert r"Validation \%" in text
    assert r"85.00 $\pm$ 5.00" in text


def test_hostile_text_in_latex() -> None:
    assert latex(r"a_b & 50% \input{x} $y$ #1 ~^<") == (
        r"a\_b \& 50\% \textbackslash{}input\{x\} \$y\$ \#1 \textasciitilde{}\textasciicircum{}\textless{}"
    )
