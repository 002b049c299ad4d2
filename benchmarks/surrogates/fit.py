"""Fitting a surrogate to a recorded table."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
from numpy.typing import NDArray

from hemobench.benchmarks.surrogates.network import Arrays, Training, problem_of, train
from hemobench.benchmarks.surrogates.scatter import FACTORS, Scatter, deviations, scatter
from hemobench.benchmarks.surrogates.surrogate import ARRAYS, About, Surrogate
from hemobench.benchmarks.surrogates.targets import Floats, Targets, fraction, targets
from hemobench.benchmarks.tables.schema import ALL_FOLDS, Table
from hemobench.benchmarks.tasks import load_task
from hemobench.errors import BenchmarkError

FEWEST = 20
DECAYS, TRIED_STEPS = (0.6, 3.0, 10.0), 800
ENOUGH_REPEATS = 10
"""Repeated trainings below which noise is taken from held-out errors instead."""


def fit(table: Table, *, seed: int = 0, how: Training | None = None) -> Surrogate:
    """Fit a surrogate to a table; equal arguments give equal surrogates.

    Args:
        table: What was recorded.
        seed: Of starts and orders of the training.
        how: Its settings; by default `chosen`.

    Raises:
        BenchmarkError: If too little was recorded.
    """
    t = targets(table)
    if int(t.reached[:, -1].sum()) < FEWEST:
        raise BenchmarkError(f"fewer than {FEWEST} trainings in the table went on to the end", "record more")
    how = how or chosen(t, table, seed)
    noise, source = _scatter(t, table, how, seed)
    return _surrogate(t, table, how, seed, noise, source)


def network_surrogate(t: Targets, table: Table, how: Training, seed: int) -> Surrogate:
    """A surrogate of some of a table's rows, without noise: what cross-validation needs."""
    looks, outputs = t.values.shape[1:]
    silent = Scatter(np.zeros((looks, FACTORS, outputs)), np.zeros((looks, outputs)), np.zeros(outputs))
    return _surrogate(t, table, how, seed, silent, "none")


def _surrogate(t: Targets, table: Table, how: Training, seed: int, noise: Scatter, source: str) -> Surrogate:
    parameters = network(t, table, how, seed)
    arrays = dict(zip(ARRAYS, [*parameters, noise.factors, noise.rest, noise.power], strict=True))
    about = _about(table, t, source, {"seed": seed, **asdict(how)})
    return Surrogate(about, {name: np.asarray(array, dtype=np.float32) for name, array in arrays.items()})


def chosen(t: Targets, table: Table, seed: int) -> Training:
    """The default settings, with the weight decay whose errors on held-out configurations are least.

    A few noisy trainings need ten times as much of it as many quiet ones.
    """
    needed = [t.outputs.index(f"validation.{name}") for name in important(table)]
    errors = []
    for decay in DECAYS:
        how, total = Training(decay=decay, steps=TRIED_STEPS), 0.0
        for left_out in parts(t.groups, 3, seed):
            fitted = network_surrogate(t.part(~left_out), table, how, seed)
            rest = t.part(left_out & t.reached[:, -1])
            predicted = fitted.predict_many(rest.inputs, int(t.epochs[-1]))[0]
            total += float(((predicted - fraction(rest.values[:, -1]))[:, needed] ** 2).sum())
        errors.append(total)
    return Training(decay=DECAYS[int(np.argmin(errors))])


def important(table: Table) -> tuple[str, ...]:
    """The metrics that the objective and the headline need.

    Deviations over folds are no metrics of rows of single folds: evaluators compute them from all folds.

    Raises:
        BenchmarkError: If a training lacks one.
    """
    task = load_task(table.header.task)
    wanted = tuple(dict.fromkeys([*task.objective.weights, task.headline]))
    if ALL_FOLDS not in table.folds:
        wanted = tuple(name for name in wanted if not name.endswith("_std"))
    missing = [n for n in wanted if any(row.reached and n not in row.validation for row in table.rows)]
    if missing:
        raise BenchmarkError(f"trainings in the table lack the metric {missing[0]}", "record it for all of them")
    return wanted


def network(t: Targets, table: Table, how: Training, seed: int) -> Arrays:
    """The ensemble's weights, with the outputs' standardisation undone in the last layer."""
    problem, (mean, deviation) = problem_of(t, important(table), how)
    *others, weights, biases = train(problem, how, seed)
    known = len(mean)
    weights[..., :known] *= deviation.astype(np.float32)
    biases[..., :known] = biases[..., :known] * deviation.astype(np.float32) + mean.astype(np.float32)
    return [*others, weights, biases]


def _scatter(t: Targets, table: Table, how: Training, seed: int) -> tuple[Scatter, str]:
    differences, means = deviations(t)
    if len(differences) >= ENOUGH_REPEATS:
        return scatter(differences, means), "repeats"
    return scatter(*_held_out(t, table, how, seed)), "residuals"


def _held_out(t: Targets, table: Table, how: Training, seed: int) -> tuple[Floats, Floats]:
    """Errors on configurations that were not fitted to, and what was predicted; three parts, each left out once."""
    errors, means = [], []
    for left_out in parts(t.groups, 3, seed):
        fitted = network_surrogate(t.part(~left_out), table, how, seed)
        rest = t.part(left_out & t.reached.all(axis=1))
        predicted = np.stack([fitted.predict_many(rest.inputs, epoch)[0] for epoch in t.epochs.tolist()], axis=1)
        errors.append(fraction(rest.values) - predicted)
        means.append(predicted)
    return np.concatenate(errors), np.concatenate(means)


def parts(groups: NDArray[np.int64], count: int, seed: int) -> list[NDArray[np.bool_]]:
    """Rows shared out at random, all rows of a configuration to the same part; each as a mask, shape (n,)."""
    numbers = np.unique(groups)
    dealt = np.random.default_rng(np.random.SeedSequence([seed, count])).permutation(len(numbers)) % count
    return [dealt[np.searchsorted(numbers, groups)] == part for part in range(count)]


def _about(table: Table, t: Targets, noise: str, how: dict[str, object]) -> About:
    header = table.header
    seconds = np.exp(t.seconds[t.timed])
    shares = [row.evaluation_seconds[-1] / row.seconds[-1] for row in table.rows]
    return About(
        task=header.task,
        benchmark=header.benchmark,
        version=header.version,
        scale=header.scale,
        device=header.device,
        data=header.data,
        full=header.epochs,
        outputs=t.outputs,
        epochs=tuple(t.epochs.tolist()),
        folds=table.folds,
        evaluation_share=round(float(np.median(shares)), 6),
        seconds=(float(seconds.min()), float(seconds.max())),
        failures=bool(t.failed.any()),
        noise=noise,
        fitted={"rows": len(table.rows), "configurations": len(table.configs()), **how},
    )
