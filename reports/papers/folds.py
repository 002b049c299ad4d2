"""The bone-marrow paper's section 4.1 on cross-validation: are six folds enough, or must it be 6 x 5?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import sqrt
from typing import Any

import pandas as pd

from hemobench.benchmarks.storage.results import Results
from hemobench.reports.comparison.comparison import RANDOM
from hemobench.reports.papers.claims import BONE_MARROW, Claim, Printed
from hemobench.reports.papers.measured import Measured
from hemobench.reports.papers.reference_values import FOLDS, FOURTH_DIGIT, TABLE_1

PLACE = "Section 4.1, 6-fold against 6 x 5-fold"
METRIC = "validation.micro_f1"


def claims(mine: Measured, extended: Results | None) -> Iterator[Claim]:
    """The difference of means, from the same configurations under both; and how precise a mean over folds is."""
    yield _difference(mine, extended)
    yield _precision(mine)


def trainings(settings: Mapping[str, Any]) -> int:
    """How many trainings a trial is the mean of."""
    folds = int(settings.get("folds", FOLDS))
    return folds * (folds - 1) if settings.get("extended") else folds


def paired_difference(six: Results, extended: Results, benchmark: str) -> tuple[float | None, int]:
    """Points between 6-fold and 6 x 5-fold micro F1: mean absolute difference, and of how many configurations.

    Args:
        six: Results under 6-fold cross-validation.
        extended: Results under 6 x 5-fold cross-validation.
        benchmark: Of both.
    """
    one, other = (_by_config(results, benchmark) for results in (six, extended))
    if one.empty or other.empty or list(one.index.names) != list(other.index.names):
        return None, 0
    both = pd.concat([one, other], axis=1, join="inner").dropna()
    return (100 * float((both.iloc[:, 0] - both.iloc[:, 1]).abs().mean()) if len(both) else None), len(both)


def _by_config(results: Results, benchmark: str) -> pd.Series[float]:
    """Mean micro F1 of each configuration, by its values as text (a missing one is a value)."""
    trials = results.trials
    runs = results.runs.index[results.runs["benchmark"] == benchmark]
    names = sorted(str(name) for name in trials.columns if str(name).startswith("config."))
    if METRIC not in trials or not names:
        return pd.Series(dtype=float)
    ok = trials[trials["run"].isin(runs) & (trials["status"] == "ok")]
    return ok[METRIC].astype(float).groupby([ok[name].astype(str) for name in names]).mean()


def _difference(mine: Measured, extended: Results | None) -> Claim:
    printed = Printed(
        paper=BONE_MARROW,
        place=PLACE,
        what="difference of mean micro F1 between 6-fold and 6 x 5-fold",
        figure=0.0,
        margin=FOURTH_DIGIT,
        unit="points",
        text=f"below {FOURTH_DIGIT:g} points (the fourth digit)",
    )
    lacking = "It takes the same configurations trained with and without extended = true."
    if extended is None or mine.settings.get("extended"):
        return printed.beside(None, mine.benchmark, lacking)
    points, count = paired_difference(mine.results, extended, mine.benchmark)
    note = lacking if points is None else f"Mean absolute difference of {count} configurations trained under both."
    return printed.beside(points, mine.benchmark, note)


def _precision(mine: Measured) -> Claim:
    """The paper's is computed from Table 1: a deviation of 0.5 over six folds."""
    count = trainings(mine.settings)
    deviation = mine.percent(RANDOM, f"{METRIC}_std")
    what = "standard error of a mean of micro F1 over folds, random search's best set"
    theirs = round(TABLE_1[RANDOM][0][1] / sqrt(FOLDS), 2)
    note = f"Deviation over folds by the square root of their number, {FOLDS} in the paper and {count} here; folds share images, so it is an approximation."  # noqa: E501
    ours = None if deviation is None else deviation / sqrt(count)
    return Printed(BONE_MARROW, PLACE, what, theirs, 0.1, "points").beside(ours, mine.benchmark, note)
