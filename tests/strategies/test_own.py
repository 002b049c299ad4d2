"""Our own strategies: random search, successive search space reduction, manual analysis."""

from __future__ import annotations

from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hemobench.benchmarks.tasks import load_task
from hemobench.strategies.base import Status
from hemobench.strategies.manual import Manual, plan
from hemobench.strategies.random_search import RandomSearch
from hemobench.strategies.space import active, default, random_stream
from hemobench.strategies.sssr import SSSR, bounds, scaled, within
from hemobench.testing.drives import drive, loss_of, told

SPACE = load_task("bone-marrow").space()
FULL = load_task("bone-marrow-full").space()


def configs(proposals):
    return [dict(proposal.config) for proposal in proposals]


def test_random_search_is_the_stream():
    assert configs(drive(RandomSearch(SPACE, seed=4, horizon=9), 9)) == list(islice(random_stream(SPACE, 4), 9))


def test_sssr_by_the_papers_numbers():
    """24, 16, 8 trials; 12, then 10, then 7 survivors; 48 in all."""
    strategy, survivors, asked = SSSR(SPACE, seed=1, horizon=48), [], 0
    while (proposal := strategy.ask()) is not None:
        strategy.tell(told(asked, proposal))
        asked += 1
        survivors.append(len(strategy.survivors))
    assert asked == 48
    assert [survivors[23], survivors[24], survivors[40], survivors[47]] == [0, 12, 10, 7]


def test_sssr_worked_example():
    """Every round, survivor and range recomputed from the definition."""
    trials = drive(SSSR(SPACE, seed=1, horizon=100), 100)
    ranked = lambda found: sorted(found, key=lambda p: loss_of(p.config))  # noqa: E731
    first, second, third = trials[:24], trials[24:40], trials[40:]
    kept = ranked(first)[:12]
    ranges = bounds(SPACE, configs(kept))
    assert all(within(p.config, ranges) for p in second)
    kept = ranked(kept + ranked(second)[:8])[:10]
    ranges = bounds(SPACE, configs(kept))
    assert all(within(p.config, ranges) for p in third)
    strategy = SSSR(SPACE, seed=1, horizon=100)
    drive(strategy, 100)
    result = ranked(kept + ranked(third)[:4])[:7]
    assert configs([t.proposal for t in strategy.survivors]) == configs(result)


def test_sssr_rounds_half_of_an_odd_number_up():
    """3 of 5; of these and 2 of 3, 3 of 5 again; of these and 1 of 1, 2 of 4."""
    strategy, survivors = SSSR(SPACE, seed=1, horizon=9, rounds=[5, 3, 1], scaling="never"), []
    for number in range(9):
        strategy.tell(told(number, strategy.ask()))
        survivors.append(len(strategy.survivors))
    assert strategy.ask() is None
    assert [survivors[5], survivors[8]] == [3, 2]


def test_sssr_draws_in_order_from_random_searchs_stream():
    pool = iter(random_stream(SPACE, 1))
    found = configs(drive(SSSR(SPACE, seed=1, horizon=48), 48))
    assert found[:24] == list(islice(random_stream(SPACE, 1), 24))
    assert all(any(config == drawn for drawn in islice(pool, 50_000)) for config in found)


@given(st.integers(1, 200), st.sampled_from(["down", "both", "never"]))
def test_sssr_scaling(horizon, scaling):
    rounds = scaled([24, 16, 8], horizon, scaling)
    assert all(size >= 2 for size in rounds)
    assert sum(rounds) <= max(48, horizon)
    if scaling == "never" or (scaling == "down" and horizon >= 48):
        assert rounds == [24, 16, 8]
    elif horizon >= 6:
        assert sum(rounds) <= horizon + 2


def test_sssr_keeps_no_failed_trial():
    strategy = SSSR(SPACE, seed=1, horizon=48)
    drive(strategy, 48, (Status.DIVERGED, Status.OK, Status.DIVERGED))
    assert strategy.survivors
    assert all(trial.status is Status.OK for trial in strategy.survivors)


def test_sssr_ends_when_its_ranges_are_exhausted():
    strategy = SSSR(SPACE, seed=1, horizon=4, rounds=[2, 2], scaling="never", patience=50)
    assert len(drive(strategy, 10)) == 2  # one survivor: a range of one point


def test_ranges_keep_a_categorical_value_if_any_survivor_has_it():
    kept = configs(drive(RandomSearch(SPACE, seed=0, horizon=5), 5))
    found = bounds(SPACE, kept)
    assert found["optimizer"] == {config["optimizer"] for config in kept}
    assert found["learning_rate"] == (
        min(c["learning_rate"] for c in kept),
        max(c["learning_rate"] for c in kept),
    )


@given(st.integers(2, 150))
def test_manual_analysis_fits_its_horizon(horizon):
    for space in (SPACE, FULL):
        assert len(plan(space, horizon, 10)) + 1 <= max(horizon, 2)


def test_manual_varies_one_hyperparameter_at_a_time():
    centre = active(FULL, default(FULL))
    planned = plan(FULL, 120, 10)
    assert planned[0] == ("", centre)
    for name, config in planned[1:]:
        differing = {key for key in centre.keys() | config.keys() if centre.get(key) != config.get(key)}
        parents = {condition.parent.name for condition in FULL.parent_conditions_of[name]}
        family = {child.name for parent in parents | {name} for child in FULL.children_of[parent]}
        assert name in differing or config[name] == default(FULL)[name]
        assert differing <= {name} | parents | family


def test_manual_tries_every_choice_and_both_ends_if_the_horizon_allows():
    planned = plan(FULL, 120, 10)
    assert {config["optimizer"] for _, config in planned} == set(FULL["optimizer"].choices)
    assert {config.get("resnet_depth") for name, config in planned if name == "resnet_depth"} >= {152}
    assert {config.get("frozen_blocks") for name, config in planned if name == "frozen_blocks"} >= {1, 2, 3}
    rates = [config["learning_rate"] for name, config in planned if name == "learning_rate"]
    assert min(rates) == pytest.approx(1e-7)


def test_manual_combines_the_best_values():
    strategy = Manual(SPACE, seed=0, horizon=60, share=1.0)
    proposals = drive(strategy, 60)
    *singles, combination = proposals
    names = [name for name, _ in plan(SPACE, 60, 10)]
    for name in SPACE:
        grid = [p for varied, p in zip(names, singles, strict=True) if varied in (name, "")]
        assert combination.config[name] == min(grid, key=lambda p: loss_of(p.config)).config[name]
    assert strategy.ask() is None
