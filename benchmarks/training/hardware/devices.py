"""Which device a trial runs on, what it is called, and how it is set."""

from __future__ import annotations

import ctypes
import os
import platform
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import torch

from hemobench.benchmarks.evaluator import WORKER
from hemobench.errors import BenchmarkError

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4
"""Parameters of glibc's `mallopt`, by their numbers in malloc.h."""


def choose(name: str) -> torch.device:
    """The device of that name; `auto` is a GPU where there is one, each worker process its own, else the CPU.

    Raises:
        BenchmarkError: If PyTorch cannot use it.
    """
    if name == "auto":
        there = gpus()
        return torch.device("cuda", int(os.environ.get(WORKER, "0")) % there) if there else torch.device("cpu")
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        problem = f"PyTorch cannot use the device '{name}': {str(error).splitlines()[0]}"
        raise BenchmarkError(problem, "use auto, cpu, cuda or cuda:N, with a PyTorch that is built for it") from error
    return device


def device_name(device: torch.device) -> str:
    """What is printed on the chip: the GPU's name or the processor's model."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text(errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def gpus() -> int:
    """How many GPUs PyTorch can use."""
    return torch.cuda.device_count() if torch.cuda.is_available() else 0


def count() -> int:
    """How many trials can be trained side by side without sharing a device: GPUs, or else cores."""
    return gpus() or os.cpu_count() or 1


@cache
def keep_memory() -> None:
    """Let this process keep the memory that it frees, once and for all; only glibc has to be asked.

    By default it gives the memory of every large tensor back to the system, which hands it out again page by page,
    filled with zeros: features of a frozen network at 144 pixels took twice the processor time.
    """
    if platform.libc_ver()[0] != "glibc":
        return
    libc = ctypes.CDLL(None)
    libc.mallopt(M_MMAP_MAX, 0)
    libc.mallopt(M_TRIM_THRESHOLD, 2**31 - 1)


@contextmanager
def settings(threads: int, deterministic: bool) -> Iterator[None]:
    """Set PyTorch's threads and determinism, which are the process's, and restore them afterwards.

    An operation that has no deterministic form on the device warns and runs as it is.
    """
    memory: Any = torch.utils.deterministic  # its one setting is a property that type checkers do not see
    keep_memory()
    before = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    warned_only = torch.is_deterministic_algorithms_warn_only_enabled()
    filled = memory.fill_uninitialized_memory
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(deterministic, warn_only=True)
    memory.fill_uninitialized_memory = False  # a debugging aid that costs time
    try:
        yield
    finally:
        torch.set_num_threads(before[0])
        torch.use_deterministic_algorithms(before[1], warn_only=warned_only)
        memory.fill_uninitialized_memory = filled


def reset_peak_memory(device: torch.device) -> None:
    """Start a trial's account of GPU memory. A process's own peak cannot be reset."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)


def peak_memory_mb(device: torch.device) -> float:
    """Most memory held, in MB of 10^6 bytes: allocated on the GPU since the reset, or resident in this process ever."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 1e6
    if sys.platform == "win32":
        return 0.0
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6
