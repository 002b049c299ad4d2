"""A step run by hand or, on a GPU, recorded once and replayed as a CUDA graph.

A small network's step is some hundreds of kernels that each take microseconds: the processor cannot launch them as
fast as the GPU runs them. A graph launches all of them at once.

SGD, Adam and their kin give the same losses either way. RMSprop and RAdam keep their step count on the GPU when they
are recorded, and compute in another order: their trainings part in the last bits, as with another seed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import torch
from torch import Tensor

WARM_UP = 3
"""Steps by hand before one is recorded: libraries choose their kernels and optimizers make their state in them."""
Step = Callable[[Tensor, Tensor], Tensor]
"""Of inputs and labels, to the loss."""


class Graphed:
    """Records a step when it has been done by hand a few times.

    It does not keep the step, whose owner keeps it: two that hold each other hold a network's memory too.

    Args:
        device: Where.
        enabled: Whether to record it at all.
        before: Called before each step by hand and before the recording, but not before replays.
    """

    def __init__(self, device: torch.device, *, enabled: bool, before: Callable[[], None] = lambda: None) -> None:
        self._device, self._enabled, self._before = device, enabled, before
        self._by_hand = 0
        self._recorded: _Recorded | None = None

    def __call__(self, step: Step, inputs: Tensor, target: Tensor, *, full: bool) -> Tensor:
        """One step, the same one with every call; `full` says that the batch has the shape that most have."""
        if not (self._enabled and full):
            self._before()
            return step(inputs, target)
        if self._recorded is not None:
            return self._recorded(inputs, target)
        if self._by_hand < WARM_UP:
            self._by_hand += 1
            with _aside(self._device):
                self._before()
                return step(inputs, target)
        self._before()
        self._recorded = _Recorded(step, inputs, target)
        return self._recorded(inputs, target)


class _Recorded:
    """A step as a CUDA graph that reads its batch from fixed places.

    Args:
        step: The step.
        inputs: Of a batch, of the shape that all will have.
        target: Its labels.
    """

    def __init__(self, step: Step, inputs: Tensor, target: Tensor) -> None:
        self._inputs, self._target = inputs.clone(), target.clone()
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph, stream=_stream(inputs.device)):
            self._loss = step(self._inputs, self._target)

    def __call__(self, inputs: Tensor, target: Tensor) -> Tensor:
        """The step with another batch; the loss before it."""
        self._inputs.copy_(inputs)
        self._target.copy_(target)
        self._graph.replay()
        return self._loss.clone()


@contextmanager
def _aside(device: torch.device) -> Iterator[None]:
    """On a stream of its own, as the steps before a recording have to be."""
    current, other = torch.cuda.current_stream(device), _stream(device)
    other.wait_stream(current)
    with torch.cuda.stream(other):
        yield
    current.wait_stream(other)


@cache
def _stream(device: torch.device) -> Any:
    return torch.cuda.Stream(device)
