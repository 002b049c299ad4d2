"""Synthetic result trees of any size, and what it takes to conclude from them.

    python tests/performance/growth.py --runs 100000 --trials 100 --out DIR
    python tests/performance/growth.py --measure 1000 10000 100000 --out DIR

Configurations, metrics and costs are those of real trials on the published benchmarks; losses are drawn, and fall as
a run goes on. The files are byte for byte what the store writes: lines are its own, with other numbers set in.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import product
from pathlib import Path

import numpy as np

from hemobench.benchmarks.benchmark import load_benchmark
from hemobench.benchmarks.budget import Budget
from hemobench.benchmarks.environment import environment
from hemobench.benchmarks.evaluator import Cost
from hemobench.benchmarks.execution.runner import run
from hemobench.benchmarks.storage.files import write_whole
from hemobench.benchmarks.storage.records import RunEnd, TrialRecord
from hemobench.benchmarks.storage.run_folder import END, RUN, SCHEMA, TRIALS, RunKey, encode
from hemobench.strategies import load_strategy
from hemobench.strategies.base import Status

GPU_HOURS = {
    "c-nmc@published": (1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 10.0, 20.0),
    "bone-marrow@published": (500.0, 1000.0, 1500.0, 2000.0, 3000.0, 4000.0, 5000.0, 10000.0),
    "bone-marrow-full@published": (500.0, 1000.0, 1500.0, 2000.0, 3000.0, 4000.0, 5000.0, 10000.0),
}
STRATEGIES = ("manual", "random", "sssr", "optuna-tpe", "hyperopt-tpe", "smac", "skopt-gp", "optuna-cmaes")
"""Later ones learn faster here, which says nothing of their namesakes."""
POOL = 300
CURVE = 10
"""Most epochs that a curve shows."""
DISTINCT = 50
"""With `CURVE`, keeps the largest tree small enough for memory's cache: it is not the disk that is to be measured."""
FAILED = 0.03
_MARKS = {"number": 987654321987, "loss": 1.25e300, "shown": 1.5e300, "cost": 1.75e300, "evaluation": 1.0625e300,
          "started": 1.125e300, "finished": 1.375e300}  # fmt: skip
"""Stand in a template for what each trial has of its own; no real trial has these numbers."""


@dataclass(frozen=True)
class Templates:
    """Lines of one benchmark's trials, with gaps for `number`, `loss`, `shown` (the headline metric) and times.

    Attributes:
        ok: Of trials that ended well.
        failed: Of trials that diverged; without `loss` and `shown`.
        source: The evaluator's provenance.
    """

    ok: tuple[str, ...]
    failed: tuple[str, ...]
    source: dict[str, str]


def templates(name: str) -> Templates:
    """Lines of real trials of random search."""
    benchmark = load_benchmark(name)
    strategy = load_strategy("random")(benchmark.task.space(), seed=0, horizon=POOL)
    evaluator = benchmark.evaluator()
    records = run(strategy, evaluator, Budget(1e9, max_trials=POOL), task=benchmark.task, seed=0)
    marked = [_marked(record, benchmark.task.headline) for record in records if record.status is Status.OK]
    failed = [replace(record, status=Status.DIVERGED, loss=None, validation={}, test={}, curve=()) for record in marked]
    return Templates(tuple(map(_template, marked)), tuple(map(_template, failed)), dict(evaluator.provenance))


def _marked(record: TrialRecord, headline: str) -> TrialRecord:
    cost = Cost(_MARKS["cost"], record.cost.kind, record.cost.device, _MARKS["evaluation"])
    validation = {**record.validation, headline: _MARKS["shown"]}
    times = {name: _MARKS[name] for name in ("number", "loss", "started", "finished")}
    return replace(record, cost=cost, validation=validation, curve=record.curve[:CURVE], **times)


def _template(record: TrialRecord) -> str:
    line = encode(record).decode().replace("%", "%%")
    for name, mark in _MARKS.items():
        line = line.replace(repr(mark), f"%({name})r")
    return line


def keys(runs: int) -> Iterator[RunKey]:
    """What is run: all strategies at all budgets, with as many seeds as it takes."""
    budgets = range(len(GPU_HOURS["c-nmc@published"]))
    arms = [(name, GPU_HOURS[name][k], strategy) for k in budgets for strategy in STRATEGIES for name in GPU_HOURS]
    for seed, (name, hours, strategy) in product(range(-(-runs // len(arms))), arms):
        if seed * len(arms) + arms.index((name, hours, strategy)) < runs:
            yield RunKey(name, 1, strategy, hours, 1, seed)


def grow(out: Path, runs: int, trials: int, distinct: int = DISTINCT) -> None:
    """Write a tree of run folders.

    Args:
        out: Its root.
        runs: How many.
        trials: Of each run; together they take all of its budget.
        distinct: Seeds with trials of their own; later seeds have those of an earlier one, as hard links.
    """
    lines = {name: templates(name) for name in GPU_HOURS}
    about = environment()
    for key in keys(runs):
        folder = out / key.folder
        folder.mkdir(parents=True)
        write_whole(folder / RUN, _header(key, trials, lines[key.benchmark].source, about))
        if key.seed >= distinct:
            earlier = out / replace(key, seed=key.seed % distinct).folder
            for name in (TRIALS, END):
                os.link(earlier / name, folder / name)
            continue
        text, ledger = _trials(key, trials, lines[key.benchmark])
        (folder / TRIALS).write_text(text)
        write_whole(folder / END, asdict(RunEnd("budget-spent", ledger)))


def _header(key: RunKey, trials: int, source: dict[str, str], about: dict[str, str]) -> dict[str, object]:
    return {
        "schema": SCHEMA,
        "suite": "growth",
        "benchmark": key.benchmark,
        "version": key.version,
        "strategy": {"label": key.strategy, "name": key.strategy, "settings": {}},
        "seed": key.seed,
        "budget": {"gpu_hours": key.gpu_hours, "workers": 1, "max_trials": None},
        "horizon": trials,
        "source": source,
        "benchmark_settings": {},
        "environment": about,
    }


def _trials(key: RunKey, count: int, lines: Templates) -> tuple[str, dict[str, float]]:
    """A run's journal, and where its GPU-seconds went."""
    place = STRATEGIES.index(key.strategy)
    rng = np.random.default_rng([key.seed, place, int(10 * key.gpu_hours), len(key.benchmark)])
    ends = np.cumsum(rng.uniform(0.5, 1.5, count))
    ends = np.round(ends * 3600 * key.gpu_hours / ends[-1], 3)
    costs = np.round(np.diff(ends, prepend=0.0), 3)
    learnt = 0.1 * np.exp(-(1 + place / 4) * np.arange(count) / count)
    losses = np.round(0.05 + learnt * rng.gamma(2.0, 0.5, count), 6).clip(0.0, 1.0)
    failed = rng.random(count) < FAILED
    chosen = rng.integers(0, len(lines.ok), count).tolist()
    rows = zip(losses.tolist(), np.round(1 - losses, 6).tolist(), costs.tolist(), np.round(0.1 * costs, 3).tolist(),
               [0.0, *ends[:-1].tolist()], ends.tolist(), strict=True)  # fmt: skip
    text = "".join(
        (lines.failed if failed[number] else lines.ok)[chosen[number]]
        % {"number": number, "loss": loss, "shown": shown, "cost": cost, "evaluation": evaluation,
           "started": started, "finished": finished}
        for number, (loss, shown, cost, evaluation, started, finished) in enumerate(rows)
    )  # fmt: skip
    spent, lost = (round(float(costs[which].sum()), 3) for which in (~failed, failed))
    ledger = {"evaluation": round(spent / 10, 3), "failed": lost, "cut": 0.0, "idle": 0.0, "unspent": 0.0}
    return text, {"train": round(spent - ledger["evaluation"], 3), **ledger}


@dataclass(frozen=True)
class Taken:
    """What a command took: seconds on the clock and of processors, and the most memory it held, in GiB."""

    seconds: float
    cpu_seconds: float
    gibibytes: float


def taken(command: Sequence[str]) -> Taken:
    """Run a command in a process of its own.

    Raises:
        RuntimeError: If it fails.
    """
    began = time.perf_counter()
    with open(os.devnull, "wb") as nowhere:
        child = subprocess.Popen(command, stdout=nowhere)
        _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {child.returncode}")
    cpu = usage.ru_utime + usage.ru_stime
    return Taken(time.perf_counter() - began, cpu, usage.ru_maxrss / (1 << 20))


def measured(tree: Path, work: Path) -> dict[str, Taken]:
    """What consolidation and reports of a tree take."""
    python, archive = sys.executable, work / f"{tree.name}.parquet"
    front = [python, "-m", "hemobench"]
    reading = "import sys, pathlib; from hemobench.benchmarks.storage.results import load_results as load; load(pathlib.Path(sys.argv[1]))"  # noqa: E501
    steps = {
        "consolidate": [*front, "export", str(tree), "--archive", str(archive)],
        "read all of it": [python, "-c", reading, str(archive)],
        "leaderboard": [*front, "leaderboard", str(archive), "--json"],
        "report": [*front, "report", str(archive), "-o", str(work / f"{tree.name}.html")],
        "export --parquet": [*front, "export", str(archive), "--parquet", str(work / f"{tree.name}-tidy.parquet")],
    }
    found = {}
    for name, command in steps.items():
        found[name] = taken(command)
        took = found[name]
        _say(
            f"{tree.name:>16}  {name:<16} {took.seconds:9.1f} s {took.cpu_seconds:9.1f} s of processors "
            f"{took.gibibytes:7.2f} GiB"
        )
    for file in sorted(work.glob(f"{tree.name}*.*")):
        _say(f"{tree.name:>16}  {file.name}: {file.stat().st_size / 1e6:,.1f} MB")
    return found


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main() -> None:
    """Write a tree, or measure several."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="a folder for trees and what is made of them")
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--trials", type=int, default=100, help="of a run")
    parser.add_argument("--measure", type=int, nargs="+", metavar="RUNS", help="sizes to write, measure and remove")
    parser.add_argument("--keep", action="store_true", help="leave trees there after measuring, and use those there")
    asked = parser.parse_args()
    if not asked.measure:
        grow(asked.out, asked.runs, asked.trials)
        return
    table = {}
    for runs in asked.measure:
        tree = asked.out / f"{runs}-runs"
        if not tree.exists():
            grow(tree, runs, asked.trials)
        table[runs] = {name: asdict(took) for name, took in measured(tree, asked.out).items()}
        if not asked.keep:
            shutil.rmtree(tree)
    _say(json.dumps(table, indent=1))


if __name__ == "__main__":
    main()
