"""`import hemobench`: other people's loops tune on our benchmarks, and the calls say what the commands say."""

from __future__ import annotations

import json
import math
import re
import subprocess
import sys
from itertools import islice
from pathlib import Path

import numpy as np
import optuna
import pytest
from typer.testing import CliRunner

import hemobench
from hemobench.benchmarks.evaluator import NO_RESULT
from hemobench.cli import app
from hemobench.errors import BenchmarkError
from hemobench.reports.leaderboard.model import as_json
from hemobench.strategies.random_search import RandomSearch
from hemobench.strategies.space import random_stream

DOCS = Path(__file__).parents[2] / "docs" / "python.md"
TRIALS = 25


def median_truth(problem):
    """What half of all configurations are worth at least: a search that has learned finds better."""
    configs = islice(random_stream(problem.space, 99), 200)
    return float(np.median([problem.truth(config).loss for config in configs]))


def test_every_name_is_there_and_listed():
    for name in hemobench.__all__:
        assert getattr(hemobench, name) is not None
        assert name in dir(hemobench)
    with pytest.raises(AttributeError, match="no attribute 'lederboard'"):
        hemobench.lederboard  # noqa: B018


def test_the_import_alone_loads_nothing_heavy():
    """What stands in `__all__` is imported when it is used."""
    program = (
        "import sys, hemobench; heavy = {'numpy', 'pandas', 'optuna', 'torch', 'ConfigSpace', 'typer'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert said.strip() == "[]"


@pytest.mark.parametrize("name", ["c-nmc@published", "bone-marrow-full@published", "c-nmc@recorded"])
def test_a_plain_loop_tunes(name):
    problem = hemobench.load_benchmark(name)
    space = problem.space
    space.seed(5)
    results = []
    for _ in range(TRIALS):
        config = space.sample_configuration()
        result = problem.evaluate(config, seed=3)
        assert result == problem.evaluate(dict(config), seed=3)
        assert result.cost.gpu_seconds > 0
        if math.isfinite(result.loss):
            assert problem.metric in result.validation
            assert len(result.curve) <= problem.epochs
        results.append((result.loss, config))
    _, best = min(results, key=lambda pair: pair[0])
    assert problem.truth(best).loss < median_truth(problem)


@pytest.mark.parametrize("name", ["c-nmc@published", "bone-marrow-full@published"])
def test_optuna_tunes(name):
    objective = hemobench.OptunaProblem(hemobench.load_benchmark(name), seed=2)
    study = optuna.create_study(directions=objective.directions, sampler=optuna.samplers.TPESampler(seed=4))
    study.optimize(objective, n_trials=TRIALS)
    assert objective.problem.truth(study.best_params).loss < median_truth(objective.problem)
    for trial in study.trials:
        expected = objective.problem.evaluate(trial.params, seed=2)
        assert trial.user_attrs["gpu_seconds"] == expected.cost.gpu_seconds
        assert trial.user_attrs["status"] == expected.status
        if trial.state is optuna.trial.TrialState.COMPLETE:
            assert trial.value == expected.loss
            assert trial.user_attrs[f"test.{objective.problem.metric}"] == expected.test[objective.problem.metric]
        else:
            assert expected.loss == math.inf


def test_a_training_that_fails_is_a_failed_trial():
    """One that diverges on the published surface, whatever the seed."""
    objective = hemobench.OptunaProblem(hemobench.load_benchmark("bone-marrow@published"))
    space = objective.problem.space
    config = {**dict(space.get_default_configuration()), "optimizer": "rmsprop", "batch_size": 4}
    study = optuna.create_study()
    study.enqueue_trial(config)
    study.optimize(objective, n_trials=1)
    assert study.trials[0].state is optuna.trial.TrialState.FAIL
    assert study.trials[0].user_attrs["status"] == "diverged"
    assert math.isnan(objective.evaluate(config))
    assert objective.problem.truth(config) == NO_RESULT


def test_smac_tunes(tmp_path):
    from smac import HyperparameterOptimizationFacade, Scenario

    problem = hemobench.load_benchmark("c-nmc@published")

    def train(config, seed: int = 0) -> float:
        return problem.evaluate(config, seed=seed).loss

    scenario = Scenario(problem.space, n_trials=15, deterministic=True, output_directory=tmp_path, seed=1)
    smac = HyperparameterOptimizationFacade(scenario, train, overwrite=True, logging_level=False)
    assert problem.truth(smac.optimize()).loss < median_truth(problem)


@pytest.mark.parametrize("name", ["c-nmc@published", "bone-marrow-full@published"])
def test_optunahubs_protocol(name):
    """As OptunaHub 0.5 documents it: a dictionary of distributions, directions, and `evaluate` of its values."""
    problem = hemobench.OptunaProblem(hemobench.load_benchmark(name), seed=1)
    assert set(problem.search_space) == set(problem.problem.space)
    assert problem.directions == [optuna.study.StudyDirection.MINIMIZE]
    assert problem.evaluate_constraints({}) == {}
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=7))
    for _ in range(10):
        trial = study.ask(problem.search_space)  # a value for everything, active or not
        value = problem.evaluate(trial.params)
        study.tell(trial, value)
        fixed = optuna.trial.FixedTrial(trial.params)
        assert problem(fixed) == value or (math.isnan(value) and math.isnan(problem(fixed)))


def test_optunahubs_own_base_class_drives_it():
    hub = pytest.importorskip("optunahub", reason="OptunaHub comes with hemobench[dev]")

    class Problem(hemobench.OptunaProblem, hub.benchmarks.BaseProblem):
        pass

    made = Problem(hemobench.load_benchmark("bone-marrow-full@published"), seed=1)
    assert isinstance(made, hub.benchmarks.BaseProblem)
    study = optuna.create_study(directions=made.directions, sampler=optuna.samplers.RandomSampler(seed=7))
    study.optimize(made, n_trials=5)
    for _ in range(5):
        trial = study.ask()
        value = hub.benchmarks.BaseProblem.__call__(made, trial)  # suggests everything, and calls `evaluate`
        assert value == made.evaluate(trial.params) or math.isnan(value)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"dropout_1": 0.9}, "dropout_1 cannot be 0.9"),
        ({"dropout_1": "much"}, "dropout_1 cannot be 'much'"),
        ({"colour": 1}, "unknown hyperparameters"),
        ({"batch_size": None}, "batch_size is missing"),
        ({"batch_size": 33}, "batch_size cannot be 33"),
    ],
)
def test_what_is_no_configuration_is_refused(change, says):
    problem = hemobench.load_benchmark("c-nmc@published")
    config = {**dict(problem.space.get_default_configuration()), **change}
    config = {name: value for name, value in config.items() if value is not None}
    for call in (problem.evaluate, problem.truth):
        with pytest.raises(BenchmarkError, match=says):
            call(config)


@pytest.mark.parametrize("epochs", [0, 11, -1, 1.5, True, "3"])
def test_what_is_no_length_is_refused(epochs):
    problem = hemobench.load_benchmark("c-nmc@published")
    with pytest.raises(BenchmarkError, match="give a whole number from 1 to 10"):
        problem.evaluate(dict(problem.space.get_default_configuration()), epochs=epochs)


def test_numbers_of_numpy_and_whole_floats_are_taken():
    problem = hemobench.load_benchmark("bone-marrow@published")
    plain = dict(problem.space.get_default_configuration())
    foreign = {name: np.float64(value) if isinstance(value, float) else value for name, value in plain.items()}
    foreign |= {"batch_size": np.int64(plain["batch_size"]), "dropout": 0}
    assert problem.evaluate(foreign, seed=1) == problem.evaluate({**plain, "dropout": 0.0}, seed=1)


def test_a_missing_parameter_of_optunas_is_named():
    objective = hemobench.OptunaProblem(hemobench.load_benchmark("c-nmc@published"))
    with pytest.raises(BenchmarkError, match="'batch_size' is missing"):
        objective.evaluate({})


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    out = tmp_path_factory.mktemp("results")
    ended = []
    results = hemobench.run_suite(
        "papers",
        out,
        benchmarks=["c-nmc@published"],
        strategies=[RandomSearch, "sssr"],
        seeds=2,
        gpu_hours=0.5,
        on_run=ended.append,
    )
    return out, results, ended


def test_a_suite_runs_and_is_resumed(ran):
    out, results, ended = ran
    assert len(results.runs) == len(ended) == 4
    again = hemobench.run_suite(
        "papers", out, benchmarks=["c-nmc@published"], strategies=[RandomSearch, "sssr"], seeds=2, gpu_hours=0.5
    )
    assert again.trials.equals(results.trials)
    assert hemobench.load_results(str(out)).trials.equals(results.trials)


def test_the_calls_say_what_the_commands_say(ran):
    out, results, _ = ran
    told = CliRunner().invoke(app, ["leaderboard", str(out), "--json"])
    assert told.exit_code == 0
    for source in (results, out, str(out)):
        shown = json.loads(told.stdout)
        assert shown.pop("cited")["benchmarks"]  # what the command adds: where its results are from
        assert shown == json.loads(json.dumps(as_json(hemobench.leaderboard(source))))
    asked = ["recommend", str(out), "--benchmark", "c-nmc@published", "--gpu-hours", "0.5", "--json"]
    told = CliRunner().invoke(app, asked)
    assert told.exit_code == 0, told.output
    assert json.loads(told.stdout)["use"] == hemobench.recommend("c-nmc@published", 0.5, results).use


def test_a_class_inside_another_thing_is_refused(tmp_path):
    class Local(RandomSearch):
        pass

    with pytest.raises(BenchmarkError, match="define the class at the top of a module"):
        hemobench.run_suite("quick", tmp_path, strategies=[Local])


def test_the_examples_of_the_page_run_as_they_stand(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"^```python\n(.*?)^```", DOCS.read_text(), flags=re.M | re.S)
    assert len(blocks) >= 7
    namespace: dict[str, object] = {"__name__": "__examples__"}
    for block in blocks:
        exec(compile(block, str(DOCS), "exec"), namespace)
    said = capsys.readouterr().out
    assert "c-nmc@published 1 10 accuracy" in said
    assert "worth" in said
