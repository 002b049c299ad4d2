"""Half-trained trials on disk or in memory, so that a later trial can go on where an earlier one stopped."""

from __future__ import annotations

import hashlib
import math
import os
import pickle
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from hemobench.benchmarks.training.hardware.memory import out_of_memory
from hemobench.datasets.files import written_whole

CPU = torch.device("cpu")
OVERHEAD = 1 << 20
"""Bytes of a file beside its tensors: names and numbers, of which a network has some thousands."""

State = dict[str, Any]
"""Tensors and built-in values, nested."""


class Checkpoints:
    """A folder of checkpoints, each named by what it is a checkpoint of.

    Args:
        folder: Made when the first is saved. Processes may share it.
        most_bytes: What the folder may hold: those that were used least recently go first, and what does not fit at
            all is not kept.
    """

    def __init__(self, folder: Path, most_bytes: float = math.inf) -> None:
        self._folder = folder
        self._most = most_bytes

    def save(self, key: str, epochs: int, state: State) -> None:
        """Keep the state of a trial after so many epochs, and no earlier one."""
        needed = size_of(state) + OVERHEAD
        if needed <= self._most:
            self._make_room(needed)
            with written_whole(self._path(key, epochs)) as file:
                torch.save(state, file)
        self.drop(key, below=epochs)

    def _make_room(self, needed: int) -> None:
        """Forget what was used least recently until so many bytes fit."""
        files = sorted((path.stat().st_mtime, path.stat().st_size, path) for path in _files(self._folder))
        held = sum(size for _, size, _ in files)
        for _, size, path in files:
            if held + needed <= self._most:
                return
            with suppress(OSError):
                path.unlink()
                held -= size

    def drop(self, key: str, below: int) -> None:
        """Forget the states of a trial after fewer epochs: a network's takes up to a gigabyte."""
        for path in self._folder.glob(f"{_digest(key)}-*.pt"):
            if int(path.stem.rpartition("-")[2]) < below:
                with suppress(OSError):  # another process may be reading it, or have dropped it
                    path.unlink()

    def load(self, key: str, epochs: int, device: torch.device) -> State | None:
        """The state after so many epochs, or `None` where it was not kept or is damaged: it can be trained again."""
        path = self._path(key, epochs)
        if not path.exists():
            return None
        try:
            state: State = torch.load(path, map_location=device, weights_only=True)
            os.utime(path)
        except (pickle.UnpicklingError, RuntimeError, EOFError, OSError, ValueError, KeyError) as problem:
            if out_of_memory(problem, device) is not None:
                raise
            return None
        return state

    def _path(self, key: str, epochs: int) -> Path:
        return self._folder / f"{_digest(key)}-{epochs}.pt"


class InMemory:
    """Checkpoints of the trials trained last, for this process alone: nothing is written, and none outlives it.

    They lie in the processor's memory: a GPU's is for training.

    Args:
        kept: How many at most.
        most_bytes: How large all of them may be; see `Checkpoints`.
    """

    def __init__(self, kept: int = 64, most_bytes: float = math.inf) -> None:
        self._kept, self._most = kept, most_bytes
        self._states: dict[str, tuple[int, State]] = {}

    def save(self, key: str, epochs: int, state: State) -> None:
        """See `Checkpoints`."""
        self._states.pop(key, None)
        needed = size_of(state)
        if needed > self._most:
            return
        while self._states and (len(self._states) >= self._kept or self._held + needed > self._most):
            del self._states[next(iter(self._states))]
        self._states[key] = epochs, moved(state, CPU)

    @property
    def _held(self) -> int:
        return sum(size_of(state) for _, state in self._states.values())

    def drop(self, key: str, below: int) -> None:
        """See `Checkpoints`."""
        if key in self._states and self._states[key][0] < below:
            del self._states[key]

    def load(self, key: str, epochs: int, device: torch.device) -> State | None:
        """See `Checkpoints`."""
        kept, state = self._states.get(key, (0, {}))
        found: State | None = moved(state, device) if kept == epochs else None
        return found


def moved(state: Any, device: torch.device) -> Any:
    """A copy of a state, all tensors on a device."""
    if isinstance(state, Tensor):
        return state.detach().to(device, copy=True)
    if isinstance(state, Mapping):
        return {name: moved(part, device) for name, part in state.items()}
    if isinstance(state, list | tuple):
        return type(state)(moved(part, device) for part in state)
    return state


def size_of(state: Any) -> int:
    """Bytes of all tensors of a state."""
    if isinstance(state, Tensor):
        return state.nbytes
    parts = state.values() if isinstance(state, Mapping) else state if isinstance(state, list | tuple) else ()
    return sum(map(size_of, parts))


def _files(folder: Path) -> list[Path]:
    """What lies there, also what a killed process left half written."""
    return [path for path in folder.iterdir() if path.is_file()] if folder.is_dir() else []


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()[:32]
