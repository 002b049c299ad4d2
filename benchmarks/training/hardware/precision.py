"""What a network computes in: 32 bits, or 16 where the device is faster with them."""

from __future__ import annotations

from typing import Any

import torch

from hemobench.errors import BenchmarkError

PRECISIONS = {"fp32": None, "bf16": torch.bfloat16, "fp16": torch.float16}
"""Names of `Options.precision` besides `auto`; 16 bits mean automatic mixed precision."""


def choose_precision(name: str, device: torch.device) -> str:
    """The precision of that name; `auto` is bfloat16 on GPUs that have it, float16 on others, 32 bits on a CPU.

    Raises:
        BenchmarkError: If there is no such precision.
    """
    if name == "auto":
        if device.type != "cuda":
            return "fp32"
        return "bf16" if torch.cuda.is_bf16_supported() else "fp16"
    if name not in PRECISIONS:
        known = ", ".join(["auto", *PRECISIONS])
        raise BenchmarkError(f"there is no precision '{name}'", f"choose one of: {known}")
    return name


def autocast(device: torch.device, precision: str) -> Any:
    """A context in which networks compute in a precision."""
    dtype = PRECISIONS[precision]
    return torch.autocast(device.type, dtype=dtype, enabled=dtype is not None)
