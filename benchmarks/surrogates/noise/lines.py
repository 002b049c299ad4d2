"""Piecewise linear functions of many values at once, constant beyond their ends."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Lines:
    """Two functions of each of M values, through K knots: as `numpy.interp`, all at once.

    Attributes:
        inner: Knots but the outer two, shape (M, K - 2).
        knots: All but the last, shape (M * (K - 1),).
        ends: The first and the last knot, shape (2, M).
        values: At the knots but the last, shape (2, M * (K - 1)).
        slopes: From each to the next, likewise.
        outside: Values at the ends, shape (2, 2, M): of the first knot, of the last.
        rows: Where the knots of each value begin, shape (M,).
    """

    inner: Floats
    knots: Floats
    ends: Floats
    values: Floats
    slopes: Floats
    outside: Floats
    rows: Ints

    @classmethod
    def through(cls, knots: Floats, values: Floats) -> Lines:
        """Lines through values, shape (2, M, K), at knots, shape (M, K)."""
        slopes = np.diff(values, axis=2) / np.diff(knots, axis=1)
        return cls(
            inner=np.ascontiguousarray(knots[:, 1:-1]),
            knots=knots[:, :-1].ravel(),
            ends=np.ascontiguousarray(knots[:, [0, -1]].T),
            values=values[:, :, :-1].reshape(2, -1),
            slopes=slopes.reshape(2, -1),
            outside=np.ascontiguousarray(np.moveaxis(values[:, :, [0, -1]], 2, 0)),
            rows=(knots.shape[1] - 1) * np.arange(len(knots)),
        )

    def at(self, places: Floats) -> Floats:
        """Both functions at places, shape (F, M); gives shape (2, F, M)."""
        at = (places[:, :, None] >= self.inner).sum(axis=2) + self.rows
        inside = self.slopes[:, at] * (places - self.knots[at]) + self.values[:, at]
        first, last = self.outside[:, :, None, :]
        return np.asarray(np.where(places < self.ends[0], first, np.where(places >= self.ends[1], last, inside)))
