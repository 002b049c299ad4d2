"""Answers proposals from a surrogate that is fitted to a recorded table."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from hemobench.benchmarks.benchmark import Benchmark
from hemobench.benchmarks.evaluator import Cost, Outcome, Truth
from hemobench.benchmarks.evaluators.table import LEAST_SECONDS, epochs_asked
from hemobench.benchmarks.surrogates.store import load
from hemobench.benchmarks.surrogates.surrogate import Floats, Surrogate
from hemobench.benchmarks.surrogates.truth import noise_free
from hemobench.errors import BenchmarkError
from hemobench.strategies.base import Config, Proposal, Status

Member = Literal["seed", "mean"] | int


@dataclass(frozen=True, slots=True)
class _Predicted:
    """What was predicted last at full length; a trial's truth is asked for next, and is of the same prediction.

    Attributes:
        config: Of what.
        member: By which member; `None` is the mean of all.
        outputs: Fractions, shape (folds, M).
    """

    config: Config
    member: int | None
    outputs: Floats


class SurrogateEvaluator:
    """An `Evaluator` that answers in microseconds with what training would probably give.

    Noise, and whether a training fails, are decided by benchmark, version, seed and configuration alone; a longer
    training repeats the curve of a shorter one.

    Args:
        surrogate: The surrogate.
        benchmark: The benchmark's name.
        version: Its version.
        member: `seed`: every seed of a run meets one member of the ensemble, in turn, so that what the surrogate does
            not know shows between seeds; `mean`: all meet the mean of all members; a number: all meet that one. A run
            is judged by what it met.
        folds: Which folds to put together, as the live task does; by default the first recorded, or all where the
            objective needs a deviation over folds.

    Raises:
        BenchmarkError: If one of the folds was not recorded.
    """

    def __init__(
        self,
        surrogate: Surrogate,
        benchmark: str,
        version: int,
        *,
        member: Member = "seed",
        folds: Sequence[int] | None = None,
    ) -> None:
        if member not in ("seed", "mean") and member not in range(surrogate.members):
            raise BenchmarkError(f"there is no member '{member}'", "choose seed, mean or a member's number")
        about = surrogate.about
        wanted = {f"validation.{name}" for name in surrogate.task.objective.weights}
        self._folds = tuple(folds) if folds else about.folds[:1] if wanted <= set(about.outputs) else about.folds
        if not set(self._folds) <= set(about.folds):
            raise BenchmarkError(f"folds {self._folds} asked for", f"choose from {about.folds}")
        self._surrogate, self._benchmark, self._version, self._member = surrogate, benchmark, version, member
        sides = [name.partition(".") for name in about.outputs]
        self._validation = [(name, i) for i, (side, _, name) in enumerate(sides) if side == "validation"]
        self._test = [(name, i) for i, (side, _, name) in enumerate(sides) if side == "test"]
        self._names = [benchmark] if len(self._folds) == 1 else [f"{benchmark}/{fold}" for fold in self._folds]
        self._checksum = _checksum(surrogate)
        self._latest: _Predicted | None = None

    @property
    def provenance(self) -> Mapping[str, str]:
        """What the surrogate was fitted to, and its arrays' SHA-256."""
        about = self._surrogate.about
        return {
            "source": "surrogate",
            "recorded": f"{about.benchmark} version {about.version}, {about.scale} scale",
            "data_sha256": about.data,
            "device": about.device,
            "sha256": self._checksum,
            "noise": about.noise,
            "member": str(self._member),
            "folds": ", ".join(map(str, self._folds)),
        }

    def evaluate(self, proposal: Proposal, seed: int, *, trained: int = 0, limit: float = math.inf) -> Outcome:
        """Predict one proposal; see `Evaluator`. The whole curve is given, the epochs already trained too."""
        surrogate, config = self._surrogate, proposal.config
        epochs = epochs_asked(proposal, trained, surrogate.about.full)
        member = self._met_by(seed)
        expected = surrogate.predict_folds(config, epochs, self._folds, member=member)
        if epochs == surrogate.about.full:
            self._latest = _Predicted(dict(config), member, expected.outputs)
        drawn = surrogate.noise.draw(self._names, self._version, seed, config, epochs)
        died = [self._death(*pair, epochs) for pair in zip(expected.failure, drawn.failure, strict=True)]
        ends = [epochs if epoch is None else epoch for epoch in died]
        cost = self._cost(expected.seconds, trained, ends)
        first = next((epoch for epoch in died if epoch is not None), None)
        if first is not None:
            return Outcome(Status.DIVERGED, {}, {}, (), cost, f"failed by epoch {first}, as recorded trainings did")
        figures, curves = surrogate.answer(expected, epochs, drawn)
        validation, test = self._named(figures.round(6))
        curve = curves.round(6)
        along = curve[0] if len(curve) == 1 else curve.mean(axis=0)
        return Outcome(Status.OK, validation, test, tuple(along.tolist()), cost)

    @property
    def members(self) -> int:
        """How many members seeds meet in turn."""
        return self._surrogate.members

    def _met_by(self, seed: int | None) -> int | None:
        """The member that a seed meets; None is the mean of all, which nobody in particular (`None`) meets too."""
        if isinstance(self._member, int):
            return self._member
        if seed is None or self._member == "mean":
            return None
        return seed % self._surrogate.members

    def noise_free(self, config: Config, seed: int | None = None) -> tuple[Mapping[str, float], Mapping[str, float]]:
        """Validation and test metrics at full length without noise, by what a run of that seed meets."""
        member = self._met_by(seed)
        if self._latest is not None and self._latest.member == member and self._latest.config == config:
            return noise_free(self._surrogate, self._latest.outputs)
        full = self._surrogate.about.full
        predicted = self._surrogate.predict_folds(config, full, self._folds, member=member)
        return noise_free(self._surrogate, predicted.outputs)

    def truth(self, config: Config, seed: int | None = None) -> Truth:
        """What training to the full length gives on average, where it ends well; see `noise_free`."""
        validation, test = self.noise_free(config, seed)
        return Truth(self._surrogate.task.objective.loss(validation), validation, test)

    def _named(self, figures: Floats) -> tuple[dict[str, float], dict[str, float]]:
        """Validation and test metrics of folds' figures, shape (F, M): of one as it is, of several as `over_folds`."""
        if len(figures) == 1:
            values = figures[0].tolist()
            return {name: values[i] for name, i in self._validation}, {name: values[i] for name, i in self._test}
        mean, deviation = figures.mean(axis=0).tolist(), figures.std(axis=0).tolist()
        sides = []
        for side in (self._validation, self._test):
            means = {name: mean[i] for name, i in side}
            sides.append(means | {f"{name}_std": deviation[i] for name, i in side})
        return sides[0], sides[1]

    def _death(self, failure: Floats, z: float, epochs: int) -> int | None:
        """The recorded length by which a training has failed, if that is not after the length asked for."""
        about = self._surrogate.about
        if not about.failures:
            return None
        chance = 0.5 * (1 + math.erf(z / math.sqrt(2)))
        place = int(np.searchsorted(failure, chance, side="right"))
        return about.epochs[place] if place < len(about.epochs) and about.epochs[place] <= epochs else None

    def _cost(self, seconds: Floats, trained: int, ends: Sequence[int]) -> Cost:
        """The folds' costs from what was trained before to their ends, put together."""
        at, share = self._surrogate.seconds_at, self._surrogate.about.evaluation_share
        spent, evaluation = 0.0, 0.0
        for path, end in zip(seconds, ends, strict=True):
            before = round(float(at(path, trained)), 6) if trained else 0.0
            own = max(round(round(float(at(path, end)), 6) - before, 6), LEAST_SECONDS)
            spent += own
            evaluation += min(round(share * own, 6), own)
        spent = round(spent, 6)
        return Cost(spent, "predicted", self._surrogate.about.device, min(round(evaluation, 6), spent))


def _checksum(surrogate: Surrogate) -> str:
    digest = hashlib.sha256(repr(surrogate.about).encode())
    for name in sorted(surrogate.arrays):
        digest.update(np.ascontiguousarray(surrogate.arrays[name]).tobytes())
    return digest.hexdigest()


def fitted(
    benchmark: Benchmark, *, surrogate: str | Path, member: Member = "seed", folds: Sequence[int] | None = None
) -> SurrogateEvaluator:
    """The evaluator of a benchmark on a surrogate's file.

    Raises:
        BenchmarkError: If the file is no sound surrogate, or is of another task.
    """
    loaded = load(Path(surrogate))
    if loaded.about.task != benchmark.task.name:
        raise BenchmarkError(f"{surrogate} is of the task {loaded.about.task}", f"name one of {benchmark.task.name}")
    return SurrogateEvaluator(loaded, benchmark.name, benchmark.version, member=member, folds=folds)
