"""By whom a run on a surrogate is to be judged, tried where the truth is known.

    python -m hemobench.benchmarks.recorded.worlds --task bone-marrow-lite

A recorded benchmark's mean surface stands for reality. In every world the recorded trainings are drawn from it again, a
surrogate is fitted to them, and strategies run on that surrogate; their incumbents are judged by the member of the
ensemble that each run met, and by the mean of all. Strategies that run on reality itself say which was nearer.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from hemobench.benchmarks.benchmark import load_benchmark
from hemobench.benchmarks.budget import Budget
from hemobench.benchmarks.evaluators.surrogate import SurrogateEvaluator
from hemobench.benchmarks.execution.runner import run
from hemobench.benchmarks.recorded import artefacts
from hemobench.benchmarks.surrogates.fit import fit
from hemobench.benchmarks.surrogates.store import load
from hemobench.benchmarks.tables.io import read_table
from hemobench.benchmarks.tables.schema import Row
from hemobench.benchmarks.tasks import load_task
from hemobench.strategies import load_strategy
from hemobench.strategies.base import Proposal

STRATEGIES = ("random", "manual", "sssr", "optuna-tpe", "hyperopt-tpe", "skopt-gp")
TRIALS = 20
Floats = NDArray[np.float64]


def redrawn(row: Row, evaluator: SurrogateEvaluator) -> Row:
    """A recorded training as a surface gives it."""
    outcomes = [evaluator.evaluate(Proposal(row.config, epochs), row.seed) for epochs in row.epochs]
    validation = {name: tuple(o.validation[name] for o in outcomes) for name in row.validation}
    test = {name: tuple(o.test[name] for o in outcomes) for name in row.test}
    return replace(row, validation=validation, test=test, curve=outcomes[-1].curve)


def surrogate_of(task: str, world: int) -> SurrogateEvaluator:
    """What a surrogate answers that was fitted to a world's trainings, with noise of their own; world 0 is reality."""
    folds = load_benchmark(f"{task}@recorded").defaults.get("folds")
    reality = load(artefacts(task).surrogate)
    if world == 0:
        return SurrogateEvaluator(reality, f"{task}@world", 1, member="mean", folds=folds)
    table, name = read_table(artefacts(task).table), f"{task}@world-{world}"
    of_fold = {one: SurrogateEvaluator(reality, name, 1, member="mean", folds=(one,)) for one in table.folds}
    rows = tuple(redrawn(row, of_fold[row.fold]) for row in table.rows if row.reached)
    return SurrogateEvaluator(fit(replace(table, rows=rows)), f"{task}@world", 1, folds=folds)


def scores(task: str, seeds: int, world: int) -> Floats:
    """Mean score of each strategy's incumbents by member met and by mean, shape (strategies, 2)."""
    evaluator, asked = surrogate_of(task, world), load_task(task)
    found = np.zeros((len(STRATEGIES), seeds, 2))
    for place, name in enumerate(STRATEGIES):
        for seed in range(seeds):
            strategy = load_strategy(name)(asked.space(), seed=seed, horizon=TRIALS)  # type: ignore[call-arg]
            records = list(run(strategy, evaluator, Budget(1e6, max_trials=TRIALS), task=asked, seed=seed))
            losses = [np.inf if one.loss is None else one.loss for one in records]
            best = records[int(np.argmin(losses))]
            judges = (evaluator.truth(best.config, seed), evaluator.truth(best.config))
            found[place, seed] = [100 * (1 - judge.loss) for judge in judges]
    return np.asarray(found.mean(axis=1))


def report(real: Floats, worlds: Sequence[Floats]) -> list[str]:
    """Lines: scores in reality and by both judges; how far scores and gains over random search are from real ones."""
    judged = np.array(worlds)
    lines = ["strategy        real  by member  by mean"]
    for place, name in enumerate(STRATEGIES):
        own, mean = judged[:, place].mean(axis=0)
        lines.append(f"{name:14s} {real[place]:5.2f}  {own:9.2f}  {mean:7.2f}")
    for number, judge in enumerate(("member", "mean")):
        errors = judged[..., number] - real
        gains = (judged[:, 1:, number] - judged[:, :1, number]) - (real[1:] - real[0])
        off = float(np.sqrt((gains**2).mean()))
        lines.append(
            f"by {judge}: scores {errors.mean():+.2f} points on average; "
            f"gains off by {off:.2f}, {gains.mean():+.2f} on average"
        )
    return lines


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--task", default="bone-marrow-lite")
    parser.add_argument("--worlds", type=int, default=8)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--jobs", type=int, default=2)
    given = parser.parse_args()
    with ProcessPoolExecutor(given.jobs) as pool:
        real, *others = pool.map(partial(scores, given.task, given.seeds), range(given.worlds + 1))
    print("\n".join(report(real[:, 1], others)))  # noqa: T201


if __name__ == "__main__":
    main()
