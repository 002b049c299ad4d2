"""Ten classes of bone-marrow cells, as in the bone-marrow paper (RWTH Aachen): two search spaces, one data set."""

from __future__ import annotations

from dataclasses import replace

from ConfigSpace import Categorical, ConfigurationSpace, EqualsCondition, Float, InCondition, Integer

from hemobench.benchmarks.tasks.base import Objective, Task
from hemobench.strategies.space import Hyperparameter

OPTIMIZERS = ["sgd", "momentum", "nesterov", "rmsprop", "adam", "amsgrad", "radam"]
AUGMENTATIONS = [
    "random_crop",
    "mirroring",
    "rotation",
    "stretching",
    "blurring",
    "gamma_correction",
    "elastic_deformation",
]


def criterion(macro: float = 0.5, micro: float = 0.5, deviation: float = 1.0) -> Objective:
    """The paper's criterion: macro and micro F1 less the deviation of macro F1 over the folds.

    The paper calls it "a linear combination" and gives no weights; these are ours, and settings.
    """
    return Objective({"macro_f1": macro, "micro_f1": micro, "macro_f1_std": -deviation})


def _shared(batch_size: int, dropout: float) -> list[Hyperparameter]:
    """What both spaces have; the automated one has the narrower batch size and dropout (the paper's footnote 2).

    Defaults are the libraries' own (Adam at 1e-3, no dropout, plain cross-entropy).
    """
    return [
        Float("learning_rate", (1e-7, 1e-3), log=True, default=1e-3),
        Integer("batch_size", (1, batch_size), default=32),
        Categorical("optimizer", OPTIMIZERS, default="adam"),
        Categorical("loss", ["cross_entropy", "focal"], default="cross_entropy"),
        Float("loss_weighting", (0.0, 1.0), default=0.0),
        Float("dropout", (0.0, dropout), default=0.0),
    ]


def space() -> ConfigurationSpace:
    """The space of the automated searches: a fine-tuned DenseNet, rotated, mirrored and cropped."""
    return ConfigurationSpace(
        space=[Categorical("densenet_depth", [121, 161, 169, 201], default=121), *_shared(32, 0.25)]
    )


def full_space() -> ConfigurationSpace:
    """The space of the manual analysis: four architecture families, augmentations, initialisation, sampling.

    `frozen_blocks` counts the blocks, from the input, that feature extraction leaves untrained; fine-tuning
    trains all of them. Inception v3 comes in one depth.
    """
    result = ConfigurationSpace(
        space=[
            Categorical("architecture", ["densenet", "resnet", "inception_v3", "vgg_bn"], default="densenet"),
            Categorical("densenet_depth", [121, 161, 169, 201], default=121),
            Categorical("resnet_depth", [18, 152], default=18),
            Categorical("vgg_depth", [11, 19], default=11),
            *_shared(64, 0.5),
            *(Categorical(name, [False, True], default=False) for name in AUGMENTATIONS),
            Categorical("initialization", ["random", "fine_tuning", "feature_extraction"], default="fine_tuning"),
            Integer("frozen_blocks", (1, 4), default=4),
            Categorical("sampling", ["normal", "over", "under"], default="normal"),
        ]
    )
    family = result["architecture"]
    result.add(
        EqualsCondition(result["densenet_depth"], family, "densenet"),
        EqualsCondition(result["resnet_depth"], family, "resnet"),
        EqualsCondition(result["vgg_depth"], family, "vgg_bn"),
        InCondition(result["frozen_blocks"], result["initialization"], ["feature_extraction"]),
    )
    return result


def lite_space() -> ConfigurationSpace:
    """The space of the automated searches with EfficientNet-Lite in place of DenseNet's depth."""
    networks = ["efficientnet_lite0", "efficientnet_lite1", "efficientnet_lite2"]
    return ConfigurationSpace(
        space=[
            Categorical("network", networks, default=networks[0]),
            *_shared(32, 0.25),
        ]
    )


TASK = Task(
    name="bone-marrow",
    title="Bone marrow: ten haematopoietic cell types",
    space=space,
    objective=criterion(),
    headline="micro_f1",
    headline_label="micro F1",
    epochs=100,  # the paper gives no number; this is the length that a trial's fidelity is counted in
    reference_device="NVIDIA GTX 1080 Ti / RTX 2080 Ti",
    dataset="bone-marrow",
    training="hemobench.benchmarks.training.protocols.bone_marrow:make",
    options=("fold", "folds", "extended", "split_seed", "scale"),
)

FULL_TASK = replace(
    TASK, name="bone-marrow-full", title="Bone marrow: the full space of the manual analysis", space=full_space
)

MICRO_TASK = replace(
    TASK,
    name="bone-marrow-micro",
    title="Bone marrow at micro scale: the same space on small networks, images and trainings",
    epochs=6,
    reference_device="one CPU core",
    settings={"scale": "micro", "image_size": 64, "images": 600},
)
"""What a CPU can train thousands of times; it stands for nothing but itself."""

LITE_TASK = replace(
    TASK,
    name="bone-marrow-lite",
    title="Bone marrow: EfficientNet-Lite, fine-tuned from ImageNet's weights",
    space=lite_space,
    epochs=8,
    reference_device="NVIDIA H100",
    settings={"image_size": 64, "images": 3000, "folds": 3, "precision": "fp32"},
    options=("fold", "folds", "extended", "split_seed", "together"),
)
"""The automated space on networks whose ImageNet weights come as Python packages."""

HEAD_TASK = replace(
    LITE_TASK,
    name="bone-marrow-head",
    title="Bone marrow: a linear classifier on frozen EfficientNet-Lite features",
    reference_device="one CPU core",
    training="hemobench.benchmarks.training.protocols.bone_marrow_head:make",
    settings={"image_size": 112, "folds": 4, "precision": "fp32"},
)
"""The same space where the network stays ImageNet's: what a CPU trains in seconds, on all images."""
