"""The papers' networks, from torchvision, with dropout, a classifier of our classes, and blocks that can be frozen.

`scale="micro"` gives the small networks of `micro` instead.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torchvision import models
from torchvision.models.inception import Inception3

from hemobench.benchmarks.training.inputs.augmentation import IMAGENET, Normalisation
from hemobench.benchmarks.training.networks import micro
from hemobench.benchmarks.training.networks.backbones import adapt_quickly, backbone, lite_copy, lite_network
from hemobench.benchmarks.training.networks.weights import RANDOM, Weights, load_into, resolve
from hemobench.benchmarks.training.seeds import Stream, forked
from hemobench.errors import BenchmarkError

Scale = Literal["paper", "micro"]
LITE = "efficientnet_lite"
DEPTHS = {
    "densenet": (121, 161, 169, 201),
    "resnet": (18, 152),
    "vgg_bn": (11, 19),
    "inception_v3": (0,),
    LITE: (0, 1, 2),
}
SMALLEST = {"densenet": 64, "resnet": 64, "vgg_bn": 64, "inception_v3": 107, LITE: 64}
"""Below these, the last feature map is a single pixel, and batch normalisation cannot train on one image."""

INCEPTION_SIZE = 299
"""What its auxiliary classifier is made for."""


@dataclass(frozen=True, slots=True)
class Architecture:
    """Which network.

    Attributes:
        family: A key of `DEPTHS`.
        depth: One of the family's; 0 for Inception v3, which comes in one; of EfficientNet-Lite, its version.
        dropout: Probability. DenseNet: after every dense layer; ResNet: before the classifier; Inception and VGG:
            where torchvision has it, in the classifier; EfficientNet-Lite: before the classifier.
        initialization: `random`, `fine_tuning` (all blocks are trained, from the given weights) or
            `feature_extraction` (the first blocks keep the given weights; random ones, whose batch normalisation
            has seen no image, give next to nothing to learn from).
        frozen_blocks: Blocks from the input that feature extraction keeps, 1 to 4. 4 leaves only the classifier.
    """

    family: str
    depth: int = 0
    dropout: float = 0.0
    initialization: str = "fine_tuning"
    frozen_blocks: int = 0

    @property
    def name(self) -> str:
        """As torchvision calls it, or `BACKBONES`."""
        if self.family == LITE:
            return f"{LITE}{self.depth}"
        if self.family == "vgg_bn":
            return f"vgg{self.depth}_bn"
        return f"{self.family}{self.depth or ''}"


class Network(nn.Module):
    """A classifier whose frozen parts stay in evaluation mode while the rest trains.

    Gives logits (n, classes); while training an Inception v3, also those of its auxiliary classifier.
    """

    def __init__(self, body: nn.Module, frozen: list[nn.Module]) -> None:
        super().__init__()
        self.body = body
        self._frozen = frozen  # a plain list: these are parts of the body, and registered there
        for part in frozen:
            part.requires_grad_(False)
        self.train()

    def train(self, mode: bool = True) -> Network:
        """As `torch.nn.Module.train`, but for the frozen parts: their running statistics stay, their dropout is off."""
        super().train(mode)
        for part in self._frozen:
            part.eval()
        return self

    def forward(self, images: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        """Logits of images (n, 3, s, s)."""
        result: Tensor | tuple[Tensor, Tensor] = self.body(images)
        return tuple(result) if isinstance(result, tuple) and len(result) > 1 else result  # type: ignore[return-value]


def check_size(family: str, size: int) -> None:
    """Refuse images that the family's last layers would shrink to nothing.

    Raises:
        BenchmarkError: If they are too small.
    """
    if size < SMALLEST[family]:
        raise BenchmarkError(
            f"{family} needs images of at least {SMALLEST[family]} pixels, not {size}", "raise the image size"
        )


def auxiliary_fits(size: int, batch_size: int) -> bool:
    """Whether Inception's auxiliary classifier can train.

    Its pooling and its unpadded 5 x 5 convolution take the 17 x 17 grid of a 299-pixel image down to one pixel, whose
    batch normalisation needs two images.
    """
    return size >= INCEPTION_SIZE and batch_size > 1


def build(
    which: Architecture, classes: int, weights: str, seed: int, *, scale: Scale = "paper", auxiliary: bool = True
) -> Network:
    """A network on the CPU.

    Args:
        which: Architecture, depth, dropout, initialisation.
        classes: Number of classes.
        weights: What fine-tuning and feature extraction start from; see `weights.resolve`. Micro networks have no
            published weights: they start from random ones under `auto`.
        seed: Decides all random weights.
        scale: `paper` or `micro`. torchvision has one Inception v3, which is not made smaller.
        auxiliary: Keep Inception's auxiliary classifier; see `auxiliary_fits`.

    Raises:
        BenchmarkError: If there is no such network, or its weights cannot be had.
    """
    if which.depth not in DEPTHS.get(which.family, ()):
        known = "; ".join(f"{f}: {', '.join(map(str, d))}" for f, d in DEPTHS.items())
        raise BenchmarkError(f"there is no {which.family} of depth {which.depth}", f"choose one of: {known}")
    make = _micro if _is_micro(which, scale) else _paper
    start = first_weights(which, weights, scale)
    with forked(torch.device("cpu"), seed, Stream.WEIGHTS):
        body = make(which, classes) if which.family != LITE else _lite(which, classes, start)
        if start.state is not None:
            load_into(body, start, HEADS[which.family])
    if not auxiliary and isinstance(body, Inception3):
        body.aux_logits, body.AuxLogits = False, None
    frozen = which.frozen_blocks if which.initialization == "feature_extraction" else 0
    return Network(body, [part for block in blocks(which.family, body)[:frozen] for part in block])


def first_weights(which: Architecture, weights: str, scale: Scale) -> Weights:
    """What the network starts from."""
    if which.initialization == "random" or weights == "none":
        return Weights(None, RANDOM)
    if _is_micro(which, scale):
        if weights == "auto":
            return Weights(None, f"{RANDOM} (micro networks have no published weights)")
        if weights == "imagenet":
            raise BenchmarkError("micro networks have no ImageNet weights", "use weights 'none', or a file of your own")
    return resolve(weights, which.name)


def normalisation(which: Architecture) -> Normalisation:
    """What the network's inputs are to be normalised with."""
    return backbone(which.name).normalisation if which.family == LITE else IMAGENET


def _is_micro(which: Architecture, scale: Scale) -> bool:
    """Whether a small network of ours stands for torchvision's: Inception and Lite come in their own sizes alone."""
    return scale == "micro" and which.family not in ("inception_v3", LITE)


HEADS = {
    LITE: ("classifier.",),
    "densenet": ("classifier.",),
    "resnet": ("fc.",),
    "vgg_bn": ("classifier.6.",),
    "inception_v3": ("fc.", "AuxLogits.fc."),
}


def _paper(which: Architecture, classes: int) -> Any:
    match which.family:
        case "densenet":
            return models.get_model(which.name, weights=None, num_classes=classes, drop_rate=which.dropout)
        case "resnet":
            return _with_dropout(models.get_model(which.name, weights=None, num_classes=classes), which.dropout)
        case "vgg_bn":
            return models.get_model(which.name, weights=None, num_classes=classes, dropout=which.dropout)
    return models.inception_v3(
        weights=None, num_classes=classes, dropout=which.dropout, init_weights=True, transform_input=True
    )


def _lite(which: Architecture, classes: int, start: Weights) -> Any:
    make = lite_copy if start.state is not None else lite_network
    network: Any = make(which.depth, classes)
    network.drop_rate = which.dropout
    adapt_quickly(network)
    return network


def _micro(which: Architecture, classes: int) -> Any:
    match which.family:
        case "densenet":
            return micro.densenet(which.depth, which.dropout, classes)
        case "resnet":
            return _with_dropout(micro.MicroResNet(which.depth, classes), which.dropout)
    return micro.MicroVGG(which.depth, which.dropout, classes)


def _with_dropout(network: Any, dropout: float) -> Any:
    """Dropout before the classifier, whose parameters keep their names."""
    network.fc.register_forward_pre_hook(lambda fc, inputs: (nn.functional.dropout(inputs[0], dropout, fc.training),))
    return network


def blocks(family: str, body: Any) -> list[list[nn.Module]]:
    """The four blocks from the input, each with what leads into or out of it; the classifier belongs to none.

    DenseNet: dense blocks, each with the transition after it; ResNet: stages; VGG: stages between poolings, the
    fourth and fifth together; Inception: stem, 35 x 35, 17 x 17 and 8 x 8 grids; EfficientNet-Lite: its grids of a
    half and a quarter of the side, an eighth, a sixteenth, and a thirty-second.
    """
    part = dict(body.named_children())
    match family:
        case "efficientnet_lite":
            stages = list(body.blocks)
            stem, top = [body.conv_stem, body.bn1], [body.conv_head, body.bn2]
            return [[*stem, *stages[:2]], [stages[2]], [*stages[3:5]], [*stages[5:], *top]]
        case "densenet":
            part = dict(body.features.named_children())
            stem = [part[name] for name in ("conv0", "norm0")]
            return [
                [*(stem if i == 1 else []), part[f"denseblock{i}"], part[f"transition{i}" if i < 4 else "norm5"]]
                for i in range(1, 5)
            ]
        case "resnet":
            return [[*([part["conv1"], part["bn1"]] if i == 1 else []), part[f"layer{i}"]] for i in range(1, 5)]
        case "vgg_bn":
            pools: list[list[nn.Module]] = [[]]
            for layer in body.features:
                pools[-1].append(layer)
                if isinstance(layer, nn.MaxPool2d):
                    pools.append([])
            return [pools[0], pools[1], pools[2], pools[3] + pools[4]]
    grids = {"Conv2d": 0, "Mixed_5": 1, "Mixed_6": 2, "Mixed_7": 3}
    result: list[list[nn.Module]] = [[], [], [], []]
    for name, module in part.items():
        for start, i in grids.items():
            if name.startswith(start):
                result[i].append(module)
    return result
