"""The trust card: how far the answers of a surrogate can be relied on, measured on what it was not fitted to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import kendalltau, spearmanr

from hemobench.benchmarks.surrogates.fit import chosen, network_surrogate, parts
from hemobench.benchmarks.surrogates.network import Training
from hemobench.benchmarks.surrogates.scatter import FACTORS, deviations, scatter, spread
from hemobench.benchmarks.surrogates.support import QUANTILE, support_limit
from hemobench.benchmarks.surrogates.targets import Targets, fraction, targets
from hemobench.benchmarks.tables.check import describe_table
from hemobench.benchmarks.tables.schema import Table
from hemobench.benchmarks.tasks import load_task

Floats = NDArray[np.float64]
TOP = 0.1
DRAWS = 200


def trust(table: Table, *, folds: int = 5, seed: int = 0, how: Training | None = None) -> dict[str, Any]:
    """Cross-validate the surrogate of a table and put down what came of it.

    Configurations are dealt to parts, all trainings of one to the same; each part is predicted by a surrogate that
    was fitted to the others. Figures are of trainings at full length, means of the ensemble, and single recorded
    trainings, whose own noise limits them: `ceiling` says how well the truth itself would do.

    Args:
        table: What was recorded.
        folds: Parts.
        seed: Of parts and fits.
        how: Settings of the fits; by default chosen once, as `fit` does.

    Returns:
        Plain data. `loss`, `cost` and each metric under `metrics`: `r2`, `mae`, `spearman`, `kendall`, and under
        `top` the same for the trainings with the lowest tenth of the recorded losses; costs are compared as logarithms,
        so that their `mae` is nearly a relative error. `averaged`: the loss again, of means over the trainings of one
        configuration: over seeds on one fold, and over folds with one seed. They hold less noise; answers that put
        folds together come to the latter. `failures`, `noise`, `ceiling`, `support`, `table`: see there.
    """
    t = targets(table)
    how = how or chosen(t, table, seed)
    full = t.epochs[-1]
    outputs, seconds, chance = (
        np.zeros((len(t.inputs), len(t.outputs))),
        np.zeros(len(t.inputs)),
        np.zeros(len(t.inputs)),
    )
    for left_out in parts(t.groups, folds, seed):
        fitted = network_surrogate(t.part(~left_out), table, how, seed)
        outputs[left_out], seconds[left_out], chance[left_out] = fitted.predict_many(t.inputs[left_out], int(full))
    well = t.reached[:, -1]
    names = [name for name in t.outputs if name != "curve"]
    recorded = fraction(t.values[:, -1])
    wanted, predicted = losses(table, t, recorded)[well], losses(table, t, outputs)[well]
    noise, first = seed_noise(table, t), t.seeds[well] == 0
    timed = t.timed[:, -1]
    return {
        "protocol": f"{folds} parts by configuration, seed {seed}, {int(full)} epochs",
        "loss": agreement(wanted, predicted),
        "averaged": {
            "over seeds": averaged(t.groups[well] * len(t.folds) + t.folds[well], wanted, predicted),
            "over folds": averaged(t.groups[well & (t.seeds == 0)], wanted[first], predicted[first]),
        },
        "cost": agreement(t.seconds[timed, -1], np.log(seconds[timed])),
        "metrics": {
            name: agreement(recorded[well, i], outputs[well, i], wanted)
            for i, name in enumerate(t.outputs)
            if name in names
        },
        "failures": failures(t.failed[:, -1], chance),
        "noise": noise,
        "ceiling": ceiling(predicted, wanted, noise["measured"]),
        "support": {"quantile": QUANTILE, "limit": support_limit(table)},
        "table": {k: v for k, v in describe_table(table).items() if k not in ("validation", "test", "header")},
    }


def losses(table: Table, t: Targets, outputs: Floats) -> Floats:
    """The task's loss of outputs, shape (n,).

    Where a deviation over folds is known of no single fold, it is left out: the loss is then of the folds' own.
    """
    weights = load_task(table.header.task).objective.weights
    known = {name.removeprefix("validation."): i for i, name in enumerate(t.outputs) if name.startswith("validation.")}
    score = sum(weight * outputs[:, known[name]] for name, weight in weights.items() if name in known)
    return np.asarray(1.0 - score)


def agreement(recorded: Floats, predicted: Floats, order: Floats | None = None) -> dict[str, Any]:
    """How well predictions agree with what was recorded, overall and in the best tenth.

    Args:
        recorded: Shape (n,).
        predicted: Shape (n,).
        order: What the best tenth is the lowest of; by default `recorded`.
    """
    rank = recorded if order is None else order
    top = rank <= np.quantile(rank, TOP)
    return {**_figures(recorded, predicted), "top": _figures(recorded[top], predicted[top])}


SEVERAL = 3


def averaged(groups: NDArray[np.int64], recorded: Floats, predicted: Floats) -> dict[str, Any]:
    """Agreement of the means over groups of at least `SEVERAL` trainings.

    Args:
        groups: Number of each training's group, shape (n,).
        recorded: Shape (n,).
        predicted: Shape (n,).
    """
    _, place, counts = np.unique(groups, return_inverse=True, return_counts=True)
    means = [np.bincount(place, values) / counts for values in (recorded, predicted)]
    return agreement(*(mean[counts >= SEVERAL] for mean in means)) if (counts >= SEVERAL).any() else _none()


def _none() -> dict[str, Any]:
    empty = {"n": 0, "r2": None, "mae": None, "spearman": None, "kendall": None}
    return {**empty, "top": dict(empty)}


def _figures(recorded: Floats, predicted: Floats) -> dict[str, float | None]:
    """None where a figure is not defined: of too few trainings, or without any difference."""
    variance = float(np.var(recorded))
    defined = len(recorded) > 2 and variance > 0 and float(np.var(predicted)) > 0
    error = recorded - predicted
    return {
        "n": len(recorded),
        "r2": round(1 - float((error**2).mean()) / variance, 4) if defined else None,
        "mae": round(float(np.abs(error).mean()), 6),
        "spearman": round(float(spearmanr(recorded, predicted)[0]), 4) if defined else None,
        "kendall": round(float(kendalltau(recorded, predicted)[0]), 4) if defined else None,
    }


def failures(failed: NDArray[np.bool_], chance: Floats) -> dict[str, float | None]:
    """Recorded and mean predicted rate of failures, and the Brier score beside that of the rate alone."""
    rate = float(failed.mean())
    return {
        "recorded": round(rate, 4),
        "predicted": round(float(chance.mean()), 4),
        "brier": round(float(((chance - failed) ** 2).mean()), 4),
        "brier_of_rate": round(rate * (1 - rate), 4),
    }


def seed_noise(table: Table, t: Targets) -> dict[str, Any]:
    """Deviation of the loss between seeds: as measured on repeated configurations, and as a surrogate draws it.

    `measured` is None where fewer than two seeds of any configuration were recorded; `folds` is the deviation between
    the folds of a configuration with seed effects in it, None where there is one fold.
    """
    differences, means = deviations(t)
    result: dict[str, Any] = {"repeated": len(differences), "measured": None, "drawn": None, "ratio": None}
    if len(differences):
        weights = _weights(table, t)
        measured = float(np.sqrt(((differences[:, -1] @ weights) ** 2).mean()))
        drawn = _drawn(table, t, means[:, -1], weights)
        result |= {"measured": round(measured, 6), "drawn": round(drawn, 6), "ratio": round(drawn / measured, 3)}
    return {**result, "folds": _between_folds(table, t)}


def _weights(table: Table, t: Targets) -> Floats:
    """What turns deviations of outputs into those of the loss, shape (M,)."""
    identity = np.eye(len(t.outputs))
    return losses(table, t, identity) - losses(table, t, np.zeros_like(identity))


def _drawn(table: Table, t: Targets, means: Floats, weights: Floats) -> float:
    """Deviation of the loss over seeds that noise like the surrogate's has, at the repeated configurations' means."""
    s = scatter(*deviations(t))
    rng = np.random.default_rng(np.random.SeedSequence(0))
    drawn = rng.standard_normal((DRAWS, FACTORS)) @ s.factors[-1] + rng.standard_normal((DRAWS, 1)) * s.rest[-1]
    scaled = drawn * spread(means)[:, None] ** s.power
    return float(np.sqrt(((scaled @ weights) ** 2).mean()))


def _between_folds(table: Table, t: Targets) -> float | None:
    loss = losses(table, t, fraction(t.values[:, -1]))
    well = t.reached[:, -1]
    variances = []
    for group in np.unique(t.groups[well]):
        rows = well & (t.groups == group)
        means = [loss[rows & (t.folds == fold)].mean() for fold in np.unique(t.folds[rows])]
        variances += [np.var(means, ddof=1)] if len(means) > 1 else []
    return round(float(np.sqrt(np.mean(variances))), 6) if variances else None


def ceiling(predicted: Floats, recorded: Floats, noise: float | None) -> Mapping[str, float | None]:
    """How well the truth itself would agree with single noisy trainings.

    `r2`: the share of the recorded losses' variance that is no noise. `spearman` and `top_spearman`: between the
    predictions, taken for the truth, and the same with drawn noise, overall and in the tenth that then is the best.
    """
    if noise is None:
        return {"r2": None, "spearman": None, "top_spearman": None}
    rng = np.random.default_rng(np.random.SeedSequence(1))
    overall, best = [], []
    for _ in range(DRAWS // 4):
        noisy = predicted + noise * rng.standard_normal(len(predicted))
        top = noisy <= np.quantile(noisy, TOP)
        overall.append(spearmanr(predicted, noisy)[0])
        best.append(spearmanr(predicted[top], noisy[top])[0])
    return {
        "r2": round(1 - noise**2 / float(np.var(recorded)), 4),
        "spearman": round(float(np.mean(overall)), 4),
        "top_spearman": round(float(np.mean(best)), 4),
    }
