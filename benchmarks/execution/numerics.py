"""Another processor's numbers on this one: the kernels that runs were made with, where this processor has them too."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from hemobench.benchmarks.environment import numerics

OPENBLAS = "openblas"
PROBE = """
import numpy, scipy.linalg
square = numpy.random.default_rng(0).normal(size=(300, 300))
numpy.linalg.svd(square @ square)
scipy.linalg.cho_factor(square @ square.T + numpy.eye(300))
"""
"""Linear algebra of both libraries. OpenBLAS takes a newer processor's kernels, and then dies of an instruction."""


def imitation(recorded: Mapping[str, str]) -> dict[str, str]:
    """Environment variables with which new processes use the recorded kernels of numpy and OpenBLAS.

    A processor can do without its newer vector extensions, and OpenBLAS chooses its kernels by a processor's name;
    nothing can give it what it lacks. Kernels that this processor cannot run are left alone.

    Args:
        recorded: The environment in a `run.json`.
    """
    here, wanted = numerics(), {}
    newer = [name for name in here["simd"].split() if name not in recorded.get("simd", here["simd"]).split()]
    if newer:
        wanted["NPY_DISABLE_CPU_FEATURES"] = " ".join(newer)
    kernels = {library.split()[-1] for library in recorded.get("blas", "").split(", ") if library.startswith(OPENBLAS)}
    if len(kernels) == 1 and recorded["blas"] != here["blas"]:
        kernel = {"OPENBLAS_CORETYPE": kernels.pop()}
        wanted.update(kernel if runs_with(kernel) else {})
    return wanted


def runs_with(variables: Mapping[str, str]) -> bool:
    """Whether a process with these environment variables survives some linear algebra here."""
    done = subprocess.run(
        [sys.executable, "-c", PROBE],
        env={**os.environ, **variables},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=False,
    )
    return done.returncode == 0


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
