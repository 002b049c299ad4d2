"""What repeated trainings of selected configurations say: spread of each, and tests between them.

The C-NMC paper's second phase: three runs of 40 epochs, mean ± deviation, coefficient of variation, 95 % interval,
paired t-test. Its deviations divide by n; ours by n - 1, with the other beside.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy import stats


@dataclass(frozen=True, slots=True)
class Repeats:
    """Repeated measurements of one figure.

    Attributes:
        values: As measured.
        mean: Their mean.
        std: Sample standard deviation (n - 1); NaN for one value.
        population_std: Dividing by n, as the C-NMC paper does.
        cv: Coefficient of variation in percent: 100 * std / mean.
        low: Lower end of the 95 % t-interval of the mean; NaN for one value.
        high: Upper end.
    """

    values: tuple[float, ...]
    mean: float
    std: float
    population_std: float
    cv: float
    low: float
    high: float


def summary(values: Sequence[float]) -> Repeats:
    """Mean, deviations, coefficient of variation and 95 % t-interval of at least one value."""
    array = np.asarray(values, dtype=float)
    n, mean = len(array), float(array.mean())
    std = float(array.std(ddof=1)) if n > 1 else float("nan")
    half = float(stats.t.ppf(0.975, n - 1)) * std / np.sqrt(n) if n > 1 else float("nan")
    cv = 100 * std / mean if mean else float("nan")
    return Repeats(tuple(array.tolist()), mean, std, float(array.std()), cv, mean - half, mean + half)


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two configurations over the same repeats.

    Attributes:
        first: Label.
        second: Label.
        difference: Mean of first - second.
        t_p: Two-sided p-value of the paired t-test; NaN where all differences are equal.
        wilcoxon_p: Of the Wilcoxon signed-rank test; with n repeats it cannot be below 2 / 2**n.
    """

    first: str
    second: str
    difference: float
    t_p: float
    wilcoxon_p: float


def comparisons(values: Mapping[str, Sequence[float]]) -> list[Comparison]:
    """Every pair of labels; values of one position are of one repeat."""
    found = []
    for first, second in combinations(values, 2):
        differences = np.asarray(values[first], dtype=float) - np.asarray(values[second], dtype=float)
        varied = len(differences) > 1 and float(np.ptp(differences)) > 0
        t_p = float(stats.ttest_rel(values[first], values[second]).pvalue) if varied else float("nan")
        wilcoxon_p = float(stats.wilcoxon(differences).pvalue) if np.any(differences) else 1.0
        found.append(Comparison(first, second, float(differences.mean()), t_p, wilcoxon_p))
    return found
