"""Anytime curves: the best trial so far, over the GPU-hours that were spent.

Hours are GPU-hours allocated since the run began, `workers * clock / 3600`, so that a run under a budget of B
GPU-hours ends at B whatever its number of workers. Every trial whose status is `ok` counts, at whatever fidelity
it was trained: its loss is that of a model which is there to be used.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from hemobench.benchmarks.storage.results import Results
from hemobench.reports.statistics.bootstrap import Array

STEP = ["run", "number", "hours", "loss", "truth"]
_KEPT = ("validation.", "test.", "truth.")


def incumbents(results: Results) -> pd.DataFrame:
    """The trials that lowered their run's best loss, in the order in which they finished.

    Args:
        results: Runs and trials; trials of runs that are not among `results.runs` are left out.

    Returns:
        `run`, `number` (of the trial), `hours` (GPU-hours when it finished), `loss`, strictly falling in a run, and
        `truth`, the noise-free loss of the same trial, which need not fall: NaN where the source does not know it.
    """
    return _improving(results)[STEP]


def final_incumbent(results: Results) -> pd.DataFrame:
    """The best trial of each run; of equal losses, the one that finished first.

    Returns:
        One row a run that has an `ok` trial, indexed by `run`: `number`, `hours`, `loss`, `truth` and all columns of
        the trials that begin with `validation.`, `test.` or `truth.`, as fractions.
    """
    best = _improving(results).drop_duplicates("run", keep="last").set_index("run")
    metrics = [name for name in best.columns if str(name).startswith(_KEPT)]
    return best[[*STEP[1:], *metrics]]


def incumbents_at(results: Results, hours: float) -> pd.DataFrame:
    """The best trial of each run so far at given GPU-hours; columns as of `final_incumbent`."""
    steps = _improving(results)
    best = steps[steps["hours"] <= hours].drop_duplicates("run", keep="last").set_index("run")
    return best[[name for name in best.columns if name in STEP or str(name).startswith(_KEPT)]]


def only_incumbents(results: Results) -> Results:
    """The same results with only those trials that lowered their run's best loss: all that a curve is made of.

    Every function of this module gives the same of these, sooner: a run of a hundred trials has about five.
    """
    steps = _improving(results)
    return Results(results.runs, steps.drop(columns=["hours", "truth"]) if len(results.trials) else results.trials)


def with_trials(results: Results) -> Results:
    """The same results, with the columns that every trial has even if there is no trial."""
    if len(results.trials):
        return results
    return Results(results.runs, pd.DataFrame(columns=["run", "number", "status", "loss", "started", "finished"]))


def hours_to_target(results: Results, run: int, loss: float) -> float:
    """GPU-hours until a run's best loss was at most `loss`; NaN (censored) if it never was."""
    hours = hours_to_targets(incumbents(_one(results, run)), pd.Series([loss], index=[run]))
    return float(hours.iloc[0])


def hours_to_targets(steps: pd.DataFrame, targets: pd.Series[float], column: str = "loss") -> pd.Series[float]:
    """The same for many runs at once.

    Args:
        steps: As from `incumbents`.
        targets: The loss to reach, indexed by run; NaN is never reached.
        column: What is to reach it: `loss`, or `truth`.

    Returns:
        GPU-hours, indexed like `targets`; NaN where the target was not reached.
    """
    reached = steps[steps[column].to_numpy(dtype=float) <= targets.reindex(steps["run"]).to_numpy(dtype=float)]
    return reached.groupby("run")["hours"].min().reindex(targets.index).astype(float)


def loss_at(results: Results, run: int, hours: ArrayLike) -> NDArray[np.float64]:
    """A run's best loss at given GPU-hours: a step function, NaN before the first `ok` trial."""
    steps = incumbents(_one(results, run))
    known = np.concatenate([[np.nan], steps["loss"].to_numpy(dtype=float)])
    result: NDArray[np.float64] = known[np.searchsorted(steps["hours"].to_numpy(), np.asarray(hours), side="right")]
    return result


def _one(results: Results, run: int) -> Results:
    trials = results.trials
    return Results(results.runs.loc[[run]], trials[trials["run"] == run] if len(trials) else trials)


def _improving(results: Results) -> pd.DataFrame:
    """The rows of `trials` that lowered their run's best loss, with `hours`, by run and time."""
    trials = results.trials
    if not len(trials):
        names = dict.fromkeys([*trials.columns, *STEP])
        return trials.reindex(columns=list(names)).astype(
            {"run": int, "number": int, "hours": float, "loss": float, "truth": float}
        )
    workers = results.runs["workers"].reindex(trials["run"]).to_numpy(dtype=float)
    ok = np.flatnonzero((trials["status"] == "ok").to_numpy() & trials["loss"].notna().to_numpy() & (workers > 0))
    run, number = trials["run"].to_numpy()[ok], trials["number"].to_numpy()[ok]
    finished, loss = (trials[name].to_numpy(dtype=float)[ok] for name in ("finished", "loss"))
    order = _by_clock(run, finished, number)
    losses = pd.DataFrame({"run": run[order], "loss": loss[order]})
    before = losses.groupby("run")["loss"].cummin().groupby(losses["run"]).shift()
    lower = ~(losses["loss"] >= before).to_numpy()  # also where nothing was before
    chosen = ok[order[lower]]
    hours = trials["finished"].to_numpy(dtype=float)[chosen] * workers[chosen] / 3600
    best = trials.iloc[chosen].copy()  # in one piece: of a large table the columns lie apart
    truth = best["truth.loss"].astype(float) if "truth.loss" in best else np.nan
    return best.assign(hours=hours, truth=truth).astype({"loss": float, "truth": float}).reset_index(drop=True)


def _by_clock(run: Array, finished: Array, number: Array) -> NDArray[np.int64]:
    """The clock's own order in each run, so that the rows' order does not matter; mostly it is the rows' order."""
    later = (np.diff(finished) > 0) | ((np.diff(finished) == 0) & (np.diff(number) > 0))
    if ((np.diff(run) > 0) | ((np.diff(run) == 0) & later)).all():
        return np.arange(len(run))
    return np.lexsort((number, finished, run))
