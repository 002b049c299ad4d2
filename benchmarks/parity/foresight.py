"""What live searches tried, beside what the surrogate says of it.

Nobody looked at the surrogate to choose these configurations, so it is neither flattered nor blamed by a search of it.
Those of random search are spread over the whole space.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from hemobench.benchmarks.parity.retraining import DRAWS, Candidate, Floats, Retrained, Training, predicted
from hemobench.benchmarks.parity.searches import FIRST, Search, SearchBudget, label, live_trials
from hemobench.benchmarks.parity.setup import LIVE, ParitySetup, figures
from hemobench.benchmarks.storage.records import TrialRecord
from hemobench.benchmarks.tables.schema import config_key
from hemobench.strategies.base import Status

TRIED = "tried"


def tried(
    setup: ParitySetup,
    budget: SearchBudget,
    strategies: Sequence[str],
    seeds: int,
    folder: Path,
    draws: int = DRAWS,
) -> list[Retrained]:
    """Each configuration that a strategy's live searches trained in full, with its prediction.

    Args:
        setup: What is checked.
        budget: Of the searches, which have been run.
        strategies: Whose.
        seeds: How many of each.
        folder: Where runs are kept.
        draws: Outcomes drawn of each prediction.

    Returns:
        By strategy, configurations in the order in which they were first tried; several trials of one are its
        trainings.
    """
    foreseen: dict[str, tuple[dict[str, Floats], float]] = {}
    found = []
    for name in strategies:
        searches = [Search(LIVE, name, FIRST + seed, budget) for seed in range(seeds)]
        records = [record for one in searches for record in live_trials(setup, one, folder)]
        for key, same in _by_config(records, setup.task.epochs).items():
            config = same[0].config
            if key not in foreseen:
                foreseen[key] = predicted(setup, config, draws)
            trainings = tuple(_training(setup, record) for record in same)
            found.append(Retrained(Candidate(TRIED, label(name), FIRST, config), *foreseen[key], live=trainings))
    return found


def _by_config(records: Sequence[TrialRecord], epochs: int) -> dict[str, list[TrialRecord]]:
    """Those that were trained in full, by configuration."""
    found: dict[str, list[TrialRecord]] = {}
    for record in records:
        if record.epochs == epochs and record.status is not Status.CUT:
            found.setdefault(config_key(record.config), []).append(record)
    return found


def _training(setup: ParitySetup, record: TrialRecord) -> Training:
    ok = record.status is Status.OK
    return Training(record.status, figures(setup.task, record.validation, record.test) if ok else {}, {})
