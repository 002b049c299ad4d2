"""One optimisation step, run by hand or, on a GPU, recorded once and replayed as a CUDA graph.

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
from torch import Tensor, nn

from hemobench.benchmarks.training.hardware.precision import autocast
from hemobench.benchmarks.training.optimization.losses import Loss

AUXILIARY = 0.4
"""Weight of Inception's auxiliary classifier in the training loss (torchvision's reference training)."""
WARM_UP = 3
"""Steps by hand before one is recorded: libraries choose their kernels and optimizers make their state in them."""


class Stepper:
    """Trains a network batch by batch.

    Args:
        network: On the device, in training mode when called.
        loss: Of logits and labels.
        optimizer: Of the network; `make_optimizer(..., graphed=True)` where steps are to be recorded.
        device: Where.
        precision: See `precision.PRECISIONS`; float16 scales its gradients and is never recorded.
        graphed: Record steps of full batches.
    """

    def __init__(
        self,
        network: nn.Module,
        loss: Loss,
        optimizer: torch.optim.Optimizer,
        device: torch.device,
        precision: str,
        graphed: bool,
    ) -> None:
        self._network, self._loss, self._optimizer = network, loss, optimizer
        self._device, self._precision = device, precision
        self.scaler = torch.amp.GradScaler(device.type, enabled=precision == "fp16")
        self._graphed = graphed and can_record(device, precision)
        self._by_hand = 0
        self._recorded: Recorded | None = None

    def __call__(self, inputs: Tensor, target: Tensor, *, full: bool) -> Tensor:
        """One step; the loss before it, on the device.

        Args:
            inputs: Of one batch.
            target: Labels, shape (n,), on the device.
            full: Whether the batch has the size that most have.
        """
        if not (self._graphed and full):
            return self._step(inputs, target)
        if self._recorded is not None:
            return self._recorded(inputs, target)
        if self._by_hand < WARM_UP:
            self._by_hand += 1
            with aside(self._device):
                return self._step(inputs, target)
        self._optimizer.zero_grad(set_to_none=True)  # the graph makes the gradients its own
        self._recorded = Recorded(self._gradients_and_step, inputs, target)
        return self._recorded(inputs, target)

    def _step(self, inputs: Tensor, target: Tensor) -> Tensor:
        self._optimizer.zero_grad(set_to_none=True)
        return self._gradients_and_step(inputs, target)

    def _gradients_and_step(self, inputs: Tensor, target: Tensor) -> Tensor:
        with autocast(self._device, self._precision):
            loss = self._training_loss(self._network(inputs), target)
        self.scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
        self.scaler.step(self._optimizer)
        self.scaler.update()
        return loss.detach()

    def _training_loss(self, output: Tensor | tuple[Tensor, Tensor], target: Tensor) -> Tensor:
        if isinstance(output, tuple):
            return self._loss(output[0], target) + AUXILIARY * self._loss(output[1], target)
        return self._loss(output, target)


def can_record(device: torch.device, precision: str) -> bool:
    """Whether steps can be recorded there: scaling float16's gradients looks at them on the processor."""
    return device.type == "cuda" and precision != "fp16"


class Recorded:
    """A step as a CUDA graph that reads its batch from fixed places.

    Args:
        step: Of inputs and labels, to the loss; done by hand `WARM_UP` times, `aside`.
        inputs: Of a batch, of the shape that all will have.
        target: Its labels.
    """

    def __init__(self, step: Callable[[Tensor, Tensor], Tensor], inputs: Tensor, target: Tensor) -> None:
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
def aside(device: torch.device) -> Iterator[None]:
    """On a stream of its own, as the steps before a recording have to be."""
    current, other = torch.cuda.current_stream(device), _stream(device)
    other.wait_stream(current)
    with torch.cuda.stream(other):
        yield
    current.wait_stream(other)


@cache
def _stream(device: torch.device) -> Any:
    return torch.cuda.Stream(device)
