"""Run folders: `run.json`, an append-only `trials.jsonl`, and `end.json` once the run is over.

A process may die at any moment, and a disk may be full. What is whole is kept: lines are written in one call each
and taken back where they do not fit, the two JSON files are renamed into place, and a truncated last line is cut off
when the folder is opened again. `docs/faults.md` says what is promised, and how it was measured.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, Field, FiniteFloat, PositiveInt, TypeAdapter, ValidationError

from hemobench.benchmarks.budget import microseconds
from hemobench.benchmarks.storage.files import append_line, refusals
from hemobench.benchmarks.storage.files import cut_partial_line as cut_partial_line
from hemobench.benchmarks.storage.files import lock as lock
from hemobench.benchmarks.storage.files import write_whole as write_whole
from hemobench.benchmarks.storage.records import RunEnd, TrialRecord
from hemobench.benchmarks.storage.variants import folder_name
from hemobench.errors import BenchmarkError
from hemobench.strategies.base import Status

SCHEMA = 1
RUN, TRIALS, END = "run.json", "trials.jsonl", "end.json"
RESTORE = "restore the file, or delete its folder to run it again"
REPLAY = "delete the file and give the `hemobench run` command again: the run is then completed by replay"
_records = TypeAdapter(TrialRecord)
_ends = TypeAdapter(RunEnd)


class _Arm(BaseModel):
    label: str = ""
    name: str = ""
    settings: dict[str, Any] = {}


class _Budget(BaseModel):
    gpu_hours: Annotated[FiniteFloat, Field(gt=0)] = 1.0
    workers: PositiveInt = 1
    max_trials: PositiveInt | None = None


class _Header(BaseModel):
    """What everybody who reads a `run.json` may rely on: what is there is of its type."""

    benchmark: str = ""
    version: int = 1
    strategy: _Arm = _Arm()
    seed: int = 0
    budget: _Budget = _Budget()
    source: dict[str, Any] = {}
    benchmark_settings: dict[str, Any] = {}
    environment: dict[str, Any] = {}


@dataclass(frozen=True, slots=True)
class RunKey:
    """What tells one run from another.

    Attributes:
        benchmark: As in `c-nmc@published`.
        version: Of the benchmark; results of different versions are never compared.
        strategy: The arm's label in the suite, by default the strategy's name.
        gpu_hours: Budget.
        workers: Trials that may be pending at once.
        seed: Paired across strategies.
        variant: Settings and limits that the suite gives the benchmark; empty if none. See `variants`.
    """

    benchmark: str
    version: int
    strategy: str
    gpu_hours: float
    workers: int
    seed: int
    variant: str = ""

    @property
    def folder(self) -> Path:
        """Where the run lies, relative to the results' folder."""
        hours = f"{self.gpu_hours:g}"
        exact = hours if float(hours) == self.gpu_hours else repr(self.gpu_hours)
        return self._below(folder_name(self.benchmark, self.variant), exact)

    @property
    def earlier_folder(self) -> Path:
        """Where versions before 0.2 put it, whatever was set."""
        return self._below(self.benchmark, f"{self.gpu_hours:g}")

    def _below(self, benchmark: str, hours: str) -> Path:
        return Path(benchmark, self.strategy, f"{hours}h-{self.workers}w", f"seed-{self.seed}")


class RunFolder:
    """One run on disk, opened for going on with it."""

    def __init__(self, path: Path, header: Mapping[str, Any], *, durable: bool = False) -> None:
        """Create the folder, or open it where an earlier process left off.

        Args:
            path: The run's folder.
            header: What `run.json` holds; all but `environment` must agree with what is there.
            durable: Force every line to the disk at once: for live trials, which cost more than a flush.

        Raises:
            BenchmarkError: If the folder holds another run, another process has it open, it cannot be written, or
                a file in it cannot be read.
        """
        self.path = path
        self._durable = durable
        self._grown = False
        with refusals(path):
            path.mkdir(parents=True, exist_ok=True)
            self._lines = open(path / TRIALS, "ab", buffering=0)  # noqa: SIM115 - closed by close()
        lock(self._lines, path)
        try:
            with refusals(path):
                self._open(header)
        except BaseException:
            self.close()
            raise

    def _open(self, header: Mapping[str, Any]) -> None:
        for partial in self.path.glob("*.partial"):
            partial.unlink()
        if (self.path / RUN).exists():
            same_run(self.path / RUN, header)
        else:
            write_whole(self.path / RUN, header, durable=self._durable)
        self.recovered = cut_partial_line(self.path / TRIALS)
        self.records = read_trials(self.path / TRIALS)
        self._ended = whole(self.path, self.records)

    @property
    def ended(self) -> bool:
        """Whether the run is over and all of it is here; if not, replay completes it."""
        return self._ended

    def append(self, record: TrialRecord) -> None:
        """Add a trial, in one write.

        Raises:
            BenchmarkError: If the disk does not take it; the trials before it are kept, whole.
        """
        self._grown = True
        with refusals(self.path):
            append_line(self._lines, encode(record), durable=self._durable)

    def finish(self, end: RunEnd) -> None:
        """Say how the run ended; from now on it is whole.

        Raises:
            BenchmarkError: If the disk does not take it; the trials are kept. Or if the folder holds trials that the
                run did not make, such as one twice.
        """
        if not self._grown and not adds_up(end, self.records):
            raise BenchmarkError(f"{self.path / TRIALS}: holds trials that are not of this run", RESTORE)
        with refusals(self.path):
            write_whole(self.path / END, end_as_json(end), durable=self._durable)
        self._ended = True

    def close(self) -> None:
        """Close the journal."""
        self._lines.close()


def end_as_json(end: RunEnd) -> dict[str, Any]:
    """How a run ended, as it is stored: a traceback only where there is one."""
    content = asdict(end)
    return content if end.traceback else {name: value for name, value in content.items() if name != "traceback"}


def encode(record: TrialRecord) -> bytes:
    """A record as one line of JSON, ending in a newline."""
    line = {name: getattr(record, name) for name in _FIELDS}
    line["cost"] = {name: getattr(record.cost, name) for name in _COST_FIELDS}
    if record.truth is None:
        del line["truth"]
    else:
        line["truth"] = {name: getattr(record.truth, name) for name in _TRUTH_FIELDS}
    return json.dumps(line, separators=(",", ":"), allow_nan=False).encode() + b"\n"


_FIELDS = tuple(field.name for field in fields(TrialRecord))
_COST_FIELDS = ("gpu_seconds", "kind", "device", "evaluation_seconds")
_TRUTH_FIELDS = ("loss", "validation", "test")


def read_trials(path: Path) -> list[TrialRecord]:
    """The whole trials of a run, in the order in which they finished.

    Raises:
        BenchmarkError: If a line is not a trial.
    """
    if not path.exists():
        return []
    records = []
    for number, line in enumerate(_content(path).splitlines(), start=1):
        try:
            record = _records.validate_json(line)
            if not math.isfinite(_sum(record)):
                encode(record)  # refuses what is no number
        except ValidationError as problem:
            raise BenchmarkError(f"{path}, line {number}: {_first(problem)}", RESTORE) from None
        except ValueError as problem:
            raise BenchmarkError(f"{path}, line {number}: {problem}", RESTORE) from None
        records.append(record)
    return records


def _sum(record: TrialRecord) -> float:
    """Of all its numbers: finite only if they are. Costs a tenth of encoding it."""
    maps = [record.validation, record.test, record.measured]
    if record.truth is not None:
        maps += [{"loss": record.truth.loss}, record.truth.validation, record.truth.test]
    floats = sum(value for value in record.config.values() if isinstance(value, float))
    times = record.started + record.finished + (record.loss or 0.0)
    return floats + times + sum(record.curve) + sum(sum(values.values()) for values in maps)


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as problem:
        raise BenchmarkError(f"{path}: {problem.strerror}", "make it readable") from None


def _first(problem: ValidationError) -> str:
    """The first thing that is wrong, with its place."""
    first = problem.errors()[0]
    return ": ".join(filter(None, [".".join(map(str, first["loc"])), first["msg"]]))


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object from a file.

    Raises:
        BenchmarkError: If it cannot be read or is no JSON object.
    """
    try:
        content = json.loads(_content(path))
    except (ValueError, RecursionError) as problem:
        raise BenchmarkError(f"{path}: {problem}", RESTORE) from None
    if not isinstance(content, dict):
        raise BenchmarkError(f"{path}: not a JSON object", RESTORE)
    return content


def _versioned(path: Path) -> dict[str, Any]:
    content = read_json(path)
    schema = content.get("schema")
    if type(schema) is not int or not 1 <= schema <= SCHEMA:
        raise BenchmarkError(f"{path}: schema {schema!r:.80}; this hemobench reads up to {SCHEMA}", "upgrade hemobench")
    return content


def read_header(path: Path) -> dict[str, Any]:
    """A `run.json`.

    Raises:
        BenchmarkError: If it cannot be read, was written by a newer hemobench, or something in it is not of its type.
    """
    content = _versioned(path)
    try:
        _Header.model_validate(content, strict=True)
    except ValidationError as problem:
        raise BenchmarkError(f"{path}: {_first(problem)}", RESTORE) from None
    return content


def read_end(path: Path) -> RunEnd | None:
    """How the run in that folder ended; `None` if it has not.

    Raises:
        BenchmarkError: If its `end.json` is damaged.
    """
    if not (path / END).exists():
        return None
    try:
        end = _ends.validate_json(_content(path / END))
    except ValidationError as problem:
        raise BenchmarkError(f"{path / END}: {_first(problem)}", REPLAY) from None
    if not all(0 <= seconds < math.inf for seconds in end.ledger.values()):
        raise BenchmarkError(f"{path / END}: ledger: not all of it are GPU-seconds", REPLAY)
    return end


def whole(path: Path, records: Sequence[TrialRecord]) -> bool:
    """Whether a run is over and its ledger is that of its trials.

    The end may be damaged, or trials that it counts may be missing: then the run is to be completed by replay.
    """
    try:
        end = read_end(path)
    except BenchmarkError:
        return False
    return end is not None and adds_up(end, records)


def adds_up(end: RunEnd, records: Sequence[TrialRecord]) -> bool:
    """Whether the trials take what the ledger says, to the microsecond.

    A strategy that raised leaves trials in flight, which are charged as `cut` and not recorded.
    """
    spent = {"ok": 0, "cut": 0, "failed": 0}
    for record in records:
        account = record.status.value if record.status in (Status.OK, Status.CUT) else "failed"
        occupied = microseconds(record.finished) - microseconds(record.started)
        spent[account] += min(occupied, max(microseconds(record.cost.gpu_seconds), 1))
    said = {account: microseconds(seconds) for account, seconds in end.ledger.items()}
    cut = said.get("cut", 0)
    return (
        spent["ok"] == said.get("train", 0) + said.get("evaluation", 0)
        and spent["failed"] == said.get("failed", 0)
        and (spent["cut"] == cut or (end.status == "strategy-error" and spent["cut"] <= cut))
    )


def same_run(path: Path, header: Mapping[str, Any], among: Collection[str] | None = None) -> None:
    """Make sure that a folder holds the run that is to be gone on with.

    Args:
        path: Its `run.json`.
        header: What it should say.
        among: Compare only these parts; by default all.

    Raises:
        BenchmarkError: Naming the first thing that differs.
    """
    there = _versioned(path)
    wanted = json.loads(json.dumps(header))
    keys = (there.keys() | wanted.keys() if among is None else set(among)) - {"environment", "suite"}
    if "limits" not in there:  # versions before 0.2 did not tell a benchmark's limits from a strategy's
        keys -= {"limits"}
    for key in sorted(keys):
        if there.get(key) != wanted.get(key):
            raise BenchmarkError(
                f"{path} is of another run: {key} is {there.get(key)!r:.300} there and {wanted.get(key)!r} here",
                "give another --out folder, or delete this one",
            )


def find_runs(root: Path) -> Iterator[Path]:
    """Every run folder under a folder, in sorted order."""
    for folder, subfolders, files in os.walk(root):
        subfolders.sort()
        if RUN in files:
            subfolders.clear()
            yield Path(folder)
