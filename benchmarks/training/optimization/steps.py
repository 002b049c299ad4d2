"""One optimisation step of a network: loss, gradients, optimizer, in the precision asked for."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from hemobench.benchmarks.training.hardware.precision import autocast
from hemobench.benchmarks.training.optimization.graphs import Graphed
from hemobench.benchmarks.training.optimization.losses import Loss

AUXILIARY = 0.4
"""Weight of Inception's auxiliary classifier in the training loss (torchvision's reference training)."""


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
        self._graphed = Graphed(
            device,
            enabled=graphed and can_record(device, precision),
            before=lambda: optimizer.zero_grad(set_to_none=True),  # a graph makes the gradients its own
        )

    def __call__(self, inputs: Tensor, target: Tensor, *, full: bool) -> Tensor:
        """One step; the loss before it, on the device.

        Args:
            inputs: Of one batch.
            target: Labels, shape (n,), on the device.
            full: Whether the batch has the size that most have.
        """
        return self._graphed(self._gradients_and_step, inputs, target, full=full)

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
