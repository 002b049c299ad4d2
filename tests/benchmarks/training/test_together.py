"""Trainings side by side against the same trainings alone."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("torch")
pytest.importorskip("timm")

import torch

from hemobench.benchmarks.tasks.bone_marrow import OPTIMIZERS
from hemobench.benchmarks.training.bone_marrow import BoneMarrowProtocol
from hemobench.benchmarks.training.looking import Looks, look_all
from hemobench.benchmarks.training.options import Options
from hemobench.benchmarks.training.seeds import spread
from hemobench.benchmarks.training.together.pace import Beat, Pace, kind
from hemobench.benchmarks.training.together.train import look_together
from tests.benchmarks.training.conftest import make_cells

CPU = torch.device("cpu")
FREE = Beat(start=5.0, step=0.01, images=0.5, validation=0.25, test=2.0)


def bone_marrow(images: int = 60) -> BoneMarrowProtocol:
    cells = make_cells("bone-marrow", ("a", "b", "c"), (images // 3,) * 3, 64)
    options = Options(image_size=64, folds=3, weights="imagenet", precision="fp32")
    return BoneMarrowProtocol(*cells, options, CPU)


def lite(**changed: Any) -> dict[str, Any]:
    config = {
        "network": "efficientnet_lite0",
        "learning_rate": 1e-3,
        "batch_size": 8,
        "optimizer": "adam",
        "loss": "cross_entropy",
        "loss_weighting": 0.0,
        "dropout": 0.0,
    }
    return config | changed


def pace(protocol: Any, configs: list[dict[str, Any]], optimizers: list[str]) -> Pace:
    return Pace({kind(protocol.shape(config), name): FREE for config in configs for name in optimizers})


def close(one: Looks, other: Looks, tolerance: float) -> None:
    assert len(one.looks) == len(other.looks)
    for ours, theirs in zip(one.looks, other.looks, strict=True):
        assert ours.result.curve == pytest.approx(theirs.result.curve, abs=tolerance)
        assert ours.result.validation == pytest.approx(theirs.result.validation, abs=tolerance)
        assert ours.result.test == pytest.approx(theirs.result.test, abs=tolerance)


def test_side_by_side_is_what_each_is_alone_whatever_optimizer_loss_and_fold() -> None:
    protocol = bone_marrow()
    configs = [
        lite(optimizer=name, learning_rate=1e-4 * (k + 1), loss=("focal", "cross_entropy")[k % 2], loss_weighting=k / 9)
        for k, name in enumerate(OPTIMIZERS)
    ]
    folds = [k % 3 for k in range(len(configs))]
    jobs = [protocol.job(c, fold, spread(7, fold)) for c, fold in zip(configs, folds, strict=True)]
    found = look_together(protocol, jobs, (1, 2), CPU, pace(protocol, configs, OPTIMIZERS))
    for config, fold, looks in zip(configs, folds, found, strict=True):
        alone = look_one(protocol, config, fold, 7, (1, 2))
        close(looks, alone, 0.051)  # of 20 images one may fall to the other side by the order of a sum


def look_one(protocol: BoneMarrowProtocol, config: dict[str, Any], fold: int, seed: int, lengths: Any) -> Looks:
    class OneFold:
        folds = (fold,)

        def __getattr__(self, name: str) -> Any:
            return getattr(protocol, name)

    return look_all(OneFold(), config, lengths, seed, CPU)
