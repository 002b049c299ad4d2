"""Training as anyone would write it first: files, a DataLoader, torchvision's transforms, automatic mixed precision."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import repeat
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from torchvision.transforms import v2

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
FILE_SIZE = 256
WARM_UP = 6
"""Batches before the clock starts: workers start, and libraries choose their kernels."""


class Files(Dataset[Any]):
    """Decodes, scales and augments one file at a time, every time.

    Args:
        paths: The files.
        labels: Their classes.
        size: Side in pixels.
    """

    def __init__(self, paths: list[Path], labels: list[int], size: int) -> None:
        self.paths, self.labels = paths, labels
        self.transform = v2.Compose(
            [
                v2.ToImage(),
                v2.Resize(size),
                v2.RandomAffine(15, translate=(0.1, 0.1), scale=(0.9, 1.1), shear=(-5.7, 5.7, -5.7, 5.7)),
                v2.RandomHorizontalFlip(),
                v2.ToDtype(torch.float32, scale=True),
                v2.Normalize(MEAN, STD),
            ]
        )

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, i: int) -> tuple[Any, int]:
        with Image.open(self.paths[i]) as image:
            return self.transform(image.convert("RGB")), self.labels[i]


def draw_files(folder: Path, count: int) -> list[Path]:
    """So many JPEG files of noisy discs, 256 pixels wide."""
    y, x = np.mgrid[:FILE_SIZE, :FILE_SIZE]
    disc = (np.hypot(y - FILE_SIZE / 2, x - FILE_SIZE / 2) < 90)[:, :, None]

    def draw(number: int) -> Path:
        rng = np.random.default_rng(number)
        noise = rng.integers(-30, 30, (FILE_SIZE, FILE_SIZE, 3), dtype=np.int16)
        path = folder / f"{number}.jpg"
        Image.fromarray(np.clip(130 * disc + noise, 0, 255).astype(np.uint8)).save(path)
        return path

    with ThreadPoolExecutor(8) as pool:
        return list(pool.map(draw, range(count)))


def decoded(files: list[Path], size: int) -> NDArray[np.uint8]:
    """The files' pixels, shape (n, size, size, 3)."""

    def one(path: Path) -> NDArray[np.uint8]:
        with Image.open(path) as image:
            return np.asarray(image.resize((size, size), Image.Resampling.BOX))

    with ThreadPoolExecutor(8) as pool:
        return np.stack(list(pool.map(one, files)))


class Step:
    """One step of AdamW under automatic mixed precision.

    Args:
        network: To be trained; moved to the device.
        device: Where.
        dtype: Of automatic mixed precision; `None` for 32 bits.
    """

    def __init__(self, network: nn.Module, device: torch.device, dtype: torch.dtype | None) -> None:
        self.device, self._dtype = device, dtype
        self._network = network.to(device).train()
        trained = [p for p in network.parameters() if p.requires_grad]
        self._optimizer = torch.optim.AdamW(trained, lr=1e-4)
        self._loss = nn.CrossEntropyLoss()

    def __call__(self, images: Tensor, labels: Tensor) -> None:
        self._optimizer.zero_grad()
        with torch.autocast(self.device.type, dtype=self._dtype, enabled=self._dtype is not None):
            loss = self._loss(self._network(images), labels)
        loss.backward()
        self._optimizer.step()


def plain_rate(step: Step, data: Files, batch: int, workers: int, seconds: float) -> float:
    """Images a second of the plain loop, measured for so many seconds after a few batches."""
    loader = DataLoader(
        data,
        batch,
        shuffle=True,
        drop_last=True,
        num_workers=workers,
        pin_memory=step.device.type == "cuda",
        persistent_workers=workers > 0,
    )
    return rate(step, endless(loader), batch, seconds)


def ready_rate(step: Step, batch: int, size: int, seconds: float) -> float:
    """Images a second where every batch lies on the device already: what a loop can at most reach."""
    images = torch.rand(batch, 3, size, size, device=step.device).contiguous(memory_format=torch.channels_last)
    labels = torch.zeros(batch, dtype=torch.int64, device=step.device)
    return rate(step, repeat((images, labels)), batch, seconds)


def rate(step: Step, batches: Iterator[tuple[Tensor, Tensor]], batch: int, seconds: float) -> float:
    """Images a second of steps, the device waited for at both ends."""
    started, counted = 0.0, 0
    for number, (images, labels) in enumerate(batches):
        if number == WARM_UP:
            wait(step.device)
            started = time.perf_counter()
        step(images.to(step.device, non_blocking=True), labels.to(step.device, non_blocking=True))
        if number % 4 == 0:
            wait(step.device)  # else a fast loop queues steps far beyond its time
        counted = max(0, number - WARM_UP + 1)
        if counted and time.perf_counter() - started > seconds:
            break
    wait(step.device)
    return counted * batch / (time.perf_counter() - started)


def wait(device: torch.device) -> None:
    """Until the device has done all it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def endless(loader: DataLoader[Any]) -> Iterator[tuple[Tensor, Tensor]]:
    """Epoch after epoch."""
    while True:
        yield from loader
