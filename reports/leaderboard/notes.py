"""What a reader of a board must know, in sentences below it."""

from __future__ import annotations

import json
import shlex
from textwrap import shorten

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from hemobench.reports.comparison.comparison import RANDOM, Comparison, few_seeds
from hemobench.reports.comparison.verdicts import MOST_OUTSIDE, MOST_RUNS_OUTSIDE
from hemobench.reports.statistics.hypothesis_tests import holm
from hemobench.reports.statistics.pairwise import ALPHA
from hemobench.reports.statistics.student import two_sided_p
from hemobench.reports.statistics.verdict import Verdict


def _starts_at_default(comparison: Comparison) -> bool:
    """Whether every run begins with the task's default, by the suite's setting."""
    if "header" not in comparison.runs:
        return False
    return all(json.loads(header).get("default_first", False) for header in comparison.runs["header"])


def what_would_tell(comparison: Comparison, stated: Verdict | None) -> list[str]:
    """The command that runs the seeds which a verdict lacks."""
    if stated is None or stated.more_seeds is None or "header" not in comparison.runs:
        return []
    suites = {str(json.loads(header).get("suite")) for header in comparison.runs["header"].unique()}
    suite = suites.pop() if len(suites) == 1 else "SUITE"
    seeds = len(comparison.seeds) + stated.more_seeds
    return [f"What would tell: hemobench run {suite} --benchmarks {shlex.quote(comparison.benchmark)} --seeds {seeds}"]


def notes_of(comparison: Comparison, counted: Comparison, runs: pd.DataFrame) -> list[str]:
    """What a reader of a board must know.

    Args:
        comparison: All runs.
        counted: On the seeds that are judged.
        runs: Figures of all runs, as from `run_figures`.
    """
    notes = [comparison.missing] if comparison.missing else []
    if not comparison.seeds:
        return notes
    if _starts_at_default(comparison):
        notes.append(f"Every run tries the task's default first{_worth_of_default(counted, runs['first'])}.")
    if len(comparison.steps) and not comparison.knows_truth:
        notes.append("Ranked by what the search saw, luck included: these results, or their source, know no truth.")
    if runs["result"].isna().any():
        notes.append("A run without a result ranks last in its seed and enters no mean; its strategy is not judged.")
    if (runs["status"] == "unfinished").any():
        notes.append("Unfinished runs are compared by what they have found so far.")
    if (runs["outside"] > MOST_OUTSIDE).any():
        notes.append(
            f"A run is out of support if more than {MOST_OUTSIDE:.0%} of its trials lie outside what was recorded: "
            "there the surrogate guesses. Its seed is left out of all outcomes and the verdict, and a strategy of "
            f"which more than {MOST_RUNS_OUTSIDE:.0%} of runs are out is neither judged nor ranked. See the "
            "benchmark's card."
        )
    failed = runs[runs["status"] == "strategy-error"].drop_duplicates("strategy")
    for name, seed, error in zip(failed["strategy"], failed["seed"], failed["error"], strict=True):
        notes.append(f"{name}, seed {seed}: {shorten(str(error), 200)}")
    if comparison.reference is None:
        notes.append("No reference is known for this benchmark: no regret.")
    elif comparison.scale is None:
        notes.append("Random search is expected to reach the best known loss at this budget: no regret.")
    if RANDOM not in comparison.strategies:
        notes.append(f"No strategy '{RANDOM}' among the results: no gain over it.")
    return notes + few_seeds(len(comparison.seeds))


def _worth_of_default(counted: Comparison, first: pd.Series[float]) -> str:
    """What the first trials are worth, as the end of a sentence; nothing where none was finished."""
    if first.isna().all():
        return ""
    return f": that alone is worth {100 * (1 - first.mean()):.2f} points{_above_default(counted, first)}"


def _above_default(counted: Comparison, first: pd.Series[float]) -> str:
    """Which strategies surely end above their first trials, as the end of a sentence.

    What was seen to be best is never seen to be below the first: without the truth nothing is said.
    """
    if not counted.knows_truth:
        return ""
    begun = first.reindex(counted.table.ravel()).to_numpy().reshape(counted.table.shape)
    above = [counted.strategies[place] for place in np.flatnonzero(surely_above_zero(begun - counted.final))]
    if len(above) == len(counted.strategies):
        return ", and all strategies surely end above it"
    return f", and {', '.join(above) or 'no strategy'} surely end{'' if len(above) > 1 else 's'} above it"


def surely_above_zero(gains: ArrayLike) -> NDArray[np.bool_]:
    """Whose mean gain is more than 0, by paired t-tests adjusted for the number of strategies (Holm), shape (K,).

    Args:
        gains: `(seeds, strategies)`; a strategy with a gain that is not finite is not judged.
    """
    values = np.asarray(gains, dtype=float)
    judged = np.isfinite(values).all(axis=0)
    above = np.zeros(len(judged), dtype=bool)
    own = values[:, judged]
    above[judged] = (holm(two_sided_p(own)) <= ALPHA) & (own.mean(axis=0) > 0)
    return above
