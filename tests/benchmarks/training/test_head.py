"""The C-NMC path: the head, the frozen backbone, shared features against the plain loop."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from hemobench.benchmarks.training.checkpoints import Checkpoints  # noqa: E402
from hemobench.benchmarks.training.cross_validation import Result, Resumption, train_all  # noqa: E402
from hemobench.benchmarks.training.inputs.augmentation import normalise, to_unit  # noqa: E402
from hemobench.benchmarks.training.networks.backbones import BACKBONES, backbone  # noqa: E402
from hemobench.benchmarks.training.networks.head import FrozenBackbone, calibrate, make_head  # noqa: E402
from hemobench.benchmarks.training.networks.weights import Weights, fingerprint  # noqa: E402
from hemobench.benchmarks.training.options import Options  # noqa: E402
from hemobench.benchmarks.training.protocols.c_nmc import CNmcProtocol  # noqa: E402
from hemobench.benchmarks.training.timer import Timer  # noqa: E402
from hemobench.errors import BenchmarkError  # noqa: E402

CPU = torch.device("cpu")
OPTIONS = Options(image_size=64, weights="none")
CONFIG = {
    "learning_rate": 1e-3,
    "weight_decay": 1e-4,
    "dropout_1": 0.2,
    "dropout_2": 0.3,
    "hidden_size": 256,
    "batch_size": 32,
}


def bench(blood: tuple, cache: Path, options: Options = OPTIONS) -> CNmcProtocol:
    images, pixels = blood
    return CNmcProtocol(images, pixels, options, CPU, cache)


def train(protocol: CNmcProtocol, tmp: Path, epochs: int = 2) -> tuple[Result, Timer]:
    watch = Timer(CPU)
    resumption = Resumption(Checkpoints(tmp), "test", trained=0, keep=False)
    return train_all(protocol, CONFIG, epochs, 7, device=CPU, watch=watch, resumption=resumption), watch


def test_the_head_is_the_papers() -> None:
    head = make_head(CONFIG, 1408, 2, 0)
    kinds = [type(layer) for layer in head]
    assert kinds == [nn.Dropout, nn.Linear, nn.ReLU, nn.Dropout, nn.Linear]
    assert (head[0].p, head[3].p) == (0.2, 0.3)
    assert (head[1].in_features, head[1].out_features) == (1408, 256)
    assert head[4].out_features == 2
    assert fingerprint(head) == fingerprint(make_head(CONFIG, 1408, 2, 0)) != fingerprint(make_head(CONFIG, 1408, 2, 1))


def test_the_job_is_the_papers(blood: tuple, tmp_path: Path) -> None:
    job = bench(blood, tmp_path).job(CONFIG, 0, 0)
    assert (job.recipe.optimizer, job.recipe.plateau, job.recipe.patience) == ("adamw", 5, 10)
    assert (job.recipe.learning_rate, job.recipe.weight_decay, job.recipe.batch_size) == (1e-3, 1e-4, 32)


@pytest.mark.parametrize("name", BACKBONES)
def test_a_backbone_is_frozen_and_gives_its_features(name: str) -> None:
    row = backbone(name)
    frozen = FrozenBackbone(row, Weights(None, "test"), 0).train()
    assert not frozen.training
    assert not any(module.training for module in frozen.modules())
    assert not any(p.requires_grad for p in frozen.parameters())
    assert frozen(torch.rand(2, 3, 64, 64)).shape == (2, row.features)


def test_a_random_backbone_fades_until_it_is_calibrated(blood: tuple) -> None:
    _, pixels = blood
    images = normalise(to_unit(torch.from_numpy(pixels[:40])))
    frozen = FrozenBackbone(backbone("efficientnet_b2"), Weights(None, "test"), 0)
    assert float(frozen(images).std()) < 1e-9
    calibrate(frozen, images)
    assert float(frozen(images).std(dim=0).mean()) > 0.01
    assert not any(module.training for module in frozen.modules())


def test_shared_features_give_the_plain_loops_metrics(blood: tuple, tmp_path: Path) -> None:
    """The same views through the backbone once, or batch by batch in the loop: the same result."""
    shared, watch = train(bench(blood, tmp_path), tmp_path)
    plain, plain_watch = train(bench(blood, tmp_path, replace(OPTIONS, share_features=False)), tmp_path)
    assert shared.validation == pytest.approx(plain.validation, abs=1e-4)
    assert shared.test == pytest.approx(plain.test, abs=1e-4)
    assert shared.curve == pytest.approx(plain.curve, abs=1e-4)
    assert watch.seconds["preparation"] > 0
    assert plain_watch.seconds["preparation"] == 0
    assert watch.charged < plain_watch.charged


def test_features_are_computed_once(blood: tuple, tmp_path: Path) -> None:
    train(bench(blood, tmp_path), tmp_path)
    files = {path: path.stat().st_mtime_ns for path in tmp_path.glob("features-*.npy")}
    assert len(files) == 4  # two epochs' views, validation, test
    again, _ = train(bench(blood, tmp_path), tmp_path)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.glob("features-*.npy")} == files
    assert again == train(bench(blood, tmp_path), tmp_path)[0]


def test_damaged_features_are_computed_again(blood: tuple, tmp_path: Path) -> None:
    before, _ = train(bench(blood, tmp_path), tmp_path)
    for i, path in enumerate(sorted(tmp_path.glob("features-*.npy"))):
        content = path.read_bytes()
        path.write_bytes(content[: len(content) // 2] if i % 2 else b"")
    assert train(bench(blood, tmp_path), tmp_path)[0] == before


@pytest.mark.parametrize("change", [{"view_seed": 1}, {"fold": 1}])
def test_other_views_or_images_are_other_features(blood: tuple, tmp_path: Path, change: dict) -> None:
    train(bench(blood, tmp_path), tmp_path, epochs=1)
    before = set(tmp_path.glob("features-*.npy"))
    train(bench(blood, tmp_path, replace(OPTIONS, **change)), tmp_path, epochs=1)
    assert set(tmp_path.glob("features-*.npy")) > before


def test_views_differ_from_epoch_to_epoch(blood: tuple, tmp_path: Path) -> None:
    train(bench(blood, tmp_path), tmp_path)
    arrays = [np.load(path) for path in sorted(tmp_path.glob("features-*.npy"))]
    trained = [a for a in arrays if len(a) == max(len(b) for b in arrays)]
    assert not all(np.allclose(trained[0], other) for other in trained[1:])


def test_the_weights_are_named(blood: tuple, tmp_path: Path) -> None:
    provenance = bench(blood, tmp_path).provenance
    assert provenance["weights"].startswith("random initialisation")
    assert len(provenance["weights_sha256"]) == 64
    assert "shared" in provenance["features"]


def test_too_few_images_for_the_split_are_refused(cells: Callable[..., tuple], tmp_path: Path) -> None:
    images, pixels = cells("c-nmc", ("all", "hem"), (4, 2), 64)
    images = replace(images, test=np.arange(6) > 1, folds=np.array([0, 1, -1, -1, -1, -1]))
    empty = replace(images, contents=np.array(["same"] * 6))
    with pytest.raises(BenchmarkError, match="images for training"):
        bench((empty, pixels), tmp_path)


def test_backbones_share_no_features(blood: tuple, tmp_path: Path) -> None:
    for name in ("efficientnet_b2", "efficientnet_lite0"):
        train(bench(blood, tmp_path, replace(OPTIONS, backbone=name)), tmp_path, epochs=1)
    assert len(list(tmp_path.glob("features-*.npy"))) == 6  # of each: one epoch's views, validation, test
