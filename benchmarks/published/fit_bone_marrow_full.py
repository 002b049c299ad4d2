"""The bone-marrow paper's figures for the full space; what it shares with the automated one is fitted there."""

from __future__ import annotations

from functools import partial
from typing import Any

from hemobench.benchmarks.published import Target, bone_marrow
from hemobench.benchmarks.published import fit_bone_marrow as automated
from hemobench.benchmarks.published.fit_bone_marrow import along, effect
from hemobench.benchmarks.published.fitting import fit
from hemobench.benchmarks.published.measures import manual_combination, mean_loss, mean_response
from hemobench.benchmarks.published.shape import Parameters, Values
from hemobench.benchmarks.tasks.bone_marrow import AUGMENTATIONS, FULL_TASK

CHOSEN: dict[str, Any] = {
    # How much of a full rotation's worth each augmentation is, and what the automated space's three amount to.
    "augmentation": {
        "random_crop": 0.2,
        "mirroring": 0.25,
        "rotation": 1.0,
        "stretching": 0.15,
        "blurring": 0.05,
        "gamma_correction": 0.1,
        "elastic_deformation": 0.15,
    },
    "augmentation_enough": 1.45,
    "augmentation_power": 1.3,
    "distortion": {"stretching": 0.05, "blurring": 0.07, "gamma_correction": 0.04, "elastic_deformation": 0.06},
    "frozen_shape": {"1": 0.03, "2": 0.3, "3": 0.62, "4": 1.03},
    "frozen_saving": 0.15,
    "sampling_relief": 0.15,
    "sampling_length": {"normal": 1.0, "over": 2.0, "under": 0.5},
    "oversampling": 0.85,
}
FREE = {
    "rotation": (3.6, 1.0, 10.0),
    "random_start": (5.6, 1.0, 12.0),
    "frozen": (4.3, 1.0, 10.0),
    "undersampling": (7.3, 2.0, 15.0),
}
FIXED: dict[str, Any] = {name: name in ("rotation", "mirroring", "random_crop") for name in AUGMENTATIONS} | {
    "architecture": "densenet",
    "initialization": "fine_tuning",
    "sampling": "normal",
}
"""What the automated space fixes."""

NOTES = (
    *automated.NOTES,
    "Where rotation, mirroring and random crop are on, the other augmentations off, and a DenseNet is fine-tuned with "
    "normal sampling, this is the surface of the automated space, with the same parameters.",
    "Effects are read around the automated space's good configuration. Additional augmentation, without which over- "
    "and undersampling overfit, is read as the four that the automated space leaves out; each relieves 15 per cent.",
    "Augmentations saturate: what rotation, mirroring and crop leave to gain is nothing, and every further one "
    "distorts a little. That, and the stride, is why the manual combination does not add up.",
    "Initialization's 5.6 points are random against fine-tuning; the 4.3 of feature extraction lie between freezing "
    "one block and all four.",
    "The paper ranks architectures without figures; 2.4 points from the best to VGG-11 are ours.",
    "Costs use the automated space's scale; freezing saves 15 per cent a block, over- and undersampling double and "
    "halve an epoch (ours).",
)


def good(p: Parameters) -> dict[str, Any]:
    """The automated space's good configuration, in the full space."""
    return {**FIXED, **automated.good(p)}


def expand(p: Parameters) -> dict[str, Any]:
    """The table of sampling penalties from the fitted one."""
    under = p["undersampling"]
    return {**p, "sampling": {"normal": 0.0, "over": round(p["oversampling"] * under, 6), "under": under}}


def fitted(p: Parameters) -> list[Target]:
    """What the fit is asked for, and what these parameters give."""
    p = expand(p)
    base = good(p)
    depths = [{"initialization": "feature_extraction", "frozen_blocks": n} for n in (1, 2, 3, 4)]
    return [
        Target("effect of sampling", "4.1", 7.3, 0.1, effect(p, base, along("sampling", ("normal", "over", "under")))),
        Target(
            "effect of initialization",
            "4.1",
            5.6,
            0.1,
            effect(p, base, along("initialization", ("random", "fine_tuning"))),
        ),
        Target("effect of feature extraction's depth", "4.1", 4.3, 0.1, effect(p, base, depths)),
        Target("effect of rotation", "4.1", 3.6, 0.1, effect(p, base, along("rotation", (False, True)))),
    ]


def calibrate(shared: Parameters) -> dict[str, Any]:
    """All parameters, those of the automated space as they are."""
    return expand(fit(fitted, {**shared, **CHOSEN}, FREE))


def combined(p: Parameters) -> dict[str, float]:
    """Noise-free validation metrics of the manual combination, in points."""
    loss = partial(mean_loss, FULL_TASK, bone_marrow, p)
    response = mean_response(FULL_TASK, bone_marrow, p, manual_combination(FULL_TASK.space(), loss))
    return {name: 100 * value for name, value in response.validation.items()}


def lesser_effects(p: Parameters, base: Values) -> dict[str, float]:
    """The effects that the paper calls little, or does not mention."""
    switches = {name: effect(p, base, along(name, (False, True))) for name in AUGMENTATIONS if name != "rotation"}
    dropout = effect(p, base, along("dropout", (0.0, 0.1, 0.2, 0.3, 0.4, 0.5)))
    return {**automated.lesser_effects(p, base), "dropout": dropout, **switches}


def card(p: Parameters) -> list[Target]:
    """Every target beside what the surface gives."""
    base, manual = good(p), combined(p)
    deep = [*along("densenet_depth", (121, 161, 169, 201)), {"architecture": "resnet", "resnet_depth": 152}]
    families: list[dict[str, Any]] = [{"architecture": "resnet", "resnet_depth": 18}, {"architecture": "inception_v3"}]
    families += [{"architecture": "vgg_bn", "vgg_depth": depth} for depth in (11, 19)]
    first: list[dict[str, Any]] = [{}, {"initialization": "feature_extraction", "frozen_blocks": 1}]
    batches = along("batch_size", (2, 4, 8, 16, 32, 64))
    return [
        *fitted(p),
        Target("effect of freezing the first block", "4.1, 'insignificant'; ours", 0.1, 0.15, effect(p, base, first)),
        Target("effect of learning rate", "4.1", 1.6, 0.1, effect(p, base, along("learning_rate", automated.RATES))),
        Target("effect of batch size, 1 left out", "4.1", 2.1, 0.1, effect(p, base, batches)),
        Target("batch size 1 below batch size 2", "4.1; ours", 4.0, 1.0, effect(p, base, along("batch_size", (1, 2)))),
        Target("deep ResNet and all DenseNets", "4.1, 'best'; ours", 0.2, 0.2, effect(p, base, deep)),
        Target("all architectures", "4.1; ours", 2.4, 0.3, effect(p, base, [*deep, *families])),
        *(
            Target(f"effect of {name}", "4.1, 'little'; ours", 0.6, 0.6, value)
            for name, value in lesser_effects(p, base).items()
        ),
        Target("manual combination: micro F1", "Table 1", 82.9, 0.7, manual["micro_f1"]),
        Target("manual combination: macro F1", "Table 1", 81.6, 0.8, manual["macro_f1"]),
    ]
