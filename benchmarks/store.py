"""Run folders: `run.json`, an append-only `trials.jsonl`, and `end.json` once the run is over.

A process may die at any moment. What is whole is kept: lines are written in one call each, the two JSON files
are renamed into place, and a truncated last line is cut off when the folder is opened again.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, BinaryIO

from pydantic import TypeAdapter, ValidationError

from hemobench.benchmarks.record import RunEnd, TrialRecord
from hemobench.errors import BenchmarkError

try:
    import fcntl
except ImportError:
    fcntl = None  # type: ignore[assignment]

SCHEMA = 1
RUN, TRIALS, END = "run.json", "trials.jsonl", "end.json"
_records = TypeAdapter(TrialRecord)
_ends = TypeAdapter(RunEnd)


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
    """

    benchmark: str
    version: int
    strategy: str
    gpu_hours: float
    workers: int
    seed: int

    @property
    def folder(self) -> Path:
        """Where the run lies, relative to the results' folder."""
        budget = f"{self.gpu_hours:g}h-{self.workers}w"
        return Path(self.benchmark, self.strategy, budget, f"seed-{self.seed}")


class RunFolder:
    """One run on disk, opened for going on with it."""

    def __init__(self, path: Path, header: Mapping[str, Any], *, durable: bool = False) -> None:
        """Create the folder, or open it where an earlier process left off.

        Args:
            path: The run's folder.
            header: What `run.json` holds; all but `environment` must agree with what is there.
            durable: Force every line to the disk at once: for live trials, which cost more than a flush.

        Raises:
            BenchmarkError: If the folder holds another run, another process has it open, or a file in it cannot
                be read.
        """
        self.path = path
        self._durable = durable
        path.mkdir(parents=True, exist_ok=True)
        self._lines = open(path / TRIALS, "ab")  # noqa: SIM115 - closed by close()
        lock(self._lines, path)
        try:
            for partial in path.glob("*.partial"):
                partial.unlink()
            if (path / RUN).exists():
                same_run(path / RUN, header)
            else:
                write_whole(path / RUN, header)
            self.recovered = cut_partial_line(path / TRIALS)
            self.records = read_trials(path / TRIALS)
        except BaseException:
            self.close()
            raise

    @property
    def ended(self) -> bool:
        """Whether the run is over."""
        return (self.path / END).exists()

    def append(self, record: TrialRecord) -> None:
        """Add a trial, in one write."""
        self._lines.write(encode(record))
        self._lines.flush()
        if self._durable:
            os.fsync(self._lines.fileno())

    def finish(self, end: RunEnd) -> None:
        """Say how the run ended; from now on it is whole."""
        write_whole(self.path / END, asdict(end))

    def close(self) -> None:
        """Close the journal."""
        self._lines.close()


def lock(journal: BinaryIO, path: Path, patience: float = 3.0) -> None:
    """Hold a run folder for this process, until the journal is closed or the process dies.

    Args:
        journal: The open `trials.jsonl`.
        path: The folder, for the message.
        patience: Seconds to wait for a process that is on its way out.

    Raises:
        BenchmarkError: If another process holds it.
    """
    if fcntl is None:  # Windows has no advisory locks
        return
    until = time.monotonic() + patience
    while True:
        try:
            fcntl.flock(journal, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except OSError:
            if time.monotonic() > until:
                journal.close()
                raise BenchmarkError(
                    f"{path}: another process is at work on this run", "wait for it, or give another --out folder"
                ) from None
            time.sleep(0.05)


def encode(record: TrialRecord) -> bytes:
    """A record as one line of JSON, ending in a newline."""
    line = {name: getattr(record, name) for name in _FIELDS}
    line["cost"] = {name: getattr(record.cost, name) for name in _COST_FIELDS}
    return json.dumps(line, separators=(",", ":"), allow_nan=False).encode() + b"\n"


_FIELDS = tuple(field.name for field in fields(TrialRecord))
_COST_FIELDS = ("gpu_seconds", "kind", "device", "evaluation_seconds")


def write_whole(path: Path, content: Mapping[str, Any]) -> None:
    """Write a JSON file such that it is there whole or not at all."""
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    partial.write_text(json.dumps(content, indent=1, sort_keys=True) + "\n")
    os.replace(partial, path)


def cut_partial_line(path: Path) -> int:
    """Cut off what follows the last newline, which a killed process left half written.

    Returns:
        The number of bytes that were cut off.
    """
    if not path.exists():
        return 0
    content = path.read_bytes()
    whole = content.rfind(b"\n") + 1
    if whole < len(content):
        os.truncate(path, whole)
    return len(content) - whole


def read_trials(path: Path) -> list[TrialRecord]:
    """The whole trials of a run, in the order in which they finished.

    Raises:
        BenchmarkError: If a line is not a trial.
    """
    if not path.exists():
        return []
    records = []
    for number, line in enumerate(path.read_bytes().splitlines(), start=1):
        try:
            records.append(_records.validate_json(line))
        except ValidationError as problem:
            first = problem.errors()[0]
            place = ".".join(str(part) for part in first["loc"])
            raise BenchmarkError(
                f"{path}, line {number}: {place + ': ' if place else ''}{first['msg']}",
                "restore the file, or delete its folder to run it again",
            ) from None
    return records


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object from a file.

    Raises:
        BenchmarkError: If it cannot be read, is no JSON object, or has another schema version.
    """
    try:
        content = json.loads(path.read_text())
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as problem:
        raise BenchmarkError(f"{path}: {problem}", "restore the file, or delete its folder to run it again") from None
    if not isinstance(content, dict):
        raise BenchmarkError(f"{path}: not a JSON object", "restore the file, or delete its folder to run it again")
    return content


def read_header(path: Path) -> dict[str, Any]:
    """A `run.json`.

    Raises:
        BenchmarkError: If it cannot be read or was written by a newer hemobench.
    """
    content = read_json(path)
    if not isinstance(content.get("schema"), int) or content["schema"] > SCHEMA:
        raise BenchmarkError(
            f"{path}: schema {content.get('schema')!r}; this hemobench reads up to {SCHEMA}", "upgrade hemobench"
        )
    return content


def read_end(path: Path) -> RunEnd | None:
    """How the run in that folder ended; `None` if it has not."""
    if not (path / END).exists():
        return None
    try:
        return _ends.validate_python(read_json(path / END))
    except ValidationError as problem:
        raise BenchmarkError(
            f"{path / END}: {problem.errors()[0]['msg']}", "delete the file; the run is then completed by replay"
        ) from None


def same_run(path: Path, header: Mapping[str, Any]) -> None:
    """Make sure that a folder holds the run that is to be gone on with.

    Raises:
        BenchmarkError: Naming the first thing that differs.
    """
    there = read_header(path)
    wanted = json.loads(json.dumps(header))
    for key in sorted((there.keys() | wanted.keys()) - {"environment", "suite"}):
        if there.get(key) != wanted.get(key):
            raise BenchmarkError(
                f"{path} is of another run: {key} is {there.get(key)!r} there and {wanted.get(key)!r} here",
                "give another --out folder, or delete this one",
            )


def find_runs(root: Path) -> Iterator[Path]:
    """Every run folder under a folder, in sorted order."""
    for folder, subfolders, files in os.walk(root):
        subfolders.sort()
        if RUN in files:
            subfolders.clear()
            yield Path(folder)
