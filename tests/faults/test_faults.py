"""The short form of the harness: a scenario or two of most kinds, as a user's commands. `harness.py` plays hundreds."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from faults.harness import INJURIES, Verdict, play, table
from faults.scenarios import GROUNDS, KINDS, scenario

GROUND = GROUNDS[0][0]
SHORT = ["kill-worker", "disk-full"]


@pytest.fixture(scope="module")
def grounds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Undisturbed results, computed once."""
    return tmp_path_factory.mktemp("grounds")


@pytest.mark.parametrize("kind", SHORT)
def test_it_ends_with_the_same_results(kind, grounds):
    verdict = play(replace(scenario(40, kind), ground=GROUND, jobs=2), grounds)
    if verdict.result == "skipped":
        pytest.skip(verdict.why)
    assert verdict.result == "passed", verdict.why


@pytest.mark.parametrize("seed", range(20))
def test_bad_networks(seed, grounds):
    assert play(scenario(seed, "messages"), grounds).result == "passed"


def test_a_seed_is_a_scenario():
    assert [scenario(seed) for seed in range(50)] == [scenario(seed) for seed in range(50)]
    assert len({scenario(seed) for seed in range(50)}) == 50
    assert {scenario(seed).kind for seed in range(600)} == {kind for kind, weight in KINDS.items() if weight}
    assert set(KINDS) == set(INJURIES)
    assert all(list(found.moments) == sorted(found.moments) for found in map(scenario, range(50)))


def test_what_is_skipped_is_not_passed():
    def verdict(seed: int, result: str, why: str = "", shares: tuple[float, ...] = ()) -> Verdict:
        return Verdict(scenario(seed, "disk-full"), result, why, shares, 1.0)

    found = table(
        [verdict(0, "passed", shares=(0.5,)), verdict(1, "skipped", "no disk"), verdict(2, "failed", "x", (1.0,))]
    )
    assert found.splitlines()[1].split() == ["disk-full", "3", "1", "1", "1", "1/2"]
    assert found.endswith("1 skipped, disk-full: no disk")
