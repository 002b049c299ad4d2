"""What is charged, and when a trial ends."""

from __future__ import annotations

import time

import pytest

torch = pytest.importorskip("torch")

from hemobench.benchmarks.training.stopwatch import Stopwatch, TrialEnded  # noqa: E402
from hemobench.strategies.base import Status  # noqa: E402

CPU = torch.device("cpu")


def test_training_and_evaluation_are_charged_and_nothing_else() -> None:
    watch = Stopwatch(CPU)
    for purpose in ("training", "evaluation", "preparation", "loading", "repeated"):
        with watch.timing(purpose):
            time.sleep(0.01)
    assert watch.charged == watch.seconds["evaluation"] + watch.seconds["training"]
    assert all(seconds >= 0.01 for seconds in watch.seconds.values())


def test_the_running_piece_counts() -> None:
    watch = Stopwatch(CPU)
    with watch.timing("training"):
        time.sleep(0.005)
        assert watch.charged >= 0.005


@pytest.mark.parametrize(
    ("limits", "status"),
    [({"limit": 0.001}, Status.CUT), ({"timeout": 0.001}, Status.TIMED_OUT)],
)
def test_time_up_ends_the_trial_with_its_charge(limits: dict[str, float], status: Status) -> None:
    watch = Stopwatch(CPU, **limits)
    with watch.timing("training"):
        time.sleep(0.002)
        with pytest.raises(TrialEnded) as ended:
            watch.check()
    assert ended.value.status is status
    assert watch.charged >= 0.002


def test_what_is_not_charged_does_not_end_a_trial() -> None:
    watch = Stopwatch(CPU, limit=0.001, timeout=0.001)
    with watch.timing("preparation"):
        time.sleep(0.002)
        watch.check()
