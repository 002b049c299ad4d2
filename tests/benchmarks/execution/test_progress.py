"""Progress told in one process and heard in another."""

from __future__ import annotations

import pytest
from contracts.pool_work import MANY, work

from hemobench.benchmarks.execution.process_pool import process_pool
from hemobench.benchmarks.execution.progress import Step, counting, listening, tell


def fail(_: int) -> None:
    raise ValueError("the screen broke")


def test_steps_of_one_kind_are_told_now_and_then_and_the_last_always():
    steps: list[Step] = []
    with listening(steps.append):
        count = counting("images")
        for done in range(1, 1001):
            count(done, 1000)
        tell("run", note="one")
    tell("run", note="unheard")
    assert steps[0] == Step("images", 1, 1000)
    assert steps[-2:] == [Step("images", 1000, 1000), Step("run", note="one")]
    assert len(steps) < 50


def test_every_step_of_a_pool_is_heard_with_the_number_of_its_process():
    steps: list[Step] = []
    with listening(steps.append), process_pool(2) as pool:
        processes = set(pool.map(work, range(4)))
    assert sorted(step.note for step in steps if step.what == "run") == [f"work {n}" for n in range(4)]
    assert sum(step.what == "epochs" for step in steps) == 4 * MANY
    assert {step.worker for step in steps} == set(range(1, 1 + len(processes)))


@pytest.mark.parametrize("heard", [False, True])
def test_a_pool_works_on_when_nobody_listens_or_the_listener_fails(heard):
    if heard:
        with listening(fail), process_pool(1) as pool:
            assert len(list(pool.map(work, range(2)))) == 2
    else:
        with process_pool(1) as pool:
            assert len(list(pool.map(work, range(2)))) == 2
