"""The published surfaces give what their cards say, and answer as an evaluator must."""

from __future__ import annotations

import json
import math
from functools import cache, partial
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hemobench.benchmarks import published as surfaces
from hemobench.benchmarks.benchmark import load_benchmark
from hemobench.benchmarks.budget import Budget
from hemobench.benchmarks.evaluator import Outcome
from hemobench.benchmarks.evaluators.published import Published
from hemobench.benchmarks.execution.runner import run
from hemobench.benchmarks.noise import draw, silence
from hemobench.benchmarks.published import (
    bone_marrow,
    c_nmc,
    card,
    fit_bone_marrow,
    fit_bone_marrow_full,
    fit_c_nmc,
    notes,
    reference,
    stored,
)
from hemobench.benchmarks.published.measures import Pool, mean_loss, mean_response, observed_curve, optimum, sample
from hemobench.benchmarks.published.random_search import RandomTrials, random_search
from hemobench.benchmarks.tasks import load_task
from hemobench.errors import BenchmarkError
from hemobench.strategies.base import Proposal, Status
from hemobench.strategies.random_search import RandomSearch
from hemobench.strategies.space import random_stream

TASKS = ("c-nmc", "bone-marrow", "bone-marrow-full")
FIT = {"c-nmc": fit_c_nmc, "bone-marrow": fit_bone_marrow, "bone-marrow-full": fit_bone_marrow_full}
DRAWS = 6000


@cache
def evaluator(task: str) -> Published:
    benchmark = load_benchmark(f"{task}@published")
    made = benchmark.evaluator()
    assert isinstance(made, Published)
    return made


@cache
def pool(task: str) -> Pool:
    """Other draws than those that the surface was calibrated on."""
    return sample(load_task(task), stored(task).surface, stored(task).parameters, DRAWS, seed=99)


@cache
def configs(task: str, count: int = 400) -> tuple[dict[str, Any], ...]:
    return tuple(dict(c) for c in islice(random_stream(load_task(task).space(), 7), count))


def any_config(task: str) -> st.SearchStrategy[dict[str, Any]]:
    return st.integers(0, 2**31).map(lambda seed: dict(next(random_stream(load_task(task).space(), seed))))


def points(values: Any) -> tuple[float, float]:
    return 100 * float(np.mean(values)), 100 * float(np.std(values))


# --- the cards


@pytest.mark.parametrize("task", TASKS)
def test_every_target_is_met(task: str) -> None:
    assert [row.name for row in card(task) if not row.met] == []
    assert len({row.name for row in card(task)}) == len(card(task)) > 15
    assert notes(task)


@pytest.mark.parametrize("task", TASKS)
def test_the_card_is_what_the_stored_parameters_give(task: str) -> None:
    p = stored(task).parameters
    match task:
        case "c-nmc":
            rows = [*fit_c_nmc.card(p), *fit_c_nmc.measured(p, pool(task))]
        case "bone-marrow":
            rows = fit_bone_marrow.card(p, pool(task))
        case _:
            rows = fit_bone_marrow_full.card(p)
    assert [(row.name, row.target, row.tolerance) for row in rows] == [
        (row.name, row.target, row.tolerance) for row in card(task)
    ]
    for row, kept in zip(rows, card(task), strict=True):
        assert row.achieved == pytest.approx(kept.achieved, abs=0.75 * row.tolerance), row.name


def test_c_nmc_uniform_trials_as_in_the_paper() -> None:
    mean, spread = points([r.validation["accuracy"] for r in pool("c-nmc").responses])
    assert mean == pytest.approx(88.84, abs=0.3)
    assert spread == pytest.approx(4.12, abs=0.2)


def test_c_nmc_variance_shares_by_monte_carlo() -> None:
    """Main effects from uniform draws: the variance of means in twenty bins, or over a categorical's values."""
    p, chosen = stored("c-nmc").parameters, pool("c-nmc").configs
    values = np.array([c_nmc.final(config, p) for config in chosen])
    for name, (share, tolerance) in fit_c_nmc.SHARES.items():
        column = np.array([config[name] for config in chosen])
        ranks = np.unique(column, return_inverse=True)[1]
        bins = ranks if ranks.max() < 10 else ranks * 20 // len(column)
        means = np.array([values[bins == b].mean() for b in range(bins.max() + 1)])
        bias = values.var() * bins.max() / len(values)
        assert 100 * (means.var() - bias) / values.var() == pytest.approx(share, abs=tolerance + 1.5), name


def test_c_nmc_the_optimum_lies_where_the_paper_says() -> None:
    best = reference("c-nmc").best_config
    assert 2e-4 <= float(best["learning_rate"]) <= 5e-4
    assert 0.25 <= float(best["dropout_1"]) <= 0.35
    assert reference("c-nmc").best_loss == pytest.approx(1 - 0.9686, abs=0.003)


def test_c_nmc_selected_configurations_lose_ten_points_or_more_on_the_test_set() -> None:
    trials = [evaluator("c-nmc").evaluate(Proposal(fit_c_nmc.config_of(12), 10), seed) for seed in range(600)]
    mean, spread = points([t.test["accuracy"] for t in trials])
    assert mean == pytest.approx(84.84, abs=0.3)
    assert spread == pytest.approx(1.66, abs=0.2)
    assert points([t.validation["accuracy"] for t in trials])[0] - mean > 10


def test_c_nmc_overfits_more_with_less_regularisation() -> None:
    p, base = stored("c-nmc").parameters, fit_c_nmc.config_of(12)
    assert c_nmc.gap({**base, "dropout_1": 0.1}, p) > c_nmc.gap(base, p) > c_nmc.gap({**base, "dropout_1": 0.5}, p)
    assert c_nmc.gap({**base, "weight_decay": 1e-6}, p) > c_nmc.gap(base, p)


def test_bone_marrow_random_search_selects_what_the_paper_reports() -> None:
    got = fit_bone_marrow.selected(pool("bone-marrow"), runs=1000)
    for name, (mean, spread) in fit_bone_marrow.SELECTED.items():
        assert got[name] == pytest.approx(mean, abs=0.25)
        assert got[f"{name}_std"] == pytest.approx(spread, abs=0.2)


def test_bone_marrow_cost_and_failures_of_uniform_trials() -> None:
    drawn = pool("bone-marrow")
    assert drawn.hours.mean() == pytest.approx(100, abs=4)
    failed = [c for c, r in zip(drawn.configs, drawn.responses, strict=True) if r.diverged]
    assert 0 < len(failed) / DRAWS < 0.03
    assert {c["optimizer"] for c in failed} == {"rmsprop"}


def test_bone_marrow_many_combinations_are_poor_and_some_hardly_learn() -> None:
    micro = np.array([r.curve[-1] for r in pool("bone-marrow").responses if not r.diverged])
    assert 0.45 < np.mean(micro < 0.8) < 0.6
    assert 0.25 < micro.min() < 0.4
    assert micro.max() < 0.845


def test_a_rank_after_a_tenth_of_the_epochs_is_no_more_than_a_hint() -> None:
    for task, low in (("c-nmc", 1), ("bone-marrow", 10)):
        curves = [r.curve for r in pool(task).responses[:1500] if not r.diverged]
        early, late = (np.argsort(np.argsort([c[min(k, len(c)) - 1] for c in curves])) for k in (low, 100))
        assert 0.3 < np.corrcoef(early, late)[0, 1] < 0.98, task


# --- the two bone-marrow spaces


@given(any_config("bone-marrow"), st.integers(1, 100))
def test_the_full_surface_is_the_automated_one_where_the_spaces_meet(config: dict[str, Any], epochs: int) -> None:
    part, whole = stored("bone-marrow").parameters, stored("bone-marrow-full").parameters
    wide = {**fit_bone_marrow_full.FIXED, **config}
    assert bone_marrow.respond(config, part, epochs, silence(epochs)) == bone_marrow.respond(
        wide, whole, epochs, silence(epochs)
    )
    assert bone_marrow.gpu_seconds(config, part, epochs) == bone_marrow.gpu_seconds(wide, whole, epochs)


def test_the_full_space_has_no_better_optimum() -> None:
    assert reference("bone-marrow-full").best_loss == pytest.approx(reference("bone-marrow").best_loss, abs=2e-5)


# --- as an evaluator


@pytest.mark.parametrize("task", TASKS)
@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_every_configuration_gets_a_legal_answer(task: str, data: st.DataObject) -> None:
    config = data.draw(any_config(task))
    full = load_task(task).epochs
    epochs = data.draw(st.integers(1, full))
    outcome = evaluator(task).evaluate(Proposal(config, epochs), data.draw(st.integers(0, 1000)))
    check(outcome, epochs)
    if outcome.status is Status.OK:
        assert math.isfinite(load_task(task).objective.loss(outcome.validation))
        assert outcome.curve[-1] == outcome.validation[load_task(task).headline]
        assert set(outcome.test) >= set(outcome.validation)


def check(outcome: Outcome, epochs: int) -> None:
    assert outcome.cost.gpu_seconds > 0
    assert outcome.cost.kind == "predicted"
    assert 0 <= outcome.cost.evaluation_seconds < outcome.cost.gpu_seconds
    assert len(outcome.curve) <= epochs
    assert all(0 <= value <= 1 for value in (*outcome.curve, *outcome.validation.values(), *outcome.test.values()))
    if outcome.status is Status.DIVERGED:
        assert not outcome.validation
        assert not outcome.test
        assert outcome.error
        assert len(outcome.curve) < epochs
    else:
        assert outcome.status is Status.OK


@pytest.mark.parametrize("task", TASKS)
def test_increments_add_up_exactly(task: str) -> None:
    full = load_task(task).epochs
    steps = [0, full // 10, full // 2, full]
    for config in configs(task):
        whole = evaluator(task).evaluate(Proposal(config, full), 3).cost.gpu_seconds
        parts = [evaluator(task).evaluate(Proposal(config, end), 3, trained=begin) for begin, end in pairwise(steps)]
        if all(part.status is Status.OK for part in parts):
            assert math.fsum(part.cost.gpu_seconds for part in parts) == pytest.approx(whole, abs=1e-6)


@pytest.mark.parametrize("task", TASKS)
def test_a_longer_training_begins_like_a_shorter_one(task: str) -> None:
    full = load_task(task).epochs
    for config in configs(task, 50):
        short, long = (evaluator(task).evaluate(Proposal(config, epochs), 5) for epochs in (full // 2, full))
        if short.status is Status.OK:
            assert long.curve[: len(short.curve)] == short.curve


@pytest.mark.parametrize("task", TASKS)
def test_noise_is_paired_by_seed(task: str) -> None:
    proposal = Proposal(dict(reference(task).best_config), load_task(task).epochs)
    first, again, other = (evaluator(task).evaluate(proposal, seed) for seed in (1, 1, 2))
    assert first == again
    assert first.validation != other.validation
    assert first.test != other.test
    assert first.cost == other.cost


def test_two_benchmarks_and_two_versions_have_noise_of_their_own() -> None:
    task = load_task("c-nmc")
    proposal = Proposal(fit_c_nmc.config_of(12), 10)
    made = [Published(task, name, version) for name, version in (("a", 1), ("b", 1), ("a", 2))]
    assert len({e.evaluate(proposal, 0).curve for e in made}) == 3


def test_after_an_early_stop_nothing_changes_and_asking_costs_next_to_nothing() -> None:
    p = stored("bone-marrow").parameters
    config = next(c for c in configs("bone-marrow") if bone_marrow.stop(c, p) < 60 and not bone_marrow.diverges(c, p))
    early = evaluator("bone-marrow").evaluate(Proposal(config, 60), 0)
    late = evaluator("bone-marrow").evaluate(Proposal(config, 100), 0, trained=60)
    assert (early.curve, early.validation, early.test) == (late.curve, late.validation, late.test)
    assert len(early.curve) == bone_marrow.stop(config, p)
    assert 0 < late.cost.gpu_seconds < 0.01 * early.cost.gpu_seconds


def test_a_training_that_diverges_is_charged_until_then() -> None:
    config = {**fit_bone_marrow.good(stored("bone-marrow").parameters), "optimizer": "rmsprop"}
    config |= {"learning_rate": 1e-3, "batch_size": 1}
    p = stored("bone-marrow").parameters
    died = bone_marrow.diverges(config, p)
    assert died
    outcome = evaluator("bone-marrow").evaluate(Proposal(config, 100), 0)
    assert outcome.status is Status.DIVERGED
    assert str(died) in str(outcome.error)
    assert len(outcome.curve) == died - 1
    assert outcome.cost.gpu_seconds == bone_marrow.gpu_seconds(config, p, died)
    again = evaluator("bone-marrow").evaluate(Proposal(config, 100), 0, trained=50)
    assert again.status is Status.DIVERGED
    assert 0 < again.cost.gpu_seconds < 1


def test_what_does_not_reach_the_epoch_of_divergence_is_fine() -> None:
    p = stored("bone-marrow").parameters
    config = next(c for c in pool("bone-marrow").configs if (bone_marrow.diverges(c, p) or 0) > 3)
    assert evaluator("bone-marrow").evaluate(Proposal(config, 3), 0).status is Status.OK


@pytest.mark.parametrize(("epochs", "trained"), [(0, 0), (5, 5), (5, 7), (5, -1)])
def test_epochs_that_cannot_be_are_refused(epochs: int, trained: int) -> None:
    with pytest.raises(BenchmarkError, match="epochs asked for"):
        evaluator("c-nmc").evaluate(Proposal(fit_c_nmc.config_of(12), epochs), 0, trained=trained)


def test_provenance_names_the_file_and_its_checksum() -> None:
    kept = evaluator("c-nmc").provenance
    assert kept["source"] == "published"
    assert kept["sha256"] == stored("c-nmc").checksum


# --- the references


@pytest.mark.parametrize("task", TASKS)
def test_the_stored_optimum_is_the_optimum(task: str) -> None:
    kept, loaded = reference(task), load_task(task)
    loss = partial(mean_loss, loaded, stored(task).surface, stored(task).parameters)
    assert loss(kept.best_config) == kept.best_loss
    assert min(map(loss, pool(task).configs[:2000])) >= kept.best_loss
    found = optimum(loaded.space(), loss, starts=300)
    assert kept.best_loss - 1e-6 <= loss(found) <= kept.best_loss + 0.002


@pytest.mark.parametrize("task", TASKS)
def test_the_stored_random_curve_is_random_search(task: str) -> None:
    kept, drawn = reference(task), pool(task)
    assert kept.trial_gpu_hours == pytest.approx(drawn.hours.mean(), rel=0.04)
    for hours, loss in observed_curve(drawn, runs=400)[5::6]:
        assert kept.as_observed().random_expected(hours) == pytest.approx(loss, rel=0.08)


@pytest.mark.parametrize("task", TASKS)
def test_regret_1_is_what_random_search_is_worth(task: str) -> None:
    """Real runs of random search against the stored curve: at 20, 50 and 100 trials their mean regret is 1."""
    regrets = regrets_of_random_search(f"{task}@published", seeds=100)
    error = regrets.std(axis=0, ddof=1) / np.sqrt(len(regrets))
    assert np.abs(regrets.mean(axis=0) - 1).max() < 0.3  # what follows would tell nothing if the spread were large
    assert (np.abs(regrets.mean(axis=0) - 1) < 3 * error).all()


def regrets_of_random_search(name: str, seeds: int) -> np.ndarray:
    """Normalised noise-free regret of the incumbents after 20, 50 and 100 trials' worth: `(seeds, 3)`."""
    benchmark = load_benchmark(name)
    evaluator, kept, task = benchmark.evaluator(), benchmark.reference(), benchmark.task
    assert kept is not None
    budgets = [trials * kept.trial_gpu_hours for trials in (20, 50, 100)]
    rows = []
    for seed in range(seeds):
        strategy = RandomSearch(task.space(), seed=1000 + seed, horizon=100)
        records = list(run(strategy, evaluator, Budget(budgets[-1]), task=task, seed=1000 + seed))
        ok = [record for record in records if record.status is Status.OK]
        row = []
        for hours in budgets:
            best = min((r for r in ok if r.finished <= 3600 * hours), key=lambda r: r.loss or 0.0)
            truth = evaluator.truth(best.config)
            assert truth is not None
            row.append((truth.loss - kept.best_loss) / (kept.random_expected(hours) - kept.best_loss))
        rows.append(row)
    return np.array(rows)


def test_what_is_observed_at_first_flatters() -> None:
    """On c-nmc noise is as large as what is left to gain, so that what random search sees is too good by a third."""
    kept = reference("c-nmc")
    hours = 100 * kept.trial_gpu_hours
    worth = kept.random_expected(hours) - kept.best_loss
    seen = kept.as_observed().random_expected(hours) - kept.best_loss
    assert 0.7 < seen / worth < 0.9
    assert kept.as_observed().as_observed() == kept.as_observed()


def test_a_simulated_search_by_hand() -> None:
    """One trial in the pool: untuned before it ends, then what it is worth, whatever was seen of it."""
    trials = RandomTrials(np.array([0.1]), np.array([0.3]), np.array([1.0]))
    budgets = np.array([0.5, 1.0, 2.0])
    found = random_search(trials, budgets, runs=3, longest=3, rng=np.random.default_rng(0))
    assert found.tolist() == pytest.approx([0.3, 0.3, 0.3])
    failed = RandomTrials(np.array([np.inf, 0.1, 0.2]), np.array([9.0, 0.3, 0.4]), np.ones(3))
    early, late = random_search(failed, np.array([0.5, 40.0]), runs=50, longest=50, rng=np.random.default_rng(0))
    assert early == pytest.approx(0.35)  # the mean of those that do not fail
    assert late == pytest.approx(0.3)  # of the one that looks best


@pytest.mark.parametrize("task", TASKS)
def test_the_random_curve_falls_towards_the_optimum_and_stays_above(task: str) -> None:
    hours, losses = zip(*reference(task).random, strict=True)
    assert list(hours) == sorted(hours)
    assert list(losses) == sorted(losses, reverse=True)
    assert losses[-1] > reference(task).best_loss
    assert hours[-1] / hours[0] == pytest.approx(200, rel=1e-4)


def test_the_random_curve_between_and_beyond_its_points() -> None:
    kept = reference("c-nmc")
    (low, first), (high, second) = kept.random[20:22]
    assert kept.random_expected(low) == pytest.approx(first)
    assert second < kept.random_expected((low * high) ** 0.5) < first
    assert kept.random_expected(0.0) == kept.random[0][1]
    assert kept.random_expected(1e9) == kept.random[-1][1]


# --- the files


def test_an_unknown_task_is_named() -> None:
    with pytest.raises(BenchmarkError, match="'nope'"):
        stored("nope")


@pytest.mark.parametrize(
    "content", ["{", "{}", '{"parameters": {}, "card": [{"nme": 1}], "notes": [], "reference": {}}']
)
def test_a_damaged_file_is_named(content: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "c-nmc.json").write_text(content)
    monkeypatch.setattr(surfaces, "FOLDER", tmp_path)
    with pytest.raises(BenchmarkError, match=r"c-nmc\.json"):
        surfaces.stored.__wrapped__("c-nmc")


@pytest.mark.parametrize("task", TASKS)
def test_the_mean_surface_is_the_mean_of_the_observed(task: str) -> None:
    loaded, p = load_task(task), stored(task).parameters
    config = dict(reference(task).best_config)
    seen = [
        stored(task).surface.respond(config, p, loaded.epochs, draw("x", 1, seed, config, loaded.epochs))
        for seed in range(500)
    ]
    mean = mean_response(loaded, stored(task).surface, p, config)
    for name, value in mean.validation.items():
        column = np.array([r.validation[name] for r in seen])
        assert column.mean() == pytest.approx(value, abs=4 * column.std() / 500**0.5 + 2e-4), name


def test_the_fit_itself_gives_the_stored_parameters() -> None:
    again = fit_c_nmc.calibrate()
    kept = stored("c-nmc").parameters
    for name in fit_c_nmc.FREE:
        assert again[name] == pytest.approx(kept[name], rel=1e-3), name


@pytest.mark.parametrize("task", TASKS)
def test_chosen_parameters_are_stored_as_the_script_has_them(task: str) -> None:
    document = json.loads((surfaces.FOLDER / f"{task}.json").read_text(encoding="utf-8"))
    levels = {"macro", "precision", "recall", "deviation", "cost_epoch"}  # set from what random search selects
    for name, value in FIT[task].CHOSEN.items():
        if name not in levels:
            assert document["parameters"][name] == value, name
