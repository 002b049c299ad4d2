"""What regret on a surrogate is normalised by: what its optimum may show, and what random search is expected to."""

from __future__ import annotations

from itertools import islice

import numpy as np
from numpy.typing import NDArray

from hemobench.benchmarks.evaluators.surrogate import SurrogateEvaluator
from hemobench.benchmarks.published import Reference
from hemobench.benchmarks.tasks.base import Task
from hemobench.strategies.base import Config, Proposal, Status
from hemobench.strategies.space import active, default, random_stream

Floats = NDArray[np.float64]
CONFIGS, ROUNDS, POOL, RUNS = 5_000, 3_000, 1_000, 400
BLOCKS = 10
TRIALS = 400
"""Longest random search that is foreseen; beyond its budget the expected loss is flat."""


def reference(evaluator: SurrogateEvaluator, task: Task, *, seed: int = 0) -> Reference:
    """The reference of a surrogate's evaluator; equal arguments give equal references.

    Args:
        evaluator: With the benchmark's own name and version, which decide its noise.
        task: Its task.
        seed: Of the search for the optimum and of the simulated random searches.
    """
    best_config = _optimum(evaluator, task, seed)
    losses, hours = _pool(evaluator, task, seed)
    budgets = np.geomspace(hours.mean(), TRIALS * hours.mean(), 25)
    expected = _random_search(losses, hours, budgets, seed)
    return Reference(
        best_loss=round(_lowest_shown(evaluator, task, best_config), 6),
        best_config=best_config,
        trial_gpu_hours=round(float(hours.mean()), 6),
        random=tuple((round(float(b), 6), round(float(e), 6)) for b, e in zip(budgets, expected, strict=True)),
    )


def _optimum(evaluator: SurrogateEvaluator, task: Task, seed: int) -> Config:
    """The best of many random configurations, then of what changing one or two of its values at random gives."""
    space, rng = task.space(), np.random.default_rng(np.random.SeedSequence([seed, 1]))
    stream, names, complete = random_stream(space, seed), list(space), default(space)

    def loss(config: Config) -> float:
        return task.objective.loss(evaluator.noise_free(config)[0])

    found = [(loss(config), config) for config in islice(stream, CONFIGS)]
    best_loss, best = min(found, key=lambda pair: pair[0])
    for other in islice(stream, ROUNDS):
        taken = {name: other[name] for name in rng.choice(names, 2).tolist() if name in other}
        config = active(space, {**complete, **best, **taken})
        if (reached := loss(config)) < best_loss:
            best_loss, best = reached, config
    return best


def _lowest_shown(evaluator: SurrogateEvaluator, task: Task, best: Config) -> float:
    """The lowest loss that `TRIALS` trainings of the optimum are expected to show.

    Where seeds differ as much as configurations do, the lucky trial of a long search lies below the optimum's mean;
    regret 0 must lie below both.
    """
    outcomes = [evaluator.evaluate(Proposal(best), seed) for seed in range(BLOCKS * TRIALS)]
    losses = [task.objective.loss(o.validation) if o.status is Status.OK else np.inf for o in outcomes]
    return float(np.reshape(losses, (BLOCKS, TRIALS)).min(axis=1).mean())


def _pool(evaluator: SurrogateEvaluator, task: Task, seed: int) -> tuple[Floats, Floats]:
    """Observed losses (infinite where a training failed) and GPU-hours of random trials, each with its own noise."""
    stream = islice(random_stream(task.space(), seed + 1), POOL)
    outcomes = [evaluator.evaluate(Proposal(config), run) for run, config in enumerate(stream)]
    losses = [task.objective.loss(o.validation) if o.status is Status.OK else np.inf for o in outcomes]
    return np.array(losses), np.array([o.cost.gpu_seconds / 3600 for o in outcomes])


def _random_search(losses: Floats, hours: Floats, budgets: Floats, seed: int) -> Floats:
    """Mean incumbent's loss at each budget, over searches drawn from the pool; before a first trial, the worst loss."""
    rng = np.random.default_rng(np.random.SeedSequence([seed, 2]))
    worst = losses[np.isfinite(losses)].max()
    reached = []
    for _ in range(RUNS):
        order = rng.integers(len(losses), size=2 * TRIALS)
        best = np.minimum(np.minimum.accumulate(losses[order]), worst)
        ended = np.searchsorted(np.cumsum(hours[order]), budgets, side="right")
        reached.append(np.where(ended > 0, best[np.maximum(ended, 1) - 1], worst))
    return np.asarray(np.mean(reached, axis=0))
