"""Half-trained trials on disk or in memory, so that a later trial can go on where an earlier one stopped."""

from __future__ import annotations

import hashlib
import pickle
from contextlib import suppress
from copy import deepcopy
from pathlib import Path
from typing import Any

import torch

from hemobench.benchmarks.training.memory import out_of_memory
from hemobench.datasets.files import written_whole


class Checkpoints:
    """A folder of checkpoints, each named by what it is a checkpoint of.

    Args:
        folder: Made when the first is saved. Processes may share it.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def save(self, key: str, epochs: int, state: dict[str, Any]) -> None:
        """Keep the state (tensors and built-in values only) of a trial after so many epochs, and no earlier one."""
        with written_whole(self._path(key, epochs)) as file:
            torch.save(state, file)
        self.drop(key, below=epochs)

    def drop(self, key: str, below: int) -> None:
        """Forget the states of a trial after fewer epochs: a network's takes up to a gigabyte."""
        for path in self._folder.glob(f"{_digest(key)}-*.pt"):
            if int(path.stem.rpartition("-")[2]) < below:
                with suppress(OSError):  # another process may be reading it, or have dropped it
                    path.unlink()

    def load(self, key: str, epochs: int, device: torch.device) -> dict[str, Any] | None:
        """The state after so many epochs, or `None` where it was not kept or is damaged: it can be trained again."""
        path = self._path(key, epochs)
        if not path.exists():
            return None
        try:
            state: dict[str, Any] = torch.load(path, map_location=device, weights_only=True)
        except (pickle.UnpicklingError, RuntimeError, EOFError, OSError, ValueError, KeyError) as problem:
            if out_of_memory(problem, device) is not None:
                raise
            return None
        return state

    def _path(self, key: str, epochs: int) -> Path:
        return self._folder / f"{_digest(key)}-{epochs}.pt"


class InMemory:
    """Checkpoints of the trials trained last, for this process alone: nothing is written, and none outlives it."""

    def __init__(self, kept: int = 64) -> None:
        self._kept = kept
        self._states: dict[str, tuple[int, dict[str, Any]]] = {}

    def save(self, key: str, epochs: int, state: dict[str, Any]) -> None:
        """See `Checkpoints`."""
        self._states.pop(key, None)
        self._states[key] = epochs, deepcopy(state)
        while len(self._states) > self._kept:
            del self._states[next(iter(self._states))]

    def drop(self, key: str, below: int) -> None:
        """See `Checkpoints`."""
        if key in self._states and self._states[key][0] < below:
            del self._states[key]

    def load(self, key: str, epochs: int, device: torch.device) -> dict[str, Any] | None:
        """See `Checkpoints`."""
        kept, state = self._states.get(key, (0, {}))
        return deepcopy(state) if kept == epochs else None


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()[:32]
