"""What a leaderboard shows of each run: its final incumbent, its totals, and how far it left what was recorded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from hemobench.benchmarks.budget import ACCOUNTS
from hemobench.benchmarks.storage.results import Results
from hemobench.benchmarks.storage.trial_records import configurations
from hemobench.reports.comparison.incumbents import final_incumbent
from hemobench.reports.statistics.bootstrap import Array

ASKED_AT_ONCE = 50_000

Outside = Callable[[str, list[dict[str, Any]]], Sequence[bool] | None]
"""Says which configurations lie outside what a benchmark recorded, or `None` where nothing was."""


def run_figures(results: Results, outside_of: Outside | None) -> pd.DataFrame:
    """Figures of every run, beside the columns of `Results.runs`.

    Args:
        results: Runs and trials.
        outside_of: See there; `None` asks nobody.

    Returns:
        Indexed by run: those of `final_incumbent`; `result`, its loss unless the strategy raised; `trials` that
        finished, `failures` of them, `strategy_seconds`, `gpu_hours_spent`; and `outside`, the share of the run's
        trials outside what was recorded, NaN where nothing was; and `first`, what its trial 0 is worth.
    """
    outside = outside_shares(results, outside_of)
    return pd.concat([_per_run(results), pd.Series(outside, name="outside")], axis=1)


def _per_run(results: Results) -> pd.DataFrame:
    """The runs with their final incumbents, `result` (its loss, unless the strategy raised), and totals."""
    runs = results.runs.join(final_incumbent(results)).copy()  # in one piece: pandas warns of tables made by columns
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
    own = pd.DataFrame({"gpu_hours_spent": spent, "result": result, "first": _first(results)}, index=runs.index)
    return pd.concat([runs, totals, own], axis=1)


def _first(results: Results) -> pd.Series[float]:
    """What each run's trial 0 is worth, a loss: without noise where that is known; NaN if it failed."""
    trials = results.trials
    if not len(trials):
        return pd.Series(np.nan, index=results.runs.index, dtype=float)
    first = trials[trials["number"] == 0].set_index("run")
    worth = first["loss"].astype(float)
    if "truth.loss" in first:
        worth = first["truth.loss"].astype(float).fillna(worth)
    return worth.reindex(results.runs.index)


def outside_shares(results: Results, outside_of: Outside | None) -> pd.Series[float]:
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


def mean_of(values: pd.Series[float]) -> float | None:
    """The mean of what is known; `None` if nothing is."""
    known = values.dropna()
    return float(known.mean()) if len(known) else None
