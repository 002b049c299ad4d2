"""The C-NMC paper's figures, and the fit of the surface to them."""

from __future__ import annotations

from typing import Any

import numpy as np

from hemobench.benchmarks.noise import draw
from hemobench.benchmarks.published import Target, c_nmc
from hemobench.benchmarks.published.fitting import fit
from hemobench.benchmarks.published.measures import Floats, Pool
from hemobench.benchmarks.published.shape import Parameters, Values
from hemobench.benchmarks.tasks.c_nmc import TASK
from hemobench.strategies.space import choices, quantile

# Trial: accuracy, learning rate, weight decay, dropout 1, dropout 2, hidden size, batch size.
TABLE_2 = {
    12: (96.86, 2.03e-4, 9.63e-3, 0.29, 0.24, 512, 48),
    14: (96.81, 4.87e-4, 1.2e-3, 0.25, 0.39, 512, 48),
    11: (95.73, 1.86e-4, 1.31e-3, 0.29, 0.31, 512, 48),
    19: (95.73, 2.9e-4, 1.8e-5, 0.20, 0.39, 512, 48),
    16: (95.78, 13.2e-4, 8.71e-3, 0.29, 0.25, 512, 32),
}
BEST = 12

# Points of variance share; the paper gives a range for the last three.
SHARES = {
    "learning_rate": (55, 1.5),
    "dropout_1": (34, 1.5),
    "weight_decay": (5, 1.5),
    "dropout_2": (2, 1),
    "hidden_size": (2, 1),
    "batch_size": (2, 1),
}

CHOSEN: dict[str, Any] = {
    "rate_best": -3.5,  # log10; the middle of the range that the paper calls optimal
    "rate_per_octave": 0.1,
    "dropout_1_best": 0.3,
    "dropout_1_per_decade": 0.015,
    "decay_best": -2.5,
    "hidden_shape": {"256": 1.0, "512": 0.0, "768": 0.3, "1024": 0.8},
    "batch_shape": {"32": 0.25, "40": 0.1, "48": 0.0, "56": 0.5, "64": 1.0},
    "trial_noise": 0.25,
    "epoch_noise": 0.25,
    "start": 62.0,
    "pace": 2.0,
    "pace_rate": 0.2,
    "pace_least": 0.8,
    "pace_most": 6.0,
    "gap_dropout_1": 0.8,
    "gap_decay": 0.5,
    "gap_size": 0.4,
    "test_noise": 1.66,
    "specificity_slope": 1.0,
    "specificity_noise": 0.64,
    "auroc_power": 0.8,
    "auroc_noise": 0.04,
    "cost_batch": 0.25,
    "cost_hidden": 0.02,
}
FREE = {
    "top": (97.0, 96.0, 98.0),
    "rate": (10.0, 5.0, 20.0),
    "rate_power": (2.5, 1.5, 4.0),
    "decay": (3.0, 0.5, 8.0),
    "decay_power": (3.0, 1.5, 4.0),
    "dropout_1": (8.0, 4.0, 16.0),
    "dropout_1_power": (2.5, 1.5, 4.0),
    "dropout_2": (1.5, 0.3, 4.0),
    "dropout_2_best": (0.28, 0.22, 0.32),
    "hidden_size": (1.2, 0.3, 4.0),
    "batch_size": (1.2, 0.3, 4.0),
}
TRIAL_HOURS = 0.2

NOTES = (
    "The paper gives accuracies, importances and ranges; that the surface is a sum of one penalty per hyperparameter "
    "with power-law shapes, and two weak interactions (the best learning rate grows with the batch size, the best "
    "dropout 1 falls with the learning rate), is ours. As the published shares add up to 100 %, there is room for "
    "little interaction: one-dimensional search does well here by the paper's own figures.",
    "The shares are those of the mean surface under uniform sampling (log-uniform where the space is), by "
    "quadrature; Optuna's own estimate came from twenty trials.",
    "Validation noise is 0.35 points at any epoch (0.25 of the trial, 0.25 of the epoch); the paper gives none.",
    "Ten-epoch curves rise exponentially from 62 points, faster at higher learning rates; ours.",
    "The test set has other patients: a configuration loses its gap, 12 points at the paper's best, more with less "
    "dropout, less weight decay and a larger hidden layer (at most about 2 points; ours).",
    "The paper's test figures are of three runs of 40 epochs, and its deviations are population deviations (1.66 "
    "is 2.06 with n - 1); they are used here for ten epochs, as they stand.",
    "AUROC follows accuracy: 8 points are missing at an accuracy of 84.84, and the error's power 0.8 elsewhere; ours.",
    "Costs are our estimate: 0.2 GPU-hours a ten-epoch trial on an RTX 3060 (frozen EfficientNet-B2 at 224 pixels, "
    "mixed precision), a fifth of it per batch. The paper gives no times. A tenth of a cost counts as evaluation.",
)


def config_of(trial: int) -> dict[str, Any]:
    """A configuration of the paper's Table 2."""
    _, rate, decay, first, second, hidden, batch = TABLE_2[trial]
    names = ("learning_rate", "weight_decay", "dropout_1", "dropout_2", "hidden_size", "batch_size")
    return dict(zip(names, (rate, decay, first, second, hidden, batch), strict=True))


def _values(name: str, points: int = 50) -> list[Any]:
    hp = TASK.space()[name]
    return list(choices(hp) or map(quantile(hp), ((i + 0.5) / points for i in range(points))))


VALUES = {name: _values(name) for name in SHARES}


def _effect(name: str, p: Parameters, base: Values) -> Floats:
    """Penalty along one hyperparameter, shape (values,)."""
    return np.array([c_nmc.penalties({**base, name: value}, p)[name] for value in VALUES[name]])


def moments(p: Parameters) -> tuple[float, float, dict[str, float]]:
    """Mean, variance and main-effect variances of the mean surface under uniform sampling, by quadrature.

    Penalties add up; that of the learning rate depends on the batch size too, and that of dropout 1 on the rate.
    """
    base = config_of(BEST)
    rates = np.array([_effect("learning_rate", p, {**base, "batch_size": batch}) for batch in VALUES["batch_size"]])
    dropouts = np.array([_effect("dropout_1", p, {**base, "learning_rate": rate}) for rate in VALUES["learning_rate"]])
    joint = rates[:, :, None] + dropouts[None] + _effect("batch_size", p, base)[:, None, None]
    alone = {
        name: float(joint.mean(axis=others).var())
        for name, others in (("batch_size", (1, 2)), ("learning_rate", (0, 2)), ("dropout_1", (0, 1)))
    }
    effects = {name: _effect(name, p, base) for name in SHARES if name not in alone}
    apart = {name: float(effect.var()) for name, effect in effects.items()}
    lost = float(joint.mean()) + sum(float(effect.mean()) for effect in effects.values())
    return p["top"] - lost, float(joint.var()) + sum(apart.values()), alone | apart


def card(p: Parameters) -> list[Target]:
    """What the fit is asked for, and what these parameters give."""
    mean, variance, alone = moments(p)
    spread = (variance + p["trial_noise"] ** 2 + p["epoch_noise"] ** 2) ** 0.5
    rows = [
        Target("validation accuracy, uniform trials: mean", "III, trials 0-9", 88.84, 0.3, mean),
        Target("validation accuracy, uniform trials: deviation", "III, trials 0-9", 4.12, 0.15, spread),
        Target("validation accuracy, best", "Table 2, trial 12", 96.86, 0.3, p["top"]),
    ]
    for name, (share, tolerance) in SHARES.items():
        rows.append(
            Target(f"variance share of {name}", "Fig. 2 and IV", share, tolerance, 100 * alone[name] / variance)
        )
    for trial, (accuracy, *_) in TABLE_2.items():
        achieved = c_nmc.final(config_of(trial), p)
        rows.append(Target(f"validation accuracy of trial {trial}", "Table 2", accuracy, 1.5, achieved))
    return rows


def calibrate() -> dict[str, Any]:
    """All parameters but the scale of cost."""
    p = fit(card, CHOSEN, FREE)
    p["gap_at"] = round(c_nmc.final(config_of(BEST), p), 6)
    at_best = c_nmc.gap(config_of(BEST), {**p, "gap": 0.0})
    return {**p, "gap": round(p["gap_at"] - c_nmc.TEST_ACCURACY - at_best, 6), "cost_epoch": 1.0}


def repeats(p: Parameters, runs: int = 4000) -> dict[str, Floats]:
    """Test metrics of the paper's best configuration over seeds, in points."""
    config = config_of(BEST)
    tests = [c_nmc.respond(config, p, 10, draw("c-nmc@published", 1, seed, config, 10)).test for seed in range(runs)]
    return {name: 100 * np.array([test[name] for test in tests]) for name in tests[0]}


def measured(p: Parameters, pool: Pool) -> list[Target]:
    """The rows of the card that are not fitted but follow."""
    test = repeats(p)
    rows = []
    for name, mean, spread in (("accuracy", 84.84, 1.66), ("specificity", 78.80, 1.78), ("auroc", 92.0, 0.8)):
        achieved = (float(test[name].mean()), float(test[name].std()))
        rows.append(Target(f"test {name} of trial 12 over seeds: mean", "Table 3", mean, 0.3, achieved[0]))
        rows.append(Target(f"test {name} of trial 12 over seeds: deviation", "Table 3", spread, 0.15, achieved[1]))
    selected = pool.incumbents(20, 1000, "accuracy")
    rows.append(Target("test accuracy selected by 20 random trials", "ours", 84.0, 1.5, 100 * float(selected.mean())))
    hours = float(pool.hours.mean())
    return [*rows, Target("cost of a uniform trial", "ours", TRIAL_HOURS, 0.005, hours, "GPU-hours")]
