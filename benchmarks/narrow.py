"""A suite narrowed, or widened, by the command line's options."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from hemobench.benchmarks.benchmark import load_benchmark
from hemobench.benchmarks.suite import Arm, Entry, Suite
from hemobench.errors import BenchmarkError


def narrowed(
    suite: Suite,
    *,
    benchmarks: Sequence[str] = (),
    strategies: Sequence[str] = (),
    seeds: int | None = None,
    gpu_hours: float | None = None,
    workers: int | None = None,
    data: Path | None = None,
) -> Suite:
    """The suite with what is given in place of what it says.

    Raises:
        BenchmarkError: If a benchmark that is new to the suite has no budget, or a live one no folder of images.
    """
    if gpu_hours is not None and not 0 < gpu_hours < float("inf"):
        raise BenchmarkError(f"--gpu-hours {gpu_hours}", "give a positive number of GPU-hours")
    entries = [_entry(suite, name, gpu_hours) for name in benchmarks] if benchmarks else list(suite.benchmarks)
    if gpu_hours is not None:
        entries = [entry.model_copy(update={"gpu_hours": [gpu_hours]}) for entry in entries]
    arms = [arm for name in strategies for arm in _arms(suite, name)] if strategies else list(suite.strategies)
    return suite.model_copy(
        update={
            "benchmarks": [_with_data(entry, data) for entry in entries],
            "strategies": arms,
            "seeds": seeds or suite.seeds,
            "workers": [workers] if workers else suite.workers,
        }
    )


def _entry(suite: Suite, name: str, gpu_hours: float | None) -> Entry:
    load_benchmark(name)
    there = [entry for entry in suite.benchmarks if entry.name == name]
    if not there and gpu_hours is None:
        raise BenchmarkError(f"the suite has no budget for '{name}'", "give one with --gpu-hours")
    return there[0] if there else Entry(name=name, gpu_hours=[gpu_hours or 1.0])


def _arms(suite: Suite, name: str) -> list[Arm]:
    """The suite's arms of that label or strategy, or a new arm with default settings."""
    return [arm for arm in suite.strategies if name in (arm.shown, arm.name)] or [Arm(name=name)]


def _with_data(entry: Entry, data: Path | None) -> Entry:
    if not load_benchmark(entry.name).live:
        return entry
    folder = data or entry.settings.get("data")
    if folder is None:
        raise BenchmarkError(f"{entry.name} trains on real images", "give their folder with --data DIR")
    if not Path(folder).is_dir():
        raise BenchmarkError(f"{folder}: no such folder", "give the folder of images with --data DIR")
    return entry.model_copy(update={"settings": {**entry.settings, "data": str(folder)}})
