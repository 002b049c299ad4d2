"""Which columns of trials a conclusion rests on: of ten million trials, reading the others takes gigabytes."""

from __future__ import annotations

import pandas as pd

from hemobench.benchmarks.benchmark import BENCHMARKS
from hemobench.benchmarks.tasks import load_task
from hemobench.errors import BenchmarkError


def of_recommendation(runs: pd.DataFrame) -> list[str]:
    """The headline metrics of what was run; see `benchmarks.results.Parts`."""
    return [f"{part}.{metric}" for metric in _headlines(runs) for part in ("validation", "test")]


def of_leaderboard(runs: pd.DataFrame) -> list[str]:
    """Headline metrics, the strategies' own seconds, and configurations where something was recorded to stray from."""
    known = (BENCHMARKS.get(str(name)) for name in runs["benchmark"].unique())
    strays = any(benchmark.support_of for benchmark in known if benchmark is not None)
    return [*of_recommendation(runs), "measured.ask_s", "measured.tell_s", *(["config."] if strays else [])]


def of_report(runs: pd.DataFrame) -> list[str]:
    """Configurations and all metrics, but not what each trial cost."""
    return ["config.", "validation.", "test.", "measured.ask_s", "measured.tell_s"]


def _headlines(runs: pd.DataFrame) -> set[str]:
    found = set()
    for name in runs["benchmark"].unique():
        try:
            found.add(load_task(str(name).partition("@")[0]).headline)
        except BenchmarkError:  # a task that is not known here has no board either, which is said there
            continue
    return found
