"""Answers proposals by looking them up in a recorded table."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from hemobench.benchmarks import noise
from hemobench.benchmarks.benchmark import Benchmark
from hemobench.benchmarks.evaluator import Cost, Outcome, Truth
from hemobench.benchmarks.surrogates.encode import Encoder
from hemobench.benchmarks.tables.io import read_table
from hemobench.benchmarks.tables.schema import Row, Table, config_key
from hemobench.benchmarks.tasks import load_task
from hemobench.benchmarks.training.metrics import over_folds
from hemobench.errors import BenchmarkError
from hemobench.strategies.base import Config, Proposal, Status

LEAST_SECONDS = 1e-6  # what asking again for a training that has already failed costs


class TableEvaluator:
    """An `Evaluator` that answers with what was recorded.

    A configuration that was not recorded is answered by the nearest that was (in the unit cube of the space; see
    `Encoder.weights`), and `Outcome.extra["distance"]` says how far it is. A length of training that was not looked
    at is answered by the longest shorter one. Of several seeds of a training, the run's own answers if it was
    recorded, else one that the run's seed draws.

    Args:
        table: The table.
        strict: Refuse configurations and lengths of training that were not recorded.
        folds: Which folds to put together, as the live task does; by default the one recorded most, or all where the
            objective needs a deviation over folds.

    Raises:
        BenchmarkError: If no configuration was recorded on all of those folds.
    """

    def __init__(self, table: Table, *, strict: bool = False, folds: Sequence[int] | None = None) -> None:
        self._header = table.header
        self._strict = strict
        self._task = load_task(table.header.task)
        validation = table.metrics[0]
        self._folds = (
            tuple(folds) if folds is not None else folds_needed(self._task.objective.weights, validation, table)
        )
        self._rows: dict[tuple[str, int], list[Row]] = {}
        for row in sorted(table.rows, key=lambda row: row.seed):
            self._rows.setdefault((row.key[0], row.fold), []).append(row)
        pool = {k: c for k, c in table.configs().items() if all((k, fold) in self._rows for fold in self._folds)}
        if not pool:
            raise BenchmarkError(f"no configuration was recorded on all of the folds {self._folds}", "name other folds")
        self._keys = list(pool)
        self._encoder = Encoder(self._task.space())
        self._places = self._encoder.many(list(pool.values())) * self._encoder.weights
        self._known = set(self._keys)

    @property
    def provenance(self) -> Mapping[str, str]:
        """What was recorded, where, and what of it answers."""
        return {
            "source": "table",
            "recorded": f"{self._header.benchmark} version {self._header.version}, {self._header.scale} scale",
            "data_sha256": self._header.data,
            "device": self._header.device,
            "configurations": str(len(self._keys)),
            "folds": ", ".join(map(str, self._folds)),
            "strict": str(self._strict),
        }

    def evaluate(self, proposal: Proposal, seed: int, *, trained: int = 0, limit: float = math.inf) -> Outcome:
        """Look up one proposal; see `Evaluator`.

        Raises:
            BenchmarkError: If it was not recorded and the evaluator is strict.
        """
        epochs = epochs_asked(proposal, trained, self._header.epochs)
        key, distance = self._nearest(proposal.config)
        rows = [self._of_seed(key, fold, seed) for fold in self._folds]
        if self._strict and any(epochs not in row.epochs for row in rows if row.status is Status.OK):
            raise BenchmarkError(
                f"no recorded training was looked at after {epochs} epochs", "propose a recorded length"
            )
        outcomes = [_outcome(row, epochs, trained, self._header.device) for row in rows]
        return together(outcomes, {"distance": distance})

    def truth(self, config: Config, seed: int | None = None) -> Truth | None:
        """The mean over seeds of what was recorded at full length of the configuration that answers for this one.

        `None` unless it was trained with several seeds on each of the folds.
        """
        key, _ = self._nearest(config)
        folds = []
        for fold in self._folds:
            rows = [row for row in self._rows[key, fold] if self._is_full(row)]
            if len(rows) < 2:
                return None
            folds.append(_mean_outcome(rows, self._header.device))
        whole = together(folds, {})
        return Truth(self._task.objective.loss(whole.validation), whole.validation, whole.test)

    def _is_full(self, row: Row) -> bool:
        return row.status is Status.OK and row.epochs[-1] == self._header.epochs

    def _nearest(self, config: Config) -> tuple[str, float]:
        """The key of the recorded configuration nearest to one, and its distance."""
        key = config_key(config)
        if key in self._known:
            return key, 0.0
        if self._strict:
            raise BenchmarkError(f"not in the table: {dict(config)}", "propose recorded configurations only")
        squares = ((self._places - np.array(self._encoder.one(config)) * self._encoder.weights) ** 2).sum(axis=1)
        place = int(squares.argmin())
        return self._keys[place], round(math.sqrt(squares[place]), 9)

    def _of_seed(self, key: str, fold: int, seed: int) -> Row:
        rows = self._rows[key, fold]
        own = [row for row in rows if row.seed == seed]
        if own or len(rows) == 1:
            return (own or rows)[0]
        drawn = noise.generator(self._header.benchmark, self._header.version, seed, rows[0].config)
        return rows[int(drawn.integers(len(rows)))]


def _mean_outcome(rows: Sequence[Row], device: str) -> Outcome:
    """The mean over seeds of the metrics at full length."""
    validation, test = zip(*(row.at(-1) for row in rows), strict=True)
    return Outcome(Status.OK, _mean(validation), _mean(test), (), Cost(LEAST_SECONDS, "recorded", device))


def _mean(metrics: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The mean of each metric that all have, to six places as metrics are."""
    shared = [name for name in metrics[0] if all(name in each for each in metrics)]
    means = {name: float(np.mean([each[name] for each in metrics])) for name in shared}
    return {name: round(mean, 6) for name, mean in means.items()}


def folds_needed(weights: Mapping[str, float], validation: Sequence[str], table: Table) -> tuple[int, ...]:
    """The fold recorded most, or all of them where a metric of the objective is known of no single one."""
    if not set(weights) <= set(validation):
        return table.folds
    counts = Counter(row.fold for row in table.rows)
    return (max(table.folds, key=lambda fold: (counts[fold], -fold)),)


def epochs_asked(proposal: Proposal, trained: int, full: int) -> int:
    """The length of training that a proposal asks for.

    Raises:
        BenchmarkError: If that is not between what was trained before and the full length.
    """
    epochs = full if proposal.epochs is None else proposal.epochs
    if not 0 <= trained < epochs <= full:
        raise BenchmarkError(f"{epochs} epochs asked for, {trained} trained", f"ask for more, up to {full}")
    return epochs


def _outcome(row: Row, epochs: int, trained: int, device: str) -> Outcome:
    """What a row says of a length of training."""
    failed = row.status is not Status.OK and epochs >= row.epochs[-1]
    cost = _cost(row, epochs, trained, device)
    if failed or not row.reached:
        return Outcome(row.status if failed else Status.OK, {}, {}, (), cost, row.error)
    look = max((i for i in range(row.reached) if row.epochs[i] <= epochs), default=0)
    return Outcome(Status.OK, *row.at(look), row.curve[:epochs], cost)


def _cost(row: Row, epochs: int, trained: int, device: str) -> Cost:
    """Device-seconds from one length of training to another: linear between those that were looked at."""
    looked, last = [0, *row.epochs], row.epochs[-1]
    ends = np.interp([min(trained, last), min(epochs, last)], looked, [0.0, *row.seconds])
    parts = np.interp([min(trained, last), min(epochs, last)], looked, [0.0, *row.evaluation_seconds])
    seconds = max(round(float(ends[1] - ends[0]), 6), LEAST_SECONDS)
    return Cost(seconds, "recorded", device, min(max(round(float(parts[1] - parts[0]), 6), 0.0), seconds))


def together(outcomes: Sequence[Outcome], extra: Mapping[str, float]) -> Outcome:
    """The folds' outcomes as one, as cross-validation gives it: means and deviations, and the sum of the costs."""
    first, costs = outcomes[0], [outcome.cost for outcome in outcomes]
    failed = next((outcome for outcome in outcomes if outcome.status is not Status.OK), None)
    if len(outcomes) == 1:
        return Outcome(first.status, first.validation, first.test, first.curve, first.cost, first.error, extra)
    seconds = round(sum(cost.gpu_seconds for cost in costs), 6)
    parts = min(round(sum(cost.evaluation_seconds for cost in costs), 6), seconds)
    cost = Cost(seconds, costs[0].kind, costs[0].device, parts)
    if failed is not None:
        return Outcome(failed.status, {}, {}, (), cost, failed.error, extra)
    longest = max(len(outcome.curve) for outcome in outcomes)
    curve = (
        np.zeros(0)
        if not longest
        else np.mean([_padded(outcome.curve, longest) for outcome in outcomes if outcome.curve], axis=0)
    )
    return Outcome(
        status=Status.OK,
        validation=over_folds([dict(outcome.validation) for outcome in outcomes]),
        test=over_folds([dict(outcome.test) for outcome in outcomes]) if first.test else {},
        curve=tuple(curve.tolist()),
        cost=cost,
        extra=extra,
    )


def _padded(curve: Sequence[float], length: int) -> list[float]:
    """A training that stopped early goes on with its last value."""
    return [*curve, *[curve[-1]] * (length - len(curve))]


def recorded(
    benchmark: Benchmark, *, table: str | Path, strict: bool = False, folds: Sequence[int] | None = None
) -> TableEvaluator:
    """The evaluator of a benchmark on a table's file.

    Raises:
        BenchmarkError: If the file is no sound table, or is of another task.
    """
    read = read_table(Path(table))
    if read.header.task != benchmark.task.name:
        raise BenchmarkError(f"{table} is of the task {read.header.task}", f"name a table of {benchmark.task.name}")
    return TableEvaluator(read, strict=strict, folds=folds)
