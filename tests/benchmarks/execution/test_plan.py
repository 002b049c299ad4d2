"""No run is dropped: what differs in anything lies in a folder of its own, and what does not is run once and said."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys

import pytest

from hemobench.benchmarks.benchmark import load_benchmark
from hemobench.benchmarks.execution import process_pool
from hemobench.benchmarks.execution.execute import execute
from hemobench.benchmarks.execution.plan import plans
from hemobench.benchmarks.execution.preflight import preflight
from hemobench.benchmarks.storage.archive_writer import consolidate
from hemobench.benchmarks.storage.load import load_results
from hemobench.benchmarks.storage.run_folder import RUN, find_runs
from hemobench.benchmarks.suite import Suite, narrowed
from hemobench.errors import BenchmarkError
from hemobench.reports.leaderboard.ranking import leaderboard
from hemobench.strategies.random_search import RandomSearch

NAME = "bone-marrow-micro@recorded"
HOURS = 0.05


def suite(*entries, strategies=("random",), seeds=1, **more):
    """A suite of entries of one benchmark, each given as what differs."""
    benchmarks = [{"name": NAME, "gpu_hours": [HOURS], **entry} for entry in entries]
    return Suite(seeds=seeds, strategies=list(strategies), benchmarks=benchmarks, **more)


def executed(planned, out):
    for plan in planned:
        assert execute(plan, out, "test").failure is None


DIFFERENT = {
    "settings": [{"settings": {"folds": [1]}}, {"settings": {"folds": [0]}}],
    "a setting or none": [{}, {"settings": {"folds": [0]}}],
    "a setting's order": [{"settings": {"folds": [0, 1]}}, {"settings": {"folds": [1, 0]}}],
    "max_trials": [{"max_trials": 3}, {"max_trials": 4}],
    "max_trials or none": [{}, {"max_trials": 3}],
    "a horizon": [{"horizon": 3}, {"horizon": 4}],
    "settings and limits": [{"settings": {"folds": [0]}}, {"settings": {"folds": [0]}, "max_trials": 3}],
    "budgets that print alike": [{"gpu_hours": [0.0500000001, 0.0500000002]}],
}


@pytest.mark.parametrize("difference", DIFFERENT)
def test_two_entries_that_differ_are_both_run_and_shown(difference, tmp_path):
    said = []
    planned = plans(suite(*DIFFERENT[difference]), said.append)
    assert len(planned) == 2
    assert said == []
    executed(planned, tmp_path)
    assert len(list(find_runs(tmp_path))) == 2
    results = load_results(tmp_path)
    assert len(results.runs) == 2
    boards = leaderboard(results, lambda name: load_benchmark(name).reference())
    assert len([board for board in boards if str(board.benchmark).startswith(NAME)]) == 2
    consolidate(tmp_path, tmp_path.with_suffix(".parquet"))
    archived = load_results(tmp_path.with_suffix(".parquet"))
    assert sorted(archived.runs["benchmark"]) == sorted(results.runs["benchmark"])


def test_they_are_called_by_where_they_differ(tmp_path):
    chosen = suite({"settings": {"folds": [0], "member": "mean"}}, {"settings": {"folds": [0], "member": 2}}, {})
    shown = [plan.shown for plan in plans(chosen)]
    assert sorted(shown) == [NAME, f"{NAME}[folds=0+member=2]", f"{NAME}[folds=0+member=mean]"]
    two = suite(*chosen.model_dump()["benchmarks"][:2])
    assert sorted(plan.shown for plan in plans(two)) == [f"{NAME}[member=2]", f"{NAME}[member=mean]"]
    executed(plans(two), tmp_path)
    assert sorted(load_results(tmp_path).runs["benchmark"]) == [f"{NAME}[member=2]", f"{NAME}[member=mean]"]
    (one,) = plans(narrowed(two, benchmarks=[f"{NAME}[member=2]"]))
    assert one.source["member"] == 2
    assert len(plans(narrowed(two, benchmarks=[NAME]))) == 2


REPEATED = {
    "a budget": ({"gpu_hours": [HOURS, HOURS]}, {}, "0.05 GPU-hours, 1 worker"),
    "workers": ({}, {"workers": [2, 2]}, "0.05 GPU-hours, 2 workers"),
    "a strategy": ({}, {"strategies": ["random", {"name": "random", "label": "random"}]}, "random: there twice"),
    "a default that is written out": ({"name": "c-nmc@recorded", "settings": {"folds": [0]}}, {}, None),
}


@pytest.mark.parametrize("what", REPEATED)
def test_exact_repeats_are_run_once_and_said(what):
    entry, more, says = REPEATED[what]
    said = []
    entries = (entry,) if says else (entry, {"name": entry["name"]})
    planned = plans(suite(*entries, **more), said.append)
    assert len(planned) == 1
    assert len(said) == 1
    assert (says or "run once") in said[0]


def test_overlapping_budgets_of_two_entries(tmp_path):
    said = []
    planned = plans(suite({"gpu_hours": [0.003, 0.004]}, {"gpu_hours": [0.004, 0.005]}), said.append)
    assert sorted(plan.key.gpu_hours for plan in planned) == [0.003, 0.004, 0.005]
    assert said == [f"{NAME}, 0.004 GPU-hours, 1 worker: there twice with the same settings, run once"]


def aged(plan, out):
    """Lets a run lie as versions before 0.2 left it: where settings did not matter, and without what is new."""
    place, earlier = out / plan.key.folder, out / plan.key.earlier_folder
    shutil.move(place, earlier)
    header = json.loads((earlier / RUN).read_text())
    header.pop("limits", None)
    (earlier / RUN).write_text(json.dumps(header))
    return earlier


@pytest.mark.parametrize("entry", [{"settings": {"folds": [0]}}, {"max_trials": 3}, {"horizon": 3, "max_trials": 3}])
def test_what_an_earlier_version_began_goes_on_where_it_lies(entry, tmp_path):
    first, second = sorted(plans(suite(entry, seeds=2)), key=lambda plan: plan.key.seed)
    executed([first], tmp_path)
    earlier = aged(first, tmp_path)
    before = {path.name: path.read_bytes() for path in earlier.iterdir()}
    lines = before["trials.jsonl"].splitlines(keepends=True)
    (earlier / "end.json").unlink()
    (earlier / "trials.jsonl").write_bytes(b"".join(lines[:-1]))
    executed([first, second], tmp_path)
    assert not (tmp_path / first.key.folder).exists()
    assert len((earlier / "trials.jsonl").read_bytes().splitlines()) == len(lines)
    results = load_results(tmp_path)
    assert list(results.runs["benchmark"]) == [NAME, NAME], "an old run and a new one of one study are on one board"


def test_an_earlier_run_of_other_settings_stays_where_it_is(tmp_path):
    (plain,) = plans(suite({}))
    executed([plain], tmp_path)
    (other,) = plans(suite({"max_trials": 3}))
    executed([other], tmp_path)
    assert len(load_results(tmp_path).runs) == 2


NOTHING_IMPORTED = """
import sys
from pathlib import Path
from hemobench.benchmarks.execution.plan import plans
from hemobench.benchmarks.execution.preflight import preflight
from hemobench.benchmarks.execution.process_pool import over_processes
from hemobench.benchmarks.suite import Suite, load_suite

plans(load_suite("quick"))
todo, out = plans(Suite.model_validate_json(sys.argv[1])), Path(sys.argv[2])
preflight(todo, out)
trials = [done.trials for done in over_processes(todo, out, "test", 1)]
print(trials, sorted({"optuna", "hyperopt", "smac", "skopt", "torch"} & set(sys.modules)))
"""


def test_no_optimizer_is_imported_to_plan_or_to_find_that_all_has_ended(tmp_path):
    small = suite({"max_trials": 3}, strategies=["optuna-tpe"])
    executed(plans(small), tmp_path)
    command = [sys.executable, "-c", NOTHING_IMPORTED, small.model_dump_json(), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.stdout.strip() == "[3] []", done.stderr


def test_what_has_ended_starts_no_process(tmp_path, monkeypatch):
    begun = plans(suite({"max_trials": 3}, seeds=3))
    executed(begun[:2], tmp_path)
    asked = []

    def pool(plans, *others, **more):
        asked.extend(plans)
        yield from (execute(plan, tmp_path, "test") for plan in plans)

    monkeypatch.setattr(process_pool, "execute_all", pool)
    found = list(process_pool.over_processes(begun, tmp_path, "test", 1))
    assert asked == begun[2:]
    assert [(done.plan, done.trials) for done in found] == [(plan, 3) for plan in begun]


def test_a_strategy_whose_runs_have_ended_is_not_built_again(tmp_path, monkeypatch):
    begun = plans(suite({"max_trials": 3}, seeds=2))
    executed(begun[:1], tmp_path)
    monkeypatch.setattr(RandomSearch, "__init__", None)
    preflight(begun[:1], tmp_path)
    with pytest.raises(BenchmarkError, match="'random' cannot be built"):
        preflight(begun, tmp_path)
