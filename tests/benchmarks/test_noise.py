"""Common random numbers: keyed by benchmark, version, seed, configuration and epoch, and by nothing else."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hemobench.benchmarks.noise import TRIAL_DRAWS, draw, generator, generators, silence

CONFIG = {"learning_rate": 3e-4, "batch_size": 16, "optimizer": "adam", "rotation": True}
KEY = ("c-nmc@published", 1, 0, CONFIG)
PINNED = (-0.6448854576087487, 0.9050614832749988)

SCRIPT = f"""
from hemobench.benchmarks.noise import draw
drawn = draw({KEY[0]!r}, 1, 0, {CONFIG!r}, 3)
print([x.hex() for x in (*drawn.trial, *drawn.epoch.tolist())])
"""


def test_the_same_in_another_process_whatever_its_hash_seed() -> None:
    printed = set()
    for hash_seed in ("0", "1", "4711"):
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
        done = subprocess.run(
            [sys.executable, "-c", SCRIPT], env=environment, capture_output=True, text=True, check=True
        )
        printed.add(done.stdout.strip())
    here = draw(*KEY, 3)
    assert printed == {str([x.hex() for x in (*here.trial, *here.epoch.tolist())])}


def test_pinned_so_that_a_released_version_never_changes() -> None:
    assert draw(*KEY, 1).trial[:2] == pytest.approx(PINNED, abs=1e-12)


def test_the_order_of_the_hyperparameters_is_of_no_account() -> None:
    other = dict(reversed(CONFIG.items()))
    assert draw("x", 1, 0, other, 2).trial == draw("x", 1, 0, CONFIG, 2).trial


@pytest.mark.parametrize(
    "key",
    [
        ("bone-marrow@published", 1, 0, CONFIG),
        ("c-nmc@published", 2, 0, CONFIG),
        ("c-nmc@published", 1, 1, CONFIG),
        ("c-nmc@published", 1, 0, {**CONFIG, "batch_size": 17}),
        ("c-nmc@published", 1, 0, {**CONFIG, "learning_rate": np.nextafter(3e-4, 1).item()}),
    ],
    ids=["benchmark", "version", "seed", "integer", "float"],
)
def test_every_part_of_the_key_counts(key: tuple[str, int, int, dict[str, object]]) -> None:
    assert not set(draw(*key, 5).trial) & set(draw(*KEY, 5).trial)  # type: ignore[arg-type]


@given(short=st.integers(1, 60), more=st.integers(0, 60), seed=st.integers(0, 2**63))
def test_a_shorter_trial_gets_the_beginning_of_a_longer_one(short: int, more: int, seed: int) -> None:
    first, second = draw("x", 1, seed, CONFIG, short), draw("x", 1, seed, CONFIG, short + more)
    assert first.trial == second.trial
    assert first.epoch.tolist() == second.epoch[:short].tolist()


def test_standard_normal_and_independent_over_seeds_and_epochs() -> None:
    numbers = np.array([[*drawn.trial, *drawn.epoch] for drawn in (draw("x", 1, s, CONFIG, 4) for s in range(4000))])
    assert numbers.shape == (4000, TRIAL_DRAWS + 4)
    assert np.abs(numbers.mean(axis=0)).max() < 4 / 4000**0.5
    assert np.abs(np.cov(numbers.T) - np.eye(TRIAL_DRAWS + 4)).max() < 0.1


def test_several_names_at_once_are_the_same_as_one_by_one() -> None:
    names = ["c-nmc@published/0", 'a "quoted" one', "c-nmc@published/1"]
    for name, together in zip(names, generators(names, 2, 7, CONFIG), strict=True):
        assert together.random(3).tolist() == generator(name, 2, 7, CONFIG).random(3).tolist()
    assert generator(*KEY).standard_normal(2).tolist() == pytest.approx(PINNED, abs=1e-12)


def test_nothing_global_is_touched() -> None:
    before = np.random.get_state()[1].tolist()  # noqa: NPY002
    draw(*KEY, 10)
    assert np.random.get_state()[1].tolist() == before  # noqa: NPY002


def test_silence_is_silent() -> None:
    assert not any(silence(3).trial)
    assert not silence(3).epoch.any()
