"""Results by hand: runs given as a few (GPU-hours, loss) pairs, and a reference with round figures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from hemobench.benchmarks.execution.execute import execute
from hemobench.benchmarks.execution.plan import plans
from hemobench.benchmarks.storage.load import load_results
from hemobench.benchmarks.storage.results import Results
from hemobench.benchmarks.suite import load_suite, narrowed

BUDGET = 10.0


@dataclass(frozen=True)
class Reference:
    """Regret 0 at a loss of 0.05, regret 1 at 0.25 under ten GPU-hours."""

    best_loss: float = 0.05
    trial_gpu_hours: float = 1.0

    def random_expected(self, gpu_hours: float) -> float:
        return self.best_loss + 2.0 / gpu_hours


def one_run(
    strategy: str,
    seed: int,
    *trials: tuple[float, float | str],
    status: str = "budget-spent",
    benchmark: str = "c-nmc@published",
    version: int = 1,
    gpu_hours: float = BUDGET,
    workers: int = 1,
    luck: float | None = None,
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """A run whose trials finish at the GPU-hours given, with a loss or with a status.

    Where `luck` is given the truth is known, and each loss is that much below it.
    """
    metric = "accuracy" if benchmark.startswith("c-nmc") else "micro_f1"
    ended = status != "unfinished"
    run = {
        "benchmark": benchmark,
        "version": version,
        "strategy": strategy,
        "gpu_hours": gpu_hours,
        "workers": workers,
        "seed": seed,
        "status": status,
        "error": "trial 1: ValueError: [red]no[/red] <b>luck</b>" if status == "strategy-error" else None,
        "folder": f"{benchmark}/{strategy}/seed-{seed}",
        "ledger.train": 3600 * 0.6 * gpu_hours if ended else None,
        "ledger.idle": 3600 * 0.2 * gpu_hours if ended else None,
        "ledger.unspent": 3600 * 0.2 * gpu_hours if ended else None,
    }
    rows = []
    for number, (hours, outcome) in enumerate(trials):
        loss = None if isinstance(outcome, str) else outcome
        truth = None if loss is None or luck is None else loss + luck
        known = {
            "truth.loss": truth,
            f"truth.validation.{metric}": None if truth is None else 1 - truth,
            f"truth.test.{metric}": None if truth is None else 0.9 - truth,
        }
        rows.append(
            {
                **(known if luck is not None else {}),
                "number": number,
                "status": outcome if isinstance(outcome, str) else "ok",
                "loss": loss,
                "finished": 3600 * hours / workers,
                "measured.ask_s": 0.5,
                "measured.tell_s": None if outcome == "cut" else 0.25,
                f"validation.{metric}": None if loss is None else 1 - loss,
                f"test.{metric}": None if loss is None else 0.9 - loss,
            }
        )
    return run, rows


def collected(runs: Sequence[tuple[dict[str, Any], list[dict[str, Any]]]]) -> Results:
    """Runs as two tables."""
    trials = [{"run": number, **row} for number, (_, rows) in enumerate(runs) for row in rows]
    return Results(pd.DataFrame([run for run, _ in runs]).rename_axis("run"), pd.DataFrame(trials))


@pytest.fixture(scope="session")
def run() -> Callable[..., Any]:
    return one_run


@pytest.fixture(scope="session")
def collect() -> Callable[..., Results]:
    return collected


@pytest.fixture(scope="session")
def reference() -> Reference:
    return Reference()


def executed(out: Path, strategies: list[str], seeds: int) -> Path:
    """Real runs of both papers' tasks on their published surfaces, long enough for every strategy to learn."""
    for benchmark, hours in {"bone-marrow@published": 5000.0, "c-nmc@published": 5.0}.items():
        suite = narrowed(
            load_suite("papers"), benchmarks=[benchmark], strategies=strategies, seeds=seeds, gpu_hours=hours
        )
        for plan in plans(suite):
            execute(plan, out, "test")
    return out


@pytest.fixture(scope="session")
def quick(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of three seeds of five strategies on two tasks."""
    strategies = ["random", "sssr", "manual", "optuna-tpe", "hyperopt-tpe"]
    return executed(tmp_path_factory.mktemp("quick"), strategies, 3)


@pytest.fixture(scope="session")
def quick_results(quick: Path) -> Results:
    return load_results(quick)


@pytest.fixture(scope="session")
def one_seed(tmp_path_factory: pytest.TempPathFactory) -> Results:
    """One seed of random search and of the manual analysis."""
    return load_results(executed(tmp_path_factory.mktemp("one"), ["random", "manual"], 1))


@pytest.fixture
def worked() -> Results:
    """Three strategies on three seeds: a tie, a run in which all fails, and a strategy that raised."""
    return collected(
        [
            one_run("random", 0, (2, 0.30), (6, 0.20)),
            one_run("tpe", 0, (1, 0.25), (4, 0.20)),
            one_run("poor", 0, (5, 0.40)),
            one_run("random", 1, (1, 0.30), (8, 0.10)),
            one_run("tpe", 1, (3, 0.15)),
            one_run("poor", 1, (2, "diverged"), (10, "cut")),
            one_run("random", 2, (3, 0.30)),
            one_run("tpe", 2, (2, 0.20), (5, 0.25), (7, 0.10)),
            one_run("poor", 2, (1, 0.05), status="strategy-error"),
        ]
    )
