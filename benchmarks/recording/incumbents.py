"""What searches of a benchmark ended with: where a surrogate flatters, and points of the next recording."""

from __future__ import annotations

import pandas as pd

from hemobench.benchmarks.storage.results import Results
from hemobench.benchmarks.storage.trial_records import configurations
from hemobench.benchmarks.tables.schema import config_key
from hemobench.benchmarks.tasks.base import Task
from hemobench.errors import BenchmarkError
from hemobench.strategies.base import Config


def incumbents(results: Results, task: Task, count: int) -> tuple[Config, ...]:
    """Different configurations that runs ended with, those of the first seeds, of every strategy alike.

    The first runs and not the best: what the best of many ended with is the luckiest.

    Args:
        results: Runs, perhaps of other tasks too.
        task: Whose runs count.
        count: How many are wanted.

    Returns:
        As many as are wanted, fewer where runs ended with fewer.

    Raises:
        BenchmarkError: If no run of the task has a trial of full length.
    """
    ended = _incumbents(results, task)
    runs = results.runs.loc[ended["run"]]
    in_turn = ended.assign(seed=runs["seed"].to_numpy(), strategy=runs["strategy"].to_numpy())
    in_turn = in_turn.sort_values(["seed", "strategy", "run"], kind="stable")
    found: dict[str, Config] = {}
    for config in configurations(in_turn, task.space()):
        found.setdefault(config_key(config), config)
    return tuple(found.values())[:count]


def _incumbents(results: Results, task: Task) -> pd.DataFrame:
    """The trial of full length with the lowest loss of each run of a task, the first of equal ones."""
    names = results.runs["benchmark"].str.partition("@")[0]
    trials = results.of(results.runs.index[names == task.name])
    whole = trials[(trials["epochs"] == task.epochs) & trials["loss"].notna()] if len(trials) else trials
    if not len(whole):
        there = ", ".join(sorted(set(names)))
        raise BenchmarkError(f"no run of {task.name} among the results ended with a trial", f"there are: {there}")
    return whole.loc[whole.groupby("run")["loss"].idxmin()]
