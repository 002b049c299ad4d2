"""What of our runs is held against the papers: one comparison of each benchmark, and figures of its strategies."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pandas as pd

from hemobench.benchmarks.benchmark import Reference
from hemobench.benchmarks.storage.results import Results
from hemobench.reports.comparison.comparison import Comparison, comparisons
from hemobench.reports.comparison.incumbents import final_incumbent, with_trials
from hemobench.reports.importance.importance import Importances, importances
from hemobench.reports.papers.claims import by_source


@dataclass(frozen=True)
class Measured:
    """The comparison of a benchmark that counts, with its trials.

    Attributes:
        comparison: Of the newest version, with the fewest workers and then the largest budget.
        results: Of this comparison alone.
        seed: Of forests.
    """

    comparison: Comparison
    results: Results
    seed: int = 0

    @property
    def benchmark(self) -> str:
        """As in `c-nmc@recorded`."""
        return self.comparison.benchmark

    @cached_property
    def incumbents(self) -> pd.DataFrame:
        """The selected trial of each run that has one, indexed by run."""
        return final_incumbent(self.results)

    @cached_property
    def importances(self) -> Importances:
        """Of hyperparameters, from random search's trials."""
        return importances(self.comparison, self.results, seed=self.seed)

    @cached_property
    def settings(self) -> Mapping[str, Any]:
        """The benchmark's settings in these runs, as in `extended`."""
        if "header" not in self.comparison.runs or self.comparison.runs.empty:
            return {}
        settings: Mapping[str, Any] = json.loads(self.comparison.runs["header"].iloc[0]).get("benchmark_settings") or {}
        return settings

    def has(self, *strategies: str) -> bool:
        """Whether all of these ran."""
        return set(strategies) <= set(self.comparison.strategies)

    def runs(self, strategy: str) -> list[int]:
        """Numbers of a strategy's runs, by seed; none if it did not run."""
        if not self.has(strategy):
            return []
        return [int(run) for run in self.comparison.table[:, self.comparison.strategies.index(strategy)]]

    def selected(self, strategy: str) -> pd.DataFrame:
        """The selected trials of a strategy's runs, by seed; NaN where a run has none."""
        seeds = list(self.comparison.seeds) if self.has(strategy) else []
        return self.incumbents.reindex(self.runs(strategy)).set_axis(seeds)

    def percent(self, strategy: str, column: str) -> float | None:
        """Mean over seeds of a metric of what a strategy selected; `None` if no trial has it."""
        frame = self.selected(strategy)
        return 100 * float(frame[column].astype(float).mean()) if column in frame and len(frame) else None

    def trials(self, strategy: str) -> pd.DataFrame:
        """All trials of a strategy."""
        return self.results.trials[self.results.trials["run"].isin(self.runs(strategy))]


def measured(results: Results, reference_of: Callable[[str], Reference | None], *, seed: int = 0) -> list[Measured]:
    """The comparison of each benchmark that counts, by source."""
    return of_comparisons(comparisons(with_trials(results), reference_of), results, seed=seed)


def of_comparisons(found: Sequence[Comparison], results: Results, *, seed: int = 0) -> list[Measured]:
    """The same, of comparisons that are known already."""
    chosen: dict[str, Comparison] = {}
    for comparison in sorted(
        found, key=lambda comparison: (comparison.version, -comparison.workers, comparison.gpu_hours)
    ):
        chosen[comparison.benchmark] = comparison
    trials = with_trials(results).trials
    return [
        Measured(comparison, Results(comparison.runs, trials[trials["run"].isin(comparison.runs.index)]), seed)
        for comparison in sorted(chosen.values(), key=lambda comparison: by_source(comparison.benchmark))
    ]
