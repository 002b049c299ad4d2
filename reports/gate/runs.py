"""What the gate keeps of a run: two figures to compare, and digests of what it asked and was answered."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from hemobench.benchmarks import published
from hemobench.benchmarks.benchmark import Reference, load_benchmark
from hemobench.benchmarks.storage.records import TrialRecord
from hemobench.benchmarks.storage.results import Results
from hemobench.benchmarks.storage.trial_records import trial_records
from hemobench.errors import BenchmarkError
from hemobench.reports.comparison.comparison import Comparison, comparisons
from hemobench.reports.gate.divergence import answer_digests, ask_digests, coverage
from hemobench.reports.statistics.bootstrap import Array

DIGITS = 9
"""Decimals to which figures are rounded, so that equal runs have equal ones in whatever order sums were taken."""
CAP = 2.0
"""Regret above which a curve counts as equally untuned: twice what random search leaves at the end of the budget.

Without it the area is the luck of the first trials: on bone-marrow its deviation over seeds is 9 without, 0.35 with.
"""
NO_RESULT = 1.0
"""The loss with which a run counts before its first result, so that its figures depend on no other run."""

Normaliser = Literal["truth", "observed"]
Judged = Literal["truth", "loss"]
"""What regret is of: the noise-free loss of the incumbent, or the loss that the search saw of it."""


@dataclass(frozen=True, slots=True)
class ArmKey:
    """A strategy on a benchmark under a budget: what gets a verdict.

    Attributes:
        benchmark: As in `c-nmc@published`.
        version: Of the benchmark.
        strategy: The arm's label.
        gpu_hours: Budget.
        workers: Trials at once.
    """

    benchmark: str
    version: int
    strategy: str
    gpu_hours: float
    workers: int

    @property
    def budget(self) -> str:
        """In a few words."""
        return f"{self.gpu_hours:g} GPU-hours" + ("" if self.workers == 1 else f", {self.workers} workers")


@dataclass(frozen=True, slots=True)
class GateRun:
    """One run.

    Attributes:
        seed: Paired between baseline and candidate.
        regret: Normalised regret at the end: 0 is the best known loss, 1 what random search is expected to reach.
        area: Mean normalised regret, at most `CAP`, over the logarithm of GPU-hours; see `capped_areas`.
        asks: Digests of what it asked; see `asks`.
        answers: Digests of what it was answered.
        error: What the strategy raised, if it did.
    """

    seed: int
    regret: float
    area: float
    asks: str
    answers: str
    error: str | None = None


@dataclass(frozen=True, slots=True)
class ArmRuns:
    """All runs of an arm.

    Attributes:
        key: Which arm.
        runs: By seed, ascending.
        coverage: Share of each hyperparameter's range that was asked for, over all of them.
        judged_by: What the regrets are of. Baselines of before this was recorded are of the loss that was seen.
    """

    key: ArmKey
    runs: tuple[GateRun, ...]
    coverage: Mapping[str, float]
    judged_by: Judged = "loss"


def require_reference(benchmark: str) -> Reference:
    """What regret is normalised by.

    Raises:
        BenchmarkError: If the benchmark has nothing of the kind.
    """
    reference = load_benchmark(benchmark).reference()
    if reference is None:
        raise BenchmarkError(
            f"{benchmark} has no fixed references, so regret on it cannot be normalised and the gate cannot judge it",
            "gate on a published or recorded benchmark: hemobench list benchmarks",
        )
    return reference


def reference_by(normaliser: Normaliser) -> Callable[[str], Reference]:
    """Gives what regret on a benchmark is normalised by: as now, or as baselines of before were recorded."""

    def reference_of(benchmark: str) -> Reference:
        reference = require_reference(benchmark)
        if normaliser == "observed" and isinstance(reference, published.Reference):
            return reference.as_observed()
        return reference

    return reference_of


def arms_of(
    results: Results,
    reference_of: Callable[[str], Reference] = require_reference,
    judged_by: Mapping[str, Judged] | None = None,
) -> list[ArmRuns]:
    """Every arm of results, by benchmark, budget and label.

    Args:
        results: Runs and trials, with all columns.
        reference_of: Gives what regret on a benchmark is normalised by.
        judged_by: What regret is to be of, by benchmark; by default the truth where it is known.

    Raises:
        BenchmarkError: If a run has not ended, a benchmark has no reference, or the truth that is to be judged is not
            known.
    """
    arms = []
    for _, runs in results.runs.groupby(["benchmark", "version", "strategy", "gpu_hours", "workers"]):
        unfinished = runs[runs["status"] == "unfinished"]
        if len(unfinished):
            raise BenchmarkError(f"{unfinished['folder'].iloc[0]}: the run has not ended", "go on with it first")
        arms.append(_arm(Results(runs, results.of(runs.index)), reference_of, judged_by or {}))
    return arms


def capped_areas(comparison: Comparison) -> Array:
    """Mean normalised regret of each run over log GPU-hours, from one trial's cost to the budget: `(seeds,)`.

    Steps are kept, and what lies above `CAP` counts as `CAP`.
    """
    ends = comparison.grid[[0, -1]]
    hours = np.unique(np.concatenate([ends, comparison.steps["hours"].clip(*ends)]))
    widths = np.diff(np.log(hours))
    return np.asarray(np.minimum(_regrets(comparison, hours[:-1]), CAP) @ widths / widths.sum(), dtype=float)


def _regrets(comparison: Comparison, hours: Array | float) -> Array:
    """Of the only strategy of a comparison: `(seeds, hours)`. Noise-free, none is better than the best known."""
    if comparison.reference is None or comparison.scale is None:
        raise BenchmarkError(
            f"{comparison.benchmark}: random search's expected loss is the best known one", "give less time"
        )
    worth = comparison.worth(hours)[:, 0]
    regrets = comparison.normalised(np.where(np.isnan(worth), NO_RESULT, worth))
    return np.maximum(regrets, 0.0) if comparison.knows_truth else regrets


def _judged(comparison: Comparison, wanted: Judged | None) -> tuple[Comparison, Judged]:
    """The comparison by what is to be judged, and what that is."""
    if wanted == "loss":
        return replace(comparison, steps=comparison.steps.assign(truth=np.nan)), "loss"
    if wanted == "truth" and not comparison.knows_truth and len(comparison.steps):
        raise BenchmarkError(
            f"the baseline judges {comparison.benchmark} by noise-free losses, and the runs of "
            f"{comparison.strategies[0]} hold none",
            "run them again, with a hemobench that records them",
        )
    return comparison, wanted or comparison.ranked  # type: ignore[return-value]


def _arm(results: Results, reference_of: Callable[[str], Reference], wanted: Mapping[str, Judged]) -> ArmRuns:
    (comparison,) = comparisons(results, reference_of)
    comparison, judged_by = _judged(comparison, wanted.get(comparison.benchmark))
    (strategy,) = comparison.strategies
    key = ArmKey(comparison.benchmark, comparison.version, strategy, comparison.gpu_hours, comparison.workers)
    space = comparison.task.space()
    regrets, areas = _regrets(comparison, comparison.gpu_hours)[:, 0], capped_areas(comparison)
    runs, configs = [], []
    for place, number in enumerate(comparison.runs_of(strategy)):
        records = trial_records(results.of([number]), space) if len(results.trials) else []
        error = comparison.runs.loc[number, "error"]
        runs.append(_run(comparison.seeds[place], float(regrets[place]), float(areas[place]), records, error))
        configs += [record.config for record in records]
    return ArmRuns(key, tuple(runs), coverage(space, configs), judged_by)


def _run(seed: int, regret: float, area: float, records: Sequence[TrialRecord], error: object) -> GateRun:
    said = error if isinstance(error, str) else None  # a column without any error holds NaN
    return GateRun(
        seed, round(regret, DIGITS), round(area, DIGITS), ask_digests(records), answer_digests(records), said
    )
