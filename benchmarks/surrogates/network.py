"""An ensemble of small perceptrons, trained as stacked arrays with AdamW in plain NumPy."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle, pairwise
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from hemobench.benchmarks.surrogates.targets import Targets

Single = NDArray[np.float32]
Arrays = list[Single]


@dataclass(frozen=True, slots=True)
class Training:
    """How an ensemble is trained; the defaults were chosen by held-out error and rank, with and without added noise.

    Attributes:
        members: Perceptrons.
        width: Units of each of the two hidden layers.
        steps: Steps of AdamW; the learning rate falls to 0 along half a cosine.
        batch: Rows a step.
        rate: First learning rate.
        decay: Decoupled weight decay.
        emphasis: How many times as much the objective's metrics at full length count as any other output.
        failure: How much the failure probability counts.
        share: Share of the configurations that a member sees; each sees others, so that they differ where little is
            known.
    """

    members: int = 5
    width: int = 64
    steps: int = 2000
    batch: int = 64
    rate: float = 1e-2
    decay: float = 0.6
    emphasis: float = 60.0
    failure: float = 0.3
    share: float = 0.8


@dataclass(frozen=True, slots=True)
class Problem:
    """What a network is to give for its inputs.

    Attributes:
        inputs: Shape (n, d).
        values: Standardised outputs, shape (n, o).
        weights: How much each counts, shape (n, o); 0 where it is unknown.
        failed: Shape (n, t).
        groups: Number of the row's configuration, shape (n,).
    """

    inputs: Single
    values: Single
    weights: Single
    failed: Single
    groups: NDArray[np.int64]


Real = TypeVar("Real", bound=np.floating)


def activate(x: NDArray[Real]) -> NDArray[Real]:
    """The rectifier, in place."""
    np.maximum(x, 0, out=x)
    return x


def train(problem: Problem, how: Training, seed: int) -> Arrays:
    """Train an ensemble; equal arguments give equal weights.

    It keeps to one thread: the number of threads decides how sums round.

    Every member starts elsewhere and sees another share of the configurations, in another order.

    Returns:
        Weights and biases of the three layers, shapes (members, in, out) and (members, 1, out).
    """
    with threadpool_limits(limits=1, user_api="blas"):
        return _train(problem, how, seed)


def _train(problem: Problem, how: Training, seed: int) -> Arrays:
    starts, orders = np.random.SeedSequence(seed).spawn(2)
    parameters = _start(problem, how, np.random.default_rng(starts))
    moments = [(np.zeros_like(p), np.zeros_like(p)) for p in parameters]
    rng = np.random.default_rng(orders)
    batches = _batches(_shared_out(problem.groups, how, rng), how, rng)
    for step in range(how.steps):
        rate = how.rate * 0.5 * (1 + math.cos(math.pi * step / how.steps))
        gradients = _gradients(problem, next(batches), parameters, how)
        updates = zip(parameters, gradients, moments, cycle([how.decay, 0.0]), strict=False)  # biases do not decay
        for p, g, (m, v), decay in updates:
            m += 0.1 * (g - m)
            v += 0.001 * (g * g - v)
            size = rate * math.sqrt(1 - 0.999 ** (step + 1)) / (1 - 0.9 ** (step + 1))
            p *= 1 - rate * decay
            p -= size * m / (np.sqrt(v) + 1e-8)
    return parameters


def _start(problem: Problem, how: Training, rng: np.random.Generator) -> Arrays:
    sizes = [problem.inputs.shape[1], how.width, how.width, problem.values.shape[1] + problem.failed.shape[1]]
    parameters: Arrays = []
    for i, (rows, columns) in enumerate(pairwise(sizes)):
        spread = math.sqrt((2 if i < 2 else 0.1) / rows)
        parameters += [
            (spread * rng.standard_normal((how.members, rows, columns))).astype(np.float32),
            np.zeros((how.members, 1, columns), np.float32),
        ]
    return parameters


def _shared_out(groups: NDArray[np.int64], how: Training, rng: np.random.Generator) -> NDArray[np.int64]:
    """Row numbers for each member, shape (members, n): all rows of its share of the configurations.

    Configurations have different numbers of rows: shares begin anew where n rows are not yet together.
    """
    numbers, place = np.unique(groups, return_inverse=True)
    rows_of = np.split(np.argsort(place, kind="stable"), np.cumsum(np.bincount(place))[:-1])
    count = math.ceil(how.share * len(numbers))
    drawn = []
    for _ in range(how.members):
        chosen = rng.permutation(len(numbers))[:count]
        rows = np.concatenate([rows_of[number] for number in chosen.tolist()])
        drawn.append(np.resize(rows, len(groups)))
    return np.stack(drawn)


def _batches(rows: NDArray[np.int64], how: Training, rng: np.random.Generator) -> Iterator[NDArray[np.int64]]:
    """Endless batches of row numbers, shape (members, batch): each member goes through its rows in its own order."""
    count = rows.shape[1]
    size = min(how.batch, count)
    while True:
        order = rng.permuted(rows, axis=1)
        for start in range(0, count - size + 1, size):
            yield order[:, start : start + size]


def _gradients(problem: Problem, rows: NDArray[np.int64], parameters: Arrays, how: Training) -> Arrays:
    w1, b1, w2, b2, w3, b3 = parameters
    x = problem.inputs[rows]
    h1: Single = activate(x @ w1 + b1)
    h2: Single = activate(h1 @ w2 + b2)
    out: Single = h2 @ w3 + b3
    known = problem.values.shape[1]
    slope: Single = np.empty_like(out, dtype=np.float32)
    slope[..., :known] = problem.weights[rows] * (out[..., :known] - problem.values[rows])
    chance = 1 / (1 + np.exp(-np.clip(out[..., known:], -30, 30)))
    slope[..., known:] = (chance - problem.failed[rows]) * (how.failure / max(problem.failed.shape[1], 1))
    slope /= rows.shape[1]
    s2 = np.where(h2 > 0, slope @ w3.swapaxes(1, 2), np.float32(0))
    s1 = np.where(h1 > 0, s2 @ w2.swapaxes(1, 2), np.float32(0))
    pairs: list[tuple[Single, Single]] = [(x, s1), (h1, s2), (h2, slope)]
    gradients: Arrays = []
    for layer, s in pairs:
        gradients += [layer.swapaxes(1, 2) @ s, s.sum(axis=1, keepdims=True)]
    return gradients


def problem_of(
    t: Targets, important: tuple[str, ...], how: Training
) -> tuple[Problem, tuple[NDArray[np.float64], ...]]:
    """Targets as a network's problem, and what undoes its standardisation: means and deviations, each of shape (o,)."""
    n = len(t.inputs)
    values = np.concatenate([t.values.reshape(n, -1), t.seconds], axis=1)
    known = np.concatenate([np.repeat(t.reached, t.values.shape[2], axis=1), t.timed], axis=1)
    count = np.maximum(known.sum(axis=0), 1)
    mean = (values * known).sum(axis=0) / count
    deviation = np.sqrt((((values - mean) * known) ** 2).sum(axis=0) / count)
    deviation = np.where(deviation > 1e-6, deviation, 1.0)
    weight = np.ones((len(t.epochs), len(t.outputs)))
    for name in important:
        weight[-1, t.outputs.index(f"validation.{name}")] = how.emphasis * weight.size / 100
    flat = np.concatenate([weight.ravel() / weight.sum(), np.full(len(t.epochs), 0.3 / len(t.epochs))])
    problem = Problem(
        inputs=t.inputs.astype(np.float32),
        values=(((values - mean) / deviation) * known).astype(np.float32),
        weights=(flat * known).astype(np.float32),
        failed=t.failed.astype(np.float32) if t.failed.any() else np.zeros((n, 0), np.float32),
        groups=t.groups,
    )
    return problem, (mean, deviation)
