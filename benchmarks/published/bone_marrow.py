"""The response surface of both bone-marrow spaces, fitted to the bone-marrow paper's statistics. Figures in points.

The full space adds penalties for what the automated one fixes, and nothing where it is fixed so.
"""

from __future__ import annotations

import math

from hemobench.benchmarks.noise import Draw
from hemobench.benchmarks.published.shape import Parameters, Response, Values, fraction, fractions, logistic, progress
from hemobench.benchmarks.tasks.bone_marrow import AUGMENTATIONS

EPOCHS = 100
PATIENCE = 15  # epochs without progress until a training is stopped early
LATE = 0.001  # of an epoch's cost for an epoch asked for after the early stop: no more than looking

METRICS = ("micro_f1", "macro_f1", "precision", "recall")
PER_FOLD = ("micro_f1_std", "macro_f1_std", "precision_std", "recall_std")


def stride(config: Values, p: Parameters) -> float:
    """Log10 of the learning rate that Adam at batch size 16 would need for the same progress."""
    batch = math.log10(config["batch_size"] / 16)
    rate = math.log10(config["learning_rate"])
    return float(rate + p["optimizer_reach"][config["optimizer"]] - p["batch_slope"] * batch)


def learned(u: float, p: Parameters) -> float:
    """The share of what can be learned that a stride reaches before early stopping gives up."""
    return logistic((u - p["stride_half"]) / p["stride_width"])


def penalty(config: Values, p: Parameters) -> float:
    """Points lost to the hyperparameters of the automated space, apart from strides too small to learn at all."""
    off = stride(config, p) - p["stride_best"]
    rate = p["rate_high"] * off**2 if off > 0 else p["rate_low"] * min(-off, 2.0) ** 2
    octaves = math.log2(config["batch_size"] / p["batch_best"])
    batch = (p["batch_small"] if octaves < 0 else p["batch_large"]) * octaves**2
    alone = p["batch_one"] if config["batch_size"] == 1 else 0.0  # batch normalisation of one image
    weighting = (config["loss_weighting"] - p["weighting_best"][config["loss"]]) / 0.65
    dropout = (config["dropout"] - p["dropout_best"]) / 0.15
    return float(
        rate
        + batch
        + alone
        + p["optimizer"][config["optimizer"]]
        + p["loss"][config["loss"]]
        + p["weighting"] * weighting**2
        + p["dropout"] * dropout**2
        + p["architecture"][architecture(config)]
    )


def architecture(config: Values) -> str:
    """Family and depth in one word, as in `densenet121`."""
    family = str(config.get("architecture", "densenet"))
    depth = config.get(f"{family.removesuffix('_bn')}_depth", "")
    return f"{family}{depth}"


def extra_penalty(config: Values, p: Parameters) -> float:
    """Points lost to what the automated space fixes: augmentation, initialisation and sampling. There, none."""
    strength = sum(p["augmentation"][name] for name in AUGMENTATIONS if config[name])
    lacking = max(p["augmentation_enough"] - strength, 0.0)
    beyond = sum(1 for name in p["distortion"] if config[name])
    distortion = sum(p["distortion"][name] for name in p["distortion"] if config[name])
    overfit = p["sampling"][config["sampling"]] * (1 - p["sampling_relief"] * beyond)
    start = {"fine_tuning": 0.0, "random": p["random_start"]}.get(str(config["initialization"]))
    if start is None:
        start = p["frozen"] * p["frozen_shape"][str(config["frozen_blocks"])]
    return float(p["rotation"] * lacking ** p["augmentation_power"] + distortion + overfit + start)


def final(config: Values, p: Parameters) -> float:
    """Mean micro F1 at the end of training, of those that do not diverge."""
    lost = penalty(config, p) + (extra_penalty(config, p) if "architecture" in config else 0.0)
    return float(p["floor"] + max(p["top"] - lost - p["floor"], 0.0) * learned(stride(config, p), p))


def diverges(config: Values, p: Parameters) -> int | None:
    """The epoch at which a training diverges: RMSProp only, where the rate is too large for the batch."""
    if config["optimizer"] != "rmsprop":
        return None
    batch: float = math.log10(config["batch_size"])
    excess: float = math.log10(config["learning_rate"]) - p["batch_slope"] * batch - p["diverge_above"]
    epoch: int = round(12 * math.exp(-3 * excess))
    return max(epoch, 1) if excess > 0 else None


def pace(config: Values, p: Parameters) -> float:
    """Epochs in which the rest to be learned shrinks by a factor of e; larger strides are faster."""
    slow = p["pace_random"] if config.get("initialization") == "random" else 1.0
    off = stride(config, p) - p["stride_best"]
    return float(slow * min(max(p["pace"] * 10 ** (-p["pace_slope"] * off), p["pace_least"]), p["pace_most"]))


def stop(config: Values, p: Parameters) -> int:
    """The epoch of the early stop: soon for what learns fast or hardly at all, never for what learns slowly."""
    busy = float(learned(stride(config, p), p) * min(pace(config, p) / p["stop_pace"], 1.0))
    return math.ceil(PATIENCE + (EPOCHS - PATIENCE) * busy)


def respond(config: Values, parameters: Parameters, epochs: int, noise: Draw) -> Response:
    """Means and deviations over the folds after some epochs; see `Surface`."""
    p = parameters
    died = diverges(config, p)
    last = stop(config, p)
    trained = min(epochs, last, died - 1 if died and died <= epochs else epochs)
    mean = p["start"] + (final(config, p) - p["start"]) * progress(trained, last, pace(config, p))
    observed = mean + p["trial_noise"] * noise.trial[0] + p["epoch_noise"] * noise.epoch[:trained]
    curve = fractions(observed)
    if died and died <= epochs:
        return Response({}, {}, curve, died)
    weighting = float(config["loss_weighting"])
    test = float(mean[-1]) + p["test_shift"] + p["test_noise"] * noise.trial[1]
    return Response(
        validation=_metrics(float(mean[-1]), float(observed[-1]), weighting, p, noise.trial[2:8]),
        test=_metrics(float(mean[-1]), test, weighting, p, noise.trial[8:14]),
        curve=curve,
    )


def _metrics(mean: float, micro: float, weighting: float, p: Parameters, z: tuple[float, ...]) -> dict[str, float]:
    """All eight metrics at a mean and an observed micro F1.

    The poorer the mean, the more the rare classes fall behind and the folds drift apart.
    """
    deficit = max(p["top"] - mean, 0.0)
    macro = micro * (p["macro"] - p["macro_slope"] * (deficit / 100) ** 1.5) + p["macro_noise"] * z[0]
    balance = p["balance"] * (weighting - p["balanced_at"]) + p["balance_noise"] * z[1]
    values = (micro, macro, macro + p["precision"] - balance, macro + p["recall"] + balance)
    drift = p["deviation_rise"] * deficit**2 / (deficit**2 + p["deviation_half"] ** 2)
    deviations = (
        (p["deviation"][name] + drift) * math.exp(p["deviation_noise"] * x)
        for name, x in zip(PER_FOLD, z[2:], strict=True)
    )
    return dict(zip((*METRICS, *PER_FOLD), map(fraction, (*values, *deviations)), strict=True))


def gpu_seconds(config: Values, parameters: Parameters, epochs: int) -> float:
    """Cost of all six folds from the start: arithmetic per image, launches per batch, until the early stop."""
    p = parameters
    name = architecture(config)
    epoch: float = p["gflops"][name] / p["gflops"]["densenet121"]
    epoch += p["cost_batch"] * p["layers"][name] / p["layers"]["densenet121"] / config["batch_size"]
    if "architecture" in config:
        epoch *= p["sampling_length"][config["sampling"]] * (1 - p["frozen_saving"] * config.get("frozen_blocks", 0))
    last = stop(config, p)
    return round(float(p["cost_epoch"]) * epoch * (min(epochs, last) + LATE * max(epochs - last, 0)), 3)
