"""Random streams."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from hemobench.benchmarks.training.seeds import Stream, forked, generator, spread, trial_seed  # noqa: E402


def test_a_trials_seed_depends_on_seed_and_configuration_but_not_on_their_order() -> None:
    one = trial_seed(0, {"a": 1, "b": 2.5})
    assert one == trial_seed(0, {"b": 2.5, "a": 1})
    assert len({one, trial_seed(1, {"a": 1, "b": 2.5}), trial_seed(0, {"a": 1, "b": 2.6})}) == 3


def test_streams_differ_by_every_key() -> None:
    keys = [(1, Stream.ORDER, 0), (1, Stream.ORDER, 1), (1, Stream.VIEWS, 0), (2, Stream.ORDER, 0)]
    assert len({spread(*key) for key in keys}) == len(keys)
    first = [float(torch.rand(1, generator=generator(*key))) for key in keys]
    assert first == [float(torch.rand(1, generator=generator(*key))) for key in keys]


def test_forking_seeds_and_restores_the_global_generator() -> None:
    before = torch.get_rng_state()
    drawn = []
    for _ in range(2):
        with forked(torch.device("cpu"), 3):
            drawn.append(float(torch.rand(1)))
    assert drawn[0] == drawn[1]
    assert torch.equal(torch.get_rng_state(), before)
