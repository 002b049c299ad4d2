"""The verdict of a comparison: the one that leaderboard, recommendation, report and JSON all state."""

from __future__ import annotations

import json
from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hemobench.reports.comparison.comparison import Comparison
from hemobench.reports.statistics.pairwise import ROPE
from hemobench.reports.statistics.verdict import Verdict, verdict
from hemobench.strategies import STRATEGIES

MOST_OUTSIDE = 0.2
"""A run of which a larger share of trials lies outside what its benchmark recorded is out of support. Of uniformly
random trials it is about 0.05, by the definition of the support's limit."""
MOST_RUNS_OUTSIDE = 0.1
"""A strategy of which a larger share of runs is out of support is not judged. Of others these runs are left out,
with their whole seeds, so that all are judged on the same ones."""


def verdict_of(
    comparison: Comparison,
    gpu_hours: float | None = None,
    *,
    rope: float = ROPE,
    outside: pd.Series[float] | None = None,
    seed: int = 0,
) -> Verdict:
    """The verdict at some GPU-hours of a comparison.

    Args:
        comparison: Strategies on paired seeds.
        gpu_hours: Where to look; by default at the end of the budget.
        rope: Points within which strategies are as good as each other.
        outside: By run, the share of trials outside what was recorded, as of `run_figures`.
        seed: Of the posterior.
    """
    losses = comparison.final if gpu_hours is None else comparison.worth(gpu_hours)[:, :, 0]
    return verdict(
        losses[judged_seeds(comparison, outside)],
        comparison.strategies,
        rope=rope,
        left_out=left_out(comparison, np.isnan(losses), outside),
        complexity=complexity(comparison),
        seed=seed,
    )


def left_out(
    comparison: Comparison, missing: NDArray[np.bool_], outside: pd.Series[float] | None = None
) -> dict[str, str]:
    """Why strategies are not judged: an error of the strategy, no finished trial, trials out of support.

    Args:
        comparison: Strategies on paired seeds.
        missing: `(seeds, strategies)`: runs without a result.
        outside: See `verdict_of`.
    """
    reasons = {}
    for column, name in enumerate(comparison.strategies if comparison.seeds else ()):
        runs = comparison.runs.loc[comparison.runs_of(name)]
        count = len(runs)
        errors = int((runs["status"] == "strategy-error").sum())
        absent = int(missing[:, column].sum()) - errors
        strays = int(_out_of_support(comparison, outside)[:, column].sum())
        strays = strays if strays > MOST_RUNS_OUTSIDE * count else 0
        parts = [
            f"the strategy raised an error in {errors} of {count} runs" if errors else "",
            f"{absent} of {count} runs have no finished trial" if absent > 0 else "",
            f"{strays} of {count} runs went out of support" if strays else "",
        ]
        if any(parts):
            reasons[name] = ", ".join(part for part in parts if part)
    return reasons


def judged_seeds(comparison: Comparison, outside: pd.Series[float] | None = None) -> NDArray[np.bool_]:
    """Which seeds are judged: those on which no strategy that is judged went out of support, `(seeds,)`."""
    strays = out_of_support(comparison, outside)
    columns = [column for column, name in enumerate(comparison.strategies) if name not in strays]
    return np.asarray(~_out_of_support(comparison, outside)[:, columns].any(axis=1))


def out_of_support(comparison: Comparison, outside: pd.Series[float] | None = None) -> list[str]:
    """Strategies of which too many runs went out of support: they are not judged, and have no rank."""
    runs = _out_of_support(comparison, outside)
    shares = runs.mean(axis=0) if len(runs) else np.zeros(runs.shape[1])
    return [name for name, share in zip(comparison.strategies, shares, strict=True) if share > MOST_RUNS_OUTSIDE]


def judged_part(
    comparison: Comparison, outside: pd.Series[float] | None = None, *, every_strategy: bool = False
) -> Comparison:
    """The seeds that are judged, of the strategies that did not leave the support too often.

    Figures and tables are of these, so that they show what the verdict rests on.

    Args:
        comparison: Strategies on paired seeds.
        outside: See `verdict_of`.
        every_strategy: Whether strategies that left the support stay, to be shown.

    Returns:
        The comparison as it is where no seed would be left.
    """
    judged = judged_seeds(comparison, outside)
    if not judged.any():
        return comparison
    seeds = [seed for seed, kept in zip(comparison.seeds, judged, strict=True) if kept]
    strays = [] if every_strategy else out_of_support(comparison, outside)
    names = [name for name in comparison.strategies if name not in strays]
    return comparison.part(seeds, names)


def _out_of_support(comparison: Comparison, outside: pd.Series[float] | None) -> NDArray[np.bool_]:
    """Runs out of support: `(seeds, strategies)`."""
    if outside is None or not comparison.seeds:
        return np.zeros((len(comparison.seeds), len(comparison.strategies)), dtype=bool)
    shares = outside.reindex(comparison.table.ravel()).to_numpy(dtype=float)
    return np.asarray((shares > MOST_OUTSIDE).reshape(comparison.table.shape))


def complexity(comparison: Comparison) -> Mapping[str, int]:
    """How much there is to each strategy, by label; see `strategies.Entry`."""
    names = {label: label for label in comparison.strategies}
    if "header" in comparison.runs:
        first = comparison.runs.drop_duplicates("strategy")
        for label, header in zip(first["strategy"], first["header"], strict=True):
            names[str(label)] = str(json.loads(header).get("strategy", {}).get("name", label))
    return {label: STRATEGIES[name].complexity for label, name in names.items() if name in STRATEGIES}
