"""The optimizers of both papers."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import nn

from hemobench.errors import BenchmarkError

MOMENTUM = 0.9
"""For `momentum` and `nesterov`; the paper gives none, this is the usual value."""

CLASSES: dict[str, tuple[Callable[..., torch.optim.Optimizer], dict[str, Any]]] = {
    "sgd": (torch.optim.SGD, {}),
    "momentum": (torch.optim.SGD, {"momentum": MOMENTUM}),
    "nesterov": (torch.optim.SGD, {"momentum": MOMENTUM, "nesterov": True}),
    "rmsprop": (torch.optim.RMSprop, {}),
    "adam": (torch.optim.Adam, {}),
    "amsgrad": (torch.optim.Adam, {"amsgrad": True}),
    "radam": (torch.optim.RAdam, {}),
    "adamw": (torch.optim.AdamW, {"betas": (0.9, 0.999), "eps": 1e-8}),
}
FUSED = (torch.optim.SGD, torch.optim.Adam, torch.optim.AdamW)
"""One kernel for all parameters, on CPU and CUDA; RMSprop and RAdam have none."""


def make_optimizer(
    name: str,
    parameters: Iterable[nn.Parameter],
    learning_rate: float,
    weight_decay: float = 0.0,
    graphed_on: torch.device | None = None,
) -> torch.optim.Optimizer:
    """The optimizer of that name over the parameters that are to be trained.

    Args:
        name: One of `CLASSES`.
        parameters: Those that need no gradient are left out.
        learning_rate: Initial learning rate.
        weight_decay: Decoupled for `adamw`, added to the gradient for the others.
        graphed_on: The GPU whose graphs will record its steps; `None` if none will. What changes from step to step
            then lives there, the learning rate too.

    Raises:
        BenchmarkError: If there is no such optimizer.
    """
    if name not in CLASSES:
        raise BenchmarkError(f"there is no optimizer '{name}'", f"choose one of: {', '.join(CLASSES)}")
    kind, settings = CLASSES[name]
    how = {"fused": True} if kind in FUSED else {"foreach": True}
    rate: float | torch.Tensor = learning_rate
    if graphed_on is not None:
        rate = torch.tensor(learning_rate, device=graphed_on)
        how |= {"capturable": True} if kind is not torch.optim.SGD else {}
    trained = [p for p in parameters if p.requires_grad]
    return kind(trained, lr=rate, weight_decay=weight_decay, **settings, **how)
