"""The pool's processes have one thread and a fixed hash seed; the process that made it keeps what it had."""

from __future__ import annotations

import os

import pytest

from hemobench.benchmarks.execution.process_pool import WORKER_ENVIRONMENT, process_pool


def variables(names: list[str]) -> list[str | None]:
    return [os.environ.get(name) for name in names]


@pytest.mark.parametrize("given", [None, "7"])
@pytest.mark.parametrize("fails", [False, True])
def test_the_environment_is_the_workers_alone(given: str | None, fails: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    names = list(WORKER_ENVIRONMENT)
    for name in names:
        if given is None:
            monkeypatch.delenv(name, raising=False)
        else:
            monkeypatch.setenv(name, given)
    before = variables(names)
    if fails:
        with pytest.raises(ValueError, match="within"), process_pool(1):
            raise ValueError("within")
    else:
        with process_pool(1) as pool:
            there = [pool.submit(os.getenv, name).result() for name in names]
        assert there == ["1", "1", "1", "0"]
    assert variables(names) == before
