"""What a surface gives: its optimum, uniform trials on it, one-dimensional grids, and random search's curve."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
from ConfigSpace import ConfigurationSpace
from ConfigSpace.hyperparameters import UniformIntegerHyperparameter
from numpy.typing import NDArray

from hemobench.benchmarks.benchmark import load_benchmark
from hemobench.benchmarks.noise import draw, silence
from hemobench.benchmarks.published.random_search import RandomTrials, random_search
from hemobench.benchmarks.published.shape import Parameters, Response, Surface, Values
from hemobench.benchmarks.tasks.base import Task
from hemobench.strategies.space import Hyperparameter, active, choices, coerce, default, quantile, random_stream

Floats = NDArray[np.float64]
NO_RESULT = 1.0  # the observed loss of a run in which no trial has ended yet: as bad as can be


@dataclass(frozen=True, slots=True)
class Pool:
    """Uniformly random trials at full length, each with its own noise.

    Attributes:
        configs: The configurations.
        responses: What each gave.
        losses: As observed, shape (n,), infinite where the training diverged.
        hours: Shape (n,), GPU-hours charged.
    """

    configs: list[Values]
    responses: list[Response]
    losses: Floats
    hours: Floats

    def incumbents(self, trials: int, runs: int, metric: str) -> Floats:
        """Test metric of what random search selects, shape (runs,), as a fraction."""
        rng = np.random.default_rng(np.random.SeedSequence([trials, runs]))
        picked = rng.integers(len(self.losses), size=(runs, trials))
        best = picked[np.arange(runs), np.argmin(self.losses[picked], axis=1)]
        return np.array([self.responses[i].test[metric] for i in best])


def mean_response(task: Task, surface: Surface, p: Parameters, config: Values) -> Response:
    """The noise-free answer at full length."""
    return surface.respond(config, p, task.epochs, silence(task.epochs))


def mean_loss(task: Task, surface: Surface, p: Parameters, config: Values) -> float:
    """The noise-free loss at full length; infinite where the training diverges."""
    response = mean_response(task, surface, p, config)
    return float("inf") if response.diverged else task.objective.loss(response.validation)


def uniform(space: ConfigurationSpace, count: int, seed: int = 0) -> list[Values]:
    """The beginning of the stream that random search draws from."""
    return list(islice(random_stream(space, seed), count))


def sample(task: Task, surface: Surface, p: Parameters, count: int, seed: int = 0) -> Pool:
    """Evaluate uniformly random trials as the benchmark does; trial i has the noise of seed i."""
    configs = uniform(task.space(), count, seed)
    responses, losses, hours = [], [], []
    for i, config in enumerate(configs):
        response, loss, spent = _trial(task, surface, p, config, i)
        responses.append(response)
        losses.append(loss)
        hours.append(spent)
    return Pool(configs, responses, np.array(losses), np.array(hours))


def _trial(task: Task, surface: Surface, p: Parameters, config: Values, seed: int) -> tuple[Response, float, float]:
    """A trial at full length: the answer, its loss (infinite where the training diverged), and GPU-hours."""
    benchmark = load_benchmark(f"{task.name}@published")
    drawn = draw(benchmark.name, benchmark.version, seed, config, task.epochs)
    response = surface.respond(config, p, task.epochs, drawn)
    loss = float("inf") if response.diverged else task.objective.loss(response.validation)
    return response, loss, surface.gpu_seconds(config, p, response.diverged or task.epochs) / 3600


def random_trials(task: Task, surface: Surface, p: Parameters, count: int, seed: int = 0) -> RandomTrials:
    """As `sample`, with the noise-free losses, and without what would not fit into memory for hundreds of thousands."""
    rows = []
    for i, config in enumerate(islice(random_stream(task.space(), seed), count)):
        _, observed, hours = _trial(task, surface, p, config, i)
        rows.append((observed, mean_loss(task, surface, p, config), hours))
    return RandomTrials(*np.array(rows).T)


def grid(hp: Hyperparameter, points: int = 10) -> list[Any]:
    """Values along one hyperparameter, both ends included: all choices, powers of two, or evenly spaced points."""
    values = choices(hp)
    if values is not None:
        return list(values)
    if isinstance(hp, UniformIntegerHyperparameter) and hp.upper > points:
        return [2**i for i in range(64) if hp.lower <= 2**i <= hp.upper]
    return list(dict.fromkeys(map(quantile(hp), np.linspace(0.0, 1.0, points).tolist())))


def manual_combination(space: ConfigurationSpace, loss: Callable[[Values], float]) -> dict[str, Any]:
    """The best value of each hyperparameter along its own grid around the space's defaults, all combined."""
    start = default(space)
    best = dict(start)
    for name, hp in space.items():
        tried = [start[name], *grid(hp)]  # the default first: it stays where nothing is better
        best[name] = min(tried, key=lambda value: loss(active(space, {**start, name: value})))
    return active(space, best)


def optimum(space: ConfigurationSpace, loss: Callable[[Values], float], starts: int = 4000) -> dict[str, Any]:
    """The configuration of least loss: descent along one hyperparameter after another, from the best random ones."""
    promising = sorted(uniform(space, starts, seed=1), key=loss)[:5]
    reached = [active(space, _descend(space, loss, {**default(space), **config})) for config in promising]
    return min(reached, key=loss)


def _descend(space: ConfigurationSpace, loss: Callable[[Values], float], values: dict[str, Any]) -> dict[str, Any]:
    """From wide steps to fine ones, twice, since some hyperparameters hang together."""
    for width in (1.0, 0.3, 0.1, 0.03, 0.01, 0.003, 0.1, 0.03, 0.01, 0.003):
        for name, hp in space.items():
            near = [{**values, name: value} for value in _around(hp, values[name], width)]
            values = min([values, *near], key=lambda v: loss(active(space, v)))
    return values


def _around(hp: Hyperparameter, value: Any, width: float) -> list[Any]:
    """All choices of a hyperparameter, or values within a share of its range."""
    values = choices(hp)
    if values is not None:
        return list(values)
    if isinstance(hp, UniformIntegerHyperparameter):
        return list(range(int(hp.lower), int(hp.upper) + 1))
    middle = float(hp.to_vector(value))
    steps = np.clip(middle + width * np.linspace(-1.0, 1.0, 21), 0.0, 1.0)
    return [coerce(hp, hp.to_value(x)) for x in steps.tolist()]


def random_curve(
    trials: RandomTrials, runs: int = 20_000, points: int = 40, longest: int = 200
) -> list[tuple[float, float]]:
    """What random search's incumbent is worth with one worker, on average, over budgets of 1 to 200 trials' worth.

    Returns:
        GPU-hours and noise-free loss.
    """
    budgets = np.geomspace(1, longest, points) * float(trials.hours.mean())
    rng = np.random.default_rng(np.random.SeedSequence([runs, points, longest]))
    expected = random_search(trials, budgets, runs=runs, longest=longest, rng=rng)
    return [(round(float(b), 6), round(float(e), 6)) for b, e in zip(budgets, expected, strict=True)]


def observed_curve(pool: Pool, runs: int = 2000, points: int = 40, longest: int = 200) -> list[tuple[float, float]]:
    """What random search sees of its best trial on average with one worker, over budgets of 1 to 200 trials' worth.

    A trial in flight at the end of the budget does not count; a run without a finished trial counts `NO_RESULT`.
    """
    budgets = np.geomspace(1, longest, points) * float(pool.hours.mean())
    rng = np.random.default_rng(np.random.SeedSequence([runs, points, longest]))
    total = np.zeros(points)
    for _ in range(runs):
        picked = rng.integers(len(pool.hours), size=2 * longest)
        finished = np.searchsorted(np.cumsum(pool.hours[picked]), budgets, side="right")
        if finished[-1] == len(picked):
            raise ValueError("a simulated run ran out of trials before its budget")
        best = np.minimum.accumulate(np.concatenate([[NO_RESULT], np.minimum(pool.losses[picked], NO_RESULT)]))
        total += best[finished]
    return [(round(float(b), 6), round(float(t) / runs, 6)) for b, t in zip(budgets, total, strict=True)]
