"""Every evaluator keeps the contract: surfaces, tables and surrogates here and now, live training where torch is."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import islice

import numpy as np
import pytest

from hemobench.benchmarks.benchmark import BENCHMARKS, load_benchmark
from hemobench.benchmarks.budget import Budget
from hemobench.benchmarks.evaluator import NO_RESULT
from hemobench.benchmarks.execution.runner import run
from hemobench.benchmarks.recorded import artefacts
from hemobench.benchmarks.recording.design import Design, repeated
from hemobench.benchmarks.recording.points import points
from hemobench.benchmarks.recording.rows import look
from hemobench.benchmarks.surrogates.fit import fit
from hemobench.benchmarks.surrogates.network import Training
from hemobench.benchmarks.surrogates.store import save
from hemobench.benchmarks.tables.io import read_table, write_table
from hemobench.benchmarks.tables.schema import Header, Table
from hemobench.strategies import load_strategy
from hemobench.strategies.base import Proposal, Status
from hemobench.strategies.space import random_stream
from hemobench.testing import benchmarks as contract

EPOCHS = 2
HASTY = Training(steps=60)
SEEDS = 300
KNOW_THE_TRUTH = ("@published", "@recorded")


@pytest.fixture(scope="module")
def cells(tmp_path_factory):
    """Synthetic cells of both tasks, in the layouts of the real ones."""
    from hemobench.datasets.synthetic import synthesize

    folders = {}
    for name in ("c-nmc", "bone-marrow"):
        folders[name] = tmp_path_factory.mktemp(name)
        synthesize(name, folders[name], images=120, seed=0, size=48)
    return folders


SMALL = {
    "c-nmc": {"image_size": 64, "weights": "none"},
    "bone-marrow": {"image_size": 64, "folds": 3, "weights": "none", "scale": "micro"},
    "bone-marrow-head": {"image_size": 64, "folds": 3, "weights": "none", "images": 60},
    "bone-marrow-lite": {"image_size": 64, "folds": 3, "weights": "none", "images": 30},
    "cells": {"image_size": 64, "folds": 3, "weights": "none", "images": 30},
}
"""Settings of live training by task, or else by data set."""
ONLY_LIVE = ("bone-marrow-lite", "cells")
"""Tasks without a published surface to record a table from, or a recording."""
DEPTHS = {"efficientnet_lite0": 121, "efficientnet_lite1": 161, "efficientnet_lite2": 169}


class Mapped:
    """The bone-marrow surface under the names of a task that is trained live alone, twelve of its epochs for one."""

    def __init__(self):
        self.surface = load_benchmark("bone-marrow@published").evaluator()
        self.provenance = self.surface.provenance

    def evaluate(self, proposal, seed, *, trained=0, limit=math.inf):
        network = proposal.config["network"]
        config = {name: value for name, value in proposal.config.items() if name != "network"}
        asked = Proposal({**config, "densenet_depth": DEPTHS[network]}, 12 * proposal.epochs)
        outcome = self.surface.evaluate(asked, seed, trained=12 * trained, limit=limit)
        return replace(outcome, curve=outcome.curve[11::12])


def small_table(task, evaluator, table):
    """A table of a task, recorded in this process."""
    known = load_benchmark(f"{task}@live").task
    epochs = (*(e for e in (1, 3, 9, 27) if e < known.epochs), known.epochs)
    design = Design(sobol=60, random=30, strategies=(), repeats=10, repeat_seeds=3, epochs=epochs)
    lengths = design.looks(known.epochs)
    rows = [look(evaluator, lengths, origin, config, 0, -1) for origin, config in points(design, known.space())]
    rows += [look(evaluator, lengths, *asked) for asked in repeated(design, rows, known.objective)]
    device = known.reference_device
    source = dict(evaluator.provenance)
    header = Header(task, f"{task}@live", 1, "test", known.epochs, device, "", source, {}, design.as_data())
    write_table(Table(header, tuple(rows)), table)
    return Table(header, tuple(rows))


KINDS = {
    "live": "measured",
    "table": "recorded",
    "surrogate": "predicted",
    "recorded": "predicted",
    "published": "predicted",
}


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """Small tables recorded from the published surfaces, and surrogates fitted to them."""
    shipped = {task: artefacts(task) for task in ("bone-marrow-head", "bone-marrow-micro")}
    files = {task: {"table": own.table, "surrogate": own.surrogate} for task, own in shipped.items()}
    published = {task: load_benchmark(f"{task}@published").evaluator() for task in ("c-nmc", "bone-marrow")}
    for task, evaluator in {**published, **dict.fromkeys(ONLY_LIVE, Mapped())}.items():
        table = tmp_path_factory.mktemp("tables") / f"{task}.parquet"
        surrogate = fit(small_table(task, evaluator, table), how=HASTY)  # the contract asks for no good one
        save(surrogate, table.with_suffix(".npz"))
        files[task] = {"table": table, "surrogate": table.with_suffix(".npz")}
    return files


class Remembers:
    """Live training that answers the same question from memory, so that one check need not train for the next."""

    def __init__(self, live):
        self.live, self.answers = live, {}

    def __getattr__(self, name):
        return getattr(self.live, name)

    def evaluate(self, proposal, seed, *, trained=0, limit=math.inf):
        question = repr((dict(proposal.config), proposal.epochs, seed, trained, limit))
        if question not in self.answers:
            self.answers[question] = self.live.evaluate(proposal, seed, trained=trained, limit=limit)
        return self.answers[question]


def marked(name):
    """Live training is what needs torch."""
    return pytest.param(name, marks=pytest.mark.torch if name.endswith("@live") else ())


@pytest.fixture(scope="module", params=map(marked, BENCHMARKS))
def evaluated(request, tmp_path_factory):
    """A benchmark with its evaluator, built once."""
    benchmark = load_benchmark(request.param)
    task, _, source = request.param.partition("@")
    if source in ("published", "recorded"):
        return benchmark, benchmark.evaluator()
    if source in ("table", "surrogate"):
        return benchmark, benchmark.evaluator(**{source: request.getfixturevalue("recorded")[task][source]})
    pytest.importorskip("torch")
    dataset = benchmark.task.dataset
    data = request.getfixturevalue("cells")["bone-marrow" if dataset == "cells" else dataset]
    cache = tmp_path_factory.mktemp("cache")
    live = benchmark.evaluator(data=data, cache=cache, **SMALL.get(task, SMALL.get(dataset, {})))
    return benchmark, Remembers(live)


def proposals(benchmark):
    """The default and draws, as far as they train in seconds."""
    return contract.proposals(benchmark, EPOCHS)


def test_metrics_are_fractions_and_hold_the_objective(evaluated):
    contract.check_metrics(*evaluated, proposals(evaluated[0]))


def test_costs_are_positive_and_say_their_kind(evaluated):
    benchmark, evaluator = evaluated
    asked = proposals(benchmark)
    contract.check_costs(evaluator, asked)
    assert evaluator.evaluate(asked[0], 0).cost.kind == KINDS[benchmark.name.partition("@")[2]]


def test_equal_questions_get_equal_answers(evaluated):
    benchmark, evaluator = evaluated
    anew = evaluator.live if benchmark.live else None
    contract.check_equal_answers(benchmark, evaluator, proposals(benchmark), anew)


def test_another_seed_is_another_training(evaluated):
    benchmark, evaluator = evaluated
    if benchmark.name.endswith("@table"):
        pytest.skip("a table knows other seeds of the configurations that were repeated, and only of those")
    proposal = proposals(benchmark)[0]
    assert evaluator.evaluate(proposal, 0).validation != evaluator.evaluate(proposal, 1).validation


def test_a_resumed_trial_is_charged_the_increment(evaluated):
    contract.check_increments(*evaluated, proposals(evaluated[0]))


def test_increments_add_up_to_the_whole(evaluated):
    """Up the rungs to the full length, of configurations that fail too: each continued trial pays what is new."""
    benchmark, evaluator = evaluated
    if benchmark.live:
        pytest.skip("measured costs differ from one training to the next")
    full, failed, asked = benchmark.task.epochs, 0, proposals(benchmark)
    if "optimizer" in asked[0].config:  # one that diverges on the published surfaces
        asked.append(Proposal({**asked[0].config, "optimizer": "rmsprop", "learning_rate": 3e-4, "batch_size": 4}))
    for proposal in asked:
        legs, trained = [], 0
        for epochs in (*(e for e in (1, 3, 9, 27) if e < full), full):
            legs.append(evaluator.evaluate(Proposal(proposal.config, epochs), 5, trained=trained))
            trained = epochs
            if legs[-1].status is not Status.OK:  # no strategy goes on from here
                failed += 1
                break
        whole = evaluator.evaluate(Proposal(proposal.config, trained), 5)
        assert sum(leg.cost.gpu_seconds for leg in legs) == pytest.approx(whole.cost.gpu_seconds, abs=0.01)
        assert sum(leg.cost.evaluation_seconds for leg in legs) == pytest.approx(
            whole.cost.evaluation_seconds, abs=0.01
        )
        assert (legs[-1].status, legs[-1].validation) == (whole.status, whole.validation)
    assert failed or not (benchmark.name.startswith("bone-marrow") and benchmark.name.endswith("@published"))


def test_a_limit_may_end_it_and_never_cheapens_it(evaluated):
    benchmark, evaluator = evaluated
    outcome = evaluator.evaluate(proposals(benchmark)[0], 0, limit=1e-4)
    assert outcome.cost.gpu_seconds > 1e-4
    assert evaluator.evaluate(proposals(benchmark)[0], 0, limit=math.inf).status is Status.OK


def test_the_truth_depends_on_the_configuration_and_the_run_alone(evaluated):
    benchmark, evaluator = evaluated
    asked = proposals(benchmark)
    contract.check_truth(benchmark, evaluator, asked)
    known = [evaluator.truth(proposal.config) is not None for proposal in asked]
    if benchmark.live:
        assert not any(known)
    elif not benchmark.name.endswith("@table"):
        assert all(known)


def test_a_record_holds_the_truth_beside_what_was_seen(evaluated):
    """Of every trial that ended well, whatever its length; of no other."""
    benchmark, evaluator = evaluated
    if benchmark.live:
        pytest.skip("live training knows no truth; its records are tested where it is")
    task = benchmark.task
    strategy = load_strategy("asha")(task.space(), seed=3, horizon=12, epochs=task.epochs)
    budget = Budget(gpu_hours=1e6, max_trials=12)
    records = list(run(strategy, evaluator, budget, task=task, seed=3))
    assert len(records) == 12
    for trial in records:
        ended_well = trial.status is Status.OK
        assert trial.truth == (evaluator.truth(trial.config, 3) if ended_well else None)


def c4(n):
    """The mean deviation of n normal values in true deviations, both reckoned with n - 1."""
    return math.sqrt(2 / (n - 1)) * math.gamma(n / 2) / math.gamma((n - 1) / 2)


@pytest.mark.parametrize("name", [name for name in BENCHMARKS if name.endswith(KNOW_THE_TRUTH)])
def test_the_mean_of_many_trainings_approaches_the_truth(name):
    """Of the metrics that are tuned and reported, within 4.5 standard errors: 1 in 150,000 fails by chance.

    A run's trainings are held to what the configuration is worth to that run.

    The others need not: some are no linear functions of their noise, and some lie at 0, where noise is
    clipped. Of deviations over folds the published surfaces' have a logarithm that is linear; those of a
    surrogate are the roots of mean variances, which lie above the means of roots: by as much as `c4` says where all
    is noise, by nothing where folds differ for ever.
    """
    benchmark = load_benchmark(name)
    evaluator, space = benchmark.evaluator(), benchmark.task.space()
    reported = {*benchmark.task.objective.weights, benchmark.task.headline}
    for config in islice(random_stream(space, 11), 3):
        truths = [evaluator.truth(config, seed) for seed in range(SEEDS)]
        outcomes = [evaluator.evaluate(Proposal(config), seed) for seed in range(SEEDS)]
        pairs = [pair for pair in zip(outcomes, truths, strict=True) if pair[0].status is Status.OK]
        if NO_RESULT in truths:
            assert not pairs
            continue
        for side in ("validation", "test"):
            low = getattr(truths[0], side).get("macro_f1", 1.0) < 0.15
            for metric in sorted(reported & getattr(truths[0], side).keys()):
                seen, worth = (
                    np.array([getattr(one, side)[metric] for one in ones]) for ones in zip(*pairs, strict=True)
                )
                if metric.endswith("_std") and name.endswith("@recorded"):
                    chance = 4.5 * seen.std(ddof=1) / np.sqrt(len(seen))
                    # near chance a fold's noise is clipped at 0, and deviates by less than it would
                    least, most = c4(len(evaluator._folds)) - 0.2 * low, 1 + 0.2 * low
                    mean = worth.mean()
                    assert least * mean - chance < seen.mean() < most * mean + chance, (config, side, metric)
                    continue
                if metric.endswith("_std"):
                    seen, worth = np.log(seen), np.log(worth)
                error = (seen - worth).std(ddof=1) / np.sqrt(len(seen))
                assert abs((seen - worth).mean()) <= 4.5 * error + 2e-6, (config, side, metric)


def test_a_table_knows_the_truth_of_what_was_repeated(recorded):
    """The mean over its seeds at full length; of a configuration that was trained once, nothing."""
    file = recorded["c-nmc"]["table"]
    evaluator = load_benchmark("c-nmc@table").evaluator(table=file)
    table, fold = read_table(file), int(evaluator.provenance["folds"])
    groups = {}
    for row in table.rows:
        if row.fold == fold:
            groups.setdefault(row.key[0], []).append(row)
    repeated = [rows for rows in groups.values() if len(rows) > 1]
    assert len(repeated) == 10
    for rows in groups.values():
        truth = evaluator.truth(rows[0].config)
        if len(rows) == 1:
            assert truth is None
            continue
        mean = np.mean([row.validation["accuracy"][-1] for row in rows])
        assert truth.validation["accuracy"] == pytest.approx(mean, abs=1e-6)
        assert truth.loss == pytest.approx(1 - mean, abs=1e-6)
        assert truth.test["accuracy"] == pytest.approx(np.mean([row.test["accuracy"][-1] for row in rows]), abs=1e-6)


def test_provenance_is_plain_text_without_paths(evaluated):
    _, evaluator = evaluated
    assert evaluator.provenance["source"] in KINDS
    for name, value in evaluator.provenance.items():
        assert isinstance(name, str)
        assert isinstance(value, str)
        assert "/tmp" not in value
