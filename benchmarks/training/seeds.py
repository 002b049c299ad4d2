"""Random streams: every one is named by what it is for, and none is the process's global generator."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum

import numpy as np
import torch

from hemobench.strategies.base import Config


class Stream(IntEnum):
    """What a random stream is for."""

    WEIGHTS = 1  # initial weights
    ORDER = 2  # which images in which order
    VIEWS = 3  # augmentation
    DROPOUT = 4


def spread(*keys: int) -> int:
    """A 63-bit seed that depends on every key, by `numpy.random.SeedSequence`."""
    return int(np.random.SeedSequence(keys).generate_state(1, np.uint64)[0] >> np.uint64(1))


def trial_seed(seed: int, config: Config) -> int:
    """The seed of all noise of one trial: of the run's seed and the configuration, not of the epochs asked for."""
    text = json.dumps(dict(config), sort_keys=True)
    return spread(seed, int.from_bytes(hashlib.sha256(text.encode()).digest()[:8]))


def generator(*keys: int) -> torch.Generator:
    """A CPU generator seeded by the keys. Drawing on the CPU gives the same numbers whatever the device."""
    return torch.Generator().manual_seed(spread(*keys))


@contextmanager
def forked(device: torch.device, *keys: int) -> Iterator[None]:
    """Seed the generators that PyTorch's initialisers and dropout draw from, and restore them afterwards."""
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(spread(*keys))
        yield
