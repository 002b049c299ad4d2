"""What regret on a surrogate is normalised by: what real trainings reach, and what random search is expected to."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hemobench.benchmarks.evaluators.surrogate import SurrogateEvaluator
from hemobench.benchmarks.published import Reference
from hemobench.benchmarks.published.random_search import RandomTrials, random_search
from hemobench.benchmarks.surrogates.support import support, support_limit
from hemobench.benchmarks.surrogates.surrogate import Surrogate
from hemobench.benchmarks.surrogates.trust.answers import Answers
from hemobench.benchmarks.surrogates.trust.card import Fitted
from hemobench.benchmarks.tasks.base import Task
from hemobench.strategies.base import Config, Proposal, Status
from hemobench.strategies.space import active, default, random_stream

Floats = NDArray[np.float64]
CONFIGS, ROUNDS, POOL, RUNS = 3_000, 2_000, 1_000, 400
TRIALS = 400
"""Longest random search that is foreseen; beyond its budget the expected loss is flat."""
NEAREST = 5


def reference(evaluator: SurrogateEvaluator, task: Task, recorded: Answers, *, seed: int = 0) -> Reference:
    """The reference of a surrogate's evaluator; equal arguments give equal references.

    Regret 0 is the best recorded configuration's loss: not what its luckiest training showed, and not what an
    extrapolating model promises, but the mean of its trainings, drawn towards the held-out prediction where that is
    worse, with one standard error on top.

    Args:
        evaluator: With the benchmark's own name and version, which decide its noise.
        task: Its task.
        recorded: What the benchmark would answer from the recorded trainings.
        seed: Of the simulated random searches.
    """
    best = recorded.best
    pools = [_pool(evaluator, task, seed, member) for member in range(evaluator.members)]
    hours = float(np.mean([pool.hours for pool in pools]))
    budgets = np.geomspace(hours, TRIALS * hours, 25)
    # A search meets one member from its first trial to its last: what that member flatters, it finds.
    expected = np.mean([_random_search(pool, budgets, seed) for pool in pools], axis=0)
    return Reference(
        best_loss=round(float(recorded.reached[best]), 6),
        best_config=recorded.configs[best],
        trial_gpu_hours=round(hours, 6),
        random=tuple((round(float(b), 6), round(float(e), 6)) for b, e in zip(budgets, expected, strict=True)),
    )


def optimum(evaluator: SurrogateEvaluator, known: Fitted, *, seed: int = 0) -> dict[str, Any]:
    """The surrogate's own optimum, for its card: where it is sure enough, and what was really trained near by.

    The search adds the members' spread to the noise-free loss, and stays within what was recorded: an ensemble
    promises most where it knows least.

    Returns:
        Plain data: the configuration, its noise-free `loss` and the members' `spread`; `distance` to the nearest
        recorded configuration; `nearest`: of the nearest ones, distance, number of trainings, their mean loss, and
        the surrogate's noise-free loss.
    """
    task, space = known.surrogate.task, known.surrogate.task.space()
    limit = support_limit(known.table)
    near = _within(known, limit)

    def loss(config: Config) -> float:
        if not near(config):
            return float("inf")
        mean, deviation = _loss_and_spread(evaluator, known.surrogate, known.folds, task, config)
        return mean + deviation

    best = _search(loss, space, seed)
    mean, deviation = _loss_and_spread(evaluator, known.surrogate, known.folds, task, best)
    return {
        "config": dict(best),
        "loss": round(mean, 6),
        "spread": round(deviation, 6),
        "distance": round(float(support(known.table, [best])[0]), 6),
        "nearest": _nearest(evaluator, known, task, best),
    }


def _within(known: Fitted, limit: float) -> Callable[[Config], bool]:
    from scipy.spatial import cKDTree

    encoder = known.surrogate.encoder
    places = encoder.many(list(known.table.configs().values())) * encoder.weights
    tree = cKDTree(places)

    def near(config: Config) -> bool:
        return bool(tree.query(np.array(encoder.one(config)) * encoder.weights)[0] <= limit)

    return near


def _loss_and_spread(
    evaluator: SurrogateEvaluator, surrogate: Surrogate, folds: tuple[int, ...], task: Task, config: Config
) -> tuple[float, float]:
    """The noise-free loss, and the deviation of the members' about their mean; without deviations over folds."""
    full, names = surrogate.about.full, surrogate.about.outputs
    weights = np.array([task.objective.weights.get(name.removeprefix("validation."), 0.0) for name in names])
    each = []
    for member in range(surrogate.members):
        outputs = surrogate.predict_folds(config, full, folds, member=member).outputs
        each.append(float(outputs.mean(axis=0) @ weights))
    return float(task.objective.loss(evaluator.noise_free(config)[0])), float(np.std(each))


def _search(loss: Callable[[Config], float], space: Any, seed: int) -> Config:
    """The best of many random configurations, then of what changing one or two of its values at random gives."""
    rng = np.random.default_rng(np.random.SeedSequence([seed, 1]))
    stream, names, complete = random_stream(space, seed), list(space), default(space)
    tried = [(loss(config), config) for config in islice(stream, CONFIGS)]
    best_loss, best = min(tried, key=lambda pair: pair[0])
    for other in islice(stream, ROUNDS):
        taken = {name: other[name] for name in rng.choice(names, 2).tolist() if name in other}
        config = active(space, {**complete, **best, **taken})
        reached_now = loss(config)
        if reached_now < best_loss:
            best_loss, best = reached_now, config
    return best


def _nearest(evaluator: SurrogateEvaluator, known: Fitted, task: Task, config: Config) -> list[dict[str, Any]]:
    """The recorded answers of the configurations nearest to one."""
    recorded, encoder = known.answers, known.surrogate.encoder
    if recorded is None:
        return []
    places = encoder.many(recorded.configs) * encoder.weights
    distances = np.sqrt(((places - np.array(encoder.one(config)) * encoder.weights) ** 2).sum(axis=1))
    return [
        {
            "distance": round(float(distances[place]), 6),
            "trainings": int(recorded.counts[place]),
            "mean_loss": round(float(recorded.mean[place]), 6),
            "surrogate": round(task.objective.loss(evaluator.noise_free(recorded.configs[place])[0]), 6),
        }
        for place in np.argsort(distances)[:NEAREST].tolist()
    ]


def _pool(evaluator: SurrogateEvaluator, task: Task, seed: int, member: int) -> RandomTrials:
    """Random trials, each with its own noise, of runs that meet one member of the ensemble."""
    configs = list(islice(random_stream(task.space(), seed + 1), POOL))
    runs = range(member, member + POOL * evaluator.members, evaluator.members)
    outcomes = [evaluator.evaluate(Proposal(config), run) for run, config in zip(runs, configs, strict=True)]
    observed = [task.objective.loss(o.validation) if o.status is Status.OK else np.inf for o in outcomes]
    truth = [evaluator.truth(config, run).loss for run, config in zip(runs, configs, strict=True)]
    hours = [outcome.cost.gpu_seconds / 3600 for outcome in outcomes]
    return RandomTrials(np.array(observed), np.array(truth), np.array(hours))


def _random_search(trials: RandomTrials, budgets: Floats, seed: int) -> Floats:
    rng = np.random.default_rng(np.random.SeedSequence([seed, 2]))
    return random_search(trials, budgets, runs=RUNS, longest=TRIALS, rng=rng)
