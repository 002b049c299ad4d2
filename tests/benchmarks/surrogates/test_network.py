"""The network's training against a loss that is written out, finite differences, and AdamW as it was published."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import islice, pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from threadpoolctl import threadpool_limits

from hemobench.benchmarks.surrogates import network
from hemobench.benchmarks.surrogates.network import Problem, Training, problem_of, train
from hemobench.benchmarks.surrogates.targets import Targets

INPUTS, KNOWN, ROWS = 3, 4, 8


def problem(failures: int = 2) -> Problem:
    """A few rows of random numbers; a third of the values are unknown."""
    rng = np.random.default_rng(1)
    return Problem(
        inputs=rng.uniform(-1, 1, (ROWS, INPUTS)).astype(np.float32),
        values=rng.standard_normal((ROWS, KNOWN)).astype(np.float32),
        weights=(rng.uniform(0.1, 1, (ROWS, KNOWN)) * (rng.random((ROWS, KNOWN)) < 0.67)).astype(np.float32),
        failed=(rng.random((ROWS, failures)) < 0.5).astype(np.float32),
        groups=np.arange(ROWS),
    )


def parameters_of(outputs: int, members: int = 2, width: int = 5) -> list[np.ndarray]:
    rng = np.random.default_rng(2)
    sizes = [INPUTS, width, width, outputs]
    shapes = [shape for one, other in pairwise(sizes) for shape in ((one, other), (1, other))]
    return [rng.standard_normal((members, *shape)) for shape in shapes]


def loss_of(problem: Problem, rows: list[int], parameters: list[np.ndarray], failure: float) -> float:
    """One member's: row by row, half the weighted squared errors and the mean cross-entropy of failures."""
    w1, b1, w2, b2, w3, b3 = parameters
    total = 0.0
    for row in rows:
        x = problem.inputs[row].astype(float)
        for weights, biases in ((w1, b1), (w2, b2)):
            x = np.array([max(value, 0.0) for value in x @ weights + biases[0]])
        out = (x @ w3 + b3[0]).tolist()
        for got, wanted, weight in zip(out, problem.values[row].tolist(), problem.weights[row].tolist(), strict=False):
            total += weight * (got - wanted) ** 2 / 2
        failed = problem.failed[row].tolist()
        for logit, happened in zip(out[problem.values.shape[1] :], failed, strict=True):
            chance = 1 / (1 + math.exp(-logit))
            total -= failure * math.log(chance if happened else 1 - chance) / len(failed)
    return total / len(rows)


@pytest.mark.parametrize("failures", [0, 1, 3])
def test_gradients_are_those_of_the_loss(failures: int) -> None:
    how, given = Training(failure=0.4), problem(failures)
    rows = np.array([[0, 3, 5], [7, 1, 1]])
    parameters = parameters_of(KNOWN + failures)
    found = network._gradients(given, rows, parameters, how)
    for member in range(2):
        alone = [p[member].copy() for p in parameters]
        for gradient, p in zip(found, alone, strict=True):
            assert gradient[member].shape == p.shape
            for place in np.ndindex(p.shape):
                ends, middle = [], p[place]
                for p[place] in (middle - 1e-5, middle + 1e-5):
                    ends.append(loss_of(given, rows[member].tolist(), alone, how.failure))
                p[place] = middle
                assert gradient[member][place] == pytest.approx((ends[1] - ends[0]) / 2e-5, rel=1e-3, abs=2e-6)


def test_a_failure_that_is_sure_has_no_gradient_and_one_that_surprises_a_bounded_one() -> None:
    given = replace(problem(1), weights=np.zeros((ROWS, KNOWN), np.float32), failed=np.ones((ROWS, 1), np.float32))
    parameters = parameters_of(KNOWN + 1)
    rows = np.array([[0, 1], [2, 3]])
    for bias, wanted in ((1000.0, 0.0), (-1000.0, -0.3)):
        parameters[-1][..., -1] = bias
        gradient = network._gradients(given, rows, parameters, Training(failure=0.3))[-1]
        np.testing.assert_allclose(gradient[..., -1], wanted, atol=1e-6)
        np.testing.assert_array_equal(gradient[..., :-1], 0)


def adamw(start: list[np.ndarray], gradients: list[list[np.ndarray]], how: Training) -> list[np.ndarray]:
    """As Loshchilov and Hutter have it (2019, algorithm 2); biases do not decay."""
    found = []
    for k, p in enumerate(start):
        first = second = np.zeros_like(p)
        for t in range(1, how.steps + 1):
            rate = how.rate * math.cos(math.pi / 2 * (t - 1) / how.steps) ** 2
            first = 0.9 * first + 0.1 * gradients[t - 1][k]
            second = 0.999 * second + 0.001 * gradients[t - 1][k] ** 2
            step = first / (1 - 0.9**t) / (np.sqrt(second / (1 - 0.999**t)) + 1e-8)
            p = p - rate * (step + (how.decay if k % 2 == 0 else 0.0) * p)
        found.append(p)
    return found


def test_training_is_adamw_along_half_a_cosine(monkeypatch: pytest.MonkeyPatch) -> None:
    """With gradients that are known."""
    how = Training(members=2, width=5, steps=9, batch=ROWS, rate=0.1, decay=0.8)
    start, rng = parameters_of(KNOWN), np.random.default_rng(4)
    gradients = [[rng.uniform(0.2, 2, p.shape) * rng.choice([-1, 1], p.shape) for p in start] for _ in range(9)]
    coming = iter(gradients)
    monkeypatch.setattr(network, "_start", lambda *_: [p.copy() for p in start])
    monkeypatch.setattr(network, "_gradients", lambda *_: next(coming))
    for p, wanted in zip(train(problem(0), how, 0), adamw(start, gradients, how), strict=True):
        np.testing.assert_allclose(p, wanted, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("inputs", [1, INPUTS])
def test_weights_decay_and_biases_do_not(inputs: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nothing is known there is no gradient, and decay alone remains; of one input, too."""
    how = Training(members=2, width=5, steps=2, batch=ROWS, rate=0.1, decay=0.5, share=1.0)
    whole = problem(0)
    given = replace(whole, inputs=whole.inputs[:, :inputs], weights=np.zeros((ROWS, KNOWN), np.float32))
    start = [p.astype(np.float32) for p in parameters_of(KNOWN)]
    start[0] = start[0][:, :inputs]
    monkeypatch.setattr(network, "_start", lambda *_: [p.copy() for p in start])
    for k, (p, before) in enumerate(zip(train(given, how, 0), start, strict=True)):
        # the rate is 0.1 first and half of it then
        np.testing.assert_allclose(p, before if k % 2 else before * 0.95 * 0.975, rtol=1e-6)


def test_what_is_fitted_long_enough_is_learned() -> None:
    given = replace(problem(), weights=np.ones((ROWS, KNOWN), np.float32))
    how = Training(members=2, width=32, steps=300, batch=ROWS, rate=0.03, decay=0.0, share=1.0)
    w1, b1, w2, b2, w3, b3 = train(given, how, 0)
    hidden = np.maximum(np.maximum(given.inputs @ w1 + b1, 0) @ w2 + b2, 0)
    out = hidden @ w3 + b3
    np.testing.assert_allclose(out[..., :KNOWN], np.stack([given.values] * 2), atol=0.02)
    assert ((out[..., KNOWN:] > 0) == (given.failed > 0)).all()


def test_the_number_of_threads_decides_nothing() -> None:
    """Threads share out sums, which round otherwise then."""
    rng, rows, outputs = np.random.default_rng(3), 600, 300
    values = rng.standard_normal((rows, outputs)).astype(np.float32)
    no_failure = np.zeros((rows, 0), np.float32)
    inputs = rng.uniform(-1, 1, (rows, 16)).astype(np.float32)
    known = Problem(inputs, values, np.ones_like(values), no_failure, np.arange(rows))
    found = []
    for threads in (1, 2, 4):
        with threadpool_limits(threads, user_api="blas"):
            found.append(train(known, Training(steps=20), 0))
    for others in found[1:]:
        assert all(np.array_equal(one, other) for one, other in zip(found[0], others, strict=True))


def test_first_weights_keep_the_signals_size() -> None:
    """Two over the rows for what is rectified behind (He et al., 2015), a twentieth of it in the last layer."""
    how = Training(members=3, width=100)
    wide = Problem(*(np.zeros((1, n), np.float32) for n in (50, 30, 30, 10)), groups=np.zeros(1, np.int64))
    found = network._start(wide, how, np.random.default_rng(0))
    assert [p.shape for p in found] == [
        (3, 50, 100),
        (3, 1, 100),
        (3, 100, 100),
        (3, 1, 100),
        (3, 100, 40),
        (3, 1, 40),
    ]
    assert {p.dtype for p in found} == {np.dtype(np.float32)}
    for weights, variance in zip(found[::2], (2 / 50, 2 / 100, 0.1 / 100), strict=True):
        assert weights.var() == pytest.approx(variance, rel=0.05)
        assert abs(weights.mean()) < 4 * math.sqrt(variance / weights.size)
        assert abs(np.corrcoef(weights[0].ravel(), weights[1].ravel())[0, 1]) < 0.06
    for biases in found[1::2]:
        assert not biases.any()


def test_members_start_elsewhere_and_see_other_shares() -> None:
    how = Training(members=3, width=4, steps=1, batch=2, share=0.5)
    one, same, other = (train(problem(), how, seed) for seed in (1, 1, 2))
    for k in (0, 2, 4):
        assert np.array_equal(one[k], same[k])
        assert not np.array_equal(one[k], other[k])
        assert not np.array_equal(one[k][0], one[k][1])


@settings(max_examples=20, deadline=None)
@given(
    groups=st.lists(st.integers(0, 6), min_size=1, max_size=15),
    share=st.sampled_from([0.1, 0.5, 0.8, 1.0]),
    seed=st.integers(0, 99),
)
def test_a_member_sees_all_rows_of_its_share_of_the_configurations(groups: list[int], share: float, seed: int) -> None:
    numbers = 3 * np.array(groups)  # not all numbers need be there
    shared = network._shared_out(numbers, Training(members=3, share=share), np.random.default_rng(seed))
    assert shared.shape == (3, len(groups))
    for rows in shared.tolist():
        seen = {int(numbers[row]) for row in rows}
        assert len(seen) == math.ceil(share * len(set(groups)))
        assert set(rows) == {row for row, number in enumerate(numbers.tolist()) if number in seen}
        often = [rows.count(row) for row in set(rows)]
        assert max(often) - min(often) <= 1


def test_members_see_shares_of_their_own() -> None:
    shared = network._shared_out(np.arange(40), Training(members=4, share=0.5), np.random.default_rng(0))
    assert len({frozenset(rows) for rows in shared.tolist()}) == 4


@pytest.mark.parametrize(
    ("count", "batch", "size", "passes"), [(12, 4, 4, 3), (11, 4, 4, 2), (4, 4, 4, 1), (3, 64, 3, 1)]
)
def test_a_pass_has_every_row_once_but_what_fills_no_batch(count: int, batch: int, size: int, passes: int) -> None:
    rows = np.arange(2 * count).reshape(2, count)
    batches = network._batches(rows, Training(batch=batch), np.random.default_rng(3))
    orders = []
    for _ in range(3):
        whole = list(islice(batches, passes))
        assert {one.shape for one in whole} == {(2, size)}
        drawn = np.concatenate(whole, axis=1)
        for member in range(2):
            assert len(set(drawn[member].tolist())) == passes * size
            assert set(drawn[member].tolist()) <= set(rows[member].tolist())
            orders.append(tuple((drawn[member] - rows[member, 0]).tolist()))
    assert len(set(orders)) == 6 if count > 10 else len(set(orders)) > 1


def known_targets() -> Targets:
    """Four rows, three lengths, three outputs, of which one is constant; one row alone went on to the end."""
    rng = np.random.default_rng(5)
    values = rng.standard_normal((4, 3, 3)) * np.array([1.0, 3.0, 0.0]) + np.array([0.5, -1.0, 2.0])
    reached = np.array([[True, True, False], [True, False, False], [True, True, True], [True, True, False]])
    timed = np.array([[True, True, True], [True, True, False], [True, True, False], [False, True, True]])
    failed = np.zeros((4, 3), bool)
    failed[1, 1:] = True
    return Targets(
        inputs=rng.standard_normal((4, 2)),
        outputs=("validation.accuracy", "test.accuracy", "curve"),
        epochs=np.array([1, 4, 10]),
        values=values * reached[..., None],
        reached=reached,
        seconds=rng.uniform(1, 3, (4, 3)) * timed,
        timed=timed,
        failed=failed,
        groups=np.array([0, 1, 1, 2]),
        seeds=np.zeros(4, np.int64),
        folds=np.zeros(4, np.int64),
    )


def test_a_problem_is_standardised_over_what_is_known() -> None:
    """And where it does not differ, or is known but once, only moved."""
    t = known_targets()
    found, (mean, deviation) = problem_of(t, ("accuracy",), Training())
    columns = [(t.values[:, look, output], t.reached[:, look]) for look in range(3) for output in range(3)]
    columns += [(t.seconds[:, look], t.timed[:, look]) for look in range(3)]
    assert found.values.shape == (4, len(columns))
    for column, (series, known) in enumerate(columns):
        there = [value for value, is_known in zip(series.tolist(), known.tolist(), strict=True) if is_known]
        size = 1.0 if column in (2, 5, 6, 7, 8) else np.std(there)
        assert mean[column] == pytest.approx(sum(there) / len(there))
        assert deviation[column] == pytest.approx(size)
        standard = [(value - np.mean(there)) / size for value in there]
        np.testing.assert_allclose(found.values[known, column], standard, atol=1e-6)
        np.testing.assert_array_equal(found.values[~known, column], 0)
    np.testing.assert_allclose(found.inputs, t.inputs, rtol=1e-6)
    np.testing.assert_array_equal(found.groups, t.groups)
    np.testing.assert_array_equal(found.failed, t.failed)


def test_what_matters_at_full_length_weighs_more() -> None:
    """Nine outputs, of which one counts as often as a hundredth of fifty times all: four and a half times."""
    found, _ = problem_of(known_targets(), ("accuracy",), Training(emphasis=50.0))
    shares = np.array([1, 1, 1, 1, 1, 1, 4.5, 1, 1]) / 12.5  # validation accuracy after the last length
    np.testing.assert_allclose(found.weights[2], [*shares, 0.1, 0.1, 0], rtol=1e-6)
    np.testing.assert_allclose(found.weights[1], [*shares[:3], *[0] * 6, 0.1, 0.1, 0], rtol=1e-6)
    np.testing.assert_allclose(found.weights[3], [*shares[:6], 0, 0, 0, 0, 0.1, 0.1], rtol=1e-6)


def test_where_nothing_failed_nothing_is_learned_of_failures() -> None:
    t = known_targets()
    found, _ = problem_of(replace(t, failed=np.zeros_like(t.failed)), ("accuracy",), Training())
    assert found.failed.shape == (4, 0)


def test_an_output_that_nobody_knows_stays_where_it_is() -> None:
    t = known_targets()
    nobody = replace(t, timed=np.zeros_like(t.timed), seconds=np.zeros_like(t.seconds))
    found, (mean, deviation) = problem_of(nobody, ("accuracy",), Training())
    assert mean[-3:].tolist() == [0, 0, 0]
    assert deviation[-3:].tolist() == [1, 1, 1]
    assert not found.weights[:, -3:].any()
