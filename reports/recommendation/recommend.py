"""The answer: which strategy to spend B GPU-hours on, how sure that is, and at which budget it changes."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import numpy as np
import pandas as pd

from hemobench.benchmarks.benchmark import Reference
from hemobench.benchmarks.storage.results import Results
from hemobench.errors import BenchmarkError
from hemobench.reports.comparison.comparison import RANDOM, Comparison, comparisons
from hemobench.reports.comparison.incumbents import hours_to_targets, incumbents_at
from hemobench.reports.inference import censored_median
from hemobench.reports.pairwise import ROPE, against, power_note
from hemobench.reports.pairwise import Comparison as Pairwise
from hemobench.reports.serialize import rounded
from hemobench.reports.statistics import Array, paired_bootstrap, probability_of_best

SCHEMA = 1


@dataclass(frozen=True, slots=True)
class Expected:
    """A metric over seeds, in percent; `None` where there is but one seed.

    Attributes:
        mean: Over seeds.
        low: Lower end of the 95 % bootstrap interval of the mean.
        high: Upper end.
        std: What one run may lie off: the sample standard deviation over seeds.
    """

    mean: float
    low: float | None
    high: float | None
    std: float | None


@dataclass(frozen=True, slots=True)
class RandomNeeds:
    """GPU-hours that random search needs for the same mean validation loss.

    Attributes:
        hours: Median over random search's own runs; `None` is longer than they were.
        watched: GPU-hours of these runs.
        reached: Runs that got there.
        runs: Their number.
        by_reference: Where the benchmark's reference curve of random search gets there; `None` is beyond its end,
            or no reference.
    """

    hours: float | None
    watched: float
    reached: int
    runs: int
    by_reference: float | None


@dataclass(frozen=True, slots=True)
class Span:
    """Budgets over which one strategy is the answer: best, or within the region of equivalence of the best.

    Attributes:
        start: GPU-hours at which it overtakes the answer before; of the first span, where all runs have begun.
        end: GPU-hours.
        strategy: Label.
    """

    start: float
    end: float
    strategy: str


@dataclass(frozen=True, slots=True)
class Recommendation:
    """What to use, and why.

    Attributes:
        benchmark: As in `c-nmc@published`.
        version: Of the benchmark.
        gpu_hours: B, as asked for.
        workers: Trials at once.
        use: The strategy with the lowest mean loss at B.
        probability_best: That its mean loss is the lowest when seeds are drawn anew; `None` with one seed.
        basis: `exact`: runs with just this budget. `anytime`: longer runs, looked at when B was spent.
        run_gpu_hours: Budget of these runs.
        seeds: Paired seeds.
        metric: Label of the headline metric.
        validation: Of the incumbent at B.
        test: Of the same trial.
        random_needs: `None` if random search was not run, or never had a result.
        rope: Points within which strategies are equivalent.
        equivalent: As good as `use`, surely.
        undecided: Not surely worse; more seeds would tell.
        comparisons: Of `use` with every other strategy.
        spans: The answer along the GPU-hours of the longest runs, as seen from B: it stays until another strategy
            is better by more than the region of equivalence.
        by_budget: The answer of each budget that was run, from its own runs.
        probabilities: Of being best, by strategy.
        notes: What a reader must know.
    """

    benchmark: str
    version: int
    gpu_hours: float
    workers: int
    use: str
    probability_best: float | None
    basis: Literal["exact", "anytime"]
    run_gpu_hours: float
    seeds: int
    metric: str
    validation: Expected | None
    test: Expected | None
    random_needs: RandomNeeds | None
    rope: float
    equivalent: tuple[str, ...]
    undecided: tuple[str, ...]
    comparisons: tuple[Pairwise, ...]
    spans: tuple[Span, ...]
    by_budget: tuple[tuple[float, str], ...]
    probabilities: dict[str, float]
    notes: tuple[str, ...]


def recommend(
    results: Results,
    benchmark: str,
    gpu_hours: float,
    reference: Reference | None = None,
    *,
    workers: int | None = None,
    rope: float = ROPE,
    seed: int = 0,
) -> Recommendation:
    """Answer the question.

    Args:
        results: Runs and trials.
        benchmark: As in `c-nmc@published`; its newest version counts.
        gpu_hours: B.
        reference: What is known of the benchmark beforehand.
        workers: Trials at once; by default the fewest that were run.
        rope: Points of the task's score within which two strategies are as good as each other.
        seed: Of the bootstrap.

    Raises:
        BenchmarkError: If nothing in the results can tell, with what would.
    """
    candidates = _candidates(results, benchmark, reference, workers)
    enough = [comparison for comparison in candidates if comparison.gpu_hours >= gpu_hours]
    if not 0 < gpu_hours < float("inf") or not enough:
        longest = max(comparison.gpu_hours for comparison in candidates)
        raise BenchmarkError(
            f"{benchmark}: no runs of {gpu_hours:g} GPU-hours or more; the longest have {longest:g}",
            f"run them first: hemobench run SUITE --benchmarks {benchmark} --gpu-hours {gpu_hours:g}",
        )
    answer = _recommendation(results, enough[0], candidates[-1], gpu_hours, rope, seed)
    by_budget = tuple(
        (comparison.gpu_hours, comparison.strategies[_best(comparison, comparison.gpu_hours)])
        for comparison in candidates
    )
    return replace(answer, by_budget=by_budget)


def as_json(answer: Recommendation) -> dict[str, Any]:
    """The fields of `Recommendation` for programs: numbers rounded to 4 decimals, `null` for `None`."""
    return {"schema": SCHEMA, **rounded(asdict(answer))}


def _candidates(results: Results, benchmark: str, reference: Reference | None, workers: int | None) -> list[Comparison]:
    """The comparisons of a benchmark's newest version and number of workers, the smallest budget first."""
    runs = results.runs[results.runs["benchmark"] == benchmark]
    if runs.empty:
        there = ", ".join(sorted(set(results.runs["benchmark"])))
        raise BenchmarkError(f"no results of '{benchmark}'", f"choose one of: {there}; or run it")
    runs = runs[runs["version"] == runs["version"].max()]
    wanted = int(runs["workers"].min()) if workers is None else workers
    found = comparisons(Results(runs[runs["workers"] == wanted], results.trials), lambda name: reference)
    if not found:
        counts = ", ".join(str(count) for count in sorted(set(runs["workers"])))
        raise BenchmarkError(
            f"{benchmark}: no seed that every strategy has, with {wanted} worker{'s' * (wanted != 1)}",
            f"complete the suite: the same command goes on; there are runs with this many workers: {counts}",
        )
    return sorted(found, key=lambda comparison: comparison.gpu_hours)


def _recommendation(
    results: Results, comparison: Comparison, longest: Comparison, gpu_hours: float, rope: float, seed: int
) -> Recommendation:
    losses, observed = comparison.started(gpu_hours)[:, :, 0], comparison.at(gpu_hours)[:, :, 0]
    chances = probability_of_best(losses, seed=seed)
    best = _best(comparison, gpu_hours)
    use = comparison.strategies[best]
    comparisons = tuple(against(use, observed, comparison.strategies, rope, seed))
    at = incumbents_at(Results(comparison.runs, results.trials), gpu_hours).reindex(comparison.table[:, best])
    return Recommendation(
        benchmark=comparison.benchmark,
        version=comparison.version,
        gpu_hours=gpu_hours,
        workers=comparison.workers,
        use=use,
        probability_best=float(chances[best]) if len(comparison.seeds) > 1 else None,
        basis="exact" if comparison.gpu_hours == gpu_hours else "anytime",
        run_gpu_hours=comparison.gpu_hours,
        seeds=len(comparison.seeds),
        metric=comparison.task.headline_label,
        validation=_expected(at, f"validation.{comparison.task.headline}", seed),
        test=_expected(at, f"test.{comparison.task.headline}", seed),
        random_needs=_random_needs(longest, float(losses[:, best].mean())),
        rope=rope,
        equivalent=tuple(c.one for c in comparisons if c.verdict == "equivalent"),
        undecided=tuple(c.one for c in comparisons if c.verdict == "undecided"),
        comparisons=comparisons,
        spans=answers_over(longest, gpu_hours, use, rope),
        by_budget=(),
        probabilities={name: float(chances[place]) for place, name in enumerate(comparison.strategies)},
        notes=tuple(_notes(comparison, gpu_hours, observed)),
    )


def answers_over(comparison: Comparison, gpu_hours: float, use: str, rope: float = ROPE) -> tuple[Span, ...]:
    """The answer at all other GPU-hours of a comparison, as exact as the steps of its runs.

    Args:
        comparison: The longest runs.
        gpu_hours: Where to start from.
        use: The answer there; if it is not within the ROPE of these runs' best, theirs.
        rope: Points by which another strategy must be better to become the answer.

    Returns:
        Ascending, without gaps, from where every run that has a result has its first; empty without results.
    """
    if comparison.steps.empty:
        return ()
    first = float(comparison.steps.groupby("run")["hours"].min().max())
    hours = np.unique(
        np.append(comparison.steps["hours"].to_numpy(dtype=float), [first, gpu_hours, comparison.gpu_hours])
    )
    hours = hours[(hours >= first) & (hours <= comparison.gpu_hours)]
    slices = np.array_split(hours, 1 + len(hours) // 1000)  # of many runs, all hours at once would not fit
    points = 100 * np.concatenate([comparison.started(part).mean(axis=0) for part in slices], axis=1)
    here = int(np.searchsorted(hours, gpu_hours).clip(0, len(hours) - 1))
    now = comparison.strategies.index(use) if use in comparison.strategies else int(points[:, here].argmin())
    if points[now, here] > points[:, here].min() + rope:
        now = int(points[:, here].argmin())
    below = [(here - at + 1, name) for at, name in overtakings(points[:, here::-1], now, rope)][::-1]
    above = [(here + at, name) for at, name in overtakings(points[:, here:], now, rope)]
    answers = [name for _, name in below] + [now] + [name for _, name in above]
    places = [0, *(at for at, _ in below), *(at for at, _ in above)]
    ends = [*(float(hours[place]) for place in places[1:]), comparison.gpu_hours]
    return tuple(
        Span(float(hours[place]), end, comparison.strategies[name])
        for place, end, name in zip(places, ends, answers, strict=True)
    )


def overtakings(points: Array, now: int, margin: float) -> list[tuple[int, int]]:
    """Where the answer changes along an axis: when another has become better by more than a margin.

    Args:
        points: `(strategies, places)`, lower is better.
        now: The answer at the first place.
        margin: Points.

    Returns:
        Pairs: the place from which on the new answer was better than the old one, and the new answer.
    """
    found: list[tuple[int, int]] = []
    place = 0
    while True:
        worse = np.flatnonzero(points[now, place:] > points[:, place:].min(axis=0) + margin)
        if not len(worse):
            return found
        at = place + int(worse[0])
        new = int(points[:, at].argmin())
        behind = np.flatnonzero(points[new, place:at] >= points[now, place:at])
        place = place + int(behind[-1]) + 1 if len(behind) else place
        found.append((place, new))
        now, place = new, at


def _best(comparison: Comparison, gpu_hours: float) -> int:
    """Place of the strategy with the lowest mean loss; of equal ones the first by name."""
    return int(comparison.started(gpu_hours)[:, :, 0].mean(axis=0).round(12).argmin())


def _expected(incumbents: pd.DataFrame, column: str, seed: int) -> Expected | None:
    values = 100 * incumbents[column].astype(float).dropna().to_numpy() if column in incumbents else np.empty(0)
    if not len(values):
        return None
    estimate = paired_bootstrap(values, seed=seed)
    if len(values) == 1:
        return Expected(float(estimate.value), None, None, None)
    return Expected(float(estimate.value), float(estimate.low), float(estimate.high), float(values.std(ddof=1)))


def _random_needs(longest: Comparison, loss: float) -> RandomNeeds | None:
    if RANDOM not in longest.strategies:
        return None
    runs = longest.table[:, longest.strategies.index(RANDOM)]
    hours = hours_to_targets(longest.steps, pd.Series(loss, index=pd.Index(runs), dtype=float)).to_numpy()
    median = float(censored_median(hours))
    return RandomNeeds(
        hours=median if np.isfinite(median) else None,
        watched=longest.gpu_hours,
        reached=int((~np.isnan(hours)).sum()),
        runs=len(hours),
        by_reference=_by_reference(longest.reference, loss),
    )


def _by_reference(reference: Reference | None, loss: float) -> float | None:
    """Where the reference's falling curve of random search first reaches a loss; searched over 10 000 trials."""
    if reference is None:
        return None
    hours = np.geomspace(1, 10_000, 2000) * reference.trial_gpu_hours
    reached = [hour for hour in hours if reference.random_expected(float(hour)) <= loss]
    return float(reached[0]) if reached else None


def _notes(comparison: Comparison, gpu_hours: float, observed: Array) -> list[str]:
    notes = []
    if comparison.gpu_hours != gpu_hours:
        notes.append(
            f"Taken from runs of {comparison.gpu_hours:g} GPU-hours when {gpu_hours:g} were spent: a strategy that "
            "plans for its budget (manual, sssr, smac) would plan otherwise for the smaller one."
        )
    missing = int(np.isnan(observed).sum())
    if missing:
        notes.append(
            f"{missing} run{'s' * (missing != 1)} had no result by then, and counted as an untuned one: loss "
            f"{comparison.untuned:.3f}."
        )
    if RANDOM not in comparison.strategies:
        notes.append("Random search was not run: what it would need is not known.")
    power = power_note(len(comparison.seeds), max(1, len(comparison.strategies) - 1))
    return [*notes, power] if power else notes
