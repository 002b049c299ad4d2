"""Fitting a surrogate to a recorded table."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

import numpy as np

from hemobench.benchmarks.execution.progress import tell
from hemobench.benchmarks.surrogates.network import Arrays, Training, problem_of, train
from hemobench.benchmarks.surrogates.noise.margins import Residuals, copula, silent
from hemobench.benchmarks.surrogates.noise.repeats import Repeats, repeats
from hemobench.benchmarks.surrogates.spread import widening
from hemobench.benchmarks.surrogates.surrogate import COPULA, NETWORK, About, Surrogate
from hemobench.benchmarks.surrogates.targets import Targets, fraction, targets
from hemobench.benchmarks.surrogates.trust.held_out import PARTS, HeldOut, by_member, parts, predicted
from hemobench.benchmarks.tables.schema import ALL_FOLDS, Table
from hemobench.benchmarks.tasks import load_task
from hemobench.errors import BenchmarkError

FEWEST = 20
DECAYS, TRIED_STEPS, TRIED_PARTS = (0.6, 1.5, 3.0, 10.0), 800, 3
ENOUGH_REPEATS = 10
"""Repeated trainings below which noise is taken from held-out errors instead."""


def fit(table: Table, *, seed: int = 0, how: Training | None = None, held: HeldOut | None = None) -> Surrogate:
    """Fit a surrogate to a table; equal arguments give equal surrogates.

    Args:
        table: What was recorded.
        seed: Of starts and orders of the training.
        how: Its settings; by default `chosen`.
        held: What `cross_validated` gave for the same table, seed and settings; by default it is done here.

    Raises:
        BenchmarkError: If too little was recorded.
    """
    t = targets(table)
    if int(t.reached[:, -1].sum()) < FEWEST:
        raise BenchmarkError(f"fewer than {FEWEST} trainings in the table went on to the end", "record more")
    how = how or chosen(t, table, seed)
    held = held or cross_validated(t, table, how, seed=seed)
    fitted, repeated = network_surrogate(t, table, how, seed), repeats(t)
    measured = len(repeated) >= ENOUGH_REPEATS
    residuals = _between_seeds(t, fitted, repeated) if measured else _of_held_out(t, held)
    noise = copula(residuals, _emphasised(table, t))
    arrays = {name: np.asarray(getattr(noise, name), dtype=np.float32) for name in COPULA}
    about = replace(
        fitted.about,
        noise="repeats" if measured else "residuals",
        widening=widening(table, t, held, repeated) if measured else 1.0,
    )
    return Surrogate(about, _one_curve({**fitted.arrays, **arrays}, t, load_task(table.header.task).headline))


def _one_curve(arrays: dict[str, Any], t: Targets, headline: str) -> dict[str, Any]:
    """The same arrays, with the headline's predictions and noise for the curve's where both were recorded alike."""
    place, outputs, looks = t.outputs.index(f"validation.{headline}"), len(t.outputs), len(t.epochs)
    if not np.allclose(t.values[..., place], t.values[..., -1]):
        return arrays
    copied = {name: array.copy() for name, array in arrays.items()}
    columns = np.arange(looks) * outputs
    for name in ("w3", "b3"):
        copied[name][..., columns + outputs - 1] = copied[name][..., columns + place]
    for name in ("knots", "margins"):
        copied[name][:, -1] = copied[name][:, place]
    for name in ("trial", "epoch"):
        copied[name][..., -1] = copied[name][..., place]
    return copied


def network_surrogate(t: Targets, table: Table, how: Training, seed: int) -> Surrogate:
    """A surrogate of some of a table's rows, without noise: what cross-validation needs."""
    silence = silent(*t.values.shape[1:])
    arrays = dict(zip(NETWORK, network(t, table, how, seed), strict=True))
    arrays |= {name: np.asarray(getattr(silence, name), dtype=np.float32) for name in COPULA}
    about = _about(table, t, "none", {"seed": seed, **asdict(how)})
    return Surrogate(about, {name: np.asarray(array, dtype=np.float32) for name, array in arrays.items()})


def cross_validated(t: Targets, table: Table, how: Training, *, count: int = PARTS, seed: int = 0) -> HeldOut:
    """What is predicted of every configuration by a surrogate that was fitted to the other parts' alone."""
    n, _, outputs = t.values.shape
    held = HeldOut(np.zeros_like(t.values), np.zeros((how.members, n, outputs)), np.zeros(n), np.zeros(n))
    for number, left_out in enumerate(parts(t.groups, count, seed)):
        tell("fits", number, count, "held-out parts are predicted")
        fitted, rest = network_surrogate(t.part(~left_out), table, how, seed), t.part(left_out)
        held.outputs[left_out] = predicted(fitted, rest)
        held.members[:, left_out] = by_member(fitted, rest)
        _, held.seconds[left_out], held.failure[left_out] = fitted.predict_many(rest.inputs, int(t.epochs[-1]))
    tell("fits", count, count)
    return held


def _between_seeds(t: Targets, fitted: Surrogate, repeated: Repeats) -> Residuals:
    """Residuals of repeated trainings: their size by seeds alone, their shape about what is expected of them.

    A mean of few seeds follows their own luck, which bends the shape: each is drawn towards the prediction, as far as
    predictions are the nearer to the truth (an empirical Bayes estimate).
    """
    rows, n = repeated.rows, repeated.counts[:, None, None]
    expected = predicted(fitted, t)
    variance = (repeated.differences**2).mean(axis=0)
    misses = repeated.means - expected[rows]
    wrong = np.maximum((misses**2).mean(axis=0) - (variance / n).mean(axis=0), 0.0)
    share = wrong / np.maximum(wrong + variance / n, 1e-18)
    centre = expected[rows] + share * misses
    whole = t.reached.all(axis=1)
    values = fraction(t.values)
    return Residuals(
        predicted=expected[rows],
        shapes=values[rows] - centre,
        squares=repeated.differences**2,
        offsets=values[whole] - expected[whole],
        offsets_at=expected[whole],
    )


def _of_held_out(t: Targets, held: HeldOut) -> Residuals:
    """Errors on configurations that were not fitted to, in place of noise that nobody measured."""
    whole = t.reached.all(axis=1)
    errors, expected = fraction(t.values[whole]) - held.outputs[whole], held.outputs[whole]
    return Residuals(expected, errors, errors**2, np.zeros_like(errors), expected)


def _emphasised(table: Table, t: Targets) -> list[int]:
    """Numbers of the outputs whose noise must go together as recorded: the objective's, the headline's, the curve."""
    names = important(table)
    wanted = {f"{side}.{name}" for side in ("validation", "test") for name in names}
    return [i for i, output in enumerate(t.outputs) if output in wanted or i == len(t.outputs) - 1]


def chosen(t: Targets, table: Table, seed: int) -> Training:
    """The default settings, with the weight decay whose errors on held-out configurations are least.

    A few noisy trainings need ten times as much of it as many quiet ones.
    """
    needed = [t.outputs.index(f"validation.{name}") for name in important(table)]
    errors = []
    for decay in DECAYS:
        how, total = Training(decay=decay, steps=TRIED_STEPS), 0.0
        for number, left_out in enumerate(parts(t.groups, TRIED_PARTS, seed)):
            done = DECAYS.index(decay) * TRIED_PARTS + number
            tell("fits", done, len(DECAYS) * TRIED_PARTS, "the weight decay is chosen")
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
