"""A strategy: a scrambled Halton sequence, which covers a space more evenly than random draws."""

from scipy.stats import qmc

from hemobench.strategies.base import Proposal, Supports, Trial
from hemobench.strategies.space import active, quantile


class Halton:
    """Point after point of the sequence; it learns from nothing."""

    supports = Supports(conditional=True, parallel=True)

    def __init__(self, space, *, seed, horizon):
        self._space = space
        self._quantiles = {name: quantile(hp) for name, hp in space.items()}
        self._points = qmc.Halton(len(space), rng=seed)

    def ask(self) -> Proposal:
        """The next point."""
        shares = self._points.random(1)[0].tolist()
        pairs = zip(self._quantiles.items(), shares, strict=True)
        values = {name: value_at(share) for (name, value_at), share in pairs}
        return Proposal(active(self._space, values))

    def tell(self, trial: Trial) -> None:
        """Nothing to learn."""
