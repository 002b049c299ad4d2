"""Verdicts against simulated truth: how often a wrong one is stated, and how often a right one."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from hemobench.reports.statistics.pairwise import ROPE, all_pairs
from hemobench.reports.statistics.posterior import posterior
from hemobench.reports.statistics.student import power
from hemobench.reports.statistics.verdict import Decision, decide, surely_better, verdict

Noise = Callable[[np.random.Generator, tuple[int, int]], np.ndarray]
SUITES = 400
STRATEGIES = 7
NAMES = ("a", "b", "c", "d", "e", "f", "g")


def normal(generator: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    """Noise of deviation 1."""
    return generator.standard_normal(shape)


def skewed(generator: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    """As incumbents near a ceiling are: a long tail to the worse; deviation 1, mean 0."""
    return 1 - generator.exponential(1.0, shape)


def uneven(generator: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    """Strategies that scatter differently, and what a seed gives to all of them."""
    deviations = np.geomspace(0.3, 2.0, shape[1])
    return 3 * generator.standard_normal((shape[0], 1)) + generator.standard_normal(shape) * deviations


def decisions(means: np.ndarray, seeds: int, noise: Noise = normal, rope: float = ROPE) -> list[Decision]:
    generator = np.random.default_rng([seeds, len(means), len(noise.__name__)])
    return [decide(means + noise(generator, (seeds, len(means))), rope) for _ in range(SUITES)]


@pytest.mark.parametrize("noise", [normal, skewed, uneven])
@pytest.mark.parametrize("seeds", [3, 5, 10, 30])
def test_where_all_are_equal_a_best_is_named_in_5_percent_at_most(seeds: int, noise: Noise) -> None:
    found = decisions(np.zeros(STRATEGIES), seeds, noise)
    assert np.mean([decision.best is not None for decision in found]) <= 0.05


@pytest.mark.parametrize("seeds", [5, 10, 30])
def test_one_of_two_that_are_equally_best_is_named_in_5_percent_at_most(seeds: int) -> None:
    """The hardest case: all the others are far behind, so that only one comparison keeps a best from being named."""
    found = decisions(np.array([5.0, 5.0, 0, 0, 0, 0, 0]), seeds)
    standard_error = np.sqrt(0.05 * 0.95 / SUITES)
    assert np.mean([decision.best is not None for decision in found]) <= 0.05 + 2 * standard_error


@pytest.mark.parametrize("noise", [normal, skewed, uneven])
@pytest.mark.parametrize("seeds", [2, 5, 10, 30])
@pytest.mark.parametrize("outside", [1, STRATEGIES - 1])
def test_at_the_regions_edge_a_strategy_gets_in_with_5_percent_at_most(seeds: int, noise: Noise, outside: int) -> None:
    means = np.zeros(STRATEGIES)
    means[:outside] = -ROPE
    found = decisions(means, seeds, noise)
    assert np.mean([any(place < outside for place in decision.enough) for decision in found]) <= 0.05


@pytest.mark.parametrize("seeds", [5, 10, 30])
def test_two_strategies_at_the_edge(seeds: int) -> None:
    found = decisions(np.array([-ROPE, 0.0]), seeds)
    assert np.mean([0 in decision.enough for decision in found]) <= 0.065  # 5 % and three of its standard errors


def test_what_is_so_is_found() -> None:
    clear = decisions(np.array([2.0, 0, 0, 0, 0, 0, 0]), 30)
    assert np.mean([decision.best == 0 for decision in clear]) > 0.99
    same = decisions(np.zeros(STRATEGIES), 60, rope=1.0)
    assert np.mean([len(decision.enough) == STRATEGIES for decision in same]) > 0.9
    some = decisions(np.array([0.0, 0.0, 0, -3, -3, -3, -3]), 60, rope=1.0)
    assert np.mean([decision.enough == (0, 1, 2) for decision in some]) > 0.9
    assert np.mean([decision.open == (0, 1, 2) for decision in some]) > 0.9


@pytest.mark.parametrize("spread", [0.3, 0.7])
@pytest.mark.parametrize("seeds", [5, 10, 30])
def test_the_best_that_is_named_is_the_best(spread: float, seeds: int) -> None:
    generator, wrong = np.random.default_rng([int(10 * spread), seeds]), 0
    for _ in range(SUITES):
        means = spread * generator.standard_normal(STRATEGIES)
        best = decide(means + generator.standard_normal((seeds, STRATEGIES))).best
        wrong += best is not None and best != int(means.argmax())
    assert wrong <= 0.02 * SUITES


def losses_of(points: np.ndarray) -> np.ndarray:
    return 1 - points / 100


def scattered(means: list[float], seeds: int, deviation: float = 1.0, seed: int = 0) -> np.ndarray:
    """Losses of strategies whose sample means are exactly these points."""
    noise = np.random.default_rng(seed).standard_normal((seeds, len(means))) * deviation
    return losses_of(np.array(means) + noise - noise.mean(axis=0))


def closed_test(p: list[float]) -> list[bool]:
    """Holm's by its definition: a hypothesis falls if, by Bonferroni, every set of them falls that it is one of."""
    places = range(len(p))
    sets = [chosen for size in range(1, len(p) + 1) for chosen in combinations(places, size)]
    fallen = {chosen for chosen in sets if min(p[i] for i in chosen) <= 0.05 / len(chosen)}
    return [all(chosen in fallen for chosen in sets if i in chosen) for i in places]


def test_surely_better_is_holm_over_all_pairs() -> None:
    """At differences about which the adjustment decides, small ones too."""
    generator, decided = np.random.default_rng(12), 0
    pairs = list(combinations(range(4), 2))
    for _ in range(60):
        points = generator.standard_normal((8, 4)) * 0.1 + 0.4 * generator.random(4)
        gaps = [points[:, one] - points[:, other] for one, other in pairs]
        p = [stats.ttest_1samp(gap, 0).pvalue for gap in gaps]
        rejected = closed_test(p)
        expected = np.zeros((4, 4), bool)
        for (one, other), gap, is_rejected in zip(pairs, gaps, rejected, strict=True):
            expected[one, other], expected[other, one] = is_rejected & (gap.mean() > 0), is_rejected & (gap.mean() < 0)
        np.testing.assert_array_equal(surely_better(points[:, :, None] - points[:, None, :]), expected)
        decided += int(expected.sum())
    assert 60 < decided < 300


def test_enough_is_rejected_against_every_other_at_its_share() -> None:
    generator, inside = np.random.default_rng(13), 0
    for _ in range(60):
        points = generator.standard_normal((8, 4)) * 0.3 + 0.5 * generator.random(4)
        expected = []
        for one in range(4):
            gaps = [points[:, one] - points[:, other] for other in range(4) if other != one]
            p = [stats.ttest_1samp(gap, -ROPE, alternative="greater").pvalue for gap in gaps]
            expected += [one] if max(p) <= 0.05 / 3 else []
        assert decide(points).enough == tuple(expected)
        inside += len(expected)
    assert 40 < inside < 200


def test_x_is_best() -> None:
    found = verdict(scattered([80, 84, 80], 10), NAMES[:3])
    assert (found.kind, found.strategies, found.leader) == ("best", ("b",), "b")
    assert found.probability is not None
    assert found.probability > 0.95
    assert (found.more_seeds, found.tells) == (None, None)


def test_any_of_them_will_do_and_the_simplest_comes_first() -> None:
    losses = scattered([80.1, 80.0, 70, 80.05], 60, deviation=0.5)
    found = verdict(losses, NAMES[:4], complexity={"d": 0, "c": 0, "b": 1})
    assert (found.kind, found.strategies) == ("any", ("d", "b", "a"))  # not in the row: last
    assert verdict(losses, NAMES[:4]).strategies == ("a", "d", "b")  # no simplest: by mean, not by name
    alone = verdict(scattered([80.15, 80.0, 70], 60, deviation=0.6), NAMES[:3], rope=0.1)
    assert (alone.kind, alone.strategies) == ("any", ("a",))  # nothing is surely worse than it, or better by 0.1


@pytest.mark.parametrize(("seeds", "best"), [(4, None), (5, 1)])
def test_from_five_seeds_on_something_may_be_said(seeds: int, best: int | None) -> None:
    points = 100 * (1 - scattered([80, 90, 70], seeds, deviation=0.01))
    found = decide(points)
    assert found.best == best
    assert found.open == ((1,) if best else (0, 1, 2))
    assert bool(found.enough) == (best is not None)


@pytest.mark.parametrize("others", [1, 2, 4])
def test_the_surely_best_is_not_named_where_others_are_as_good_in_practice(others: int) -> None:
    losses = scattered([80.1, *[80.0] * others], 60, deviation=0.05)
    points = 100 * (1 - losses)
    assert decide(points).best == 0
    found = verdict(losses, NAMES[: others + 1])
    assert (found.kind, set(found.strategies)) == ("any", set(NAMES[: others + 1]))


def test_not_known_says_how_many_seeds_would_tell() -> None:
    losses = scattered([80, 80.3, 70], 10, deviation=2.0)
    found = verdict(losses, NAMES[:3])
    assert (found.kind, found.strategies, found.tells) == ("unknown", ("b", "a"), 1.0)
    assert found.probability is not None
    assert found.probability < 0.9
    assert found.more_seeds is not None
    deviation = float((100 * (losses[:, 0] - losses[:, 1])).std(ddof=1))
    needed = found.more_seeds + 10
    assert power(needed - 1, 1.0, deviation, 0.05) < 0.8 <= power(needed, 1.0, deviation, 0.05)


def test_what_one_point_takes_is_there_already_so_a_smaller_difference_is_asked() -> None:
    found = verdict(scattered([80, 80.05], 100), NAMES[:2], rope=0.1)
    assert (found.kind, found.tells) == ("unknown", 0.2)


def test_no_result_is_no_answer() -> None:
    nothing = verdict(np.full((10, 3), np.nan), NAMES[:3])
    assert (nothing.kind, nothing.strategies, nothing.leader, nothing.probability) == ("unknown", (), None, None)
    assert nothing.reason == "no strategy has a result on every seed"
    assert dict(nothing.left_out)["a"] == "no result in 10 of 10 runs"
    assert verdict(np.zeros((0, 2)), NAMES[:2]).reason
    assert "one seed" in verdict([[0.1, 0.2]], NAMES[:2]).reason


def test_flagged_and_incomplete_strategies_are_left_out_and_said() -> None:
    losses = scattered([90, 84, 80, 70], 10)
    losses[3, 2] = np.nan
    found = verdict(losses, NAMES[:4], left_out={"a": "a strategy error"})
    assert (found.kind, found.strategies) == ("best", ("b",))
    assert dict(found.left_out) == {"a": "a strategy error", "c": "no result in 1 of 10 runs"}
    one = verdict(losses[:, [0, 1]], NAMES[:2], left_out={"a": "a strategy error"})
    assert (one.kind, one.strategies) == ("unknown", ())
    assert one.reason == "only b can be judged, and there is nothing to compare it with"


def test_any_of_them_is_as_probable_as_the_first_named_is_within_the_region() -> None:
    losses = scattered([80.4, 80.0, 70], 40)
    found = verdict(losses, NAMES[:3], rope=1.0, complexity={"b": 0})
    within = posterior(100 * (1 - losses)).probability_within(1.0)
    assert (found.kind, found.strategies) == ("any", ("b", "a"))
    assert found.probability == within[1] < within[0]


def test_means_that_rounding_tells_apart_have_no_leader() -> None:
    losses = scattered([80, 80, 70], 10)
    losses[:, 1] = losses[::-1, 0] + 1e-14
    assert losses[:, 0].mean() != losses[:, 1].mean()
    assert verdict(losses, NAMES[:3]).leader is None


def test_equal_strategies_have_no_leader() -> None:
    few = verdict(np.full((4, 3), 0.1), NAMES[:3])
    assert (few.kind, few.leader, few.strategies) == ("unknown", None, ("a", "b", "c"))
    assert few.probability == pytest.approx(1 / 3)
    many = verdict(np.full((10, 3), 0.1), NAMES[:3], complexity={"c": 0})
    assert (many.kind, many.strategies, many.probability) == ("any", ("c", "a", "b"), 1.0)


@settings(max_examples=30, deadline=None)
@given(
    points=arrays(float, st.tuples(st.integers(2, 12), st.integers(2, 5)), elements=st.sampled_from([0.0, 1.0, 4.0])),
    order=st.randoms(use_true_random=False),
)
def test_names_and_their_order_decide_nothing(points: np.ndarray, order: object) -> None:
    names = list(NAMES[: points.shape[1]])
    places = list(range(len(names)))
    order.shuffle(places)  # type: ignore[attr-defined]
    one = verdict(losses_of(points), names)
    other = verdict(losses_of(points[:, places]), [names[place] for place in places])
    assert (one.kind, set(one.strategies), one.leader) == (other.kind, set(other.strategies), other.leader)


@settings(max_examples=30, deadline=None)
@given(points=arrays(float, st.tuples(st.integers(5, 12), st.integers(2, 5)), elements=st.floats(70, 80)))
def test_the_best_is_better_in_every_pair(points: np.ndarray) -> None:
    best = decide(points).best
    pairs = all_pairs(losses_of(points), NAMES[: points.shape[1]])
    surely = [pair for pair in pairs if pair.p <= 0.05 and pair.difference]
    above = {pair.one if pair.difference > 0 else pair.other: 0 for pair in surely if pair.difference}
    for pair in surely:
        assert pair.difference is not None
        above[pair.one if pair.difference > 0 else pair.other] += 1
    expected = [name for name, count in above.items() if count == points.shape[1] - 1]
    assert expected == ([] if best is None else [NAMES[best]])
