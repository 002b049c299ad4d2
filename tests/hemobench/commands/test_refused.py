"""Every kind of mistake in a suite or an option: one message that names it, exit code 2, before any trial or file."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from hemobench.cli import main

SUITE = """
seeds = 2
workers = [1]
strategies = ["random", { name = "manual", label = "by-hand", settings = { finest = 4 } }]

[[benchmarks]]
name = "c-nmc@published"
gpu_hours = [1.0]
"""
THEIRS = """
import sys
from hemobench.strategies.random_search import RandomSearch

class Dict(RandomSearch):
    supports = {"parallel": True}

class Deaf(RandomSearch):
    tell = None

class Broken(RandomSearch):
    def __init__(self, space, *, seed, horizon):
        raise RuntimeError("no licence")

class Exits(RandomSearch):
    def __init__(self, space, *, seed, horizon):
        sys.exit("gone")

def function(space, *, seed, horizon):
    return None
"""
MANUAL = "settings = { finest = 4 }"
ARM = f'{{ name = "manual", label = "by-hand", {MANUAL} }}'


def arm(name: str, settings: str = "") -> tuple[str, str]:
    """The suite with another second strategy."""
    return ARM, f'{{ name = "{name}", settings = {{ {settings} }} }}'


def source(name: str, settings: str) -> tuple[str, str]:
    """The suite with another benchmark."""
    return '"c-nmc@published"\n', f'"{name}"\nhorizon = 5\nsettings = {{ {settings} }}\n'


SUITES = {
    "a key of the suite is misspelt": ("seeds", "sedes", "sedes: Extra inputs"),
    "a key of a benchmark is misspelt": ("gpu_hours", "gpu_hour", "benchmarks.0.gpu_hour"),
    "a key of a strategy is misspelt": ("label", "lable", "lable: Extra inputs"),
    "no TOML": ("seeds = 2", "seeds = ", "Invalid value (at line 2"),
    "a table where a list should be": ("[[benchmarks]]", "[benchmarks]", "benchmarks: Input should be a valid list"),
    "no seeds": ("seeds = 2", "seeds = 0", "seeds: Input should be greater"),
    "too many seeds": ("seeds = 2", "seeds = 1000000", "seeds: Input should be less"),
    "seeds are a boolean": ("seeds = 2", "seeds = true", "seeds: Input should be a valid integer"),
    "seeds are a text": ("seeds = 2", 'seeds = "2"', "seeds: Input should be a valid integer"),
    "seeds are a half": ("seeds = 2", "seeds = 2.5", "seeds: Input should be a valid integer"),
    "a date": ("seeds = 2", "seeds = 2026-01-01", "seeds: Input should be a valid integer"),
    "workers are no list": ("[1]", "4", "workers: Input should be a valid list"),
    "no worker": ("[1]", "[0]", "workers.0: Input should be greater"),
    "a default that is no yes or no": (
        "seeds = 2",
        'default_first = "no"',
        "default_first: Input should be a valid bool",
    ),
    "no strategies": (f'["random", {ARM}]', "[]", "strategies: List should have at least 1"),
    "no budget": ("[1.0]", "[]", "benchmarks.0.gpu_hours: List"),
    "a negative budget": ("[1.0]", "[-1.0]", "benchmarks.0.gpu_hours.0: Input should be greater"),
    "a budget that is no number": ("[1.0]", "[nan]", "benchmarks.0.gpu_hours.0"),
    "an endless budget": ("[1.0]", "[inf]", "benchmarks.0.gpu_hours.0: Input should be less"),
    "a budget in words": ("[1.0]", '["one"]', "benchmarks.0.gpu_hours.0: Input should be a valid number"),
    "a budget without room for a trial": ("[1.0]", "[1e-13]", "less than a microsecond"),
    "no trials": ("[1.0]", "[1.0]\nmax_trials = 0", "max_trials: Input should be greater"),
    "a horizon below zero": ("[1.0]", "[1.0]\nhorizon = -1", "horizon: Input should be greater"),
    "an unknown benchmark": ("c-nmc@published", "c-mnc@published", "did you mean 'c-nmc@published'"),
    "an unknown strategy": ('"random"', '"randon"', "did you mean 'random'"),
    "a label that leads out of the folder": ("by-hand", "../up", "label: String should match"),
    "two arms of one label": (
        '"random"',
        '{ name = "sssr", label = "by-hand" }',
        "two strategies are labelled 'by-hand'",
    ),
    "labels of one folder": ('"random"', '{ name = "sssr", label = "By-Hand" }', "where case does not matter"),
    "a setting is misspelt": (MANUAL, "settings = { finnest = 4 }", "no setting 'finnest'; did you mean 'finest'?"),
    "a strategy without settings gets one": (
        '"random"',
        '{ name = "random", settings = { trials = 3 } }',
        "'random' has no setting 'trials'",
    ),
    "a setting that is ours to give": (*arm("manual", "seed = 3"), "has no setting 'seed'"),
    "a setting below its least": (MANUAL, "settings = { finest = -3 }", "finest = -3: Input should be greater"),
    "a setting of another type": (
        MANUAL,
        'settings = { finest = "4" }',
        "finest = '4': Input should be a valid integer",
    ),
    "a half": (MANUAL, "settings = { finest = 2.5 }", "finest = 2.5: Input should be a valid integer"),
    "a boolean for a number": (*arm("optuna-tpe", "startup_trials = true"), "startup_trials = True: Input should be"),
    "a number for a boolean": (*arm("optuna-tpe", "group = 1"), "group = 1: Input should be a valid boolean"),
    "a share above one": (*arm("manual", "share = 1.5"), "share = 1.5: Input should be less"),
    "not a number": (*arm("skopt-gp", "xi = nan"), "xi = nan: Input should be a finite number"),
    "a choice that there is not": (*arm("skopt-gp", 'acq_func = "UCB"'), "acq_func = 'UCB': Input should be"),
    "rounds without trials": (*arm("sssr", "rounds = []"), "rounds = []: Value should have at least 1"),
    "a round of nothing": (*arm("sssr", "rounds = [24, 0]"), "rounds = [24, 0]: 1: Input should be greater"),
    "a first rung above the last": (*arm("asha", "min_epochs = 500"), "'asha' cannot be built for c-nmc@published"),
    "no module of that name": ('"random"', '"nowhere.module:Class"', "No module named 'nowhere'"),
    "nothing of that name in the module": ('"random"', '"theirs:Nothing"', "has no attribute 'Nothing'"),
    "a module that is no Python": ('"random"', '"garbled:Class"', "importing it raised SyntaxError"),
    "a module that ends the process": ('"random"', '"leaving:Class"', "importing it raised SystemExit"),
    "a class that is no strategy": ('"random"', '"hemobench.errors:BenchmarkError"', "lacks supports, ask, tell"),
    "supports of another type": ('"random"', '"theirs:Dict"', "its `supports` is a dict"),
    "a function for a class": ('"random"', '"theirs:function"', "'theirs:function' is no"),
    "a method that is none": ('"random"', '"theirs:Deaf"', "lacks tell"),
    "a constructor that raises": (
        '"random"',
        '"theirs:Broken"',
        "cannot be built for c-nmc@published: RuntimeError: no lic",
    ),
    "a constructor that ends the process": ('"random"', '"theirs:Exits"', "SystemExit: gone"),
    "conditions that a strategy does not take": (
        'name = "manual", label = "by-hand", settings = { finest = 4 } }]\n\n[[benchmarks]]\nname = "c-nmc@published"',
        'name = "skopt-gp" }]\n[[benchmarks]]\nname = "bone-marrow-full@published"',
        "takes no conditional hyperparameters",
    ),
    "a benchmark's setting is misspelt": (*source("c-nmc@recorded", "fold = [1]"), "did you mean 'folds'"),
    "a benchmark without settings gets one": (*source("c-nmc@published", "noise = 0"), "it takes no settings"),
    "a fold that was not recorded": (*source("c-nmc@recorded", "folds = [9]"), "folds (9,) asked for"),
    "folds of another type": (*source("c-nmc@recorded", 'folds = "1"'), "folds = '1': Input should be"),
    "a member that there is not": (*source("c-nmc@recorded", 'member = "best"'), "member = 'best'"),
    "a member's number too high": (*source("c-nmc@recorded", "member = 999"), "no member '999'"),
    "a table that is missing": (*source("c-nmc@table", 'table = "nowhere.parquet"'), "nowhere.parquet"),
    "no table": (*source("c-nmc@table", ""), "its setting table is missing"),
    "a surrogate that is none": (*source("c-nmc@surrogate", 'surrogate = "suite.toml"'), "suite.toml"),
    "no images": ("c-nmc@published", "c-nmc@live", "--data DIR"),
}
OPTIONS = {
    "no seeds": (["--seeds", "0"], "--seeds"),
    "too many seeds": (["--seeds", "10000000"], "--seeds 10000000: Input should be less"),
    "no worker": (["--workers", "0"], "--workers"),
    "too many workers": (["--workers", "10000000"], "--workers 10000000: Input should be less"),
    "no process": (["--jobs", "0"], "--jobs"),
    "a budget below zero": (["--gpu-hours", "-1"], "--gpu-hours -1.0: Input should be greater"),
    "a budget that is no number": (["--gpu-hours", "nan"], "--gpu-hours nan"),
    "a budget in words": (["--gpu-hours", "many"], "--gpu-hours"),
    "strategies that name nothing": (["--strategies", ","], "--strategies ',' names nothing"),
    "benchmarks that name nothing": (["--benchmarks", " , "], "names nothing"),
    "an unknown strategy": (["--strategies", "randon"], "did you mean 'random'"),
    "an unknown benchmark": (["--benchmarks", "c-nmc@recorde"], "did you mean 'c-nmc@recorded'"),
    "a benchmark without a budget": (["--benchmarks", "c-nmc@recorded"], "no budget for 'c-nmc@recorded'"),
    "a variant that there is not": (
        ["--benchmarks", "c-nmc@published[folds=3]"],
        "the suite has no 'c-nmc@published[folds=3]'",
    ),
    "results in a file": (["--out", "suite.toml"], "--out suite.toml"),
    "results below a file": (["--out", "suite.toml/results"], "suite.toml is no folder"),
    "images that are nowhere": (["--data", "nowhere"], "nowhere: no such folder"),
    "a cluster that there is not": (["--dask", "nowhere"], "--dask nowhere"),
    "an option that there is not": (["--seed", "3"], "--seed"),
}


@pytest.fixture
def refused(tmp_path, monkeypatch, capsys):
    """Runs a suite and gives its message, having made sure that nothing else came of it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    for name, text in {"theirs": THEIRS, "garbled": "def (", "leaving": "raise SystemExit(3)"}.items():
        Path(f"{name}.py").write_text(text)
        monkeypatch.delitem(sys.modules, name, raising=False)

    def run(text: str, *options: str) -> str:
        Path("suite.toml").write_text(text)
        before = {path for path in tmp_path.rglob("*") if "__pycache__" not in path.parts}
        monkeypatch.setattr(sys, "argv", ["hemobench", "run", "suite.toml", *options])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        assert ended.value.code == 2, said
        assert "Traceback" not in said.err
        assert "runs on" not in said.err, "it began"
        assert said.out == ""
        assert {path for path in tmp_path.rglob("*") if "__pycache__" not in path.parts} == before
        return said.err

    return run


@pytest.mark.parametrize("mistake", SUITES)
def test_a_malformed_suite(mistake, refused):
    old, new, says = SUITES[mistake]
    assert SUITE.count(old) >= 1, "the mistake is not made"
    said = refused(SUITE.replace(old, new))
    assert says in said
    assert said.startswith("hemobench: ")
    assert said.count("\n  -> ") == 1, "no hint, or two"


@pytest.mark.parametrize("mistake", OPTIONS)
def test_a_wrong_option(mistake, refused):
    options, says = OPTIONS[mistake]
    assert says in " ".join(refused(SUITE, *options).split())


def test_two_folders_of_images_for_one_benchmark(refused, tmp_path):
    """They are no part of a run's folder: one of them would be dropped."""
    entry = '[[benchmarks]]\nname = "c-nmc@live"\ngpu_hours = [1.0]\nhorizon = 3\nsettings = {{ data = "{}" }}\n'
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
    head = SUITE.partition("[[benchmarks]]")[0]
    said = refused(head + entry.format("one") + entry.format("other"))
    assert "two entries of c-nmc@live differ in data alone" in said


def test_another_suite_s_results_are_there(refused, tmp_path, monkeypatch, capsys):
    """What differs is named before the first run that could be gone on with."""
    Path("suite.toml").write_text(SUITE)
    monkeypatch.setattr(sys, "argv", ["hemobench", "run", "suite.toml", "--out", "results", "--jobs", "1"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 0
    capsys.readouterr()
    said = refused(SUITE.replace("finest = 4", "finest = 5"), "--out", "results")
    assert "by-hand" in said
    assert "is of another run: strategy is" in said
