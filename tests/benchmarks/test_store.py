"""Run folders: what is written is read, what is half written is recovered, what is damaged is refused."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hemobench.benchmarks.evaluators.base import Cost
from hemobench.benchmarks.record import RunEnd, TrialRecord
from hemobench.benchmarks.store import (
    END,
    RUN,
    TRIALS,
    RunFolder,
    RunKey,
    encode,
    find_runs,
    lock,
    read_end,
    read_trials,
)
from hemobench.errors import BenchmarkError
from hemobench.strategies.base import Status

HEADER = {"schema": 1, "benchmark": "c-nmc@published", "seed": 3, "environment": {"python": "3.11"}}
names = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), min_size=1, max_size=12)
numbers = st.floats(allow_nan=False, allow_infinity=False)
records = st.builds(
    TrialRecord,
    number=st.integers(0, 10**6),
    config=st.dictionaries(names, st.one_of(st.booleans(), st.integers(-(2**53), 2**53), numbers, names), max_size=5),
    epochs=st.integers(1, 500),
    resume_from=st.none() | st.integers(0, 100),
    status=st.sampled_from(Status),
    loss=st.none() | numbers,
    validation=st.dictionaries(names, numbers, max_size=3),
    test=st.dictionaries(names, numbers, max_size=3),
    curve=st.lists(numbers, max_size=5).map(tuple),
    cost=st.builds(Cost, st.floats(1e-6, 1e9), st.sampled_from(["measured", "predicted"]), names),
    started=st.floats(0, 1e9),
    finished=st.floats(0, 1e9),
    error=st.none() | st.text(max_size=30),
    measured=st.dictionaries(names, numbers, max_size=2),
)


def record(number: int) -> TrialRecord:
    cost = Cost(12.5, "recorded", "a device", 1.25)
    return TrialRecord(number, {"x": 0.5}, 10, None, Status.OK, 0.1, {"a": 0.9}, {"a": 0.8}, (0.9,), cost, 0.0, 12.5)


@settings(max_examples=60, deadline=None)
@given(st.lists(records, max_size=4))
def test_trials_come_back_as_they_were_written(tmp_path_factory, written):
    path = tmp_path_factory.mktemp("run") / TRIALS
    path.write_bytes(b"".join(encode(found) for found in written))
    assert read_trials(path) == written


def test_a_folder_is_gone_on_with(tmp_path):
    folder = RunFolder(tmp_path, HEADER)
    folder.append(record(0))
    folder.close()
    again = RunFolder(tmp_path, {**HEADER, "environment": {"python": "3.12"}})
    assert again.records == [record(0)]
    assert not again.ended
    again.append(record(1))
    again.finish(RunEnd("budget-spent", {"train": 12.5}))
    again.close()
    assert [found.number for found in RunFolder(tmp_path, HEADER).records] == [0, 1]
    assert read_end(tmp_path) == RunEnd("budget-spent", {"train": 12.5})
    assert list(find_runs(tmp_path)) == [tmp_path]


@pytest.mark.parametrize("keep", [1, 20, -2, -1])
def test_a_half_written_last_line_is_cut_off_and_said(tmp_path, keep):
    RunFolder(tmp_path, HEADER).close()
    (tmp_path / TRIALS).write_bytes(encode(record(0)) + encode(record(1))[:keep])
    folder = RunFolder(tmp_path, HEADER)
    assert folder.recovered == len(encode(record(1))[:keep])
    assert [found.number for found in folder.records] == [0]
    folder.append(record(1))
    folder.close()
    assert (tmp_path / TRIALS).read_bytes() == encode(record(0)) + encode(record(1))


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (b"{}", "Field required"),
        (b"not json", "Invalid JSON"),
        (b'{"number": "x"}', "number"),
        (b"\xff\xfe", "Invalid JSON|utf"),
    ],
)
def test_a_damaged_line_is_named(tmp_path, line, says):
    path = tmp_path / TRIALS
    path.write_bytes(encode(record(0)) + line + b"\n")
    with pytest.raises(BenchmarkError, match=f"line 2.*({says})"):
        read_trials(path)


def test_another_run_in_the_folder_is_refused(tmp_path):
    RunFolder(tmp_path, HEADER).close()
    with pytest.raises(BenchmarkError, match="seed is 3 there and 4 here"):
        RunFolder(tmp_path, {**HEADER, "seed": 4})


def test_a_second_process_is_refused(tmp_path):
    """Locks are held by open files, so another opening in this process is like another process."""
    folder = RunFolder(tmp_path, HEADER)
    with open(tmp_path / TRIALS, "ab") as journal, pytest.raises(BenchmarkError, match="another process"):
        lock(journal, tmp_path, patience=0.1)
    folder.close()
    RunFolder(tmp_path, HEADER).close()


@pytest.mark.parametrize("content", ["", "[]", "{", '{"schema": 99}', '{"schema": "1"}'])
def test_a_damaged_header_is_refused(tmp_path, content):
    (tmp_path / RUN).write_text(content)
    with pytest.raises(BenchmarkError, match=r"run\.json"):
        RunFolder(tmp_path, HEADER)


def test_a_damaged_end_is_refused(tmp_path):
    (tmp_path / END).write_text(json.dumps({"status": "finished", "ledger": {}}))
    with pytest.raises(BenchmarkError, match=r"end\.json"):
        read_end(tmp_path)


def test_nothing_not_finite_is_written():
    broken = TrialRecord(0, {}, 1, None, Status.OK, float("nan"), {}, {}, (), Cost(1, "recorded", ""), 0, 1)
    with pytest.raises(ValueError, match="not JSON compliant"):
        encode(broken)


def test_a_missing_cost_is_an_error_never_zero():
    for seconds in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="cost"):
            Cost(seconds, "recorded", "a device")


def test_folders_tell_runs_apart():
    key = RunKey("c-nmc@published", 1, "smac", 5.0, 1, 3)
    assert key.folder.as_posix() == "c-nmc@published/smac/5h-1w/seed-3"
