"""What holds for any surrogate: ranges, monotone costs, determinism, truths."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hemobench.benchmarks.evaluators.surrogate import SurrogateEvaluator
from hemobench.benchmarks.evaluators.table import TableEvaluator
from hemobench.benchmarks.surrogates.encode import Encoder
from hemobench.benchmarks.surrogates.fit import DECAYS, chosen, fit
from hemobench.benchmarks.surrogates.network import Training
from hemobench.benchmarks.surrogates.store import load
from hemobench.benchmarks.surrogates.targets import fraction, logit, targets
from hemobench.benchmarks.surrogates.trust.held_out import parts
from hemobench.benchmarks.tables.io import write_table
from hemobench.benchmarks.tables.schema import Table
from hemobench.benchmarks.tasks import load_task
from hemobench.errors import BenchmarkError
from hemobench.strategies.base import Proposal, Status
from hemobench.strategies.space import random_stream

SPACE = load_task("bone-marrow-full").space()
QUICK = Training(steps=30)
lenient = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
seeds = st.integers(0, 2**31 - 1)


def drawn(seed):
    return next(random_stream(SPACE, seed))


@lenient
@given(seed=seeds, epochs=st.integers(1, 100), run=st.integers(0, 1000))
def test_figures_keep_their_ranges(small, seed, epochs, run):
    evaluator = SurrogateEvaluator(small, "x@surrogate", 1)
    outcome = evaluator.evaluate(Proposal(drawn(seed), epochs), run)
    assert outcome.cost.kind == "predicted"
    assert outcome.cost.gpu_seconds > 0
    if outcome.status is Status.OK:
        assert len(outcome.curve) == epochs
        assert set(small.task.objective.weights) <= set(outcome.validation)
        figures = [*outcome.validation.values(), *outcome.test.values(), *outcome.curve]
        assert all(0 <= value <= 1 for value in figures)
    else:
        assert outcome.error
        assert not outcome.validation


@lenient
@given(seed=seeds)
def test_the_mean_is_that_of_all_members_logits(small, seed):
    """Each with its own biases, one by one and in batches."""
    config = drawn(seed)
    vector = small.encode(config, small.about.folds[0])[None]
    alone = [small.predict(config, 50, member=k).outputs for k in range(small.members)]
    for k, outputs in enumerate(alone):
        assert small.predict_many(vector, 50, member=k)[0][0] == pytest.approx(outputs, abs=1e-9)
    inside = np.all((np.array(alone) > 0.01) & (np.array(alone) < 0.99), axis=0)
    together = fraction(np.mean([logit(outputs) for outputs in alone], axis=0))
    assert small.predict(config, 50).outputs[inside] == pytest.approx(together[inside], abs=1e-9)
    assert len({tuple(outputs) for outputs in alone}) == small.members


@lenient
@given(seed=seeds, member=st.sampled_from([None, 0, 4]))
def test_costs_and_failures_rise_with_the_epochs(small, seed, member):
    config = drawn(seed)
    expected = small.predict(config, 100, member=member)
    at = [float(small.seconds_at(expected.seconds, epoch)) for epoch in range(1, 101)]
    assert all(a < b for a, b in pairwise(at))
    assert all(a <= b for a, b in pairwise(expected.failure))
    assert np.all((expected.failure >= 0) & (expected.failure <= 1))


@lenient
@given(seed=seeds, run=st.integers(0, 99), middle=st.integers(1, 99))
def test_a_resumed_trial_is_the_rest_of_a_whole_one(small, seed, run, middle):
    evaluator, config = SurrogateEvaluator(small, "x@surrogate", 1), drawn(seed)
    short = evaluator.evaluate(Proposal(config, middle), run)
    rest = evaluator.evaluate(Proposal(config, 100), run, trained=middle)
    whole = evaluator.evaluate(Proposal(config, 100), run)
    assert (rest.status, rest.validation, rest.test, rest.curve) == (
        whole.status,
        whole.validation,
        whole.test,
        whole.curve,
    )
    assert short.cost.gpu_seconds + rest.cost.gpu_seconds == pytest.approx(whole.cost.gpu_seconds, abs=1e-5)
    if whole.status is Status.OK:
        assert short.status is Status.OK  # who fails early has failed late
        assert whole.curve[:middle] == short.curve


@lenient
@given(seed=seeds)
def test_batches_give_what_single_predictions_give(small, seed):
    configs = [drawn(seed + i) for i in range(3)]
    inputs = np.array([small.encode(config, -1) for config in configs])
    for epochs in (1, 7, 100):
        outputs, seconds, failure = small.predict_many(inputs, epochs)
        for i, config in enumerate(configs):
            one = small.predict(config, epochs)
            np.testing.assert_allclose(outputs[i], one.outputs, atol=1e-12)
            np.testing.assert_allclose(seconds[i], small.seconds_at(one.seconds, epochs), rtol=1e-9)
            assert one.failure[0] - 1e-12 <= failure[i] <= one.failure[-1] + 1e-12


@lenient
@given(seed=seeds)
def test_distances_of_vectors(seed):
    encoder = Encoder(SPACE)
    one, other = drawn(seed), drawn(seed + 1)
    a, b = (np.array(encoder.one(config)) * encoder.weights for config in (one, other))
    assert np.linalg.norm(a - b) <= len(SPACE) ** 0.5
    flipped = {**one, "loss": "focal" if one["loss"] == "cross_entropy" else "cross_entropy"}
    c = np.array(encoder.one(flipped)) * encoder.weights
    assert np.linalg.norm(a - c) == pytest.approx(1)
    assert encoder.one(dict(reversed(one.items()))) == encoder.one(one)


@given(st.lists(st.floats(0, 1), min_size=1))
def test_logits_are_undone(values):
    np.testing.assert_allclose(fraction(logit(np.array(values))), values, atol=1e-12)


def test_equal_fits_are_equal_and_seeds_matter(small_table):
    one, same, other = (fit(small_table, seed=seed, how=QUICK) for seed in (0, 0, 1))
    assert all(np.array_equal(one.arrays[name], same.arrays[name]) for name in one.arrays)
    assert not np.array_equal(one.arrays["w1"], other.arrays["w1"])


SCRIPT = """
import sys
from pathlib import Path
from hemobench.benchmarks.surrogates.fit import fit
from hemobench.benchmarks.surrogates.network import Training
from hemobench.benchmarks.surrogates.store import save
from hemobench.benchmarks.tables.io import read_table
save(fit(read_table(Path(sys.argv[1])), how=Training(steps=30)), Path(sys.argv[2]))
"""


def test_another_process_fits_the_same_bytes(small_table, tmp_path):
    write_table(small_table, tmp_path / "t.parquet")
    for hash_seed in ("1", "2"):
        arguments = [sys.executable, "-c", SCRIPT, str(tmp_path / "t.parquet"), str(tmp_path / hash_seed)]
        subprocess.run(arguments, check=True, timeout=120, env={**os.environ, "PYTHONHASHSEED": hash_seed})
    assert (tmp_path / "1").read_bytes() == (tmp_path / "2").read_bytes()
    here = fit(small_table, how=QUICK)
    there = load(tmp_path / "1")
    assert all(np.allclose(here.arrays[name], there.arrays[name], atol=1e-4) for name in here.arrays)


def test_noisy_tables_are_smoothed_more(small_table, monkeypatch):
    """Without any relation to the configurations, the most decay is best."""
    monkeypatch.setattr("hemobench.benchmarks.surrogates.fit.TRIED_STEPS", 200)
    t = targets(small_table)
    shuffled = replace(t, inputs=np.random.default_rng(0).permutation(t.inputs))
    assert chosen(shuffled, small_table, 0).decay == max(DECAYS)
    assert chosen(t, small_table, 0).decay < max(DECAYS)


def test_too_little_is_refused(small_table):
    with pytest.raises(BenchmarkError, match="fewer than 20"):
        fit(Table(small_table.header, small_table.rows[:10]), how=QUICK)


def test_without_repeats_noise_is_held_out_error(small_table):
    rows = tuple(row for row in small_table.rows if row.seed == 0)
    fitted = fit(Table(small_table.header, rows), how=QUICK)
    assert fitted.about.noise == "residuals"
    assert fitted.about.widening == 1.0
    assert np.abs(fitted.arrays["margins"]).max() > 0


def test_parts_keep_configurations_together(small_table):
    groups = targets(small_table).groups
    masks = parts(groups, 4, 0)
    assert np.sum(masks, axis=0).tolist() == [1] * len(groups)
    for mask in masks:
        assert not set(groups[mask]) & set(groups[~mask])


def per_fold(table: Table) -> Table:
    """As a recorder would write it that trains folds one by one: no deviations, three folds a bit apart."""
    rows = []
    for row in table.rows:
        for fold in range(3):
            sides = [
                {n: tuple(max(x - 0.02 * fold, 0.0) for x in v) for n, v in side.items() if not n.endswith("_std")}
                for side in (row.validation, row.test)
            ]
            rows.append(replace(row, fold=fold, validation=sides[0], test=sides[1]))
    return Table(table.header, tuple(rows))


def test_folds_are_put_together_where_the_objective_needs_it(small_table):
    table = per_fold(small_table)
    fitted = fit(table, how=Training(steps=300))
    answers = [SurrogateEvaluator(fitted, "x@surrogate", 1, member="mean"), TableEvaluator(table)]
    for row in [row for row in table.rows if row.status is Status.OK and row.fold == 0][:5]:
        for evaluator in answers:
            outcome = evaluator.evaluate(Proposal(row.config, None), row.seed)
            assert outcome.validation["micro_f1_std"] > 0
            assert fitted.task.objective.loss(outcome.validation) < 1.2
        exact = answers[1].evaluate(Proposal(row.config, None), row.seed)
        assert exact.validation["micro_f1"] == pytest.approx(row.at(-1)[0]["micro_f1"] - 0.02, abs=1e-9)
        assert exact.validation["micro_f1_std"] == pytest.approx(0.02 * (2 / 3) ** 0.5, abs=1e-9)
        assert exact.cost.gpu_seconds == pytest.approx(3 * row.seconds[-1])
        low, high = (fitted.predict(row.config, 100, fold=fold).outputs[2] for fold in (2, 0))
        assert low < high


def test_the_nearest_recorded_configuration_answers(small_table):
    evaluator = TableEvaluator(small_table)
    config = small_table.rows[3].config
    near = {**config, "learning_rate": config["learning_rate"] * 1.0001}
    outcome = evaluator.evaluate(Proposal(near, 100), 0)
    assert 0 < outcome.extra["distance"] < 1e-3
    exact = evaluator.evaluate(Proposal(config, 100), 0)
    assert outcome.validation == exact.validation
    short = evaluator.evaluate(Proposal(config, 20), 0)  # looked at after 10 and 40
    assert short.validation == evaluator.evaluate(Proposal(config, 10), 0).validation
    rest = evaluator.evaluate(Proposal(config, 100), 0, trained=20)
    assert short.cost.gpu_seconds + rest.cost.gpu_seconds == pytest.approx(exact.cost.gpu_seconds)
    strict = TableEvaluator(small_table, strict=True)
    with pytest.raises(BenchmarkError, match="not in the table"):
        strict.evaluate(Proposal(near, 100), 0)
    with pytest.raises(BenchmarkError, match="20 epochs"):
        strict.evaluate(Proposal(config, 20), 0)
    with pytest.raises(BenchmarkError, match="folds"):
        TableEvaluator(small_table, folds=[4])


def test_repeats_are_drawn_by_the_seed(small_table):
    repeated = next(row.config for row in small_table.rows if row.origin == "repeat")
    evaluator = TableEvaluator(small_table)
    found = {evaluator.evaluate(Proposal(repeated, 100), seed).validation["micro_f1"] for seed in range(100, 130)}
    assert len(found) == 4
    assert evaluator.evaluate(Proposal(repeated, 100), 7) == evaluator.evaluate(Proposal(repeated, 100), 7)


def test_what_is_free_of_noise_is_the_mean_of_many_seeds(small_table):
    """Deviations over folds too, which noise makes larger on average; no seed has a say."""
    fitted = fit(per_fold(small_table), how=Training(steps=300))
    evaluator = SurrogateEvaluator(fitted, "x@surrogate", 1, member="mean")
    config = small_table.rows[3].config
    validation, test = evaluator.noise_free(config)
    outcomes = [evaluator.evaluate(Proposal(config, None), seed) for seed in range(600)]
    for name in ("micro_f1", "macro_f1", "macro_f1_std", "micro_f1_std"):
        seen = [outcome.validation[name] for outcome in outcomes if outcome.status is Status.OK]
        assert validation[name] == pytest.approx(np.mean(seen), abs=4 * np.std(seen) / len(seen) ** 0.5 + 2e-4)
        assert name in test


@pytest.mark.parametrize("asked_before", ["its own seed", "another seed", "shorter", "another configuration"])
def test_the_truth_does_not_depend_on_what_was_asked_before(small_table, asked_before: str):
    """A trial's truth is of the prediction that answered it, where there is one, and else predicted anew."""
    fitted = fit(per_fold(small_table), how=Training(steps=50))
    config, other = dict(small_table.rows[3].config), dict(small_table.rows[4].config)
    expected = SurrogateEvaluator(fitted, "x@surrogate", 1).truth(config, 1)
    evaluator = SurrogateEvaluator(fitted, "x@surrogate", 1)
    before = {
        "its own seed": (Proposal(config, None), 1),
        "another seed": (Proposal(config, None), 2),
        "shorter": (Proposal(config, 2), 1),
        "another configuration": (Proposal(other, None), 1),
    }
    evaluator.evaluate(*before[asked_before])
    assert evaluator.truth(config, 1) == expected
    assert evaluator.truth(other, 1) != expected


def test_a_configuration_that_is_changed_afterwards_has_its_own_truth(small_table):
    fitted = fit(small_table, how=Training(steps=50))
    evaluator = SurrogateEvaluator(fitted, "x@surrogate", 1)
    config = dict(small_table.rows[3].config)
    evaluator.evaluate(Proposal(config, None), 1)
    first = evaluator.truth(config, 1)
    config.update(small_table.rows[4].config)
    assert evaluator.truth(config, 1) == SurrogateEvaluator(fitted, "x@surrogate", 1).truth(config, 1) != first
