"""What is charged, and when a trial ends."""

from __future__ import annotations

import time

import pytest

torch = pytest.importorskip("torch")

from hemobench.benchmarks.training.timer import Timer, TrialEnded  # noqa: E402
from hemobench.strategies.base import Status  # noqa: E402

CPU = torch.device("cpu")


def busy(seconds: float) -> None:
    """Compute for so long: on one thread a CPU is charged by its own time."""
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass


def test_a_core_with_one_thread_is_not_charged_for_what_else_the_machine_does() -> None:
    watch = Timer(CPU)
    if torch.get_num_threads() > 1:
        pytest.skip("PyTorch has several threads here")
    with watch.timing("training"):
        time.sleep(0.2)
    assert watch.charged < 0.1


def test_training_and_evaluation_are_charged_and_nothing_else() -> None:
    watch = Timer(CPU)
    for purpose in ("training", "evaluation", "preparation", "loading", "repeated"):
        with watch.timing(purpose):
            busy(0.01)
    assert watch.charged == watch.seconds["evaluation"] + watch.seconds["training"]
    assert all(seconds >= 0.01 for seconds in watch.seconds.values())


def test_the_running_piece_counts() -> None:
    watch = Timer(CPU)
    with watch.timing("training"):
        busy(0.005)
        assert watch.charged >= 0.005


@pytest.mark.parametrize(
    ("limits", "status"),
    [({"limit": 0.001}, Status.CUT), ({"timeout": 0.001}, Status.TIMED_OUT)],
)
def test_time_up_ends_the_trial_with_its_charge(limits: dict[str, float], status: Status) -> None:
    watch = Timer(CPU, **limits)
    with watch.timing("training"):
        busy(0.002)
        with pytest.raises(TrialEnded) as ended:
            watch.check()
    assert ended.value.status is status
    assert watch.charged >= 0.002


def test_what_is_not_charged_does_not_end_a_trial() -> None:
    watch = Timer(CPU, limit=0.001, timeout=0.001)
    with watch.timing("preparation"):
        busy(0.002)
        watch.check()
    assert watch.seconds["preparation"] >= 0.002  # which is longer than the limit
    assert watch.charged == 0
    with watch.timing("training"):
        busy(0.002)
        with pytest.raises(TrialEnded):
            watch.check()


def test_what_is_charged_is_told_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    """Never more than the end's charge, never less than before, and not at every batch."""
    monkeypatch.setattr("hemobench.benchmarks.training.timer.TELL_S", 0.02)
    told: list[float] = []
    watch = Timer(CPU, on_charge=told.append)
    with watch.timing("training"):
        for _ in range(200):
            busy(0.001)
            watch.check()
    assert told == sorted(told)
    assert 0 < told[-1] <= watch.charged
    assert 1 <= len(told) < 100
