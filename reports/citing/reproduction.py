"""Whether runs that were made again are the runs that were made: trial by trial, and where they part first."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import pandas as pd

from hemobench.benchmarks.storage.records import TrialRecord
from hemobench.benchmarks.storage.results import Results
from hemobench.benchmarks.storage.trial_records import trial_records
from hemobench.benchmarks.tasks import load_task
from hemobench.reports.text_tables import counted

SCHEMA = 1
ROUNDING = 1e-9
"""Relative difference below which two numbers are the same but for the last digits."""


@dataclass(frozen=True, slots=True)
class Difference:
    """Where a run parts from the recorded one.

    Attributes:
        run: As in `optuna-tpe on c-nmc@recorded, 0.0016 GPU-hours, seed 0`.
        trial: Number of the first trial that differs; `None` where the ends differ alone.
        what: `proposal`: the strategy asked for something else; `answer`: the same was answered otherwise; `end`:
            one of the two has more trials, or ended otherwise.
        before: What was recorded.
        now: What there is instead.
        rounding: Whether the two are numbers that differ in the last digits alone.
    """

    run: str
    trial: int | None
    what: Literal["proposal", "answer", "end"]
    before: str
    now: str
    rounding: bool = False

    @property
    def text(self) -> str:
        """For people."""
        place = self.run if self.trial is None else f"{self.run}, trial {self.trial}"
        alone = " (in the last digits alone)" if self.rounding else ""
        return f"{place}: the {self.what} was {self.before}; it is {self.now}{alone}"


@dataclass(frozen=True, slots=True)
class Reproduction:
    """What came of running results again.

    Attributes:
        runs: How many were compared.
        trials: Of the recorded runs.
        differences: The first of each run that differs, in the order of the runs.
        versions: What the installation has otherwise, as in `optuna 4.5.0 -> 5.0.0`.
        kernel: How the numerical fingerprint differs; empty if it does not, or was not recorded.
    """

    runs: int
    trials: int
    differences: tuple[Difference, ...]
    versions: tuple[str, ...] = ()
    kernel: str = ""

    @property
    def identical(self) -> bool:
        """Whether every trial of every run is the same, bit for bit."""
        return not self.differences

    @property
    def lines(self) -> list[str]:
        """For people: the answer, the first difference of each strategy and benchmark, and what may be why."""
        whole = f"{counted(self.runs, 'run')}, {counted(self.trials, 'trial')}"
        if self.identical:
            found = [f"identical: {whole}"]
        else:
            found = [f"differs: {len(self.differences)} of {whole}"]
            found += [f"- {difference.text}" for difference in _firsts(self.differences)]
        if self.versions:
            found.append(f"Other versions than recorded: {', '.join(self.versions)}")
        if self.kernel and not self.identical:
            found.append(f"{self.kernel[0].upper()}{self.kernel[1:]}")
        return found

    def as_json(self) -> dict[str, Any]:
        """Plain data."""
        return {"schema": SCHEMA, "identical": self.identical, **asdict(self)}


def _firsts(differences: Sequence[Difference]) -> list[Difference]:
    """The first difference of each strategy on each benchmark: further seeds say the same."""
    found: dict[str, Difference] = {}
    for difference in differences:
        found.setdefault(difference.run.rpartition(", seed")[0], difference)
    return list(found.values())


def compared(before: Results, now: Results, versions: Sequence[str] = (), kernel: str = "") -> Reproduction:
    """Hold runs that were made again against those that were recorded.

    What is measured (a strategy's own seconds) may differ; all else may not.

    Args:
        before: What was recorded.
        now: The same runs, made again.
        versions: What the installation has otherwise.
        kernel: How the numerical fingerprint differs.
    """
    made = {_key(now.header(int(run))): run for run in now.runs.index}  # type: ignore[call-overload]
    differences = []
    for run in before.runs.index:
        other = made.get(_key(before.header(int(run))))  # type: ignore[call-overload]
        difference = _of_run(before, now, run, other)
        if difference is not None:
            differences.append(difference)
    trials = int(before.trials["run"].isin(before.runs.index).sum()) if len(before.trials) else 0
    return Reproduction(len(before.runs), trials, tuple(differences), tuple(versions), kernel)


def _key(header: Mapping[str, Any]) -> str:
    """What tells a run from others, whichever others are among the results."""
    parts = ("benchmark", "version", "strategy", "budget", "horizon", "seed")
    settings = {name: header.get(name) or {} for name in ("benchmark_settings", "limits")}
    return json.dumps([[header.get(name) for name in parts], settings], sort_keys=True)


def _of_run(before: Results, now: Results, run: Any, other: Any) -> Difference | None:
    row = before.runs.loc[run]
    workers = "" if row["workers"] == 1 else f", {row['workers']} workers"
    name = f"{row['strategy']} on {row['benchmark']}, {row['gpu_hours']:g} GPU-hours{workers}, seed {row['seed']}"
    if other is None:
        return Difference(name, None, "end", str(row["status"]), "no run")
    old, new = _records(before, run), _records(now, other)
    for one, two in zip(old, new, strict=False):
        for what, parts in (("proposal", _asked), ("answer", _answered)):
            if (sides := (parts(one), parts(two)))[0] != sides[1]:
                return _first(name, one.number, what, *sides)  # type: ignore[arg-type]
    ends = f"{row['status']} after {counted(len(old), 'trial')}", _end(now.runs.loc[other], new)
    return None if ends[0] == ends[1] else Difference(name, min(len(old), len(new)), "end", *ends)


def _first(
    run: str, trial: int, what: Literal["proposal", "answer"], before: dict[str, Any], now: dict[str, Any]
) -> Difference:
    """The parts of a trial that differ, on both sides."""
    names = [name for name in {**before, **now} if before.get(name) != now.get(name)]
    old, new = (", ".join(f"{name} {side.get(name, 'absent')}" for name in names) for side in (before, now))
    rounding = all(_rounded(before.get(name), now.get(name)) for name in names)
    return Difference(run, trial, what, old, new, rounding)


def _rounded(before: Any, now: Any) -> bool:
    """Whether two values, or two mappings of them, are the same but for the last digits."""
    if isinstance(before, dict) and isinstance(now, dict) and before.keys() == now.keys():
        return all(_rounded(before[name], now[name]) for name in before)
    if isinstance(before, float) and isinstance(now, float):
        return math.isclose(before, now, rel_tol=ROUNDING, abs_tol=ROUNDING)
    return bool(before == now)


def _end(row: pd.Series[Any], records: Sequence[TrialRecord]) -> str:
    return f"{row['status']} after {counted(len(records), 'trial')}"


def _records(results: Results, run: Any) -> list[TrialRecord]:
    """The trials of a run, in the order of the asks."""
    task = load_task(str(results.runs.loc[run, "benchmark"]).partition("@")[0])
    trials = results.of([run])
    records = trial_records(trials, task.space()) if len(trials) else []
    return sorted(records, key=lambda record: record.number)


def _asked(record: TrialRecord) -> dict[str, Any]:
    return {**record.config, "epochs": record.epochs, "resume_from": record.resume_from}


def _answered(record: TrialRecord) -> dict[str, Any]:
    return {
        "status": str(record.status),
        "loss": record.loss,
        "validation": dict(record.validation),
        "test": dict(record.test),
        "cost": record.cost.gpu_seconds,
        "finished": record.finished,
    }
