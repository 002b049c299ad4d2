"""Fit the surfaces to the papers' figures and store them: `python -m hemobench.benchmarks.published.calibrate`.

Everything is seeded: the same versions write the same files.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from hemobench.benchmarks.published import (
    FOLDER,
    RANDOM_SEARCH,
    Target,
    fit_bone_marrow,
    fit_bone_marrow_full,
    fit_c_nmc,
    surface_of,
)
from hemobench.benchmarks.published.measures import (
    Pool,
    mean_loss,
    observed_curve,
    optimum,
    random_curve,
    random_trials,
    sample,
)
from hemobench.benchmarks.published.shape import Parameters
from hemobench.benchmarks.tasks import load_task
from hemobench.benchmarks.tasks.base import Task

POOL = 20_000
SEARCHED = 200_000
"""Trials that simulated random searches draw from. Of searches of 100 trials it holds 2,000 that share none: with
20,000 the expected regret there was off by 0.07, whatever the number of searches."""


def main(folder: Path = FOLDER) -> None:
    """Write one JSON file a task, and one of what random search is expected to reach on each."""
    c_nmc = scaled("c-nmc", fit_c_nmc.calibrate(), fit_c_nmc.TRIAL_HOURS)
    pool = pool_of("c-nmc", c_nmc)
    rows = [*fit_c_nmc.card(c_nmc), *fit_c_nmc.measured(c_nmc, pool)]
    write(folder, "c-nmc", c_nmc, rows, fit_c_nmc.NOTES, pool)

    automated = scaled("bone-marrow", fit_bone_marrow.calibrate(), fit_bone_marrow.TRIAL_HOURS)
    pool = pool_of("bone-marrow", automated)
    write(folder, "bone-marrow", automated, fit_bone_marrow.card(automated, pool), fit_bone_marrow.NOTES, pool)

    full = fit_bone_marrow_full.calibrate(automated)
    pool = pool_of("bone-marrow-full", full)
    write(folder, "bone-marrow-full", full, fit_bone_marrow_full.card(full), fit_bone_marrow_full.NOTES, pool)
    write_random_searches(folder, {"c-nmc": c_nmc, "bone-marrow": automated, "bone-marrow-full": full})


def pool_of(task: str, p: Parameters, count: int = POOL) -> Pool:
    """Uniformly random trials of a task."""
    return sample(load_task(task), surface_of(task), p, count)


def scaled(task: str, p: Mapping[str, Any], hours: float) -> dict[str, Any]:
    """Scale the cost so that a uniformly random trial takes that many GPU-hours on average."""
    mean = float(pool_of(task, p).hours.mean())
    return {**p, "cost_epoch": round(p["cost_epoch"] * hours / mean, 6)}


def reference(task: Task, p: Parameters, pool: Pool) -> dict[str, Any]:
    """What regret is normalised by; see `hemobench.benchmarks.published.Reference`."""
    loss = partial(mean_loss, task, surface_of(task.name), p)
    found = optimum(task.space(), loss)
    best = {name: float(f"{value:.6g}") if isinstance(value, float) else value for name, value in found.items()}
    return {
        "best_loss": loss(best),
        "best_config": best,
        "trial_gpu_hours": round(float(pool.hours.mean()), 6),
        "random": observed_curve(pool),
    }


def write(
    folder: Path, name: str, p: Mapping[str, Any], rows: Iterable[Target], notes: Iterable[str], pool: Pool
) -> None:
    """Store one surface."""
    document = {
        "parameters": p,
        "card": [{**asdict(row), "achieved": round(row.achieved, 4)} for row in rows],
        "notes": list(notes),
        "reference": reference(load_task(name), p, pool),
    }
    (folder / f"{name}.json").write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


def write_random_searches(folder: Path, surfaces: Mapping[str, Parameters]) -> None:
    """Simulate random search on surfaces, and store what its incumbent is worth at each budget, a line each."""
    parts = []
    for name, parameters in surfaces.items():
        curve = random_curve(random_trials(load_task(name), surface_of(name), parameters, SEARCHED))
        rows = ",\n".join(f"  [{hours}, {loss}]" for hours, loss in curve)
        parts.append(f' "{name}": [\n{rows}\n ]')
    (folder / RANDOM_SEARCH).write_text("{\n" + ",\n".join(parts) + "\n}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
