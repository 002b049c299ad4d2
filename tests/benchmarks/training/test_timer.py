"""What is charged, and when a trial ends."""

from __future__ import annotations

import time
from types import SimpleNamespace

import pytest

torch = pytest.importorskip("torch")

from hemobench.benchmarks.training import timer  # noqa: E402
from hemobench.benchmarks.training.timer import Timer, TrialEnded  # noqa: E402
from hemobench.strategies.base import Status  # noqa: E402

CPU = torch.device("cpu")


class Clock:
    """Goes on when it is told to."""

    def __init__(self) -> None:
        self.wall, self.processor = 0.0, 0.0

    def busy(self, seconds: float) -> None:
        """Compute for so long."""
        self.wall += seconds
        self.processor += seconds

    def wait(self, seconds: float) -> None:
        """What else the machine does takes so long."""
        self.wall += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """In place of the machine's, which no test can hold to a figure."""
    made = Clock()
    clocks = {"monotonic": lambda: made.wall, "perf_counter": lambda: made.wall, "process_time": lambda: made.processor}
    monkeypatch.setattr(timer, "time", SimpleNamespace(**clocks))
    return made


@pytest.mark.parametrize(("threads", "charged"), [(1, 1.0), (2, 3.0)])
def test_a_core_with_one_thread_is_not_charged_for_what_else_the_machine_does(
    monkeypatch: pytest.MonkeyPatch, clock: Clock, threads: int, charged: float
) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    watch = Timer(CPU)
    with watch.timing("training"):
        clock.busy(1)
        clock.wait(2)
    assert watch.charged == charged


def test_the_machine_s_own_clock_goes_on() -> None:
    watch = Timer(CPU)
    with watch.timing("training"):
        end = time.process_time() + 0.005
        while time.process_time() < end:
            pass
        assert watch.charged >= 0.005


def test_training_and_evaluation_are_charged_and_nothing_else(clock: Clock) -> None:
    watch = Timer(CPU)
    for seconds, purpose in enumerate(("training", "evaluation", "preparation", "loading", "repeated"), 1):
        with watch.timing(purpose):
            clock.busy(seconds)
        clock.busy(100)
    assert watch.seconds == {"training": 1, "evaluation": 2, "preparation": 3, "loading": 4, "repeated": 5}
    assert watch.charged == 3


def test_the_running_piece_counts(clock: Clock) -> None:
    watch = Timer(CPU)
    with watch.timing("training"):
        clock.busy(5)
        assert watch.charged == 5


@pytest.mark.parametrize(
    ("limits", "status"),
    [({"limit": 1.0}, Status.CUT), ({"timeout": 1.0}, Status.TIMED_OUT)],
)
def test_time_up_ends_the_trial_with_its_charge(clock: Clock, limits: dict[str, float], status: Status) -> None:
    watch = Timer(CPU, **limits)
    with watch.timing("training"):
        clock.busy(1)
        watch.check()
        clock.busy(1)
        with pytest.raises(TrialEnded) as ended:
            watch.check()
    assert ended.value.status is status
    assert watch.charged == 2


def test_what_is_not_charged_does_not_end_a_trial(clock: Clock) -> None:
    watch = Timer(CPU, limit=1, timeout=1)
    with watch.timing("preparation"):
        clock.busy(2)
        watch.check()
    assert watch.seconds["preparation"] == 2  # which is longer than the limit
    assert watch.charged == 0
    with watch.timing("training"):
        clock.busy(2)
        with pytest.raises(TrialEnded):
            watch.check()


def test_what_is_charged_is_told_now_and_then(clock: Clock) -> None:
    """Once a second, and not at every batch."""
    told: list[float] = []
    watch = Timer(CPU, on_charge=told.append)
    with watch.timing("training"):
        for _ in range(20):
            clock.busy(0.25)
            watch.check()
    assert told == [1, 2, 3, 4, 5]
