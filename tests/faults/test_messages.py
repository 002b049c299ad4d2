"""Late, doubled and reordered messages, lost workers: the records and the ledger are those of answers at once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from faults.messages import STRATEGIES, Case, Distant, Keyed, case, played, said
from hypothesis import given, settings
from hypothesis import strategies as st

from hemobench.benchmarks.execution.replay import Replay
from hemobench.strategies.base import Status

statuses = st.sampled_from([Status.DIVERGED, Status.OUT_OF_MEMORY, Status.TIMED_OUT, Status.KILLED])
answers = st.tuples(
    st.sampled_from([1e-6, 100.0, 250.0, 5000.0]) | st.floats(1e-7, 4000.0),
    st.floats(0, 1).map(lambda score: round(score, 6)) | statuses,
)
cases = st.builds(
    Case,
    strategy=st.sampled_from(STRATEGIES),
    answers=st.lists(answers, min_size=1, max_size=12).map(tuple),
    workers=st.integers(1, 8),
    gpu_hours=st.floats(0.05, 2.0),
    fails_at=st.just(-1) | st.integers(0, 30),
)
seeds = st.integers(0, 2**32 - 1)


@settings(max_examples=60, deadline=None)
@given(cases, seeds)
def test_late_and_doubled_messages_change_nothing(found, seed):
    distant = Distant(Keyed(found.answers), np.random.default_rng(seed))
    assert said(played(found, distant)) == said(played(found, Keyed(found.answers)))


@settings(max_examples=60, deadline=None)
@given(cases, seeds)
def test_lost_and_retried_trials_change_nothing(found, seed):
    distant = Distant(Keyed(found.answers), np.random.default_rng(seed), losses=0.5)
    assert said(played(found, distant)) == said(played(found, Keyed(found.answers)))


@settings(max_examples=60, deadline=None)
@given(cases, seeds, st.floats(0, 1))
def test_a_run_gone_on_with_over_a_bad_network(found, seed, share):
    plain = played(found, Keyed(found.answers))
    half = plain[0][: int(share * len(plain[0]))]
    distant = Distant(Keyed(found.answers), np.random.default_rng(seed), losses=0.3)
    assert said(played(found, Replay(distant, half, Path("run")))) == said(plain)


@pytest.mark.parametrize("workers", range(1, 9))
def test_messages_do_arrive_late_and_workers_are_lost(workers):
    """The network is as bad as it says, or the tests above would show nothing."""
    rng = np.random.default_rng(workers)
    found = case(rng)
    distant = Distant(Keyed(found.answers), rng, losses=0.5)
    records, _ = played(found, distant)
    assert distant.lost > 0
    assert distant.network.delivered > len(records)
