"""K networks as one: their layers side by side, their parameters in the rows of one tensor."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from typing import Any

import torch
from torch import Tensor, nn

from hemobench.benchmarks.training.networks.models import Network
from hemobench.benchmarks.training.together.layers import ManyConv, ManyDropout, ManyLinear, ManyNorm, can_widen

HEAD = (nn.Dropout, nn.Linear, nn.ReLU)


class Stacked:
    """K equal networks with weights of their own.

    Attributes:
        network: Takes (K * channels, images, ...) to (K * classes, images).
        flat: All parameters, shape (K, parameters): row k is network k's, and is what its optimizer changes.
        gradients: Likewise.

    Args:
        networks: Of equal modules but for dropout's rates, on the device; they lose nothing and are not used again.
    """

    def __init__(self, networks: Sequence[nn.Module]) -> None:
        bodies = [network.body if isinstance(network, Network) else network for network in networks]
        self.many = len(bodies)
        self.network = _replaced(bodies)
        each = [torch.cat([p.detach().flatten() for p in body.parameters()]) for body in bodies]
        self.flat = torch.stack(each)
        self.gradients = torch.zeros_like(self.flat)
        self._leaves = self._place(bodies[0])
        _place_buffers(self.network, bodies)

    def _place(self, body: nn.Module) -> list[Tensor]:
        """Make every layer's parameters views of `flat`, and their gradients views of `gradients`."""
        leaves, start = [], 0
        for name, parameter in body.named_parameters():
            end = start + parameter.numel()
            shape = (self.many, *parameter.shape)
            leaf = self.flat[:, start:end].view(shape).requires_grad_()
            leaf.grad = self.gradients[:, start:end].view(shape)
            _set(self.network, name, leaf)
            leaves.append(leaf)
            start = end
        return leaves

    def rows(self) -> list[nn.Parameter]:
        """The parameters of each network as one, for its optimizer."""
        rows = []
        for values, gradient in zip(self.flat, self.gradients, strict=True):
            row = nn.Parameter(values)
            row.grad = gradient
            rows.append(row)
        return rows

    def __call__(self, inputs: Tensor) -> Tensor:
        """Logits, shape (K, images, classes), of inputs (K, images, ...)."""
        side_by_side = inputs.transpose(1, 2).flatten(0, 1).contiguous()
        logits: Tensor = self.network(side_by_side)
        return logits.view(self.many, -1, logits.shape[1]).transpose(1, 2)


def can_stack(network: nn.Module) -> bool:
    """Whether networks like this can be computed side by side: heads, and EfficientNet-Lite trained whole.

    Others would take a module that looks at dimensions, such as a concatenation of channels, for what it is not.
    """
    body = network.body if isinstance(network, Network) else network
    whole = all(parameter.requires_grad for parameter in network.parameters())
    head = isinstance(body, nn.Sequential) and all(isinstance(module, HEAD) for module in body)
    convolutions = [module for module in body.modules() if isinstance(module, nn.Conv2d)]
    lite = type(body).__name__ == "EfficientNet" and all(can_widen(layer) for layer in convolutions)
    return whole and (head or lite)


def _replaced(bodies: Sequence[nn.Module]) -> nn.Module:
    """One of the networks, its layers replaced by K of each."""
    many = len(bodies)
    network = deepcopy(bodies[0])
    for name, module in list(network.named_modules()):
        layer: nn.Module | None = None
        if isinstance(module, nn.Conv2d):
            layer = ManyConv(many, module)
        elif isinstance(module, nn.BatchNorm2d):
            layer = ManyNorm(many, module)
        elif isinstance(module, nn.Linear):
            layer = ManyLinear(many, module)
        elif isinstance(module, nn.Dropout):
            layer = ManyDropout(_rates([body.get_submodule(name).p for body in bodies], bodies[0]))
        if layer is not None:
            _set(network, name, layer)
    _move_dropout(network, bodies)
    return network


def _move_dropout(network: Any, bodies: Sequence[Any]) -> None:
    """Timm applies dropout by a number: make it a layer before the classifier."""
    if not hasattr(network, "drop_rate"):
        return
    rates = _rates([body.drop_rate for body in bodies], bodies[0])
    network.drop_rate = 0.0
    network.classifier = nn.Sequential(ManyDropout(rates), network.classifier)


def _rates(values: Sequence[float], body: nn.Module) -> Tensor:
    return torch.tensor(values, device=next(body.parameters()).device)


def _place_buffers(network: nn.Module, bodies: Sequence[nn.Module]) -> None:
    """Running statistics of all networks, each in a row."""
    for name, _ in bodies[0].named_buffers():
        if not name.endswith("num_batches_tracked"):
            rows = [body.get_buffer(name) for body in bodies]
            _set(network, name, torch.stack(rows).clone())


def _set(network: nn.Module, name: str, value: nn.Module | Tensor) -> None:
    """Put a module, parameter or buffer where that name leads; a classifier may have moved behind its dropout."""
    path, _, last = name.rpartition(".")
    holder: Any = network.get_submodule(path)
    if isinstance(holder, nn.Sequential) and isinstance(value, Tensor):
        holder = holder[-1]
    if isinstance(value, nn.Module):
        setattr(holder, last, value)
    else:
        holder.__dict__[last] = value  # no parameter of its own: a place in the rows of all
