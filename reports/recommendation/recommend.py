"""The answer: which strategy to spend B GPU-hours on, how sure that is, and at which budget it changes."""

from __future__ import annotations

import shlex
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hemobench.benchmarks.benchmark import Reference
from hemobench.benchmarks.storage.results import Results
from hemobench.errors import BenchmarkError
from hemobench.reports.comparison.comparison import RANDOM, Comparison, comparisons, few_seeds
from hemobench.reports.comparison.incumbents import hours_to_targets, incumbents_at
from hemobench.reports.comparison.verdicts import judged_part, judged_seeds, verdict_of
from hemobench.reports.recommendation.switches import Span, answers_over
from hemobench.reports.serialize import rounded
from hemobench.reports.statistics.bootstrap import Array
from hemobench.reports.statistics.hypothesis_tests import censored_median
from hemobench.reports.statistics.pairwise import ROPE, Pair, against, all_pairs
from hemobench.reports.statistics.posterior import posterior
from hemobench.reports.statistics.student import mean_interval
from hemobench.reports.statistics.text import sentence
from hemobench.reports.statistics.verdict import Verdict

SCHEMA = 2


@dataclass(frozen=True, slots=True)
class Expected:
    """A metric over seeds, in percent; `None` where there is but one seed.

    Attributes:
        mean: Over seeds.
        low: Lower end of the 95 % interval of the mean (Student's t).
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
class Recommendation:
    """What to use, and why.

    Attributes:
        benchmark: As in `c-nmc@published`.
        version: Of the benchmark.
        gpu_hours: B, as asked for.
        unit: Of B, as in `GPU-hours`.
        workers: Trials at once.
        verdict: What is known at B: the same that the leaderboard states.
        use: The strategy to use: the best, or the simplest of those that will do; `None` where it is not known.
        shown: The strategy whose figures follow: `use`, or else the one with the highest mean; `None` if no strategy
            can be judged.
        basis: `exact`: runs with just this budget. `anytime`: longer runs, looked at when B was spent.
        run_gpu_hours: Budget of these runs.
        seeds: Paired seeds.
        metric: Label of the headline metric.
        judged_by: What is compared, for people, as in `noise-free accuracy`.
        validation: Of the incumbent of `shown` at B, noise-free where the source knows it.
        test: Of the same trial.
        luck: Points by which what the search saw lies above that; `None` where the truth is not known.
        gain: Points of the score above random search, on paired seeds.
        gain_test: The same in test points of the headline metric.
        random_needs: `None` if random search was not run, or is `shown`, or nothing can be judged.
        rope: Points within which strategies are equivalent.
        equivalent: As good as `shown`, surely.
        undecided: Not surely worse; more seeds would tell.
        comparisons: Of every other strategy that is judged with `shown`, adjusted for all pairs.
        spans: The answer along the GPU-hours of the longest runs, whatever B is; see `answers_over`.
        by_budget: The verdict of each budget that was run, from its own runs.
        probabilities: Of being best, by strategy that is judged.
        notes: What a reader must know.
    """

    benchmark: str
    version: int
    gpu_hours: float
    unit: str
    workers: int
    verdict: Verdict
    use: str | None
    shown: str | None
    basis: Literal["exact", "anytime"]
    run_gpu_hours: float
    seeds: int
    metric: str
    judged_by: str
    validation: Expected | None
    test: Expected | None
    luck: float | None
    gain: Expected | None
    gain_test: Expected | None
    random_needs: RandomNeeds | None
    rope: float
    equivalent: tuple[str, ...]
    undecided: tuple[str, ...]
    comparisons: tuple[Pair, ...]
    spans: tuple[Span, ...]
    by_budget: tuple[tuple[float, Verdict], ...]
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
    outside: pd.Series[float] | None = None,
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
        outside: By run, the share of trials outside what was recorded (`run_figures.outside_shares`); by default no
            run is out of support.
        seed: Of the posterior.

    Raises:
        BenchmarkError: If nothing in the results can tell, with what would.
    """
    candidates = _candidates(results, benchmark, reference, workers)
    enough = [comparison for comparison in candidates if comparison.gpu_hours >= gpu_hours]
    if not 0 < gpu_hours < float("inf") or not enough:
        longest = max(comparison.gpu_hours for comparison in candidates)
        raise BenchmarkError(
            f"{benchmark}: no runs of {gpu_hours:g} GPU-hours or more; the longest have {longest:g}",
            f"run them first: hemobench run SUITE --benchmarks {shlex.quote(benchmark)} --gpu-hours {gpu_hours:g}",
        )
    answer = _recommendation(results, enough[0], candidates[-1], gpu_hours, rope, outside, seed)
    by_budget = tuple((c.gpu_hours, verdict_of(c, rope=rope, outside=outside, seed=seed)) for c in candidates)
    return replace(answer, by_budget=by_budget)


def as_json(answer: Recommendation) -> dict[str, Any]:
    """For programs: the fields of `Recommendation`, and the verdict's sentence as `answer`.

    Numbers are rounded to 4 decimals, and `None` is `null`.
    """
    return {"schema": SCHEMA, "answer": sentence(answer.verdict), **rounded(asdict(answer))}


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
    results: Results,
    comparison: Comparison,
    longest: Comparison,
    gpu_hours: float,
    rope: float,
    outside: pd.Series[float] | None,
    seed: int,
) -> Recommendation:
    stated = verdict_of(comparison, gpu_hours, rope=rope, outside=outside, seed=seed)
    use = stated.strategies[0] if stated.kind != "unknown" else None
    shown = use or (stated.strategies[0] if stated.strategies else None)
    judged = judged_seeds(comparison, outside)
    losses = comparison.worth(gpu_hours)[judged, :, 0]
    pairs = _pairs(comparison, losses, stated, shown, rope)
    incumbents = incumbents_at(Results(comparison.runs, results.trials), gpu_hours)
    metrics = {part: values[judged] for part, values in _metrics(comparison, incumbents).items()}
    return Recommendation(
        benchmark=comparison.benchmark,
        version=comparison.version,
        gpu_hours=gpu_hours,
        unit=comparison.unit,
        workers=comparison.workers,
        verdict=stated,
        use=use,
        shown=shown,
        basis="exact" if comparison.gpu_hours == gpu_hours else "anytime",
        run_gpu_hours=comparison.gpu_hours,
        seeds=int(judged.sum()),
        metric=comparison.task.headline_label,
        judged_by=comparison.judged_by,
        validation=_of(comparison, metrics["validation"], shown),
        test=_of(comparison, metrics["test"], shown),
        luck=_luck(comparison, judged, gpu_hours, shown),
        gain=_gain(comparison, 100 * (1 - losses), shown),
        gain_test=_gain(comparison, metrics["test"], shown),
        random_needs=_random_needs(judged_part(longest, outside), losses, comparison.strategies, shown),
        rope=rope,
        equivalent=tuple(pair.one for pair in pairs if pair.verdict == "equivalent"),
        undecided=tuple(pair.one for pair in pairs if pair.verdict == "undecided"),
        comparisons=tuple(pairs),
        spans=answers_over(longest, outside),
        by_budget=(),
        probabilities=_probabilities(comparison, losses, stated, seed),
        notes=tuple(_notes(comparison, gpu_hours, stated)),
    )


def _pairs(comparison: Comparison, losses: Array, stated: Verdict, shown: str | None, rope: float) -> list[Pair]:
    """Every other strategy that is judged with the one that is shown, adjusted for all pairs of judged ones."""
    if shown is None:
        return []
    places = _judged_places(comparison, stated)
    names = [comparison.strategies[place] for place in places]
    return against(shown, all_pairs(losses[:, places], names, rope))


def _judged_places(comparison: Comparison, stated: Verdict) -> list[int]:
    not_judged = {name for name, _ in stated.left_out}
    return [place for place, name in enumerate(comparison.strategies) if name not in not_judged]


def _metrics(comparison: Comparison, incumbents: pd.DataFrame) -> dict[str, Array]:
    """The headline metric in percent, by part: `(seeds, strategies)`; NaN where it is not known."""
    prefix = "truth." if comparison.knows_truth else ""
    found = {}
    for part in ("validation", "test"):
        column = f"{prefix}{part}.{comparison.task.headline}"
        if column in incumbents:
            known = incumbents[column].astype(float).reindex(comparison.table.ravel()).to_numpy()
        else:
            known = np.full(comparison.table.size, np.nan)
        found[part] = np.asarray(100 * known.reshape(comparison.table.shape), dtype=float)
    return found


def _of(comparison: Comparison, values: Array, name: str | None) -> Expected | None:
    return None if name is None else expected(values[:, comparison.strategies.index(name)])


def _gain(comparison: Comparison, values: Array, name: str | None) -> Expected | None:
    """Points above random search's of the same seed; `None` for random search, and without it."""
    if name is None or name == RANDOM or RANDOM not in comparison.strategies:
        return None
    mine, other = (values[:, comparison.strategies.index(label)] for label in (name, RANDOM))
    return expected(mine - other)


def _luck(comparison: Comparison, judged: NDArray[np.bool_], gpu_hours: float, name: str | None) -> float | None:
    if name is None or not comparison.knows_truth:
        return None
    place = comparison.strategies.index(name)
    luck = 100 * (comparison.worth(gpu_hours) - comparison.at(gpu_hours))[judged, place, 0]
    return float(np.nanmean(luck)) if np.isfinite(luck).any() else None


def _probabilities(comparison: Comparison, losses: Array, stated: Verdict, seed: int) -> dict[str, float]:
    """Of being best, by strategy that is judged; empty where nothing can be said."""
    if stated.reason:
        return {}
    places = _judged_places(comparison, stated)
    chances = posterior(100 * (1 - losses[:, places]), seed=seed).probability_of_best()
    return {comparison.strategies[place]: float(chance) for place, chance in zip(places, chances, strict=True)}


def expected(values: Array) -> Expected | None:
    """Over seeds, of what is known; `None` if nothing is."""
    known = values[np.isfinite(values)]
    if not len(known):
        return None
    estimate = mean_interval(known)
    if len(known) == 1:
        return Expected(float(estimate.value), None, None, None)
    return Expected(float(estimate.value), float(estimate.low), float(estimate.high), float(known.std(ddof=1)))


def _random_needs(
    longest: Comparison, losses: Array, strategies: tuple[str, ...], shown: str | None
) -> RandomNeeds | None:
    if shown is None or shown == RANDOM or RANDOM not in longest.strategies:
        return None
    loss = float(losses[:, strategies.index(shown)].mean())
    runs = longest.table[:, longest.strategies.index(RANDOM)]
    wanted = pd.Series(loss, index=pd.Index(runs), dtype=float)
    hours = hours_to_targets(longest.steps, wanted, longest.ranked).to_numpy()
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


def _notes(comparison: Comparison, gpu_hours: float, stated: Verdict) -> list[str]:
    notes = []
    if comparison.gpu_hours != gpu_hours:
        notes.append(
            f"Taken from runs of {comparison.gpu_hours:g} {comparison.unit} when {gpu_hours:g} were spent: a strategy "
            "that plans for its budget (manual, sssr, smac) would plan otherwise for the smaller one."
        )
    if len(comparison.steps) and not comparison.knows_truth:
        notes.append("Judged by what the search saw, luck included: these results, or their source, know no truth.")
    notes += [f"{name} is not judged: {reason}." for name, reason in stated.left_out]
    if RANDOM not in comparison.strategies:
        notes.append("Random search was not run: what it would need is not known.")
    return notes + few_seeds(len(comparison.seeds))
