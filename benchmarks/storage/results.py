"""Many runs as two tables: one row a run, one row a trial."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from hemobench.benchmarks.storage.records import RunEnd
from hemobench.benchmarks.storage.run_folder import RUN
from hemobench.benchmarks.storage.variants import shown_names, variant
from hemobench.errors import BenchmarkError


@dataclass(frozen=True)
class Results:
    """What the reports conclude from.

    Attributes:
        runs: One row a run, indexed by `run` (int): `benchmark, version, strategy, gpu_hours, workers, seed,
            status` (as in `RunEnd`, or `unfinished`), `error, traceback, folder`, `header` (`run.json` as text),
            and `ledger.<account>` in GPU-seconds. A benchmark that is there with several settings or limits is called
            by those too, as in `c-nmc@recorded[folds=0]`.
        trials: One row a trial, in the order in which they finished: `run, number, config.<name>, epochs,
            resume_from, status, loss, validation.<metric>, test.<metric>, cost.gpu_seconds, started, finished,
            measured.ask_s, measured.tell_s`. Times are GPU-clock seconds since the run began; loss and metrics are
            NaN unless the status is `ok`. Where the source knows them also `truth.loss, truth.validation.<metric>,
            truth.test.<metric>` (see `Truth`); results of older versions lack these columns.
    """

    runs: pd.DataFrame
    trials: pd.DataFrame

    def header(self, run: int) -> dict[str, Any]:
        """The `run.json` of a run."""
        header: dict[str, Any] = json.loads(str(self.runs.loc[run, "header"]))
        return header

    def of(self, runs: Collection[int]) -> pd.DataFrame:
        """The trials of some runs."""
        return self.trials[self.trials["run"].isin(runs)] if len(self.trials) else self.trials


IDENTITY = ["benchmark", "version", "strategy", "gpu_hours", "workers", "seed"]
"""What tells one run from another."""

Parts = Callable[[pd.DataFrame], Collection[str]]
"""Says, of `Results.runs`, which columns of trials are needed; `config.` stands for all that begin with it. Number,
status, loss and the time of the end always come along."""


@dataclass(frozen=True, slots=True)
class RunDescription:
    """A run without its trials: its folder, its `run.json`, and how it ended."""

    folder: str
    header: Mapping[str, Any]
    end: RunEnd | None


def run_table(found: Iterable[RunDescription]) -> pd.DataFrame:
    """`Results.runs` of what was found, in that order.

    Raises:
        BenchmarkError: If a run is there twice, or runs cannot be compared.
    """
    rows, variants = [], []
    for run in _of_one_source(found):
        rows.append(_run_row(run))
        variants.append(_Variant.of(run.header))
    for row, name in zip(rows, _shown(variants), strict=True):
        row["benchmark"] = name
    runs = pd.DataFrame(rows).rename_axis("run")
    twice = runs[runs.duplicated(IDENTITY, keep=False)]
    if len(twice):
        first, second = list(twice.sort_values(IDENTITY)["folder"])[:2]
        raise BenchmarkError(f"{first} and {second} hold the same run", "name the folder of one suite")
    return runs


@dataclass(frozen=True, slots=True)
class _Variant:
    """What of a run's header tells its benchmark from others of that name.

    Attributes:
        benchmark: Its name.
        settings: Of its evaluator, as canonical text.
        limits: What the suite stated for the benchmark; `None` in runs of before 0.2, which did not say.
        max_trials: The run's own, which may be the strategy's.
    """

    benchmark: str
    settings: str
    limits: str | None
    max_trials: int | None

    @classmethod
    def of(cls, header: Mapping[str, Any]) -> _Variant:
        stated = header.get("limits")
        most = (header.get("budget") or {}).get("max_trials")
        limits = None if stated is None and most is not None else variant({}, stated or {})
        return cls(str(header["benchmark"]), variant(header.get("benchmark_settings") or {}, {}), limits, most)


def _shown(variants: list[_Variant]) -> list[str]:
    """What the benchmark of each run is called: by its name or, where there are several, also by where they differ.

    A run that does not say its benchmark's limits is taken for one of the first that say the same number of trials.
    """
    known: dict[tuple[str, str, int | None], str] = {}
    for each in variants:
        if each.limits is not None:
            most = json.loads(each.limits or "{}").get("max_trials")
            known.setdefault((each.benchmark, each.settings, most), each.limits)
    whole = []
    for each in variants:
        limits = each.limits
        if limits is None:
            limits = known.get((each.benchmark, each.settings, each.max_trials), "")
        parts = {**json.loads(each.settings or "{}"), **json.loads(limits or "{}")}
        whole.append((each.benchmark, variant(parts, {})))
    names = shown_names(whole)
    return [names[one] for one in whole]


MAY_DIFFER = {"device", "torch", "torchvision", "threads"}
"""What of a source may differ between runs that are compared: not what is answered, but on what machine."""


def _of_one_source(found: Iterable[RunDescription]) -> Iterator[RunDescription]:
    """The same, refusing to compare runs of one benchmark whose answers rest on different data or settings."""
    first: dict[tuple[Any, Any, str], tuple[str, Mapping[str, Any]]] = {}
    for run in found:
        source = {key: value for key, value in run.header.get("source", {}).items() if key not in MAY_DIFFER}
        settings = variant(run.header.get("benchmark_settings") or {}, {})
        about = (run.header.get("benchmark"), run.header.get("version"), settings)
        there, wanted = first.setdefault(about, (run.folder, source))
        for key in sorted(source.keys() | wanted.keys()):
            if source.get(key) != wanted.get(key):
                raise BenchmarkError(
                    f"{run.folder} and {there} cannot be compared: {key} is {source.get(key)!r} and "
                    f"{wanted.get(key)!r}",
                    "keep results of different data or settings in different folders",
                )
        yield run


def _run_row(run: RunDescription) -> dict[str, Any]:
    header, end = run.header, run.end
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
        place = Path(run.folder) / RUN
        raise BenchmarkError(f"{place}: no {problem}", "restore the file, or delete its folder") from None
    ledger = end.ledger if end else {}
    return {
        **row,
        "status": end.status if end else "unfinished",
        "error": end.error if end else None,
        "traceback": end.traceback if end else None,
        "folder": run.folder,
        "header": json.dumps(header, sort_keys=True),
        **{f"ledger.{account}": seconds for account, seconds in ledger.items()},
    }
