"""The verdict on one arm: two paired measures, each shown not worse, shown worse, or not decided yet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from hemobench.reports.gate.baseline import Terms
from hemobench.reports.gate.boundaries import critical_scores
from hemobench.reports.gate.divergence import Divergence
from hemobench.reports.gate.runs import ArmKey, GateRun
from hemobench.reports.gate.signed_rank import lower_bound, pseudo_median, score, standard_error, upper_bound
from hemobench.reports.statistics.bootstrap import Array

Verdict = Literal["pass", "regress", "inconclusive"]
Shown = Literal["not worse", "worse", "undecided"]
MEASURES = ("regret", "area")
UNDECIDED, NOT_WORSE, WORSE = 0, 1, 2


@dataclass(frozen=True, slots=True)
class Measure:
    """One measure of one arm, over the seeds seen so far.

    Attributes:
        name: `regret` at the end, or `area`.
        shown: What the tests say.
        estimate: How much worse than the baseline: the pseudo-median of the paired differences.
        low: Lower end of the interval that belongs to the tests; `None` if unbounded.
        high: Upper end.
        smallest: The smallest change that would be called worse over all seeds, with the power of the terms;
            `None` where fewer than eight seeds were seen.
    """

    name: str
    shown: Shown
    estimate: float
    low: float | None
    high: float | None
    smallest: float | None


@dataclass(frozen=True, slots=True)
class ArmVerdict:
    """What is concluded on an arm.

    Attributes:
        key: The arm of the baseline.
        candidate: What was run in its place; its own label, unless another strategy was put there.
        verdict: `pass`: bit-identical, or both measures shown not worse by the margin; `regress`: one shown worse,
            or the strategy raised; else `inconclusive`.
        seeds: That were run.
        of: Seeds of the baseline.
        identical: Bit-identical in all runs seen.
        error: What the strategy raised.
        measures: Both, or none where nothing was tested.
        divergences: Where each seed's run leaves the recorded one.
        remarks: What else tells the two apart.
        other_kernel: It ran under another numerical kernel than the baseline, and asked for something else.
    """

    key: ArmKey
    candidate: str
    verdict: Verdict
    seeds: int
    of: int
    identical: bool
    error: str | None
    measures: tuple[Measure, ...]
    divergences: tuple[Divergence, ...]
    remarks: tuple[str, ...] = ()
    other_kernel: bool = False


@dataclass(frozen=True, slots=True)
class Levels:
    """Critical scores at an arm's analyses.

    Attributes:
        analyses: Seeds at each analysis.
        not_worse: Score at which a measure counts as not worse by the margin.
        worse: Score at which it counts as worse.
    """

    analyses: tuple[int, ...]
    not_worse: tuple[float, ...]
    worse: tuple[float, ...]


def levels(analyses: tuple[int, ...], terms: Terms, changed: int) -> Levels:
    """Critical scores that keep the terms.

    To pass, all arms must be shown not worse in both measures, so each test may take the whole error (an
    intersection-union test: Berger, 1982). One test that shows something worse suffices for red, so their error is
    shared (Bonferroni) by both measures of all arms that are not bit-identical.

    Args:
        analyses: Seeds at each analysis.
        terms: Error rates.
        changed: Arms that are tested.
    """
    worse = critical_scores(terms.false_alarm / (len(MEASURES) * changed), analyses)
    return Levels(analyses, critical_scores(terms.false_pass, analyses), worse)


def decide(
    differences: Array, shown: NDArray[np.int64], analysis: int, margin: float, levels: Levels
) -> NDArray[np.int64]:
    """What each measure shows after a analysis; what is decided stays so.

    Args:
        differences: How much worse the candidate is, `(..., measures, seeds)`: of all seeds up to this analysis.
        shown: Codes after the analysis before, `(..., measures)`.
        analysis: Its place.
        margin: Of the terms.
        levels: Critical scores.

    Returns:
        Codes, `(..., measures)`.
    """
    fine = score(margin - differences) >= levels.not_worse[analysis]
    worse = score(differences) >= levels.worse[analysis]
    now = np.where(fine, NOT_WORSE, np.where(worse, WORSE, UNDECIDED))  # a small but certain worsening is let pass
    return np.where(shown == UNDECIDED, now, shown)


def concluded(shown: NDArray[np.int64]) -> Verdict:
    """The verdict that both measures' codes amount to."""
    if (shown == WORSE).any():
        return "regress"
    return "pass" if (shown == NOT_WORSE).all() else "inconclusive"


def paired_differences(before: Sequence[GateRun], now: Mapping[int, GateRun]) -> Array:
    """How much worse the new runs are: `(measures, seeds)`, of the seeds that both have, ascending."""
    pairs = [(run, now[run.seed]) for run in before if run.seed in now]
    found = [[getattr(new, name) - getattr(old, name) for old, new in pairs] for name in MEASURES]
    return np.round(np.asarray(found, dtype=float).reshape(len(MEASURES), -1), 9)


def measured(
    differences: Array, shown: NDArray[np.int64], analysis: int, levels: Levels, power: float
) -> list[Measure]:
    """Both measures with estimates and the intervals that belong to the tests of a analysis."""
    words: tuple[Shown, ...] = ("undecided", "not worse", "worse")
    found = []
    for name, values, code in zip(MEASURES, differences, shown, strict=True):
        low = lower_bound(values, levels.worse[analysis])
        high = upper_bound(values, levels.not_worse[analysis])
        found.append(
            Measure(
                name, words[code], pseudo_median(values), _finite(low), _finite(high), _smallest(values, levels, power)
            )
        )
    return found


def _smallest(values: Array, levels: Levels, power: float) -> float | None:
    """The shift that reaches the last analysis's score with the given chance, at the spread that is seen."""
    error = standard_error(values)
    all_seeds = error * np.sqrt(len(values) / levels.analyses[-1])
    return _finite(float((levels.worse[-1] + norm.ppf(power)) * all_seeds))


def _finite(value: float) -> float | None:
    return round(float(value), 6) if np.isfinite(value) else None
