"""Rankings compared, and predictions beside trainings, where the truth is known."""

from __future__ import annotations

import json
from collections.abc import Mapping

import numpy as np
import pytest
from numpy.random import SeedSequence, default_rng
from scipy.stats import kendalltau, spearmanr

from hemobench.benchmarks.parity.retraining import CONTROL, INCUMBENT, Candidate, Retrained, Training
from hemobench.benchmarks.parity.searches import SearchBudget, Searches, SearchResult
from hemobench.errors import BenchmarkError
from hemobench.reports.parity.agreement import agreement, kendall, members, repeatability
from hemobench.reports.parity.calibration import Retraining, calibration, unlike
from hemobench.reports.parity.foresight import foreseen, spearman
from hemobench.reports.parity.rankings import Parity, as_data, compare_sources, completed
from hemobench.reports.parity.text import in_words
from hemobench.reports.statistics.bootstrap import Array
from hemobench.strategies.base import Status

NAMES = ("a", "b", "c", "d", "e")
TRUE = 0.1 + 0.02 * np.arange(5.0)


def drawn(means: Array, seeds: int, noise: float, seed: int) -> Array:
    """Losses, shape (seeds, strategies)."""
    return means + noise * default_rng(SeedSequence(seed)).standard_normal((seeds, len(means)))


@pytest.mark.parametrize("seed", range(20))
def test_kendall_is_scipys(seed: int) -> None:
    rng = default_rng(SeedSequence(seed))
    a, b = rng.integers(0, 4, (2, 7)).astype(float)  # with ties
    assert kendall(a, b) == pytest.approx(kendalltau(a, b)[0], nan_ok=True)


def test_identical_sources_agree_wholly() -> None:
    losses = drawn(TRUE, 10, 0.01, 0)
    found = agreement(("table", losses), ("surrogate", losses), NAMES)
    assert found.tau is not None
    assert (found.tau.value, found.tau.low, found.tau.high) == (1.0, 1.0, 1.0)
    assert found.same_best == pytest.approx(1.0)
    assert (found.swaps, found.pairs) == ((), 10)
    assert found.p == 1.0


def test_a_reversed_source_disagrees_wholly() -> None:
    losses = drawn(TRUE, 10, 0.005, 0)
    found = agreement(("table", losses), ("surrogate", losses[:, ::-1]), NAMES)
    assert found.tau is not None
    assert found.tau.value == -1.0
    assert found.same_best < 0.01
    assert len(found.swaps) == 10
    assert all(swap.in_one.value > 0 > swap.in_other.value for swap in found.swaps)
    assert sum(swap.certain for swap in found.swaps) >= 8
    assert found.p is not None
    assert found.p < 0.05


def test_one_planted_swap_is_named() -> None:
    """c and d change places in the other source, by more than the noise."""
    other = TRUE[[0, 1, 3, 2, 4]]
    found = agreement(("table", drawn(TRUE, 20, 0.005, 1)), ("live", drawn(other, 20, 0.005, 2)), NAMES)
    assert [(swap.first, swap.second, swap.certain) for swap in found.swaps] == [("c", "d", True)]
    assert found.swaps[0].in_one.value == pytest.approx(0.02, abs=0.005)
    assert found.tau is not None
    assert found.tau.value == pytest.approx(0.8)
    assert found.alike == 9


def test_pairs_that_matter_and_pairs_that_do_not_are_counted_by_hand() -> None:
    """Losses in points: 0, 0.4, 2 and 2.3 in one source; the second and third swap in the other."""
    one = np.tile([0.0, 0.004, 0.02, 0.023], (5, 1))
    other = np.tile([0.0, 0.011, 0.010, 0.012], (5, 1))
    found = agreement(("live", one), ("surrogate", other), NAMES[:4])
    assert (found.apart, found.kept) == (4, 3)  # of a and b with c and d, b and c swap
    assert (found.near, found.both_near) == (2, 1)  # a and b; c and d
    turned = agreement(("surrogate", other), ("live", one), NAMES[:4])
    assert (turned.apart, turned.kept, turned.near, turned.both_near) == (3, 3, 3, 1)


def test_intervals_of_tau_cover_the_truth() -> None:
    """Ten seeds, noise twice the distance between neighbours: 95 % intervals, of which at least 88 % should hold."""
    other = TRUE[[1, 0, 2, 4, 3]]
    truth = float(kendalltau(TRUE, other)[0])
    held = 0
    for k in range(60):
        found = agreement(("x", drawn(TRUE, 10, 0.03, 2 * k)), ("y", drawn(other, 10, 0.03, 2 * k + 1)), NAMES, k)
        assert found.tau is not None
        assert found.tau.low is not None
        assert found.tau.high is not None
        held += found.tau.low - 1e-9 <= truth <= found.tau.high + 1e-9
    assert held >= 53


def test_equal_means_are_seldom_called_different_and_reversed_ones_are() -> None:
    """The same truth twice, strategies so close that no ranking repeats itself."""
    close = 0.1 + 0.004 * np.arange(5.0)

    def p(one: Array, other: Array, k: int) -> float:
        found = agreement(("x", drawn(one, 10, 0.02, 2 * k)), ("y", drawn(other, 10, 0.02, 2 * k + 1)), NAMES, k)
        assert found.p is not None
        return found.p

    assert sum(p(close, close, k) < 0.05 for k in range(60)) <= 9
    assert sum(p(TRUE, TRUE[::-1], k) < 0.05 for k in range(20)) >= 18


def test_noise_under_equal_means_is_that_of_means_of_so_many_seeds() -> None:
    """Two seeds deviate from their own mean by half the variance, and a resample of them is one apart in two of four.

    The distance of 1.2 is then turned round where the deviation of 1 counts as the 1.41 that it stands for.
    """
    noisy, still = np.array([[0.0, 0.2], [0.0, 2.2]]), np.array([[0.0, 1.2], [0.0, 1.2]])
    found = agreement(("noisy", noisy), ("still", still), ("a", "b"))
    assert found.expected is not None
    assert found.expected.value == pytest.approx(3 / 4 - 1 / 4, abs=0.05)


def test_who_ties_for_the_first_place_shares_it() -> None:
    tied = np.array([[0.1, 0.1, 0.2]] * 4) + 0.01 * np.arange(4)[:, None]
    assert agreement(("x", tied), ("y", tied), ("a", "b", "c")).same_best == pytest.approx(0.5)


def test_a_ranking_repeats_itself_as_far_as_noise_lets_it() -> None:
    quiet, loud = drawn(TRUE, 10, 0.002, 3), drawn(TRUE, 10, 0.2, 3)
    assert repeatability(quiet) == pytest.approx(1.0, abs=0.01)
    assert (repeatability(loud) or 0) < 0.7
    assert repeatability(quiet[:1]) is None


def test_equal_losses_have_no_ranking() -> None:
    found = agreement(("x", np.full((4, 5), 0.1)), ("y", drawn(TRUE, 4, 0.01, 0)), NAMES)
    assert (found.tau, found.p, found.swaps) == (None, None, ())


def test_members_that_are_alike_and_members_that_are_not() -> None:
    rng = default_rng(SeedSequence(5))
    noise = 0.01 * rng.standard_normal((5, 8, 5))
    alike = members(TRUE + noise, NAMES)
    assert alike.tau is not None
    assert alike.tau > 0.85
    assert alike.deviation < 0.004
    assert alike.best == {"a": 5}
    effects = 0.05 * rng.standard_normal((5, 1, 5))
    unlike_ones = members(TRUE + effects + noise, NAMES)
    assert unlike_ones.tau is not None
    assert unlike_ones.tau < 0.6
    assert unlike_ones.deviation == pytest.approx(0.05 * np.sqrt(0.8), rel=0.4)  # less the mean of five strategies
    assert unlike_ones.seed_deviation == pytest.approx(0.01 * np.sqrt(0.8), rel=0.2)


def run(loss: float | None) -> SearchResult:
    return SearchResult(loss, {}, {}, 10, 1, 0.25, None if loss is not None else "trial 3: ValueError: no")


def searches(**losses: Array) -> Searches:
    def rows(values: Array) -> tuple[tuple[SearchResult, ...], ...]:
        return tuple(tuple(run(None if np.isnan(v) else float(v)) for v in row) for row in values)

    return Searches(
        SearchBudget(5.0, 25), NAMES, {name.replace("_", "-"): rows(values) for name, values in losses.items()}
    )


def test_sources_are_compared() -> None:
    table = drawn(TRUE, 6, 0.005, 1)
    found = compare_sources(searches(table=table, surrogate=table + 0.1, member_0=table[:3], member_1=table[:3, ::-1]))
    assert [ranking.source for ranking in found.rankings] == ["table", "surrogate"]
    assert [one.strategy for one in found.rankings[0].standings] == list(NAMES)
    assert found.rankings[0].standings[0].best == pytest.approx(1.0, abs=0.02)
    assert found.rankings[0].standings[0].distance == 0.25
    assert [(one.one, one.other) for one in found.agreements] == [("table", "surrogate")]
    assert found.members is not None
    assert found.members.tau == -1.0
    assert (found.members.count, found.members.seeds) == (2, 3)


def test_a_run_without_a_result_counts_as_the_worst() -> None:
    table = drawn(TRUE, 6, 0.001, 1)
    table[:, 0] = np.nan
    last = compare_sources(searches(table=table, pool=table)).rankings[0].standings[-1]
    assert (last.strategy, last.missing) == ("a", 6)
    with pytest.raises(BenchmarkError, match="no search of the source 'table' has a result"):
        completed(np.full((2, 5), np.nan), "table")


def test_equal_runs_give_equal_data() -> None:
    table = drawn(TRUE, 4, 0.01, 1)
    given = [
        Parity("c-nmc@recorded", 1, "t", "s", {}, compare_sources(searches(table=table, pool=table + 0.01)))
        for _ in "ab"
    ]
    one, other = (json.dumps(as_data(parity), allow_nan=False) for parity in given)
    assert one == other
    assert json.loads(one)["schema"] == 1
    assert "table and pool: Kendall's tau 1.00 [1.00, 1.00]" in in_words(given[0])[0]


def test_one_seed_has_no_interval() -> None:
    table = drawn(TRUE, 1, 0.01, 1)
    found = compare_sources(searches(table=table, pool=table))
    assert found.rankings[0].standings[0].loss.low is None
    assert found.agreements[0].tau is not None
    assert found.agreements[0].tau.low is None
    json.dumps(as_data(Parity("c-nmc@recorded", 1, "t", "s", {}, found)), allow_nan=False)


def prediction(number: int, group: str, bias: float, repeats: int = 4, failed: int = 0) -> Retrained:
    """A prediction with noise of half a point, and trainings with the same noise that lie `bias` below."""
    rng = default_rng(SeedSequence([number, len(group)]))
    centre = 0.8 + 0.1 * rng.random()
    live = (centre - bias + 0.005 * rng.standard_normal(repeats)).tolist()

    def training(value: float, lost: bool) -> Training:
        figures: Mapping[str, float] = {} if lost else {"score": value, "validation": value, "test": value - 0.02}
        return Training(Status.DIVERGED if lost else Status.OK, figures, {"data_sha256": "x"})

    outcomes = centre + 0.005 * rng.standard_normal(500)
    seen = {"score": centre + 0.01, "validation": centre + 0.01, "test": centre} if group == INCUMBENT else {}
    return Retrained(
        Candidate(group, "random" if group == INCUMBENT else "", number, {"learning_rate": float(number)}, seen),
        {"score": outcomes, "validation": outcomes, "test": outcomes - 0.02},
        0.1,
        tuple(training(value, k < failed) for k, value in enumerate(live)),
    )


def test_honest_predictions_hold_nine_times_in_ten() -> None:
    found = calibration([prediction(k, CONTROL, 0.0) for k in range(60)]).groups[CONTROL]["validation"]
    assert found.trainings == 240
    assert found.inside.value == pytest.approx(0.9, abs=0.05)
    assert found.bias.low is not None
    assert found.bias.high is not None
    assert found.bias.low < 0 < found.bias.high
    assert found.luck is None


def test_planted_optimism_of_searching_is_found() -> None:
    """Incumbents promise two points too much, random configurations half a point."""
    trained = [prediction(k, INCUMBENT, 0.02) for k in range(12)] + [prediction(k, CONTROL, 0.005) for k in range(12)]
    found = calibration(trained)
    incumbents = found.groups[INCUMBENT]["validation"]
    assert incumbents.bias.value == pytest.approx(0.02, abs=0.003)
    assert incumbents.luck is not None
    assert incumbents.luck.value == pytest.approx(0.03, abs=0.003)
    assert incumbents.inside.value < 0.2
    optimism = found.optimism["validation"]
    assert optimism.low is not None
    assert optimism.high is not None
    assert optimism.low < 0.015 < optimism.high
    assert optimism.low > 0.005
    first = found.checks[0].figures["validation"]
    assert first.difference == pytest.approx(-0.02, abs=0.01)
    assert first.low < first.predicted < first.high


def test_the_same_configuration_counts_once() -> None:
    twice = [prediction(k, INCUMBENT, 0.0) for k in (0, 0, 1)]
    found = calibration(twice)
    assert len(found.checks) == 3
    assert found.groups[INCUMBENT]["score"].configurations == 2


def test_failed_trainings_are_counted_and_enter_no_mean() -> None:
    found = calibration([prediction(0, INCUMBENT, 0.0, failed=1), prediction(1, INCUMBENT, 0.0, failed=4)])
    assert [one.failures for one in found.checks] == [1, 4]
    assert found.checks[1].figures["score"].difference is None
    assert found.groups[INCUMBENT]["score"].trainings == 3
    nothing = calibration([prediction(0, INCUMBENT, 0.0, failed=4)])
    assert nothing.groups == {INCUMBENT: {}}
    assert in_words(_with(nothing))


def _with(retraining: Retraining) -> Parity:
    table = drawn(TRUE, 4, 0.01, 1)
    compared = compare_sources(searches(table=table, pool=table))
    return Parity("c-nmc@recorded", 1, "t", "s", {}, compared, retraining=retraining)


def test_what_differs_from_the_recording_is_said() -> None:
    there = {"image_size": "96", "device": "one CPU core", "weights": "w"}
    assert unlike(there, {**there, "device": "a GPU"}) == []
    assert unlike(there, {**there, "image_size": "64"}) == ["image_size: 64, recorded 96"]


def predicted_and_live(strategy: str, centre: float, *live: float) -> Retrained:
    """Predicted evenly from a tenth below to a tenth above the centre."""
    candidate = Candidate("tried", strategy, 0, {"x": centre})
    drawn = np.linspace(centre - 0.1, centre + 0.1, 501)
    trainings = tuple(Training(Status.OK, {"score": value, "validation": value}, {}) for value in live)
    return Retrained(candidate, {"score": drawn, "validation": drawn}, 0.0, trainings)


def test_what_was_tried_and_how_it_was_foreseen_by_hand() -> None:
    """The 90 % intervals end 0.09 from their centres."""
    tried = [
        predicted_and_live("random", 0.2, 0.28),
        predicted_and_live("random", 0.4, 0.45, 0.25),
        predicted_and_live("random", 0.6, 0.50),
        predicted_and_live("random", 0.8, 0.44),
        predicted_and_live("manual", 0.5, 0.5),
        predicted_and_live("manual", 0.6),
    ]
    found = foreseen(tried)
    one = found["random"]["validation"]
    assert (one.calibration.configurations, one.calibration.trainings) == (4, 5)
    assert one.calibration.inside.value == pytest.approx(2 / 5)
    assert one.calibration.bias.value == pytest.approx((-0.08 + 0.05 + 0.10 + 0.36) / 4)
    assert one.error == pytest.approx((0.08 + 0.05 + 0.10 + 0.36) / 4)
    assert one.order is not None
    assert one.order.value == pytest.approx(spearmanr([0.2, 0.4, 0.6, 0.8], [0.28, 0.35, 0.50, 0.44])[0])
    assert one.order.low is not None
    assert one.order.low < one.order.value
    manual = found["manual"]["score"]
    assert (manual.calibration.configurations, manual.order) == (1, None)


def test_many_orders_at_once_are_scipys() -> None:
    pairs = default_rng(SeedSequence(3)).integers(0, 5, (20, 9, 2)).astype(float)  # with ties
    expected = [spearmanr(one[:, 0], one[:, 1])[0] for one in pairs]
    np.testing.assert_allclose(spearman(pairs, axis=1), expected)
    assert np.isnan(spearman(np.ones((4, 2)), axis=0))
