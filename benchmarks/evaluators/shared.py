"""Evaluators hold data that is costly to load; the runs of one process share them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from hemobench.benchmarks.benchmark import load_benchmark
from hemobench.benchmarks.evaluators.base import Evaluator


def shared(benchmark: str, settings: Mapping[str, Any]) -> Evaluator:
    """This process's evaluator of a benchmark with these settings."""
    return _made(benchmark, json.dumps(settings, sort_keys=True, default=str))


@lru_cache(maxsize=2)
def _made(benchmark: str, settings: str) -> Evaluator:
    return load_benchmark(benchmark).evaluator(**json.loads(settings))
