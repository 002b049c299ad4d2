"""The second phase of a study: the selected configurations trained again, longer and several times."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hemobench.benchmarks.evaluator import Evaluator, Outcome
from hemobench.benchmarks.storage.records import TrialRecord
from hemobench.benchmarks.storage.results import Results
from hemobench.benchmarks.storage.run_folder import RUN, TRIALS, read_header, read_trials
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
    found: dict[str, Selected] = {}
    for label, seed, folder in zip(runs["strategy"], runs["seed"], runs["folder"], strict=True):
        for trial in read_trials(Path(folder) / TRIALS):
            best = found.get(label)
            if trial.loss is not None and (best is None or trial.loss < (best.trial.loss or 0.0)):
                settings = read_header(Path(folder) / RUN).get("benchmark_settings", {})
                found[label] = Selected(label, seed, trial, settings)
    if not found:
        there = ", ".join(sorted(set(results.runs["benchmark"])))
        raise BenchmarkError(f"no finished trial of '{benchmark}' among the results", f"there are: {there}")
    return [found[label] for label in sorted(found)]


def retrain(
    chosen: Sequence[Selected], evaluator: Evaluator, epochs: int, repeats: int
) -> Iterator[tuple[Selected, int, Outcome]]:
    """Train each selected configuration again; repeat k has the same seed for all, so that they are paired."""
    for repeat in range(repeats):
        for choice in chosen:
            proposal = Proposal(choice.trial.config, epochs)
            yield choice, repeat, evaluator.evaluate(proposal, FIRST_SEED + repeat)
