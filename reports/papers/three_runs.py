"""The C-NMC paper's three trainings of 40 epochs (its Table 3), against what `hemobench validate` measured."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from scipy import stats

from hemobench.reports.papers.c_nmc import TPE
from hemobench.reports.papers.claims import C_NMC, Claim, Printed, unprinted
from hemobench.reports.papers.reference_values import (
    THREE_RUNS,
    THREE_RUNS_CV,
    THREE_RUNS_DEVIATION,
    THREE_RUNS_EPOCHS,
)
from hemobench.reports.statistics.text import p_text
from hemobench.reports.validation.repeats import Repeats, Validation, summary

PLACE = "Table 3, repeated trainings"
ASSUMES = (
    "The paper prints no interval: this is the t-interval of its three runs with 2 degrees of freedom, which takes "
    "them for normally distributed; three values cannot show whether they are."
)


def claims(validation: Validation) -> Iterator[Claim]:
    """Mean, deviation, coefficient of variation and interval of TPE's selection; the others against it."""
    if not validation.benchmark.startswith("c-nmc@"):
        return
    found, note = validation.test.get(TPE), _epochs(validation)
    for printed, ours in _figures(found):
        yield printed.beside(ours, validation.benchmark, note)
    yield _interval(found, validation.benchmark, note)
    yield from _alternatives(validation)


def _epochs(validation: Validation) -> str:
    same = validation.epochs == THREE_RUNS_EPOCHS
    return "" if same else f"Trained for {validation.epochs} epochs here, and {THREE_RUNS_EPOCHS} in the paper."


def _figures(found: Repeats | None) -> Iterator[tuple[Printed, float | None]]:
    """Deviation and coefficient of variation the paper's way, dividing by n."""
    mean, margin = round(float(np.mean(THREE_RUNS)), 2), round(float(np.std(THREE_RUNS, ddof=1)), 2)
    several = found is not None and len(found.values) > 1
    deviation = found.population_std if found is not None and several else None
    cv = 100 * deviation / found.mean if found is not None and deviation is not None and found.mean else None
    what = "test accuracy of repeated trainings"
    yield Printed(C_NMC, PLACE, f"mean {what}", mean, margin, "%"), found.mean if found else None
    yield Printed(C_NMC, PLACE, f"deviation of {what}", THREE_RUNS_DEVIATION, 1.0, "points"), deviation
    yield Printed(C_NMC, PLACE, f"coefficient of variation of {what}", THREE_RUNS_CV, 1.0, "%"), cv


def _interval(found: Repeats | None, benchmark: str, note: str) -> Claim:
    """Interval against interval: they agree if they overlap."""
    theirs = summary(THREE_RUNS)
    what = "95 % interval of the mean test accuracy of repeated trainings"
    half = (theirs.high - theirs.low) / 2
    several = found is not None and len(found.values) > 1
    margin = half + ((found.high - found.low) / 2 if found is not None and several else 0.0)
    printed = Printed(C_NMC, PLACE, what, theirs.mean, margin, "%", text=_ends(theirs))
    if found is None or not several:
        return printed.beside(None, benchmark, f"{note} {ASSUMES}".strip())
    p = float(stats.ttest_ind(THREE_RUNS, found.values, equal_var=False).pvalue)
    here = f"{len(found.values)} trainings here; Welch's t-test between the means: p {p_text(p)}."
    note = f"{here} {ASSUMES} {note}".strip()
    claim = printed.beside(found.mean, benchmark, note)
    words = (
        f"{'Agrees' if claim.agrees else 'Disagrees'} on {benchmark}: the {what} is {_ends(theirs)} in the paper and "
        f"{_ends(found)} here; they {'overlap' if claim.agrees else 'do not overlap'}. {note}"
    )
    return replace(claim, words=words, ours_text=_ends(found), within="an overlap")


def _ends(found: Repeats) -> str:
    return f"{found.low:.2f} to {found.high:.2f} %"


def _alternatives(validation: Validation) -> Iterator[Claim]:
    """The paper announces paired t-tests, and has one optimizer only."""
    for test in validation.comparisons.get("test", ()):
        if TPE in (test.first, test.second):
            name, sign = (test.first, 1) if test.second == TPE else (test.second, -1)
            points = sign * test.difference
            n = len(validation.test[name].values)
            said = (
                f"against Optuna's TPE, what {name} selects is {points:+.2f} points on test after {validation.epochs} "
                f"epochs (paired t-test p {p_text(test.t_p)}, Wilcoxon p {p_text(test.wilcoxon_p)}, which {n} "
                f"trainings cannot bring below {2 / 2**n:.3g})."
            )
            what = f"test accuracy of repeated trainings, {name} against Optuna's TPE"
            yield unprinted(C_NMC, PLACE, what, points, "points", validation.benchmark, said)
