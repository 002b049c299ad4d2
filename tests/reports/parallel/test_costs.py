"""What parallelism costs: worked by hand on runs given as (GPU-hours, loss) pairs."""

from __future__ import annotations

import math

import pytest

from hemobench.reports.parallel.costs import Change, parallel_costs


def rows(results, reference):
    return {(cost.strategy, cost.workers): cost for cost in parallel_costs(results, lambda name: reference)}


@pytest.fixture
def worked(run, collect):
    """Random search does not mind four workers; TPE is worse by 0.02 on every seed and takes twice as long."""
    runs = []
    for seed in range(4):
        final = 0.20 - 0.01 * seed
        runs += [run("random", seed, (2, 0.30), (8, final), workers=workers) for workers in (1, 4)]
        runs.append(run("tpe", seed, (1, 0.30), (3, final), (6, final - 0.06)))
        runs.append(run("tpe", seed, (1, 0.30), (6, final), (9, final - 0.04), workers=4))
    return collect(runs)


def test_by_hand(worked, reference):
    found = rows(worked, reference)
    assert list(found) == [("random", 4), ("tpe", 4)]
    tpe, random = found["tpe", 4], found["random", 4]
    assert tpe.loss.mean == tpe.loss.low == tpe.loss.high == pytest.approx(0.02)
    assert tpe.regret.mean == pytest.approx(0.1)  # regret 0 at 0.05, 1 at 0.25
    assert (tpe.hours_one, tpe.hours) == (3.0, 6.0)
    assert tpe.factor == Change(2.0, 2.0, 2.0)
    assert tpe.p == pytest.approx(2 / 2**4)  # four seeds of one sign
    assert (tpe.seeds, tpe.missing) == (4, 0)
    assert tpe.idle == pytest.approx(0.2)  # as `one_run` says
    assert random.loss == Change(0.0, 0.0, 0.0)
    assert random.p == 1.0
    assert random.factor == Change(1.0, 1.0, 1.0)


def test_a_run_without_a_result_is_counted_and_infinitely_late(run, collect, reference):
    runs = [run("random", seed, (8, 0.2), workers=workers) for seed in range(3) for workers in (1, 4)]
    runs += [run("tpe", seed, (4, 0.1)) for seed in range(3)]
    runs += [run("tpe", 0, (6, 0.1), workers=4)]
    runs += [run("tpe", 1, (2, "diverged"), workers=4)]
    runs += [run("tpe", 2, (2, 0.05), workers=4, status="strategy-error")]
    tpe = rows(collect(runs), reference)["tpe", 4]
    assert (tpe.seeds, tpe.missing) == (3, 2)
    assert tpe.loss == Change(0.0, 0.0, 0.0)
    assert (tpe.hours_one, tpe.hours) == (4.0, None)
    assert tpe.factor.mean == tpe.factor.high == math.inf
    assert tpe.factor.low == 1.5


def test_only_equal_budgets_seeds_and_strategies_are_compared(run, collect, reference):
    runs = [run("random", 0, (2, 0.2)), run("random", 1, (2, 0.2)), run("random", 1, (2, 0.3), workers=4)]
    runs += [run("random", 0, (2, 0.1), workers=16, gpu_hours=20.0), run("random", 1, (2, 0.1), workers=2, version=2)]
    found = rows(collect(runs), reference)
    assert list(found) == [("random", 4)]
    assert found["random", 4].seeds == 1
    assert found["random", 4].loss.mean == pytest.approx(0.1)


def test_without_reference_or_random_search(run, collect):
    runs = [run("tpe", seed, (3, 0.2 + 0.1 * (workers > 1)), workers=workers) for seed in (0, 1) for workers in (1, 2)]
    tpe = rows(collect(runs), None)["tpe", 2]
    assert tpe.loss.mean == pytest.approx(0.1)
    assert tpe.regret is tpe.hours is tpe.hours_one is tpe.factor is None


def test_nothing_to_compare(worked, run, collect, reference):
    assert rows(collect([run("random", 0, (2, 0.2))]), reference) == {}
    assert rows(collect([run("random", 0, (2, 0.2), workers=4)]), reference) == {}
    assert rows(worked, reference) == rows(worked, reference)
