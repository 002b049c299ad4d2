"""The second phase of a study: the selected configurations trained again, longer and several times."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import as_completed
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from typing import Any

import pandas as pd

from hemobench.benchmarks.benchmark import load_benchmark
from hemobench.benchmarks.evaluator import Evaluator
from hemobench.benchmarks.execution.process_pool import process_pool
from hemobench.benchmarks.execution.retraining_journal import Retraining, identity
from hemobench.benchmarks.storage.records import TrialRecord
from hemobench.benchmarks.storage.results import Results
from hemobench.benchmarks.storage.trial_records import trial_records
from hemobench.benchmarks.tasks import load_task
from hemobench.errors import BenchmarkError
from hemobench.strategies.base import Config, Proposal, Status

FIRST_SEED = 1_000_000
"""Repeats are seeded from here: no suite's runs get there, so they are new trainings."""
NO_INFLUENCE = ("data", "cache")
"""Settings that say where files lie; what lies there is in the provenance."""


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


@dataclass(frozen=True)
class Trainer:
    """What trains configurations longer than a search did, in a form that travels to processes.

    Attributes:
        benchmark: As in `c-nmc@live`.
        epochs: Length of every training; live ones may be longer than the task's.
        settings: Of the benchmark, with the folder of images (`data`) of a live one.
    """

    benchmark: str
    epochs: int
    settings: Mapping[str, Any]

    @property
    def key(self) -> str:
        """All of it as text."""
        return json.dumps(asdict(self), sort_keys=True, default=str)

    def evaluator(self) -> Evaluator:
        """What trains.

        Raises:
            BenchmarkError: If it cannot be made, or answers for fewer epochs only.
        """
        found = load_benchmark(self.benchmark)
        if not found.live:
            if self.epochs > found.task.epochs:
                raise BenchmarkError(
                    f"{self.benchmark} knows {found.task.epochs} epochs, not {self.epochs}",
                    "train on a live benchmark",
                )
            return found.evaluator(**self.settings)
        if "data" not in self.settings:
            raise BenchmarkError(f"{self.benchmark} trains on real images", "give their folder with --data DIR")
        try:
            from hemobench.benchmarks.evaluators.live import live
        except ImportError as problem:
            raise BenchmarkError(
                f"training needs torch and torchvision: {problem}", "pip install 'hemobench[train]'"
            ) from None
        task = replace(found.task, epochs=self.epochs)
        settings = {**found.defaults, **self.settings}
        settings.pop("epochs", None)  # a bound on the search's trials, which this is longer than
        return live(task, **settings)


@dataclass(frozen=True)
class Asked:
    """One training that is wanted.

    Attributes:
        trainer: What trains it.
        config: The configuration.
        seed: Of the repeat; the same for all strategies, so that they are paired.
        identity: All that decides its figures, as text; see `retraining_journal.identity`.
    """

    trainer: Trainer
    config: Config
    seed: int
    identity: str


def asked(trainer: Trainer, source: Mapping[str, str], config: Config, repeats: int) -> list[Asked]:
    """The trainings of one selected configuration, repeat by repeat.

    Args:
        trainer: What trains it.
        source: The trainer's provenance.
        config: The configuration.
        repeats: How many.
    """
    settings = {name: value for name, value in trainer.settings.items() if name not in NO_INFLUENCE}
    found = []
    for seed in range(FIRST_SEED, FIRST_SEED + repeats):
        text = identity(
            benchmark=trainer.benchmark,
            epochs=trainer.epochs,
            settings=settings,
            config=dict(config),
            seed=seed,
            source=dict(source),
        )
        found.append(Asked(trainer, dict(config), seed, text))
    return found


def retrain(
    wanted: Sequence[Asked],
    known: Mapping[str, Retraining],
    jobs: int,
    on_done: Callable[[Retraining], None],
) -> dict[str, Retraining]:
    """Train what is wanted and not known yet; what has one identity is trained once.

    Args:
        wanted: The trainings, those first that are to be trained first.
        known: Earlier trainings by identity.
        jobs: Processes; with one, this process trains.
        on_done: Given each new training when it is done.

    Returns:
        All that is wanted, by identity.

    Raises:
        BenchmarkError: If nothing can be trained, or a process died.
    """
    found = {one.identity: known[one.identity] for one in wanted if one.identity in known}
    missing = {one.identity: one for one in wanted if one.identity not in found}
    for training in _trained(list(missing.values()), jobs):
        found[training.identity] = training
        on_done(training)
    return found


def _trained(missing: Sequence[Asked], jobs: int) -> Iterator[Retraining]:
    """Each training when it is done."""
    if jobs == 1:
        yield from map(train_one, missing)
    elif missing:
        with process_pool(min(jobs, len(missing))) as pool:
            futures = [pool.submit(train_one, one) for one in missing]
            for future in as_completed(futures):
                yield future.result()


def train_one(one: Asked) -> Retraining:
    """Train what is asked, in this process."""
    outcome = evaluator_of(one.trainer.key).evaluate(Proposal(one.config, one.trainer.epochs), one.seed)
    ok = outcome.status is Status.OK
    return Retraining(
        identity=one.identity,
        status=outcome.status,
        validation=dict(outcome.validation) if ok else {},
        test=dict(outcome.test) if ok else {},
        gpu_seconds=outcome.cost.gpu_seconds,
        error=outcome.error,
        curve=outcome.curve if ok else (),
    )


@lru_cache(maxsize=2)
def evaluator_of(trainer: str) -> Evaluator:
    """This process's evaluator of a trainer, given by its key: what is costly to load is loaded once."""
    return Trainer(**json.loads(trainer)).evaluator()
