"""Least squares over a card: the free parameters with which a surface gives what the paper reports."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from scipy.optimize import least_squares

from hemobench.benchmarks.published import Target
from hemobench.benchmarks.published.shape import Parameters

Bounds = Mapping[str, tuple[float, float, float]]
"""Start, least and greatest value of every free parameter."""


def fit(card: Callable[[Parameters], list[Target]], chosen: Parameters, free: Bounds) -> dict[str, Any]:
    """Find the free parameters; each target's miss is counted in its tolerance.

    Args:
        card: The targets, as a surface with these parameters achieves them.
        chosen: The parameters that are not fitted.
        free: Those that are.

    Returns:
        All parameters, the fitted ones rounded to six decimals so that the file is the same on every machine.
    """
    start, least, greatest = zip(*free.values(), strict=True)

    def misses(x: Any) -> list[float]:
        return [
            (t.achieved - t.target) / t.tolerance
            for t in card({**chosen, **dict(zip(free, map(float, x), strict=True))})
        ]

    solution = least_squares(misses, start, bounds=(least, greatest), x_scale="jac", xtol=1e-10, ftol=1e-10, gtol=1e-10)
    return {**chosen, **{name: round(float(x), 6) for name, x in zip(free, solution.x, strict=True)}}
