"""How long a trial takes, against what anyone would write first.

Figures are reported and not asserted, but for those of `quicken`, which is there for speed alone.

Run with `pytest tests/performance/test_training_speed.py --benchmark-enable --benchmark-only`; the ratios stand
under `extra_info` of `--benchmark-json FILE`.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from performance.in_turn import InTurn, seconds
from PIL import Image

torch = pytest.importorskip("torch")
pytest.importorskip("pytest_benchmark")

from torch import nn  # noqa: E402
from torch.utils.data import DataLoader, Dataset  # noqa: E402
from torchvision.transforms import v2  # noqa: E402

from hemobench.benchmarks.evaluators.live import Live, live  # noqa: E402
from hemobench.benchmarks.tasks import load_task  # noqa: E402
from hemobench.benchmarks.training.inputs.augmentation import (  # noqa: E402
    C_NMC,
    MEAN,
    STD,
    augment,
    draws,
    normalise,
    to_unit,
)
from hemobench.benchmarks.training.networks.backbones import backbone, lite_network  # noqa: E402
from hemobench.benchmarks.training.networks.convolutions import quicken  # noqa: E402
from hemobench.benchmarks.training.networks.head import FrozenBackbone, make_head  # noqa: E402
from hemobench.benchmarks.training.networks.weights import Weights  # noqa: E402
from hemobench.benchmarks.training.seeds import generator  # noqa: E402
from hemobench.strategies.base import Proposal  # noqa: E402
from hemobench.strategies.space import default  # noqa: E402

TASK = load_task("c-nmc")
CONFIG = default(TASK.space())
SIZE, FILE_SIZE, EPOCHS = 96, 144, 10
QUICKER = 0.9
"""Of a network's own time, at most what its gradients take with the convolutions of `quicken`."""
PLAIN = v2.Compose([v2.ToImage(), v2.Resize(SIZE), v2.ToDtype(torch.float32, scale=True), v2.Normalize(MEAN, STD)])
AUGMENTED = v2.Compose(
    [
        v2.ToImage(),
        v2.Resize(SIZE),
        v2.RandomAffine(15, translate=(0.1, 0.1), scale=(0.9, 1.1), shear=(-5.7, 5.7, -5.7, 5.7)),
        v2.RandomHorizontalFlip(),
        v2.ToDtype(torch.float32, scale=True),
        v2.Normalize(MEAN, STD),
    ]
)


class Files(Dataset[Any]):
    """Decodes, scales and transforms one file at a time, every time."""

    def __init__(self, paths: list[Path], transform: Any) -> None:
        self.paths, self.transform = paths, transform

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, i: int) -> tuple[Any, int]:
        with Image.open(self.paths[i]) as image:
            return self.transform(image.convert("RGB")), int("_all" in self.paths[i].name)


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """C-NMC's layout, 120 noisy discs of 144 pixels in three folds."""
    root = tmp_path_factory.mktemp("blood")
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:FILE_SIZE, :FILE_SIZE]
    disc = (np.hypot(y - 72, x - 72) < 50)[:, :, None]
    for fold in range(3):
        for i in range(40):
            kind, subject = ("all", f"{30 + fold}") if i % 3 else ("hem", f"H{30 + fold}")
            pixels = np.clip(disc * (120 + 40 * (kind == "all") + rng.normal(0, 25, (FILE_SIZE, FILE_SIZE, 3))), 0, 255)
            path = root / f"training_data/fold_{fold}/{kind}/UID_{subject}_{i}_1_{kind}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels.astype(np.uint8)).save(path)
    return root


@pytest.fixture(scope="module")
def evaluator(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Live:
    """With its features prepared."""
    cache = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HEMOBENCH_CACHE", str(cache))
        made = live(TASK, folder, image_size=SIZE, weights="none", device="cpu", cache=cache)
    made.evaluate(Proposal(CONFIG, EPOCHS), 0)
    return made


def plain_trial(folder: Path) -> float:
    """Seconds of a ten-epoch trial as first written: files, DataLoader, backbone and head in every batch."""
    paths = [sorted((folder / f"training_data/fold_{fold}").glob("*/*.jpg")) for fold in range(3)]
    batch = int(CONFIG["batch_size"])
    train = DataLoader(Files(paths[0], AUGMENTED), batch, shuffle=True)
    validation, test = (DataLoader(Files(p, PLAIN), batch) for p in paths[1:])
    network = nn.Sequential(
        FrozenBackbone(backbone("efficientnet_b2"), Weights(None, "none"), 0), make_head(CONFIG, 1408, 2, 0)
    )
    optimizer = torch.optim.AdamW(network[1].parameters(), lr=CONFIG["learning_rate"])
    loss = nn.CrossEntropyLoss()
    started = time.perf_counter()
    for _ in range(EPOCHS):
        network.train()
        for images, labels in train:
            optimizer.zero_grad()
            loss(network(images), labels).backward()
            optimizer.step()
        _predict(network, validation)
    _predict(network, test)
    return time.perf_counter() - started


@torch.no_grad()
def _predict(network: nn.Module, loader: DataLoader[Any]) -> Any:
    network.eval()
    return torch.cat([network(images) for images, _ in loader])


def test_a_trial_with_shared_features(benchmark: Any, evaluator: Live, folder: Path) -> None:
    """Seconds of a ten-epoch C-NMC trial, and how many times longer the plain loop takes."""
    seeds = iter(range(100))
    outcome = benchmark.pedantic(
        lambda: evaluator.evaluate(Proposal(CONFIG, EPOCHS), next(seeds)), rounds=5, warmup_rounds=1
    )
    plain = plain_trial(folder)
    benchmark.extra_info["plain_loop_s"] = plain
    if benchmark.stats:  # none with --benchmark-disable
        benchmark.extra_info["plain_over_shared"] = plain / benchmark.stats.stats.median
    assert len(outcome.curve) == EPOCHS


@pytest.mark.parametrize("batch", [4, 16, 32])
def test_gradients_of_an_efficientnet_that_is_fine_tuned(benchmark: Any, batch: int) -> None:
    """In turn with those of the network as it was made: they agree, and take at most nine tenths of the time."""
    torch.manual_seed(0)
    usual = lite_network(0, 10).to(memory_format=torch.channels_last)
    quick = deepcopy(usual)
    quicken(quick)
    images = torch.randn(batch, 3, 64, 64).to(memory_format=torch.channels_last)
    labels = torch.randint(0, 10, (batch,))
    measured = InTurn()

    def gradients(network: nn.Module) -> None:
        network.zero_grad()
        nn.functional.cross_entropy(network(images), labels).backward()

    benchmark.pedantic(lambda: gradients(quick), setup=lambda: gradients(usual), rounds=3, warmup_rounds=1)
    torch.testing.assert_close(quick.classifier.weight.grad, usual.classifier.weight.grad, rtol=1e-3, atol=1e-5)
    if not benchmark.stats:
        return
    measured.go_on(
        lambda: seconds(lambda: gradients(usual)),
        lambda: seconds(lambda: gradients(quick)),
        lambda: measured.ratio <= QUICKER,
        least=8,
        most=30,
    )
    benchmark.extra_info["over_usual"] = measured.ratio
    assert measured.ratio <= QUICKER


def test_batched_augmentation(benchmark: Any) -> None:
    """Images a second of the C-NMC augmentation, against torchvision's transforms image by image."""
    pixels = torch.randint(0, 256, (64, SIZE, SIZE, 3), dtype=torch.uint8, generator=generator(0))
    drawn = draws(64, generator(1))
    views = benchmark(lambda: normalise(augment(to_unit(pixels), drawn, C_NMC)))
    images = [Image.fromarray(p.numpy()) for p in pixels]
    started = time.perf_counter()
    one_by_one = torch.stack([AUGMENTED(image) for image in images])
    alone = time.perf_counter() - started
    benchmark.extra_info["torchvision_images_per_s"] = 64 / alone
    if benchmark.stats:
        benchmark.extra_info["images_per_s"] = 64 / benchmark.stats.stats.median
    assert views.shape == one_by_one.shape
