"""What tells that memory has run out, of whatever kind, and how that ends a trial."""

from __future__ import annotations

import errno
import gc
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from hemobench.benchmarks.training.timer import Timer, TrialEnded
from hemobench.errors import BenchmarkError
from hemobench.strategies.base import Status

SIGNS = (
    "out of memory",  # torch.OutOfMemoryError, "CUDA error: out of memory", CUDA_ERROR_OUT_OF_MEMORY
    "can't allocate memory",  # the CPU's allocator
    "cannot allocate memory",  # the system, as in a thread or a pinned page
    "alloc_failed",  # CUBLAS_STATUS_ALLOC_FAILED, CUDNN_STATUS_ALLOC_FAILED, CUFFT_ALLOC_FAILED
    "allocation_failed",  # CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED and ..._HOST_...
)
PERHAPS = ("cudnn_status_internal_error", "cublas_status_not_initialized")
"""What libraries say for want of memory, too: it counts where the text, or the device, says that there is none."""
FULL = 0.03
"""A GPU with less than this part of its memory free is full: a library's workspace does not fit."""


def out_of_memory(problem: BaseException, device: torch.device) -> str | None:
    """The message, in one line, if that is what the problem is.

    Args:
        problem: What was raised.
        device: Where the training was.
    """
    text = str(problem)
    lower = text.lower()
    certain = isinstance(problem, MemoryError | torch.OutOfMemoryError) or any(sign in lower for sign in SIGNS)
    lacking = isinstance(problem, OSError) and problem.errno == errno.ENOMEM
    likely = any(sign in lower for sign in PERHAPS) and ("memory" in lower or _is_full(device))
    if not isinstance(problem, MemoryError | RuntimeError | OSError) or not (certain or lacking or likely):
        return None
    return text.splitlines()[0] if text else "out of memory"


def _is_full(device: torch.device) -> bool:
    if device.type != "cuda":
        return False
    free, total = torch.cuda.mem_get_info(device)
    return bool(free < FULL * total)


@contextmanager
def memory_ends_trials(watch: Timer, device: torch.device) -> Iterator[None]:
    """Let a lack of memory end the trial, charged for all the time since its timer started.

    Nothing else is charged for setting up; a trial that fails there must not be free, or a budget never ends.

    Raises:
        TrialEnded: With the status `out-of-memory`.
    """
    try:
        yield
    except (MemoryError, RuntimeError, OSError, BenchmarkError) as problem:
        # a file that could not be written says so in a message of its own, and keeps its cause
        cause = problem.__cause__ if isinstance(problem, BenchmarkError) else problem
        message = out_of_memory(cause, device) if cause is not None else None
        if message is None:
            raise
        watch.charge_setting_up()
        raise TrialEnded(Status.OUT_OF_MEMORY, message) from None


def free_memory(device: torch.device) -> None:
    """Give back what a trial that failed held. Call it behind the handlers: a traceback holds tensors."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
