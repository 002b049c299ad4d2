"""How far the members of an ensemble must lie apart for their spread to say what the surrogate does not know."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student

from hemobench.benchmarks.surrogates.losses import loss_weights, losses
from hemobench.benchmarks.surrogates.noise.margins import smoothed
from hemobench.benchmarks.surrogates.noise.repeats import Repeats
from hemobench.benchmarks.surrogates.targets import Targets, fraction
from hemobench.benchmarks.surrogates.trust.held_out import HeldOut
from hemobench.benchmarks.tables.schema import Table

Floats = NDArray[np.float64]
TRIED = np.geomspace(0.5, 20.0, 75)
FREEDOM = (3.0, 4.0, 6.0, 10.0, 30.0, 1000.0)


def widening(table: Table, t: Targets, held: HeldOut, found: Repeats) -> float:
    """The likeliest factor on the members' deviations, given the held-out errors of configurations."""
    return likeliest(*held_out_errors(table, t, held, found))


def likeliest(errors: Floats, own: Floats, noise: Floats) -> float:
    """The factor on the members' deviations under which held-out errors are likeliest.

    The square of an error's scale is the noise's variance and the members' own times the square of the factor. About
    it, an error has Student's distribution, of the degrees of freedom that suit best: taken for normal, one
    configuration of hundreds that nobody could foresee would spread the members so far everywhere that they promise
    what no training reaches.

    Args:
        errors: See `held_out_errors`, as for the others.
        own: The members' variances.
        noise: The noise's.
    """
    scales = np.sqrt(TRIED[:, None] ** 2 * own + noise)
    fits = [(student.logpdf(errors / scales, freedom) - np.log(scales)).sum(axis=1) for freedom in FREEDOM]
    return round(float(TRIED[int(np.argmax(np.max(fits, axis=0)))]), 3)


def held_out_errors(table: Table, t: Targets, held: HeldOut, found: Repeats) -> tuple[Floats, Floats, Floats]:
    """Held-out errors of configurations, and what allows for them; each of shape (configurations,).

    Returns:
        By how much the mean of a configuration's trainings' losses lies above the held-out prediction, the members'
        variance about that prediction, and the variance of the mean by noise.
    """
    rows = np.flatnonzero(t.reached[:, -1])
    _, place, counts = np.unique(t.groups[rows], return_inverse=True, return_counts=True)

    def averaged(values: Floats) -> Floats:
        return np.bincount(place, values) / counts

    mean = losses(table, t, held.outputs[rows, -1])
    errors = averaged(losses(table, t, fraction(t.values[rows, -1])) - mean)
    members = np.array([averaged(one) for one in losses(table, t, held.members[:, rows])])
    noise = averaged(loss_noise(table, t, held, found)[rows] ** 2) / counts
    return errors, ((members - averaged(mean)) ** 2).mean(axis=0), noise


def loss_noise(table: Table, t: Targets, held: HeldOut, found: Repeats) -> Floats:
    """Deviation of the loss by noise at full length, for the quality predicted of every training, shape (n,)."""
    quality = losses(table, t, held.outputs[:, -1])
    squares = (found.differences[:, -1] @ loss_weights(table, t)) ** 2
    return np.sqrt(smoothed(squares, quality[found.rows], quality))
