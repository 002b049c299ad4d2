"""Many runs as two tables: one row a run, one row a trial."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from hemobench.benchmarks.record import RunEnd
from hemobench.benchmarks.store import RUN, TRIALS, find_runs, read_end, read_header
from hemobench.errors import BenchmarkError


@dataclass(frozen=True)
class Results:
    """What the reports conclude from.

    Attributes:
        runs: One row a run, indexed by `run` (int): `benchmark, version, strategy, gpu_hours, workers, seed,
            status` (as in `RunEnd`, or `unfinished`), `error, folder`, `header` (`run.json` as text), and
            `ledger.<account>` in GPU-seconds.
        trials: One row a trial, in the order in which they finished: `run, number, status, epochs, loss,
            started, finished, cost.gpu_seconds, measured.ask_s, measured.tell_s, config.<name>,
            validation.<metric>, test.<metric>`. Times are GPU-clock seconds since the run began; loss and
            metrics are NaN unless the status is `ok`.
    """

    runs: pd.DataFrame
    trials: pd.DataFrame


IDENTITY = ["benchmark", "version", "strategy", "gpu_hours", "workers", "seed"]
"""What tells one run from another."""


def load_results(root: Path) -> Results:
    """Read every run under a folder, or of an archive of one.

    Raises:
        BenchmarkError: If there is none, if two folders hold the same run, if runs of one benchmark rest on
            different data or settings, or if a file cannot be read.
    """
    if root.is_file():
        from hemobench.benchmarks.archive import read_archive

        return read_archive(root)
    folders = list(find_runs(root)) if root.is_dir() else []
    if not folders:
        raise BenchmarkError(f"{root}: no runs there", "run a suite first: hemobench run quick --out DIR")
    found = [(str(folder), read_header(folder / RUN), read_end(folder)) for folder in folders]
    return assembled(found, pd.DataFrame(_columns(_trial_rows(folders))))


Found = tuple[str, Mapping[str, Any], RunEnd | None]
"""A run's folder, its `run.json`, and how it ended."""


def assembled(found: Sequence[Found], trials: pd.DataFrame) -> Results:
    """Results of what was found, in that order.

    Raises:
        BenchmarkError: If a run is there twice, or what is there cannot be compared or is no trial.
    """
    runs = pd.DataFrame([_run_row(*run) for run in found]).rename_axis("run")
    folders = [folder for folder, _, _ in found]
    _require_one_source(folders, [header for _, header, _ in found])
    twice = runs[runs.duplicated(IDENTITY, keep=False)]
    if len(twice):
        first, second = list(twice.sort_values(IDENTITY)["folder"])[:2]
        raise BenchmarkError(f"{first} and {second} hold the same run", "name the folder of one suite")
    _require_losses(trials, folders)
    return Results(runs=runs, trials=trials)


def _require_losses(trials: pd.DataFrame, folders: Sequence[str]) -> None:
    """Refuse lines that are JSON and no trials; reading each one as strictly as a resumed run does costs too much."""
    if trials.empty:
        return
    found = trials.reindex(columns=["run", "number", "status", "loss", "finished"])
    wrong = found[["run", "number", "status", "finished"]].isna().any(axis=1) | (
        (found["status"] == "ok") & found["loss"].isna()
    )
    if wrong.any():
        first = found[wrong].iloc[0]
        raise BenchmarkError(
            f"{Path(folders[int(first['run'])]) / TRIALS}: trial {first['number']} lacks its number, status, loss "
            "or time",
            "restore the file, or delete its folder to run it again",
        )


MAY_DIFFER = {"device", "torch", "torchvision", "threads"}
"""What of a source may differ between runs that are compared: not what is answered, but on what machine."""


def _require_one_source(folders: Sequence[str], headers: Sequence[Mapping[str, Any]]) -> None:
    """Refuse to compare runs of one benchmark whose answers rest on different data or settings."""
    first: dict[tuple[Any, Any], tuple[str, Mapping[str, Any]]] = {}
    for folder, header in zip(folders, headers, strict=True):
        source = {key: value for key, value in header.get("source", {}).items() if key not in MAY_DIFFER}
        there, wanted = first.setdefault((header["benchmark"], header["version"]), (folder, source))
        for key in sorted(source.keys() | wanted.keys()):
            if source.get(key) != wanted.get(key):
                raise BenchmarkError(
                    f"{folder} and {there} cannot be compared: {key} is {source.get(key)!r} and {wanted.get(key)!r}",
                    "keep results of different data or settings in different folders",
                )


def _run_row(folder: str, header: Mapping[str, Any], end: RunEnd | None) -> dict[str, Any]:
    try:
        row = {
            "benchmark": header["benchmark"],
            "version": header["version"],
            "strategy": header["strategy"]["label"],
            "gpu_hours": float(header["budget"]["gpu_hours"]),
            "workers": header["budget"]["workers"],
            "seed": header["seed"],
        }
    except (KeyError, TypeError) as problem:
        raise BenchmarkError(f"{Path(folder) / RUN}: no {problem}", "restore the file, or delete its folder") from None
    ledger = end.ledger if end else {}
    return {
        **row,
        "status": end.status if end else "unfinished",
        "error": end.error if end else None,
        "folder": folder,
        "header": json.dumps(header, sort_keys=True),
        **{f"ledger.{account}": seconds for account, seconds in ledger.items()},
    }


def _trial_rows(folders: Iterable[Path]) -> Iterator[dict[str, Any]]:
    for run, folder in enumerate(folders):
        path = folder / TRIALS
        if not path.exists():
            continue
        lines = path.read_bytes().split(b"\n")[:-1]  # what follows the last newline is a line half written
        for number, line in enumerate(lines, start=1):
            try:
                yield {"run": run, **flatten(json.loads(line))}
            except (ValueError, AttributeError) as problem:  # not JSON, or not an object
                raise BenchmarkError(
                    f"{path}, line {number}: {problem}", "restore the file, or delete its folder to run it again"
                ) from None


def flatten(trial: Mapping[str, Any]) -> dict[str, Any]:
    """One level of nesting becomes dotted names; the learning curve stays where it is."""
    flat: dict[str, Any] = {}
    for name, value in trial.items():
        if isinstance(value, dict):
            flat.update({f"{name}.{key}": inner for key, inner in value.items()})
        elif name not in ("curve", "error"):
            flat[name] = value
    return flat


def _columns(rows: Iterator[dict[str, Any]]) -> dict[str, list[Any]]:
    """Rows to columns, with `None` where a row lacks a name: several times faster than a list of dicts."""
    columns: dict[str, list[Any]] = {}
    for count, row in enumerate(rows):
        for name, value in row.items():
            column = columns.setdefault(name, [])
            column.extend([None] * (count - len(column)))
            column.append(value)
    height = max((len(column) for column in columns.values()), default=0)
    for column in columns.values():
        column.extend([None] * (height - len(column)))
    return columns
