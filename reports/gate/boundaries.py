"""How an error rate is spread over several analyses of growing data: alpha spending (Lan and DeMets, 1983)."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from scipy.optimize import brentq
from scipy.stats import norm

from hemobench.reports.statistics.bootstrap import Array

RHO = 1.5
"""Up to a share t of all seeds, the share t ** RHO of the error is spent (Kim and DeMets, 1987).

1 would spend as much on the first seeds as on the last, 3 next to nothing early; 1.5 calls what is clear after an
eighth of the seeds, and costs the last analysis little.
"""
POINTS = 801
LEAST = 8
"""Seeds below which no test is made: fewer cannot reach a family-wise level, however they turn out."""


def analyses(seeds: int) -> tuple[int, ...]:
    """After how many seeds the data are analysed: all, half, a quarter, … but never fewer than eight."""
    found = [seeds]
    while found[-1] // 2 >= LEAST:
        found.append(found[-1] // 2)
    return tuple(reversed(found))


@lru_cache(maxsize=256)
def critical_scores(level: float, analyses: tuple[int, ...]) -> tuple[float, ...]:
    """The score that must be reached at each analysis, for one error rate over all of them.

    Scores at successive analyses are those of a Brownian motion at the shares of the seeds, which signed ranks
    approach fast; the density of what has not been called yet is carried on from one analysis to the next (Armitage,
    McPherson and Rowe, 1969).

    Args:
        level: Chance of ever calling what is not there, one-sided.
        analyses: Seeds at each analysis, ascending; the last is all.
    """
    times = np.asarray(analyses, dtype=float) / analyses[-1]
    spent = level * times**RHO
    found = [float(norm.isf(spent[0]))]
    grid = _grid(found[0], times[0])
    density = norm.pdf(grid / np.sqrt(times[0])) / np.sqrt(times[0])
    for place in range(1, len(times)):
        step = float(np.sqrt(times[place] - times[place - 1]))
        edge = _edge(grid, density, step, float(spent[place] - spent[place - 1]))
        found.append(float(edge / np.sqrt(times[place])))
        longer = _grid(found[-1], times[place])
        density = np.trapezoid(density * norm.pdf((longer[:, None] - grid) / step) / step, grid, axis=1)
        grid = longer
    return tuple(found)


def _grid(critical: float, time: float) -> Array:
    """Values of the motion that are not called: from far below up to the boundary."""
    return np.asarray(np.linspace(-8.0, critical, POINTS) * np.sqrt(time))


def _edge(grid: Array, density: Array, step: float, error: float) -> float:
    """The value that is exceeded, after one more step, with the chance that may be spent on it."""

    def excess(edge: float) -> float:
        return float(np.trapezoid(density * norm.sf((edge - grid) / step), grid)) - error

    return float(brentq(excess, -8.0, 12.0))
