"""Strategies that choose how long to train: rungs, successive halving, brackets, and the model on the longest rung."""

from __future__ import annotations

import shutil
from collections import Counter
from itertools import islice, pairwise

import numpy as np
import pytest
from contracts.scripted import Scripted
from hypothesis import given
from hypothesis import strategies as st

from hemobench.benchmarks.benchmark import load_benchmark
from hemobench.benchmarks.budget import Budget
from hemobench.benchmarks.execution.execute import execute
from hemobench.benchmarks.execution.plan import Plan
from hemobench.benchmarks.execution.replay import unmeasured
from hemobench.benchmarks.execution.runner import run
from hemobench.benchmarks.storage.run_folder import END, TRIALS, RunKey, read_trials
from hemobench.benchmarks.tasks import load_task
from hemobench.errors import BenchmarkError
from hemobench.strategies import STRATEGIES, load_strategy, unavailable
from hemobench.strategies.asha import ASHA
from hemobench.strategies.base import Proposal, Status, Trial
from hemobench.strategies.bohb import BOHB
from hemobench.strategies.fidelity.brackets import schedule
from hemobench.strategies.fidelity.rungs import ranked, rungs
from hemobench.strategies.hyperband import Hyperband
from hemobench.strategies.space import random_stream
from hemobench.testing.drives import drive, told

TASK = load_task("c-nmc")
SPACE = TASK.space()
MULTI_FIDELITY = [name for name in STRATEGIES if unavailable(name) is None and load_strategy(name).supports.fidelity]


def lengths(proposals):
    return [(proposal.epochs, proposal.resume_from) for proposal in proposals]


def configs(proposals):
    return [dict(proposal.config) for proposal in proposals if proposal.resume_from is None]


def outcome_of(strategy, evaluator, budget, task=TASK):
    trials = run(strategy, evaluator, budget, task=task, seed=0)
    records = []
    while True:
        try:
            records.append(next(trials))
        except StopIteration as stop:
            return records, stop.value


# Rungs


@pytest.mark.parametrize(
    ("epochs", "least", "eta", "expected"),
    [
        (10, 1, 3, (1, 3, 10)),
        (100, 1, 3, (1, 3, 9, 27, 100)),
        (8, 1, 3, (1, 3, 8)),
        (81, 1, 3, (1, 3, 9, 27, 81)),
        (100, 5, 4, (5, 20, 100)),
        (10, 10, 3, (10,)),
        (1, 1, 3, (1,)),
        (2, 1, 3, (1, 2)),
        (16, 1, 2, (1, 2, 4, 8, 16)),
    ],
)
def test_rungs(epochs, least, eta, expected):
    assert rungs(epochs, least, eta) == expected


@given(st.integers(1, 400), st.integers(1, 400), st.integers(2, 6))
def test_rungs_rise_to_the_full_length(epochs, least, eta):
    if least > epochs:
        with pytest.raises(BenchmarkError, match="min_epochs"):
            rungs(epochs, least, eta)
        return
    found = rungs(epochs, least, eta)
    assert found[-1] == epochs
    assert found[0] == least or least * eta**0.5 >= epochs
    assert all(longer / shorter > eta**0.5 for shorter, longer in pairwise(found))
    assert all(longer == shorter * eta for shorter, longer in pairwise(found[:-1]))


@pytest.mark.parametrize("name", MULTI_FIDELITY)
@pytest.mark.parametrize("wrong", [{"eta": 1}, {"min_epochs": 0}, {"min_epochs": 11}])
def test_impossible_rungs_are_refused(name, wrong):
    with pytest.raises(BenchmarkError, match=next(iter(wrong))):
        load_strategy(name)(SPACE, seed=0, horizon=10, epochs=10, **wrong)


def test_the_failed_are_not_ranked():
    trials = [Trial(i, Proposal({}, 1), loss, status, 1.0) for i, (loss, status) in enumerate(
        [(0.3, Status.OK), (None, Status.DIVERGED), (0.1, Status.OK), (0.3, Status.OK), (None, Status.TIMED_OUT)]
    )]  # fmt: skip
    assert [trial.number for trial in ranked(trials)] == [2, 0, 3]


# Asynchronous successive halving


def test_asha_by_hand():
    """Losses of the trials in their order; in brackets, those on the rung of 3 epochs."""
    strategy = ASHA(SPACE, seed=0, horizon=9, epochs=9)
    losses = [5.0, 4.0, 3.0, (2.5), 6.0, 2.0, (1.0), 2.2, (0.5)]
    asked = []
    for number, loss in enumerate(losses):
        asked.append(strategy.ask())
        strategy.tell(Trial(number, asked[-1], loss, Status.OK, 1.0))
    assert lengths(asked) == [
        (1, None),
        (1, None),
        (1, None),
        (3, 2),  # 3.0 is the best third of three
        (1, None),
        (1, None),
        (3, 5),  # of five it is 2.0, and 3.0 has gone on already
        (1, None),
        (3, 7),  # of six 2.0 and 2.2
    ]
    assert lengths([strategy.ask()]) == [(9, 8)]  # 0.5 of (2.5), (1.0) and (0.5)


def test_asha_waits_for_nobody_and_learns_from_what_is_there():
    strategy = ASHA(SPACE, seed=0, horizon=9, epochs=9)
    pending = [strategy.ask() for _ in range(50)]
    assert configs(pending) == list(islice(random_stream(SPACE, 0), 50))
    for number in (40, 7, 3):
        strategy.tell(Trial(number, pending[number], number / 50, Status.OK, 1.0))
    assert lengths([strategy.ask(), strategy.ask()]) == [(3, 3), (1, None)]


def test_asha_promotes_no_failed_trial_but_counts_it():
    """Of three results two failed: the third is the best third."""
    strategy = ASHA(SPACE, seed=0, horizon=9, epochs=9)
    asked = drive(strategy, 3, (Status.DIVERGED, Status.OK, Status.OUT_OF_MEMORY))
    assert strategy.ask() == Proposal(asked[1].config, 3, 1)
    assert all(p.resume_from is None for p in drive(ASHA(SPACE, seed=0, horizon=9, epochs=9), 40, (Status.KILLED,)))


def test_asha_promotes_about_one_in_eta():
    proposals = drive(ASHA(SPACE, seed=2, horizon=100, epochs=81), 1000)
    counted = Counter(proposal.epochs for proposal in proposals)
    assert sorted(counted) == [1, 3, 9, 27, 81]
    for shorter, longer in zip((1, 3, 9, 27), (3, 9, 27, 81), strict=True):
        # later ones may belong to the best third though a third has been promoted already
        assert counted[shorter] // 3 <= counted[longer] <= 0.5 * counted[shorter]


# Hyperband


def test_brackets_are_hyperbands():
    """Table 1 of the paper: R = 81, eta = 3."""
    planned = []
    for bracket in islice(schedule((1, 3, 9, 27, 81), 3), 6):
        sizes, number = Counter(), 0
        while (found := bracket.next()) is not None:
            sizes[found[0]] += 1
            bracket.tell(Trial(number, Proposal({}, found[0]), 1.0, Status.OK, 1.0))
            number += 1
        assert bracket.done
        planned.append(dict(sizes))
    assert planned == [
        {1: 81, 3: 27, 9: 9, 27: 3, 81: 1},
        {3: 34, 9: 11, 27: 3, 81: 1},
        {9: 15, 27: 5, 81: 1},
        {27: 8, 81: 2},
        {81: 5},
        {1: 81, 3: 27, 9: 9, 27: 3, 81: 1},
    ]


def test_brackets_are_smacs():
    from smac.intensifier.hyperband_utils import determine_HB

    expected = determine_HB(1, 81, 3)["n_configs_in_stage"]
    strategy = Hyperband(SPACE, seed=0, horizon=1, epochs=81)
    asked = iter(drive(strategy, sum(map(sum, expected.values()))))
    for stage, sizes in expected.items():
        for k, size in enumerate(sizes):
            assert {next(asked).epochs for _ in range(size)} == {3 ** (stage + k)}


def test_the_best_of_a_rung_go_on():
    strategy = Hyperband(SPACE, seed=0, horizon=9, epochs=9)
    losses = [0.9, 0.1, 0.8, 0.2, 0.7, 0.3, 0.6, 0.4, 0.5, 0.35, 0.15, 0.25, 0.0]
    asked = []
    for number, loss in enumerate(losses):
        asked.append(strategy.ask())
        strategy.tell(Trial(number, asked[-1], loss, Status.OK, 1.0))
    assert lengths(asked[9:]) == [(3, 1), (3, 3), (3, 5), (9, 10)]
    assert asked[12].config == asked[3].config
    assert lengths([strategy.ask()]) == [(3, None)]


def test_overlapping_brackets_never_wait_and_others_do():
    waiting = Hyperband(SPACE, seed=0, horizon=9, epochs=9, overlap=False)
    pending = [waiting.ask() for _ in range(9)]
    assert waiting.ask() is None
    for number, proposal in enumerate(pending[:-1]):
        waiting.tell(told(number, proposal))
        assert waiting.ask() is None
    waiting.tell(told(8, pending[-1]))
    assert [waiting.ask().epochs for _ in range(3)] == [3, 3, 3]
    assert waiting.ask() is None
    overlapping = Hyperband(SPACE, seed=0, horizon=9, epochs=9)
    first = [overlapping.ask() for _ in range(30)]
    assert [proposal.epochs for proposal in first] == [1] * 9 + [3] * 5 + [9] * 3 + [1] * 9 + [3] * 4
    for number, proposal in enumerate(first[:9]):
        overlapping.tell(told(number, proposal))
    assert [overlapping.ask().resume_from in range(9) for _ in range(3)] == [True] * 3


@pytest.mark.parametrize("overlap", [True, False])
def test_hyperband_goes_on_if_all_of_a_rung_fail(overlap):
    strategy = Hyperband(SPACE, seed=0, horizon=9, epochs=9, overlap=overlap)
    proposals = drive(strategy, 60, (Status.DIVERGED,))
    assert len(proposals) == 60
    assert [proposal.epochs for proposal in proposals] == ([1] * 9 + [3] * 5 + [9] * 3) * 3 + [1] * 9


def test_all_of_them_start_with_random_searchs_stream():
    stream = list(islice(random_stream(SPACE, 5), 400))
    for cls in (ASHA, Hyperband):
        found = configs(drive(cls(SPACE, seed=5, horizon=9, epochs=10), 150))
        assert found == stream[: len(found)]
    assert configs(drive(BOHB(SPACE, seed=5, horizon=9, epochs=10), 9)) == stream[:9]


# BOHB


def test_bohb_without_a_model_is_hyperband():
    own = drive(BOHB(SPACE, seed=3, horizon=9, epochs=9, random_probability=1.0), 60)
    assert own == drive(Hyperband(SPACE, seed=3, horizon=9, epochs=9), 60)
    late = drive(BOHB(SPACE, seed=3, horizon=9, epochs=9, startup_trials=1000, random_probability=0.0), 60)
    assert late == own


def test_bohb_is_optunas_tpe_on_one_rung():
    """New studies that are told the same results natively, with the same seeds, suggest the same."""
    import optuna
    from optuna.distributions import CategoricalDistribution, FloatDistribution

    native = {
        "learning_rate": FloatDistribution(1e-5, 1e-2, log=True),
        "weight_decay": FloatDistribution(1e-6, 1e-2, log=True),
        "dropout_1": FloatDistribution(0.1, 0.5),
        "dropout_2": FloatDistribution(0.1, 0.4),
        "hidden_size": CategoricalDistribution([256, 512, 768, 1024]),
        "batch_size": CategoricalDistribution([32, 40, 48, 56, 64]),
    }
    strategy = BOHB(SPACE, seed=1, horizon=9, epochs=9, min_epochs=9, random_probability=0.0)
    rng = np.random.default_rng(np.random.SeedSequence(1).spawn(1)[0])
    results = []
    for number in range(20):
        proposal = strategy.ask()
        rng.random()
        if number >= len(SPACE) + 3:
            sampler = optuna.samplers.TPESampler(n_startup_trials=0, seed=int(rng.integers(2**31)))
            study = optuna.create_study(sampler=sampler)
            for trial in results:
                params = dict(trial.proposal.config)
                study.add_trial(optuna.create_trial(params=params, distributions=native, value=trial.loss))
            assert study.ask(native).params == dict(proposal.config)
        results.append(told(number, proposal))
        strategy.tell(results[-1])


def test_bohb_learns_from_the_longest_rung():
    """Short trainings favour low learning rates and full ones high ones: it turns round once it has seen full ones."""
    strategy = BOHB(SPACE, seed=0, horizon=9, epochs=9, random_probability=0.0)
    rates, full = {False: [], True: []}, 0
    for number in range(200):
        proposal = strategy.ask()
        rate = proposal.config["learning_rate"]
        if proposal.resume_from is None and number >= 20:
            rates[full >= 9].append(rate)
        full += proposal.epochs == 9
        loss = -rate if proposal.epochs == 9 else rate
        strategy.tell(Trial(number, proposal, loss, Status.OK, 1.0))
    assert min(map(len, rates.values())) > 10
    assert np.median(rates[False]) < 1e-4 < 1e-3 < np.median(rates[True])


def test_bohb_keeps_away_from_failures_and_from_what_is_pending():
    strategy = BOHB(SPACE, seed=0, horizon=9, epochs=1, random_probability=0.0)
    for number in range(60):
        proposal = strategy.ask()
        failed = proposal.config["learning_rate"] > 1e-4
        status = Status.DIVERGED if failed else Status.OK
        strategy.tell(Trial(number, proposal, None if failed else 0.5, status, 1.0))
    asked = [strategy.ask() for _ in range(30)]
    assert sum(proposal.config["learning_rate"] > 1e-4 for proposal in asked) < 8
    assert len({tuple(proposal.config.values()) for proposal in asked}) == 30


# On an evaluator, under a budget


@pytest.mark.parametrize("name", MULTI_FIDELITY)
@pytest.mark.parametrize("workers", [1, 5])
def test_a_budget_is_spent_to_the_last_second(name, workers):
    """A continued trial is charged the increment: a chain costs what one training of that length costs."""
    evaluator = load_benchmark("c-nmc@published").evaluator()
    strategy = load_strategy(name)(SPACE, seed=0, horizon=6, epochs=TASK.epochs)
    records, end = outcome_of(strategy, evaluator, Budget(1.2, workers))
    assert end.status == "budget-spent"
    assert end.ledger["idle"] == end.ledger["unspent"] == 0
    assert sum(end.ledger.values()) == pytest.approx(1.2 * 3600)
    spent = {}
    for record in records:
        before = spent.get(record.resume_from, 0.0)
        spent[record.number] = before + record.cost.gpu_seconds
        whole = evaluator.evaluate(Proposal(record.config, record.epochs), 0)
        assert spent[record.number] == pytest.approx(whole.cost.gpu_seconds, abs=0.003)
        if record.status is Status.OK:
            assert record.validation == whole.validation
    assert any(record.resume_from is not None for record in records)


def test_strict_brackets_leave_workers_idle_and_end_all_the_same():
    evaluator = load_benchmark("c-nmc@published").evaluator()
    idle = {}
    for overlap in (True, False):
        strategy = Hyperband(SPACE, seed=0, horizon=6, epochs=TASK.epochs, overlap=overlap)
        _, end = outcome_of(strategy, evaluator, Budget(1.2, 16))
        assert end.status == "budget-spent"
        idle[overlap] = end.ledger["idle"]
    assert idle[True] == 0 < idle[False]


def test_a_strategy_that_waits_is_asked_again_when_a_trial_has_finished():
    """Nine trials of 10 s on nine workers, then three on three while six wait, then one: by hand."""
    strategy = Hyperband(SPACE, seed=0, horizon=6, epochs=9, overlap=False)
    records, end = outcome_of(strategy, Scripted([(10.0, 0.5)]), Budget(9 * 30 / 3600, 9))
    assert [record.started for record in records] == [0.0] * 9 + [10.0] * 3 + [20.0]
    assert [record.epochs for record in records] == [1] * 9 + [3] * 3 + [9]
    assert end.ledger["idle"] == (6 + 8) * 10.0


@pytest.mark.parametrize("name", MULTI_FIDELITY)
def test_resumed_runs_end_alike(name, tmp_path):
    """A run that was killed in its midst goes on by replay, continued trials and all."""
    key = RunKey("c-nmc@published", 1, name, 1.0, 3, 0)
    plan = Plan(key, name, {}, Budget(1.0, 3), 5, {})
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    execute(plan, whole, "test")
    shutil.copytree(whole, cut)
    (cut / key.folder / END).unlink()
    trials = cut / key.folder / TRIALS
    lines = trials.read_text().splitlines(keepends=True)
    trials.write_text("".join(lines[: len(lines) // 2]) + lines[-1][:20])
    execute(plan, cut, "test")
    found, expected = (read_trials(root / key.folder / TRIALS) for root in (cut, whole))
    assert [unmeasured(record) for record in found] == [unmeasured(record) for record in expected]
