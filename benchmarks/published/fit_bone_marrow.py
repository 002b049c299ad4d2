"""The bone-marrow paper's figures for the automated space, and the fit of the surface to them."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any

import numpy as np

from hemobench.benchmarks.published import Target, bone_marrow
from hemobench.benchmarks.published.fitting import fit
from hemobench.benchmarks.published.measures import Pool, manual_combination, mean_loss, mean_response, sample, uniform
from hemobench.benchmarks.published.shape import Parameters, Values
from hemobench.benchmarks.tasks.bone_marrow import OPTIMIZERS, TASK

# Table 1, points: mean and deviation over the folds of what random search (and SSSR) selected.
SELECTED = {
    "micro_f1": (83.4, 0.5),
    "macro_f1": (82.0, 0.7),
    "precision": (82.2, 0.5),
    "recall": (82.2, 1.0),
}
RATES = (1e-5, 3e-5, 1e-4, 3e-4, 1e-3)
TRIAL_HOURS = 100.0
POOR = 80.0  # points; Fig. 2 maps what is poorer to this

CHOSEN: dict[str, Any] = {
    "floor": 30.0,
    "start": 20.0,
    "stride_best": -3.9,
    "stride_width": 0.28,
    "batch_slope": 0.5,
    "optimizer_reach": {
        "sgd": -1.8,
        "momentum": -0.8,
        "nesterov": -0.75,
        "rmsprop": 0.1,
        "adam": 0.0,
        "amsgrad": 0.0,
        "radam": -0.05,
    },
    "optimizer": {
        "sgd": 0.25,
        "momentum": 0.15,
        "nesterov": 0.1,
        "rmsprop": 0.3,
        "adam": 0.05,
        "amsgrad": 0.0,
        "radam": 0.05,
    },
    "batch_best": 16,
    "batch_large": 0.05,
    "batch_one": 2.5,
    "loss": {"cross_entropy": 0.0, "focal": 0.15},
    "weighting": 0.5,
    "weighting_best": {"cross_entropy": 0.35, "focal": 0.15},
    "dropout": 0.15,
    "dropout_best": 0.1,
    "architecture": {
        "densenet121": 0.25,
        "densenet161": 0.0,
        "densenet169": 0.15,
        "densenet201": 0.1,
        "resnet18": 1.6,
        "resnet152": 0.25,
        "inception_v3": 1.3,
        "vgg_bn11": 2.4,
        "vgg_bn19": 1.9,
    },
    "diverge_above": -3.9,
    "pace": 8.0,
    "pace_slope": 0.4,
    "pace_least": 3.0,
    "pace_most": 30.0,
    "pace_random": 1.5,
    "stop_pace": 20.0,
    "trial_noise": 0.05,
    "epoch_noise": 0.05,
    "test_noise": 0.07,
    "test_shift": 0.0,
    "macro": 0.984,
    "macro_slope": 1.2,
    "macro_noise": 0.05,
    "precision": 0.2,
    "recall": 0.2,
    "balance": 2.0,
    "balanced_at": 0.35,
    "balance_noise": 0.1,
    "deviation": {"micro_f1_std": 0.4, "macro_f1_std": 0.55, "precision_std": 0.4, "recall_std": 0.8},
    "deviation_rise": 3.0,
    "deviation_half": 1.5,
    "deviation_noise": 0.08,
    # Arithmetic per image (torchvision's figures, GFLOPs at 224 pixels, Inception at 299) and layers with weights.
    "gflops": {
        "densenet121": 2.834,
        "densenet161": 7.728,
        "densenet169": 3.36,
        "densenet201": 4.291,
        "resnet18": 1.814,
        "resnet152": 11.514,
        "inception_v3": 5.713,
        "vgg_bn11": 7.609,
        "vgg_bn19": 19.632,
    },
    "layers": {
        "densenet121": 121,
        "densenet161": 161,
        "densenet169": 169,
        "densenet201": 201,
        "resnet18": 18,
        "resnet152": 152,
        "inception_v3": 48,
        "vgg_bn11": 11,
        "vgg_bn19": 19,
    },
    "cost_batch": 4.0,
    "cost_epoch": 1.0,
}
FREE = {
    "rate_high": (2.0, 1.5, 6.0),
    "rate_low": (0.3, 0.05, 3.0),
    "batch_small": (0.2, 0.02, 2.0),
    "stride_half": (-6.5, -7.5, -5.0),
}

NOTES = (
    "The paper gives the best results, the effect of single hyperparameters and the cost; how they combine is ours.",
    "Progress depends on one stride: the learning rate, times an optimizer's reach (SGD 1/60, with momentum 1/6 of "
    "Adam's), over the root of the batch size. Strides that are too small hardly learn; that is where the many poor "
    "combinations come from.",
    "The effect of the learning rate is read along the useful values 1e-5 to 1e-3 around a good Adam-like "
    "configuration: over all of 1e-7 to 1e-3 it is far larger, which the paper's 1.6 points cannot have included.",
    "The optimizer's effect is read with every optimizer at its best learning rate of the range.",
    "The share of poor combinations (below 80) is read off Fig. 2 by us: about half.",
    "Noise of a mean over six folds is 0.07 points, after the paper's finding that six folds and thirty differ only "
    "in the fourth digit; the deviations over the folds are 8 per cent uncertain (ours).",
    "Table 1's figures are taken for test figures; validation has the same mean and noise of its own (ours).",
    "The paper's figures for random search are those that 100 uniform trials select on average; the optimum of the "
    "mean surface lies a little higher.",
    "Table 1's deviations of the manual combination are met for micro and macro F1 only; those of its precision and "
    "recall (1.9 and 0.9) move in opposite directions, and the surface has one common rise.",
    "The paper gives no number of epochs; the full length is 100, and early stopping ends most trainings sooner. "
    "After it nothing changes, the curve ends, and an epoch asked for costs a thousandth.",
    "Costs follow arithmetic per image and launches per batch; the scale is fitted to 10 000 GPU-hours for 100 "
    "trials of six folds. A tenth of a cost counts as evaluation (ours).",
    "RMSProp diverges where the learning rate is too large for the batch size, the sooner the larger; others never "
    "do. The paper reports no failures; ours.",
    "The manual combination takes the best of each one-dimensional grid around the libraries' defaults.",
)


def good(p: Parameters) -> dict[str, Any]:
    """A good configuration, Adam-like, around which single effects are read."""
    return {
        "densenet_depth": 161,
        "learning_rate": 10 ** p["stride_best"],
        "batch_size": 16,
        "optimizer": "amsgrad",
        "loss": "cross_entropy",
        "loss_weighting": p["weighting_best"]["cross_entropy"],
        "dropout": p["dropout_best"],
    }


def effect(p: Parameters, base: Values, changes: Iterable[Values]) -> float:
    """Points of micro F1 between the best and the worst of some changes to a configuration."""
    values = [bone_marrow.final({**base, **change}, p) for change in changes]
    return float(max(values) - min(values))


def along(name: str, values: Iterable[Any]) -> list[dict[str, Any]]:
    """Changes of one hyperparameter."""
    return [{name: value} for value in values]


def lesser_effects(p: Parameters, base: Values) -> dict[str, float]:
    """The effects that the paper calls little without giving a figure."""
    best = {name: min(10 ** (p["stride_best"] - p["optimizer_reach"][name]), 1e-3) for name in OPTIMIZERS}
    return {
        "densenet_depth": effect(p, base, along("densenet_depth", (121, 161, 169, 201))),
        "optimizer": effect(p, base, [{"optimizer": name, "learning_rate": best[name]} for name in OPTIMIZERS]),
        "loss": effect(p, base, along("loss", ("cross_entropy", "focal"))),
        "loss_weighting": effect(p, base, along("loss_weighting", (0.0, 0.25, 0.5, 0.75, 1.0))),
        "dropout": effect(p, base, along("dropout", (0.0, 0.1, 0.2, 0.25))),
    }


def combined(p: Parameters) -> dict[str, float]:
    """Noise-free validation metrics of the manual combination, in points."""
    loss = partial(mean_loss, TASK, bone_marrow, p)
    response = mean_response(TASK, bone_marrow, p, manual_combination(TASK.space(), loss))
    return {name: 100 * value for name, value in response.validation.items()}


def poor_share(configs: list[Values], p: Parameters) -> float:
    """Per cent of the configurations below 80 points of micro F1, those that diverge included."""
    poor = [bone_marrow.diverges(c, p) is not None or bone_marrow.final(c, p) < POOR for c in configs]
    return 100 * float(np.mean(poor))


def smooth_poor_share(configs: list[Values], p: Parameters) -> float:
    """The same with a soft edge of 0.3 points, for the fit."""
    edge = np.array([-np.inf if bone_marrow.diverges(c, p) else bone_marrow.final(c, p) - POOR for c in configs])
    return 100 * float(np.mean(0.5 * (1 - np.tanh(edge / 0.3))))


def fitted(configs: list[Values], p: Parameters) -> list[Target]:
    """What the fit is asked for, and what these parameters give."""
    base = good(p)
    return [
        Target("effect of learning rate", "4.1", 1.6, 0.1, effect(p, base, along("learning_rate", RATES))),
        Target(
            "effect of batch size, 1 left out", "4.1", 2.1, 0.1, effect(p, base, along("batch_size", (2, 4, 8, 16, 32)))
        ),
        Target("manual combination: micro F1", "Table 1", 82.9, 0.2, combined(p)["micro_f1"]),
        Target("uniform trials below 80 micro F1", "ours, after Fig. 2", 52.0, 8.0, smooth_poor_share(configs, p), "%"),
    ]


def selected(pool: Pool, trials: int = 100, runs: int = 2000) -> dict[str, float]:
    """Mean test metrics of what random search selects, in points."""
    names = [n for metric in SELECTED for n in (metric, f"{metric}_std")]
    return {name: 100 * float(pool.incumbents(trials, runs, name).mean()) for name in names}


def calibrate(rounds: int = 4) -> dict[str, Any]:
    """All parameters: the fit and the levels, in turns, since each moves the other a little."""
    configs = uniform(TASK.space(), 1500, seed=2)
    p: dict[str, Any] = {**CHOSEN, "top": 83.7}
    for _ in range(rounds):
        p = fit(partial(fitted, configs), p, FREE)
        p = _level(p, selected(sample(TASK, bone_marrow, p, 4000, seed=3)))
    return p


def _level(p: dict[str, Any], got: dict[str, float]) -> dict[str, Any]:
    """Shift the levels by what random search's selections still miss of Table 1."""
    miss = {name: mean - got[name] for name, (mean, _) in SELECTED.items()}
    macro = p["macro"] + (miss["macro_f1"] - miss["micro_f1"]) / 100
    deviation = {
        f"{name}_std": round(p["deviation"][f"{name}_std"] + spread - got[f"{name}_std"], 6)
        for name, (_, spread) in SELECTED.items()
    }
    return {
        **p,
        "top": round(p["top"] + miss["micro_f1"], 6),
        "macro": round(macro, 6),
        "precision": round(p["precision"] + miss["precision"] - miss["macro_f1"], 6),
        "recall": round(p["recall"] + miss["recall"] - miss["macro_f1"], 6),
        "deviation": deviation,
    }


def card(p: Parameters, pool: Pool) -> list[Target]:
    """Every target beside what the surface gives."""
    rows = fitted(pool.configs, p)[:-1]
    share = poor_share(pool.configs, p)
    rows.append(Target("uniform trials below 80 micro F1", "ours, after Fig. 2", 52.0, 8.0, share, "%"))
    failed = 100 * float(np.mean([r.diverged is not None for r in pool.responses]))
    rows.append(Target("uniform trials that diverge", "ours", 1.0, 1.0, failed, "%"))
    base, manual = good(p), combined(p)
    single = effect(p, base, along("batch_size", (1, 2)))
    rows.append(Target("batch size 1 below batch size 2", "4.1, without a figure; ours", 4.0, 1.0, single))
    rows += [
        Target(f"effect of {name}", "4.1, 'little'; ours", 0.6, 0.5, value)
        for name, value in lesser_effects(p, base).items()
    ]
    rows += [
        Target("manual combination: macro F1", "Table 1", 81.6, 0.4, manual["macro_f1"]),
        Target("manual combination: deviation of micro F1", "Table 1", 1.1, 0.4, manual["micro_f1_std"]),
        Target("manual combination: deviation of macro F1", "Table 1", 1.4, 0.4, manual["macro_f1_std"]),
    ]
    rows.append(Target("optimum: micro F1", "Table 1", 83.4, 0.5, bone_marrow.final(base, p)))
    got = selected(pool)
    for name, (mean, spread) in SELECTED.items():
        label = name.replace("_f1", " F1")
        rows.append(Target(f"selected by 100 random trials: {label}", "Table 1", mean, 0.2, got[name]))
        deviation = got[f"{name}_std"]
        rows.append(Target(f"selected by 100 random trials: deviation of {label}", "Table 1", spread, 0.15, deviation))
    hours = float(pool.hours.mean())
    return [*rows, Target("cost of a uniform trial", "3, random search", TRIAL_HOURS, 2.0, hours, "GPU-hours")]
