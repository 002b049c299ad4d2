"""Suites: what is read from TOML, and what is refused before anything runs."""

from __future__ import annotations

import pytest

from hemobench.benchmarks.benchmark import load_benchmark
from hemobench.benchmarks.execution.plan import plans
from hemobench.benchmarks.suite import load_suite, narrowed, suite_names
from hemobench.errors import BenchmarkError

SUITE = """
seeds = 2
strategies = ["random", { name = "optuna-tpe", label = "tpe-20", settings = { startup_trials = 20 } }]
[[benchmarks]]
name = "c-nmc@published"
gpu_hours = [1.0, 2.0]
"""


def write(tmp_path, text):
    path = tmp_path / "mine.toml"
    path.write_text(text)
    return str(path)


@pytest.mark.parametrize("name", suite_names())
def test_the_shipped_suites_can_be_planned(name, tmp_path):
    found = plans(narrowed(load_suite(name), data=tmp_path))
    assert len({plan.key for plan in found}) == len(found) > 0


def test_quick_is_seven_strategies_on_three_recorded_benchmarks_over_ten_seeds():
    found = plans(load_suite("quick"))
    assert len(found) == 7 * 3 * 10
    assert all(plan.default_first for plan in found)
    horizons = {plan.key.benchmark: plan.horizon for plan in found}
    assert {name.partition("@")[2] for name in horizons} == {"recorded"}
    assert all(horizon == pytest.approx(20, abs=1) for horizon in horizons.values()), horizons


def test_papers_has_budgets_of_twenty_fifty_and_a_hundred_trials():
    horizons = {(plan.key.benchmark, plan.key.gpu_hours): plan.horizon for plan in plans(load_suite("papers"))}
    for name in ("c-nmc@published", "bone-marrow@published"):
        ours = sorted(horizon for (benchmark, _), horizon in horizons.items() if benchmark == name)
        assert ours == pytest.approx([20, 50, 100], abs=2)


def test_a_suite_of_ones_own(tmp_path):
    found = plans(load_suite(write(tmp_path, SUITE)))
    assert len(found) == 2 * 2 * 2
    assert {plan.key.strategy for plan in found} == {"random", "tpe-20"}
    assert {plan.settings.get("startup_trials") for plan in found if plan.key.strategy == "tpe-20"} == {20}


def test_startup_trials_are_equalised_where_there_are_any(tmp_path):
    text = 'startup_trials = 7\nstrategies = ["random", "optuna-tpe", "smac", "skopt-gp", "hyperopt-tpe"]\n'
    found = plans(load_suite(write(tmp_path, text + '[[benchmarks]]\nname = "c-nmc@published"\ngpu_hours = [5]\n')))
    settings = {plan.strategy: plan.settings for plan in found}
    assert settings.pop("random") == {}
    assert all(value == {"startup_trials": 7} for value in settings.values())


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("seeds = 2", "seeds = 0", r"mine.toml: seeds: .*greater than"),
        ("seeds = 2", "sedes = 2", r"mine.toml: sedes: .*not permitted"),
        ("seeds = 2", "seeds = ", r"mine.toml: Invalid value \(at line 2"),
        ("[1.0, 2.0]", "[-1.0]", r"benchmarks.0.gpu_hours.0"),
        ("[1.0, 2.0]", "[]", r"benchmarks.0.gpu_hours"),
        ("c-nmc@published", "c-mnc@published", "did you mean 'c-nmc@published'"),
        ('"random"', '"randon"', "did you mean 'random'"),
        ('"random"', '"nowhere.module:Class"', "nowhere"),
        ('"random"', '"hemobench.errors:BenchmarkError"', "lacks supports, ask, tell"),
        ('"tpe-20"', '"random"', "two strategies are labelled 'random'"),
        ('"tpe-20"', '"../../up"', "label"),
        ("c-nmc@published", "bone-marrow@live", "--data"),
    ],
)
def test_mistakes_get_one_message_with_the_place(tmp_path, old, new, says):
    with pytest.raises(BenchmarkError, match=says):
        plans(narrowed(load_suite(write(tmp_path, SUITE.replace(old, new)))))


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"gpu_hours": -1.0}, "positive"),
        ({"gpu_hours": float("nan")}, "positive"),
        ({"benchmarks": ["bone-marrow@published"]}, "--gpu-hours"),
        ({"benchmarks": ["nothing"]}, "no benchmark 'nothing'"),
        ({"strategies": ["skopt-gp"], "benchmarks": ["bone-marrow-full@published"], "gpu_hours": 10.0}, "conditional"),
    ],
)
def test_options_that_cannot_be_are_refused(tmp_path, options, says):
    with pytest.raises(BenchmarkError, match=says):
        plans(narrowed(load_suite(write(tmp_path, SUITE)), **options))


def test_a_missing_suite_names_what_there_is():
    live = "live-c-nmc, live-paper-bone-marrow, live-paper-c-nmc"
    known = f"from-scratch, full, gate, {live}, multi-fidelity, papers, parallel, quick"
    with pytest.raises(BenchmarkError, match=rf"did you mean 'quick'.*\n.*{known}"):
        load_suite("quik")
    with pytest.raises(BenchmarkError, match=r"nowhere\.toml"):
        load_suite("nowhere.toml")


def trials_of(name):
    """Strategy and number of trials that end its runs, of a suite on images."""
    return {(plan.key.strategy, plan.budget.max_trials) for plan in plans(load_suite(name))}


def test_the_papers_studies_have_the_papers_numbers_of_trials():
    c_nmc = load_suite("live-paper-c-nmc")
    assert {count for _, count in trials_of("live-paper-c-nmc")} == {20}
    assert c_nmc.benchmarks[0].settings["split"] == "paper"
    assert load_benchmark("c-nmc@live").task.epochs == 10
    assert trials_of("live-paper-bone-marrow") == {("manual", 100), ("random", 100), ("sssr", 48)}
    assert load_suite("live-paper-bone-marrow").benchmarks[0].settings["folds"] == 6
    searched = sum(plan.settings["startup_trials"] == 10 for plan in plans(c_nmc) if plan.key.strategy == "optuna-tpe")
    assert searched == c_nmc.seeds


@pytest.mark.parametrize("name", ["live-c-nmc", "live-paper-c-nmc", "live-paper-bone-marrow"])
def test_settings_of_live_suites_are_read_by_their_tasks(name):
    options = pytest.importorskip("hemobench.benchmarks.training.options", exc_type=ImportError)
    for entry in load_suite(name).benchmarks:
        task = load_benchmark(entry.name).task
        given = {key: value for key, value in entry.settings.items() if key != "images"}
        assert options.read_options(task.name, task.options, given).image_size == entry.settings["image_size"]
