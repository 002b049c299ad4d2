"""The second phase of a study: the selected configurations trained again, longer and several times."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from hemobench.benchmarks.evaluator import Evaluator, Outcome
from hemobench.benchmarks.storage.records import TrialRecord
from hemobench.benchmarks.storage.results import Results
from hemobench.benchmarks.storage.trial_records import trial_records
from hemobench.benchmarks.tasks import load_task
from hemobench.errors import BenchmarkError
from hemobench.strategies.base import Proposal

FIRST_SEED = 1_000_000
"""Repeats are seeded from here: no suite's runs get there, so they are new trainings."""


@dataclass(frozen=True, slots=True)
class Selected:
    """What a strategy selected on a benchmark.

    Attributes:
        strategy: Label.
        seed: The run that found it.
        trial: The incumbent with the lowest loss of all its runs.
        settings: Of the benchmark, as that run had them.
    """

    strategy: str
    seed: int
    trial: TrialRecord
    settings: Mapping[str, Any]


def selected(results: Results, benchmark: str) -> list[Selected]:
    """Each strategy's incumbent on a benchmark, the best of its runs.

    Raises:
        BenchmarkError: If the results hold no finished trial of that benchmark.
    """
    runs = results.runs[results.runs["benchmark"] == benchmark]
    trials = results.of(runs.index)
    finished = trials[trials["loss"].notna()] if len(trials) else trials
    if not len(finished):
        there = ", ".join(sorted(set(results.runs["benchmark"])))
        raise BenchmarkError(f"no finished trial of '{benchmark}' among the results", f"there are: {there}")
    strategies = finished["run"].map(runs["strategy"])
    return [_best(results, trials, str(label)) for label, trials in finished.groupby(strategies)]


def _best(results: Results, trials: pd.DataFrame, label: str) -> Selected:
    """The trial with the lowest loss; of equal ones that of the first run, which finished first there."""
    row = trials.sort_values(["loss", "run"], kind="stable").iloc[[0]]
    run = int(row["run"].iloc[0])
    header = results.header(run)
    space = load_task(str(header["benchmark"]).partition("@")[0]).space()
    settings = header.get("benchmark_settings", {})
    return Selected(label, int(header["seed"]), trial_records(row, space)[0], settings)


def retrain(
    chosen: Sequence[Selected], evaluator: Evaluator, epochs: int, repeats: int
) -> Iterator[tuple[Selected, int, Outcome]]:
    """Train each selected configuration again; repeat k has the same seed for all, so that they are paired."""
    for repeat in range(repeats):
        for choice in chosen:
            proposal = Proposal(choice.trial.config, epochs)
            yield choice, repeat, evaluator.evaluate(proposal, FIRST_SEED + repeat)
