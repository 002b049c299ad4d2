"""Another processor's numbers on this one: the kernels that runs were made with, where this processor has them too."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from hemobench.benchmarks.environment import numerics

OPENBLAS = "openblas"


def imitation(recorded: Mapping[str, str]) -> dict[str, str]:
    """Environment variables with which new processes use the recorded kernels of numpy and OpenBLAS.

    A processor can do without its newer vector extensions, and OpenBLAS chooses its kernels by a processor's name;
    nothing can give it what it lacks.

    Args:
        recorded: The environment in a `run.json`.
    """
    here, wanted = numerics(), {}
    newer = [name for name in here["simd"].split() if name not in recorded.get("simd", here["simd"]).split()]
    if newer:
        wanted["NPY_DISABLE_CPU_FEATURES"] = " ".join(newer)
    kernels = {library.split()[-1] for library in recorded.get("blas", "").split(", ") if library.startswith(OPENBLAS)}
    if len(kernels) == 1 and recorded["blas"] != here["blas"]:
        wanted["OPENBLAS_CORETYPE"] = kernels.pop()
    return wanted


def newest_extensions() -> str:
    """The vector extensions beyond AVX2 that numpy uses here; empty if none."""
    return " ".join(name for name in numerics()["simd"].split() if name == "X86_V4" or name.startswith("AVX512"))


@contextmanager
def imitated(recorded: Mapping[str, str]) -> Iterator[None]:
    """Processes that are started within use the recorded kernels; what the user has set stands."""
    wanted = {name: value for name, value in imitation(recorded).items() if name not in os.environ}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name in wanted:
            del os.environ[name]
