"""Runs that were made, as plans: what a `run.json` says is enough to make them again."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from hemobench.benchmarks.benchmark import load_benchmark
from hemobench.benchmarks.budget import Budget
from hemobench.benchmarks.execution.plan import Plan, require_support
from hemobench.benchmarks.execution.settings import require_strategy_settings
from hemobench.benchmarks.storage.results import MAY_DIFFER, Results
from hemobench.benchmarks.storage.run_folder import RunKey
from hemobench.benchmarks.storage.variants import variant
from hemobench.errors import BenchmarkError
from hemobench.strategies import STRATEGIES, load_strategy


def plans_of(results: Results, *, data: Path | None = None, allowed: Collection[str] = ()) -> list[Plan]:
    """The runs of results, as plans that make the same again.

    Args:
        results: What was run.
        data: The folder of images, for live benchmarks.
        allowed: Strategies of other packages that may be imported: a file shall not decide what is.

    Raises:
        BenchmarkError: If a run names a strategy that may not be imported, or a benchmark is of another version here.
    """
    found = [plan_of(results.header(run), data) for run in results.runs.index]
    foreign = sorted({plan.strategy for plan in found if plan.strategy not in STRATEGIES} - set(allowed))
    if foreign:
        raise BenchmarkError(
            f"the results name strategies of other packages: {', '.join(foreign)}",
            f"if they are to be imported and run, say so: --strategy {','.join(foreign)}",
        )
    for arm in {(plan.strategy, json.dumps(plan.settings, sort_keys=True)): plan for plan in found}.values():
        require_strategy_settings(load_strategy(arm.strategy), arm.key.strategy, arm.settings)
    for plan in {(plan.strategy, plan.key.benchmark, plan.key.workers): plan for plan in found}.values():
        task = load_benchmark(plan.key.benchmark).task
        require_support(plan.strategy, task, plan.key.workers)
    return found


def plan_of(header: Mapping[str, Any], data: Path | None = None) -> Plan:
    """The run of a `run.json`.

    Raises:
        BenchmarkError: If the benchmark is unknown or of another version here, or trains on images and none are given.
    """
    name, version, arm, budget = (header[part] for part in ("benchmark", "version", "strategy", "budget"))
    benchmark = load_benchmark(name)
    if benchmark.version != version:
        raise BenchmarkError(
            f"the results are of {name} version {version}, and here it is version {benchmark.version}",
            "install the hemobench that they were made with",
        )
    source = dict(header.get("benchmark_settings") or {})
    if benchmark.live:
        if data is None:
            raise BenchmarkError(f"{name} trains on real images", "give their folder with --data DIR")
        source["data"] = str(data)
    limits = header.get("limits") or {}
    hours, workers = float(budget["gpu_hours"]), int(budget["workers"])
    return Plan(
        key=RunKey(name, version, arm["label"], hours, workers, int(header["seed"]), variant(source, limits)),
        strategy=arm["name"],
        settings=dict(arm.get("settings") or {}),
        budget=Budget(hours, workers, budget.get("max_trials")),
        horizon=int(header["horizon"]),
        source=source,
        default_first=bool(header.get("default_first")),
        limits=limits,
    )


def changed_sources(results: Results, plans: Sequence[Plan]) -> list[str]:
    """What the answers rest on that is not what it was, as in `c-nmc@recorded: data_sha256`, each once.

    Args:
        results: What was run.
        plans: As from `plans_of`, in the same order.
    """
    from hemobench.benchmarks.benchmark import shared

    changed: dict[str, None] = {}
    now: dict[tuple[str, str], Mapping[str, str]] = {}
    for run, plan in zip(results.runs.index, plans, strict=True):
        kind = plan.key.benchmark, plan.key.variant
        if kind not in now:
            now[kind] = dict(shared(plan.key.benchmark, plan.source).provenance)
            before = results.header(run).get("source") or {}
            names = sorted((before.keys() | now[kind].keys()) - MAY_DIFFER)
            changed.update({f"{kind[0]}: {n}": None for n in names if before.get(n) != now[kind].get(n)})
    return list(changed)
