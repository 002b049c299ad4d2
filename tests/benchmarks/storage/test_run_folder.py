"""Run folders: what is written is read, what is half written is recovered, what is damaged is refused."""

from __future__ import annotations

import errno
import json
import os
import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hemobench.benchmarks.evaluator import Cost, Truth
from hemobench.benchmarks.storage import files
from hemobench.benchmarks.storage.records import RunEnd, TrialRecord
from hemobench.benchmarks.storage.run_folder import (
    END,
    RUN,
    TRIALS,
    RunFolder,
    RunKey,
    adds_up,
    encode,
    find_runs,
    lock,
    read_end,
    read_header,
    read_trials,
)
from hemobench.errors import BenchmarkError
from hemobench.strategies.base import Status

HEADER = {"schema": 1, "benchmark": "c-nmc@published", "seed": 3, "environment": {"python": "3.11"}}
names = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), min_size=1, max_size=12)
numbers = st.floats(allow_nan=False, allow_infinity=False)
metrics = st.dictionaries(names, numbers, max_size=3)
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
    truth=st.none() | st.builds(Truth, numbers, metrics, metrics),
)


def record(number: int) -> TrialRecord:
    cost = Cost(12.5, "recorded", "a device", 1.25)
    return TrialRecord(number, {"x": 0.5}, 10, None, Status.OK, 0.1, {"a": 0.9}, {"a": 0.8}, (0.9,), cost, 0.0, 12.5)


END_OF_TWO = RunEnd("budget-spent", {"train": 22.5, "evaluation": 2.5, "failed": 0.0, "cut": 0.0})


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
    again.finish(END_OF_TWO)
    assert again.ended
    again.close()
    assert [found.number for found in RunFolder(tmp_path, HEADER).records] == [0, 1]
    assert read_end(tmp_path) == END_OF_TWO
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


@pytest.mark.parametrize("ledger", [{"train": float("nan")}, {"train": float("inf")}, {"train": -1.0}])
def test_an_end_whose_ledger_is_none_is_refused(tmp_path, ledger):
    (tmp_path / END).write_text(json.dumps({"status": "budget-spent", "ledger": ledger, "error": None}))
    with pytest.raises(BenchmarkError, match=r"end\.json"):
        read_end(tmp_path)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"benchmark": ["c-nmc"]}, "benchmark"),
        ({"version": "1"}, "version"),
        ({"strategy": {"label": 3}}, "strategy.label"),
        ({"budget": {"gpu_hours": "many"}}, "budget.gpu_hours"),
        ({"budget": {"gpu_hours": float("nan")}}, "budget.gpu_hours"),
        ({"budget": {"workers": 0}}, "budget.workers"),
        ({"source": []}, "source"),
    ],
)
def test_a_header_of_other_types_is_refused_with_the_place(tmp_path, change, says):
    (tmp_path / RUN).write_text(json.dumps({**HEADER, **change}))
    with pytest.raises(BenchmarkError, match=rf"run\.json: {says}"):
        read_header(tmp_path / RUN)


@pytest.mark.parametrize("number", [b"NaN", b"1e999", b"-Infinity"])
def test_a_trial_with_what_is_no_number_is_named(tmp_path, number):
    path = tmp_path / TRIALS
    path.write_bytes(encode(record(0)).replace(b'"loss":0.1', b'"loss":' + number))
    with pytest.raises(BenchmarkError, match="line 1"):
        read_trials(path)


@settings(max_examples=60, deadline=None)
@given(st.lists(records, min_size=1, max_size=4), st.floats(0, 1))
def test_cut_anywhere_it_is_gone_on_with_to_the_same_bytes(tmp_path_factory, written, share):
    path = tmp_path_factory.mktemp("run")
    content = b"".join(encode(found) for found in written)
    RunFolder(path, HEADER).close()
    (path / TRIALS).write_bytes(content[: int(share * len(content))])
    folder = RunFolder(path, HEADER)
    assert folder.records == written[: len(folder.records)]
    for found in written[len(folder.records) :]:
        folder.append(found)
    folder.close()
    assert (path / TRIALS).read_bytes() == content


def two_trials(path: Path) -> None:
    """A run that has ended."""
    folder = RunFolder(path, HEADER)
    folder.append(record(0))
    folder.append(record(1))
    folder.finish(END_OF_TWO)
    folder.close()


@pytest.mark.parametrize("damage", ["half a line", "a line", "all lines", "end"])
def test_a_run_of_which_something_is_missing_has_not_ended(tmp_path, damage):
    two_trials(tmp_path)
    content = (tmp_path / TRIALS).read_bytes()
    kept = {"half a line": len(content) - 9, "a line": len(encode(record(0))), "all lines": 0, "end": len(content)}
    os.truncate(tmp_path / TRIALS, kept[damage])
    if damage == "end":
        os.truncate(tmp_path / END, 20)
    folder = RunFolder(tmp_path, HEADER)
    assert not folder.ended
    for number in range(len(folder.records), 2):  # as replay does
        folder.append(record(number))
    folder.finish(END_OF_TWO)
    folder.close()
    assert RunFolder(tmp_path, HEADER).ended


def test_a_trial_that_stands_there_twice_is_not_taken_for_one_of_the_run(tmp_path):
    two_trials(tmp_path)
    with (tmp_path / TRIALS).open("ab") as file:
        file.write(encode(record(1)))
    folder = RunFolder(tmp_path, HEADER)
    assert not folder.ended
    with pytest.raises(BenchmarkError, match="not of this run"):
        folder.finish(END_OF_TWO)


def test_a_ledger_is_that_of_its_trials():
    two = [record(0), record(1)]
    assert adds_up(END_OF_TWO, two)
    assert not adds_up(END_OF_TWO, two[:1])
    assert not adds_up(RunEnd("budget-spent", {**END_OF_TWO.ledger, "train": 22.500001}), two)
    assert not adds_up(RunEnd("budget-spent", {**END_OF_TWO.ledger, "cut": 1.0}), two)
    assert adds_up(RunEnd("strategy-error", {**END_OF_TWO.ledger, "cut": 1.0}, "it raised"), two)


@contextmanager
def room_for(size: int) -> Iterator[None]:
    """No file of this process may grow beyond a size, as where a quota ends."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


@pytest.mark.parametrize("room", [0, 1, 100])
def test_a_line_that_does_not_fit_is_taken_back_and_written_later(tmp_path, room):
    folder = RunFolder(tmp_path, HEADER)
    folder.append(record(0))
    first = (tmp_path / TRIALS).read_bytes()
    with room_for(len(first) + room), pytest.raises(BenchmarkError, match=r"File too large\n.*goes on from here"):
        folder.append(record(1))
    assert (tmp_path / TRIALS).read_bytes() == first
    folder.append(record(1))
    folder.close()
    assert (tmp_path / TRIALS).read_bytes() == first + encode(record(1))


def test_an_end_that_does_not_fit_leaves_nothing_behind(tmp_path):
    two_trials(tmp_path)
    (tmp_path / END).unlink()
    folder = RunFolder(tmp_path, HEADER)
    with room_for(50), pytest.raises(BenchmarkError, match="goes on from here"):
        folder.finish(END_OF_TWO)
    assert {path.name for path in tmp_path.iterdir()} == {RUN, TRIALS}
    folder.finish(END_OF_TWO)
    assert read_end(tmp_path) == END_OF_TWO


def test_a_full_disk_is_said(tmp_path):
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full here")
    with (
        open("/dev/full", "ab", buffering=0) as lines,
        pytest.raises(BenchmarkError, match="No space left") as said,
        files.refusals(tmp_path),
    ):
        files.append_line(lines, b"a line\n")
    assert "make room" in said.value.hint


def test_a_folder_that_cannot_be_made_is_said(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(BenchmarkError, match="Not a directory"):
        RunFolder(tmp_path / "file" / "run", HEADER)


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS, errno.ENOSPC, errno.EIO])
def test_what_the_system_refuses_comes_with_a_mend(tmp_path, number):
    with pytest.raises(BenchmarkError, match=os.strerror(number)) as said, files.refusals(tmp_path):
        raise OSError(number, os.strerror(number))
    assert said.value.problem.startswith(str(tmp_path))
    assert "the same command" in said.value.hint


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
