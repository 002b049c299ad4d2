"""What may be compared: runs of one benchmark, version, budget and number of workers, on the seeds that all have."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from hemobench.benchmarks.benchmark import Reference
from hemobench.benchmarks.budget import ACCOUNTS
from hemobench.benchmarks.storage.results import Results
from hemobench.reports.comparison.incumbents import final_incumbent, incumbents
from hemobench.reports.statistics.bootstrap import Array

ASKED_AT_ONCE = 50_000

Outside = Callable[[str, list[dict[str, Any]]], Sequence[bool] | None]
"""Says which configurations lie outside what a benchmark recorded, or `None` where nothing was."""


@dataclass(frozen=True)
class Contest:
    """Runs that may be compared: every paired seed of every strategy, with the columns of `_per_run`."""

    benchmark: str
    version: int
    gpu_hours: float
    workers: int
    strategies: list[str]
    seeds: list[int]
    runs: pd.DataFrame
    steps: pd.DataFrame
    reference: Reference | None
    missing: str

    @property
    def scale(self) -> float | None:
        """The loss between regret 0 and regret 1, or `None` if there is no telling."""
        if self.reference is None:
            return None
        scale = self.reference.random_expected(self.gpu_hours) - self.reference.best_loss
        return scale if scale > 0 else None

    @cached_property
    def losses(self) -> pd.DataFrame:
        """Final losses, seeds by strategies; NaN is a run without a result."""
        return self.runs.pivot(index="seed", columns="strategy", values="result").astype(float)

    def of(self, strategy: str) -> pd.DataFrame:
        """A strategy's runs, by seed."""
        return self.runs[self.runs["strategy"] == strategy]

    def regret(self, strategy: str) -> float | None:
        """Mean normalised regret: 0 is the best known loss, 1 what random search is expected to reach."""
        if self.reference is None or self.scale is None:
            return None
        return mean_of((self.losses[strategy] - self.reference.best_loss) / self.scale)


def contests_of(
    results: Results, reference_of: Callable[[str], Reference | None], outside_of: Outside | None
) -> Iterator[Contest]:
    """Everything that may be compared, by benchmark, version, budget and workers."""
    runs, steps = _per_run(results), incumbents(results)
    runs = runs.assign(outside=_outside_shares(results, outside_of))
    key: tuple[str, int, float, int]
    for key, group in runs.groupby(["benchmark", "version", "gpu_hours", "workers"]):  # type: ignore[assignment]
        seeds_of = {str(name): set(of["seed"].tolist()) for name, of in group.groupby("strategy")}
        seeds = in_all(seeds_of.values())
        paired = group[group["seed"].isin(seeds)].sort_values(["strategy", "seed"])
        yield Contest(
            benchmark=str(key[0]),
            version=int(key[1]),
            gpu_hours=float(key[2]),
            workers=int(key[3]),
            strategies=sorted(seeds_of),
            seeds=seeds,
            runs=paired,
            steps=steps[steps["run"].isin(paired.index)],
            reference=reference_of(str(key[0])),
            missing=_missing(seeds_of, seeds),
        )


def in_all(collections: Iterable[Iterable[Any]]) -> list[Any]:
    """What is in every collection, sorted."""
    return sorted(set.intersection(*map(set, collections)))


def _missing(seeds_of: Mapping[str, set[int]], seeds: list[int]) -> str:
    wanted = set().union(*seeds_of.values())
    lacks = {name: sorted(wanted - has) for name, has in sorted(seeds_of.items()) if wanted - has}
    if not lacks:
        return ""
    said = "; ".join(f"{name} lacks {_listed(numbers)}" for name, numbers in lacks.items())
    if not seeds:
        return f"Nothing is compared, since no seed was run by every strategy: {said}."
    return f"Only seeds that every strategy has are compared ({_listed(seeds)}): {said}."


def _listed(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers))


def _per_run(results: Results) -> pd.DataFrame:
    """The runs with their final incumbents, `result` (its loss, unless the strategy raised), and totals."""
    runs = results.runs.join(final_incumbent(results))
    trials = results.trials if len(results.trials) else pd.DataFrame(columns=["run", "status"])
    finished = trials["status"] != "cut"
    seconds = trials.reindex(columns=["measured.ask_s", "measured.tell_s"]).astype(float).sum(axis=1)
    totals = pd.DataFrame(
        {"trials": finished, "failures": finished & (trials["status"] != "ok"), "strategy_seconds": seconds}
    )
    totals = totals.astype(float).groupby(trials["run"]).sum().reindex(runs.index).fillna(0.0)
    ledger = runs.reindex(columns=[f"ledger.{account}" for account in ACCOUNTS if account != "unspent"])
    spent = ledger.astype(float).sum(axis=1, min_count=1) / 3600
    result = runs["loss"].where(runs["status"] != "strategy-error")
    return runs.join(totals).assign(gpu_hours_spent=spent, result=result)


def _outside_shares(results: Results, outside_of: Outside | None) -> pd.Series[float]:
    """The share of each run's trials outside what was recorded; NaN where nothing was."""
    shares = pd.Series(np.nan, index=results.runs.index, dtype=float)
    if outside_of is None or not len(results.trials):
        return shares
    for benchmark, runs in results.runs.groupby("benchmark"):
        asked = results.trials[results.trials["run"].isin(runs.index)]
        found = _outside(outside_of, str(benchmark), asked)
        if found is not None:
            shares.update(pd.Series(found, index=asked["run"]).groupby(level=0).mean())
    return shares


def _outside(outside_of: Outside, benchmark: str, trials: pd.DataFrame) -> Array | None:
    """Which trials lie outside, asked a slice at a time: as plain data a configuration takes a kilobyte."""
    found = []
    for at in range(0, len(trials), ASKED_AT_ONCE):
        part = outside_of(benchmark, configurations(trials.iloc[at : at + ASKED_AT_ONCE]))
        if part is None:
            return None
        found.append(np.asarray(part, dtype=float))
    return np.concatenate(found) if found else None


def configurations(trials: pd.DataFrame) -> list[dict[str, Any]]:
    """The configurations of some trials, active hyperparameters only."""
    columns = {str(name).removeprefix("config."): trials[name] for name in trials if str(name).startswith("config.")}
    known = {name: (values.notna().tolist(), values.tolist()) for name, values in columns.items()}
    return [{name: values[i] for name, (there, values) in known.items() if there[i]} for i in range(len(trials))]


def mean_of(values: pd.Series[float]) -> float | None:
    """The mean of what is known; `None` if nothing is."""
    known = values.dropna()
    return float(known.mean()) if len(known) else None
