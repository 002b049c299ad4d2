"""What searches of a surrogate end with, trained for real: predictions beside the trainings that they are of."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter, ValidationError

from hemobench.benchmarks.evaluator import Evaluator
from hemobench.benchmarks.execution.retrain import FIRST_SEED
from hemobench.benchmarks.parity.searches import FIRST, OnProgress, Searches, SearchResult, side_by_side
from hemobench.benchmarks.parity.setup import LIVE, SCHEMA, SURROGATE, ParitySetup, answers, begin, figures
from hemobench.benchmarks.recording.source import Source
from hemobench.benchmarks.storage.files import write_whole
from hemobench.benchmarks.storage.run_folder import read_json
from hemobench.benchmarks.tables.schema import ALL_FOLDS, config_key
from hemobench.benchmarks.tasks.base import Task
from hemobench.errors import BenchmarkError
from hemobench.strategies.base import Config, Proposal, Status
from hemobench.strategies.space import random_stream

Floats = NDArray[np.float64]
DRAWS, FIRST_DRAW = 500, 2_000_000
"""How many outcomes are drawn of a prediction, and from which seed on: no search and no training has these."""
INCUMBENT, CONTROL = "incumbent", "control"


@dataclass(frozen=True)
class Candidate:
    """A configuration to be trained for real.

    Attributes:
        group: `incumbent` of a search on the surrogate, or `control`: drawn at random, selected by nobody.
        strategy: Who found it; empty for a control.
        seed: Of the search, or the number of the draw.
        config: The configuration.
        seen: What the search was told of it, by figure; empty for a control.
    """

    group: str
    strategy: str
    seed: int
    config: Config
    seen: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Training:
    """One training.

    Attributes:
        status: How it ended.
        figures: See `parity.figures`; empty unless it ended well.
        provenance: What it rests on.
    """

    status: Status
    figures: Mapping[str, float]
    provenance: Mapping[str, str]


@dataclass(frozen=True)
class Retrained:
    """A prediction beside the trainings that it is of.

    Attributes:
        candidate: What was trained.
        predicted: Figures of outcomes drawn from the surrogate, of any member and with noise, by name; shape
            (draws that did not fail,).
        failing: Share of the draws that failed.
        live: The trainings.
    """

    candidate: Candidate
    predicted: Mapping[str, Floats]
    failing: float
    live: tuple[Training, ...]


_training = TypeAdapter(Training)


def candidates(searches: Searches, task: Task, incumbents: int, controls: int) -> list[Candidate]:
    """What to train: of each strategy, what its first few searches of the surrogate ended with, and random draws.

    The first searches, not the best: the best of many would be selected once more, by the luck of their noise.
    """
    found = incumbents_of(searches, SURROGATE, incumbents)
    drawn = islice(random_stream(task.space(), FIRST_DRAW), controls)
    return [*found, *(Candidate(CONTROL, "", number, config) for number, config in enumerate(drawn))]


def incumbents_of(searches: Searches, source: str, seeds: int | None = None) -> list[Candidate]:
    """What the first few searches of each strategy in a source ended with; by default all of them."""
    return [
        Candidate(INCUMBENT, name, FIRST + seed, run.config, run.seen)
        for seed, runs in enumerate(searches.found[source][:seeds])
        for name, run in zip(searches.strategies, runs, strict=True)
        if run.loss is not None
    ]


def by_worth(searches: Searches, again: Sequence[Retrained]) -> Searches:
    """Live searches and those of the surrogate, by what their incumbents are worth and not by what was seen of them.

    The best of many is seen better than it is. Live, an incumbent is worth the mean loss of its trainings anew; on the
    surrogate, what it is worth without noise.

    Args:
        searches: Of both sources.
        again: The live incumbents, trained again.
    """
    live = {(one.candidate.strategy, one.candidate.seed): _mean_loss(one) for one in again}

    def worth(source: str, name: str, seed: int, run: SearchResult) -> SearchResult:
        return replace(run, loss=live.get((name, FIRST + seed)) if source == LIVE else run.worth)

    found = {}
    for source in (LIVE, SURROGATE):
        rows = enumerate(searches.found[source])
        found[source] = tuple(
            tuple(worth(source, name, seed, run) for name, run in zip(searches.strategies, runs, strict=True))
            for seed, runs in rows
        )
    return replace(searches, found=found)


def _mean_loss(one: Retrained) -> float | None:
    losses = [1 - training.figures["score"] for training in one.live if training.figures]
    return float(np.mean(losses)) if losses else None


def retrained(
    setup: ParitySetup,
    chosen: Sequence[Candidate],
    repeats: int,
    folder: Path,
    *,
    jobs: int = 1,
    on_progress: OnProgress = lambda done, of: None,
) -> list[Retrained]:
    """Predict and train each candidate; equal configurations are trained once.

    Args:
        setup: What is checked; its `live` trains.
        chosen: What to train.
        repeats: Trainings of each; repeat k has the same seed for all.
        folder: Where trainings are kept.
        jobs: Processes.
        on_progress: Called with how many are done, and of how many.

    Raises:
        BenchmarkError: If the folder is of another check, or nothing can be trained.
    """
    begin(folder, setup)
    distinct = {config_key(one.config): dict(one.config) for one in chosen}
    asked: list[tuple[Config, int]] = [
        (config, FIRST_SEED + repeat) for repeat in range(repeats) for config in distinct.values()
    ]
    missing = [one for one in asked if not (folder / path_of(*one)).exists()]
    side_by_side(trained, setup, missing, folder, jobs, on_progress)
    live: dict[str, list[Training]] = {key: [] for key in distinct}
    for config, seed in asked:
        live[config_key(config)].append(_read(folder / path_of(config, seed)))
    return [Retrained(one, *predicted(setup, one.config), live=tuple(live[config_key(one.config)])) for one in chosen]


def predicted(setup: ParitySetup, config: Config, draws: int = DRAWS) -> tuple[dict[str, Floats], float]:
    """Outcomes of one configuration as searches would be given them: their figures, and the share that failed."""
    evaluator = answers(setup.benchmark, setup.table, setup.surrogate, SURROGATE)
    outcomes = [evaluator.evaluate(Proposal(config), FIRST_DRAW + draw) for draw in range(draws)]
    drawn = [figures(setup.task, o.validation, o.test) for o in outcomes if o.status is Status.OK]
    names = drawn[0] if drawn else {}
    return {name: np.array([one[name] for one in drawn]) for name in names}, 1 - len(drawn) / draws


def path_of(config: Config, seed: int) -> Path:
    """A training's file, relative to the folder of a check."""
    return Path("trainings", f"{hashlib.sha256(config_key(config).encode()).hexdigest()[:16]}-{seed}.json")


def trained(setup: ParitySetup, asked: tuple[Config, int], folder: Path) -> None:
    """Train one configuration and write what came of it to its file."""
    config, seed = asked
    assert setup.live is not None
    evaluator = _live(setup.live.key)
    outcome = evaluator.evaluate(Proposal(config), seed)
    ok = outcome.status is Status.OK
    found = figures(setup.task, outcome.validation, outcome.test) if ok else {}
    result = Training(outcome.status, found, dict(evaluator.provenance))
    path = folder / path_of(config, seed)
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {"config": dict(config), "seed": seed, **_training.dump_python(result, mode="json")}
    write_whole(path, {"schema": SCHEMA, **content})


def _read(path: Path) -> Training:
    content = {k: v for k, v in read_json(path).items() if k not in ("schema", "config", "seed")}
    try:
        return _training.validate_python(content)
    except ValidationError as problem:
        raise BenchmarkError(f"{path}: {problem.errors()[0]['msg']}", "delete the file to train it again") from None


@lru_cache(maxsize=1)
def _live(source: str) -> Evaluator:
    """Evaluators hold data that is costly to load; the trainings of one process share them."""
    return Source(**json.loads(source)).evaluator(ALL_FOLDS)
