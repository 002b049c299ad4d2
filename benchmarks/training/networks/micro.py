"""Networks of the papers' families that train in seconds on a CPU, with the same choices of depth.

They stand for nothing but themselves: figures measured on them are labelled so. Their modules are named as
torchvision's, so that blocks and classifiers are found alike.
"""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn
from torchvision.models.densenet import DenseNet
from torchvision.models.resnet import BasicBlock

DENSENET = {121: (8, (1, 2, 2, 2)), 161: (12, (1, 2, 3, 2)), 169: (8, (1, 2, 3, 3)), 201: (8, (1, 2, 4, 3))}
"""Growth rate and layers of each block: the real ones' order of size and, for 161, their greater width."""
RESNET = {18: (1, 1, 1, 1), 152: (1, 2, 4, 1)}
"""Basic blocks of each stage."""
VGG = {11: (1, 1, 1, 1, 1), 19: (2, 2, 2, 2, 2)}
"""Convolutions of each stage."""
WIDTHS = (16, 32, 64, 64, 64)


def densenet(depth: int, dropout: float, classes: int) -> nn.Module:
    """A DenseNet of torchvision with small growth rates and few layers."""
    growth, layers = DENSENET[depth]
    network: nn.Module = DenseNet(growth, layers, WIDTHS[0], bn_size=2, drop_rate=dropout, num_classes=classes)
    return network


class MicroResNet(nn.Module):
    """A stem and four stages of basic blocks, a quarter as wide as ResNet-18's or less."""

    def __init__(self, depth: int, classes: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, WIDTHS[0], 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(WIDTHS[0])
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        widths = (WIDTHS[0], *WIDTHS[:4])
        stages = [
            _stage(before, width, blocks, stride=1 if i == 0 else 2)
            for i, ((before, width), blocks) in enumerate(zip(pairwise(widths), RESNET[depth], strict=True))
        ]
        self.layer1, self.layer2, self.layer3, self.layer4 = stages
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(widths[-1], classes)

    def forward(self, images: Tensor) -> Tensor:
        """Logits of images (n, 3, s, s)."""
        features = self.maxpool(self.relu(self.bn1(self.conv1(images))))
        for stage in (self.layer1, self.layer2, self.layer3, self.layer4):
            features = stage(features)
        logits: Tensor = self.fc(self.avgpool(features).flatten(1))
        return logits


def _stage(before: int, width: int, blocks: int, stride: int) -> nn.Sequential:
    shortcut = None
    if before != width or stride != 1:
        shortcut = nn.Sequential(nn.Conv2d(before, width, 1, stride, bias=False), nn.BatchNorm2d(width))
    first = BasicBlock(before, width, stride, shortcut)
    return nn.Sequential(first, *(BasicBlock(width, width) for _ in range(blocks - 1)))


class MicroVGG(nn.Module):
    """Five stages of convolutions with batch normalisation, and a classifier of VGG's seven layers."""

    def __init__(self, depth: int, dropout: float, classes: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        before = 3
        for width, convolutions in zip(WIDTHS, VGG[depth], strict=True):
            for _ in range(convolutions):
                layers += [nn.Conv2d(before, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU(inplace=True)]
                before = width
            layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Sequential(
            *(nn.Linear(before, 64), nn.ReLU(), nn.Dropout(dropout)),
            *(nn.Linear(64, 64), nn.ReLU(), nn.Dropout(dropout)),
            nn.Linear(64, classes),
        )

    def forward(self, images: Tensor) -> Tensor:
        """Logits of images (n, 3, s, s)."""
        features: Tensor = self.avgpool(self.features(images))
        logits: Tensor = self.classifier(features.flatten(1))
        return logits
