"""A hierarchical posterior of strategies' means: how probable it is that each is best, calibrated with few seeds.

The model, for seed s and strategy j:

    score[s, j] = block[s] + mean[j] + noise[s, j]      noise[s, j] ~ Normal(0, variance[j])
    mean[j] ~ Normal(centre, spread**2)                 centre flat
    spread / noise: 0 with probability 0.05 (all equal), else half-Cauchy with scale 0.5

A block is what a seed gives to all strategies alike. Since the centre is flat, blocks cancel: contrasts of the means
have the same posterior whatever the blocks are, so only the variances are estimated without them. They are shrunk
towards their mean, as moderated variances are (Smyth, 2004), and drawn anew from scaled inverse chi-squares, which
gives the tails of Student's t. All is averaged over the spread, not plugged in: with seven strategies and a handful
of seeds the spread itself is hardly known (Gelman, 2006).

The scale of the spread, half the noise, is what the recorded benchmarks show (0.35 to 0.6 of it); the simulation of
tests/reports/statistics shows what follows: stated probabilities agree with how often they come true, from three
seeds on. Nothing is known better than the shipped noise: where it is far from normal, the verdict's tests decide.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator, SeedSequence, default_rng
from numpy.typing import ArrayLike, NDArray

from hemobench.reports.statistics.bootstrap import Array

EQUAL = 0.05
"""Prior probability that all strategies have the same mean."""
SCALE = 0.5
"""Scale of the half-Cauchy prior of the spread of means, in standard deviations of one seed's noise."""
PRIOR_DEGREES = 4
"""How many seeds the mean of the variances counts for, beside a strategy's own."""
VARIANCE_DRAWS = 250
DRAWS = 4000
SPREADS = np.concatenate([[0.0], np.geomspace(0.03, 4.0, 18)])
"""Grid of the spread, in standard deviations of one seed's noise."""


@dataclass(frozen=True)
class Posterior:
    """Draws of the strategies' means.

    Attributes:
        means: `(draws, strategies)`, in the unit of the scores.
        equal: `(draws,)`: whether all means are the same in this draw.
    """

    means: Array
    equal: NDArray[np.bool_]

    def probability_of_best(self) -> Array:
        """That each strategy has the highest mean, `(strategies,)`; where means are equal, they share."""
        highest = self.means == self.means.max(axis=1, keepdims=True)
        highest |= self.equal[:, None]
        shares = highest / highest.sum(axis=1, keepdims=True)
        return np.asarray(shares.mean(axis=0))

    def probability_of_better(self) -> Array:
        """That the mean of one is above the other's, `(strategies, strategies)`; equal means count half."""
        one, other = self.means[:, :, None], self.means[:, None, :]
        above = (one > other) + 0.5 * (one == other)
        return np.asarray(np.where(self.equal[:, None, None], 0.5, above).mean(axis=0))

    def probability_within(self, region: float) -> Array:
        """That each strategy's mean is at most `region` below the highest, `(strategies,)`."""
        gap = self.means.max(axis=1, keepdims=True) - self.means
        return np.asarray(((gap <= region) | self.equal[:, None]).mean(axis=0))


def posterior(scores: ArrayLike, *, draws: int = DRAWS, seed: int | SeedSequence = 0) -> Posterior:
    """The posterior of the strategies' means.

    Args:
        scores: `(seeds, strategies)`, higher is better, finite; two seeds and two strategies at least.
        draws: Their number.
        seed: Decides the draws.

    Raises:
        ValueError: If there are fewer than two seeds or strategies.
    """
    values = np.asarray(scores, dtype=float)
    seeds, strategies = values.shape
    if seeds < 2 or strategies < 2:
        raise ValueError(f"{seeds} seeds of {strategies} strategies: a posterior takes two of each")
    observed = values.mean(axis=0)
    variances = noise_variances(values)
    noise = float(np.sqrt(variances.mean()))
    if noise <= 1e-12 * float(np.abs(values).max(initial=0.0)):
        return _without_noise(observed, draws)
    generator = default_rng(seed if isinstance(seed, SeedSequence) else SeedSequence(seed))
    errors = _variance_draws(variances, seeds, generator) / seeds
    spreads = (noise * SPREADS) ** 2
    log_weights = _log_likelihoods(observed, errors, spreads) + np.log(_prior())
    of_variance, of_spread = _chosen(log_weights, draws, generator)
    means = _means_given(observed, errors[of_variance], spreads[of_spread], generator)
    return Posterior(means, of_spread == 0)


def noise_variances(scores: Array) -> Array:
    """Each strategy's noise variance without what seeds give to all alike, `(strategies,)`, moderated.

    Residuals of the two-way layout mix a strategy's own variance with the mean variance; this is unmixed as Grubbs
    (1948) did, and shrunk towards the mean, which counts for `PRIOR_DEGREES` seeds. Of two strategies only the sum
    of the variances can be known.
    """
    seeds, strategies = scores.shape
    centred = scores - scores.mean(axis=1, keepdims=True)
    squares = centred.var(axis=0, ddof=1)
    mean = squares.sum() / (strategies - 1)
    if strategies == 2:
        return np.full(2, mean)
    own = np.maximum(0.0, (squares - mean / strategies) / (1 - 2 / strategies))
    return np.asarray((PRIOR_DEGREES * mean + (seeds - 1) * own) / (PRIOR_DEGREES + seeds - 1))


def _variance_draws(variances: Array, seeds: int, generator: Generator) -> Array:
    """Variances as scaled inverse chi-squares, `(VARIANCE_DRAWS, strategies)`."""
    degrees = PRIOR_DEGREES + seeds - 1
    chi_squares = generator.chisquare(degrees, (VARIANCE_DRAWS, len(variances)))
    return np.asarray(variances * degrees / chi_squares)


def _prior() -> Array:
    """Of the grid of spreads: a point at 0, and a half-Cauchy on a grid that is even in the logarithm."""
    spread = SPREADS[1:]
    density = spread / (1 + (spread / SCALE) ** 2)
    return np.append(EQUAL, (1 - EQUAL) * density / density.sum())


def _log_likelihoods(observed: Array, errors: Array, spreads: Array) -> Array:
    """Of each draw of the errors and each spread, the centre integrated out: `(variance draws, spreads)`."""
    precision = 1 / (errors[:, None, :] + spreads[None, :, None])
    total = precision.sum(axis=2)
    centre = (precision * observed).sum(axis=2) / total
    misfit = (precision * (observed - centre[:, :, None]) ** 2).sum(axis=2)
    return np.asarray((np.log(precision).sum(axis=2) - np.log(total) - misfit) / 2)


def _chosen(log_weights: Array, draws: int, generator: Generator) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Places in a table drawn by their weights, evenly (systematic resampling): rows and columns."""
    weights = np.exp(log_weights - log_weights.max())
    ends = np.cumsum(weights.ravel())
    even = (np.arange(draws) + generator.random()) / draws
    flat = np.searchsorted(ends, even * ends[-1]).clip(0, ends.size - 1)
    rows, columns = np.unravel_index(flat, weights.shape)
    return np.asarray(rows), np.asarray(columns)


def _means_given(observed: Array, errors: Array, spreads: Array, generator: Generator) -> Array:
    """Means given errors `(draws, strategies)` and spreads `(draws,)`: each between its own and the centre."""
    between = spreads[:, None]
    precision = 1 / (errors + between)
    total = precision.sum(axis=1, keepdims=True)
    likely_centre = (precision * observed).sum(axis=1, keepdims=True) / total
    centre = likely_centre + generator.standard_normal(total.shape) / np.sqrt(total)
    shrunk = (between * observed + errors * centre) * precision
    deviation = np.sqrt(between * errors * precision)
    return np.asarray(shrunk + deviation * generator.standard_normal(errors.shape))


def _without_noise(observed: Array, draws: int) -> Posterior:
    """Every seed says the same of all pairs: the means are known, up to rounding."""
    known = np.where(np.isclose(observed, observed.max(), rtol=1e-12, atol=1e-12), observed.max(), observed)
    return Posterior(np.tile(known, (draws, 1)), np.full(draws, bool(np.all(known == known[0]))))
