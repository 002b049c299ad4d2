"""Surrogates as files: a zip of plain arrays and one JSON text, in NumPy's `.npz` format. Nothing is pickled."""

from __future__ import annotations

import io
import json
import math
import os
import zipfile
import zlib
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter, ValidationError

from hemobench.benchmarks.surrogates.encode import Encoder
from hemobench.benchmarks.surrogates.noise.copula import EPOCH_FACTORS, KNOTS, SCORES, TRIAL_FACTORS
from hemobench.benchmarks.surrogates.noise.gaussian import FACTORS
from hemobench.benchmarks.surrogates.surrogate import COPULA, GAUSSIAN, NETWORK, About, Surrogate
from hemobench.benchmarks.tasks import load_task
from hemobench.errors import BenchmarkError

ARRAYS = {1: (*NETWORK, *GAUSSIAN), 2: (*NETWORK, *COPULA)}
"""The arrays of each format that is read; the last is written. Those of the first have Gaussian noise."""
WIDEST, LARGEST_NOISE = 100.0, 2.0
MAX_FILE_BYTES, MAX_ARRAY_BYTES, MAX_ABOUT_BYTES = 32 << 20, 32 << 20, 1 << 20
MAX_MEMBERS, MAX_WIDTH = 100, 1024
ABOUT = "about"
MEND = "fit the surrogate again, or get it from where it was published"

_about = TypeAdapter(About)


def save(surrogate: Surrogate, path: Path) -> None:
    """Write a surrogate such that the file is there whole or not at all; equal ones give equal bytes."""
    schema = 1 if "power" in surrogate.arrays else 2
    text = json.dumps(
        {"schema": schema, **_described(surrogate.about, schema)}, sort_keys=True, allow_nan=False
    ).encode()
    content = io.BytesIO()
    members: dict[str, Any] = {name: surrogate.arrays[name] for name in ARRAYS[schema]}
    members[ABOUT] = np.frombuffer(text, np.uint8)
    np.savez_compressed(content, allow_pickle=False, **members)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    partial.write_bytes(content.getvalue())
    os.replace(partial, path)


def _described(about: About, schema: int) -> dict[str, Any]:
    described = asdict(about)
    if schema == 1:
        del described["widening"]
    return described


def load(path: Path) -> Surrogate:
    """Read a surrogate, trusting nothing in the file.

    Raises:
        BenchmarkError: If it is no surrogate of ours, too large or damaged, or its arrays do not fit together.
    """
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise BenchmarkError(f"{path}: a surrogate has at most {MAX_FILE_BYTES:,} bytes", MEND)
        with zipfile.ZipFile(path) as file:
            schema = _format(file, path)
            about = _read_about(_read(file, ABOUT, path, MAX_ABOUT_BYTES, np.dtype(np.uint8)).tobytes(), schema, path)
            arrays = {name: _read(file, name, path, MAX_ARRAY_BYTES, np.dtype(np.float32)) for name in ARRAYS[schema]}
    except OSError as problem:
        raise BenchmarkError(f"{path}: {problem.strerror or problem}", "name a surrogate, an .npz file") from None
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, ValueError, SyntaxError) as wrong:
        raise BenchmarkError(f"{path}: no readable surrogate: {str(wrong)[:200]}", MEND) from None
    _check_shapes(about, arrays, path)
    return Surrogate(about, arrays)


def _format(file: zipfile.ZipFile, path: Path) -> int:
    """The format whose members these are, exactly, and within their size."""
    found = file.infolist()
    names = sorted(info.filename for info in found)
    schemas = [s for s, arrays in ARRAYS.items() if names == sorted(f"{name}.npy" for name in (*arrays, ABOUT))]
    if not schemas:
        raise BenchmarkError(f"{path}: not the arrays of a surrogate", MEND)
    if sum(info.file_size for info in found) > MAX_ARRAY_BYTES:
        raise BenchmarkError(f"{path}: decompressed, more than {MAX_ARRAY_BYTES:,} bytes", MEND)
    return schemas[0]


def _read(file: zipfile.ZipFile, name: str, path: Path, most: int, kind: np.dtype) -> NDArray:  # type: ignore[type-arg]
    """One array: the size that its header promises must be the size that is there."""
    with file.open(f"{name}.npy") as stream:
        content = io.BytesIO(stream.read(most + 1))
    version = np.lib.format.read_magic(content)
    read_header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, fortran, dtype = read_header(content, max_header_size=10_000)
    left = content.getbuffer().nbytes - content.tell()
    if dtype != kind or fortran or left > most or math.prod(shape) * kind.itemsize != left or min(shape, default=1) < 0:
        raise BenchmarkError(f"{path}: array '{name}' is of type {dtype} and shape {shape}", MEND)
    return np.frombuffer(content.getvalue(), dtype=kind, offset=content.tell()).reshape(shape)


def _read_about(text: bytes, schema: int, path: Path) -> About:
    """What is said about the arrays of a format."""
    try:
        document = json.loads(text)
        said = document.pop("schema", None)
        if said not in ARRAYS:
            raise BenchmarkError(f"{path}: schema {said!r}; this hemobench reads {max(ARRAYS)}", "upgrade hemobench")
        if said != schema:
            raise BenchmarkError(f"{path}: schema {said} with the arrays of {schema}", MEND)
        about = _about.validate_python(document)
    except (ValueError, AttributeError, RecursionError, ValidationError) as problem:
        raise BenchmarkError(f"{path}: {str(problem).splitlines()[0][:200]}", MEND) from None
    rising = all(a < b for a, b in pairwise(about.epochs))
    sound = (
        about.epochs
        and rising
        and about.epochs[0] >= 1
        and about.epochs[-1] <= about.full <= 10_000
        and about.folds
        and 0 < about.seconds[0] <= about.seconds[1] < math.inf
        and 0 <= about.evaluation_share <= 1
        and 0 < about.widening <= (WIDEST if schema > 1 else 1.0)
        and about.outputs[-1:] == ("curve",)
        and len(set(about.outputs)) == len(about.outputs)
        and all(name.partition(".")[0] in ("validation", "test") for name in about.outputs[:-1])
    )
    if not sound:
        raise BenchmarkError(f"{path}: epochs, folds, outputs or seconds that cannot be", MEND)
    return about


def _check_shapes(about: About, arrays: dict[str, NDArray[np.float32]], path: Path) -> None:
    """All arrays fit the task's space, each other and what is said about them, and hold finite numbers."""
    wide = len(Encoder(load_task(about.task).space()).names) + (len(about.folds) if len(about.folds) > 1 else 0)
    looks, outputs = len(about.epochs), len(about.outputs)
    last = looks * (outputs + 1 + about.failures)
    members, width = arrays["w2"].shape[:2] if arrays["w2"].ndim == 3 else (0, 0)
    expected = {
        "w1": (members, wide, width),
        "b1": (members, 1, width),
        "w2": (members, width, width),
        "b2": (members, 1, width),
        "w3": (members, width, last),
        "b3": (members, 1, last),
        "factors": (looks, FACTORS, outputs),
        "rest": (looks, outputs),
        "power": (outputs,),
        "knots": (looks, outputs, KNOTS),
        "margins": (looks, outputs, KNOTS, SCORES),
        "trial": (looks, TRIAL_FACTORS, outputs),
        "epoch": (looks, EPOCH_FACTORS, outputs),
    }
    if not (1 <= members <= MAX_MEMBERS and 1 <= width <= MAX_WIDTH):
        raise BenchmarkError(f"{path}: {members} members of width {width}", MEND)
    for name, array in arrays.items():
        if array.shape != expected[name]:
            raise BenchmarkError(f"{path}: array '{name}' of shape {array.shape}, not {expected[name]}", MEND)
        if not np.isfinite(array).all():
            raise BenchmarkError(f"{path}: array '{name}' holds what is no number", MEND)
    _check_noise(arrays, path)


def _check_noise(arrays: dict[str, NDArray[np.float32]], path: Path) -> None:
    """Knots rise, margins are differences of fractions, and the scores' variances are 1."""
    if "knots" not in arrays:
        return
    if not (np.diff(arrays["knots"], axis=2) > 0).all():
        raise BenchmarkError(f"{path}: array 'knots' does not rise", MEND)
    if np.abs(arrays["margins"]).max() > LARGEST_NOISE:
        raise BenchmarkError(f"{path}: array 'margins' holds noise of more than {LARGEST_NOISE:g}", MEND)
    size = (arrays["trial"] ** 2).sum(axis=1) + (arrays["epoch"] ** 2).sum(axis=1)
    if np.abs(size - 1).max() > 1e-3:
        raise BenchmarkError(f"{path}: arrays 'trial' and 'epoch' do not go together", MEND)
