"""Answers proposals from a surrogate that is fitted to a recorded table."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from hemobench.benchmarks import noise
from hemobench.benchmarks.benchmark import Benchmark
from hemobench.benchmarks.evaluator import Cost, Outcome, Truth
from hemobench.benchmarks.evaluators.table import LEAST_SECONDS, epochs_asked, together
from hemobench.benchmarks.surrogates.scatter import FACTORS, spread
from hemobench.benchmarks.surrogates.store import load
from hemobench.benchmarks.surrogates.surrogate import Floats, Prediction, Surrogate
from hemobench.benchmarks.surrogates.truth import noise_free
from hemobench.errors import BenchmarkError
from hemobench.strategies.base import Config, Proposal, Status

Member = Literal["seed", "mean"]
FAILURE = 15
"""Which of a trial's numbers decides whether it fails; the first `FACTORS` are the noise."""


class SurrogateEvaluator:
    """An `Evaluator` that answers in microseconds with what training would probably give.

    Noise, and whether a training fails, are decided by benchmark, version, seed and configuration alone; a longer
    training repeats the curve of a shorter one.

    Args:
        surrogate: The surrogate.
        benchmark: The benchmark's name.
        version: Its version.
        member: `seed`: every seed of a run meets one member of the ensemble, in turn, so that what the surrogate does
            not know shows between seeds; `mean`: all meet the mean of all members.
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
        if member not in ("seed", "mean"):
            raise BenchmarkError(f"there is no member '{member}'", "choose seed or mean")
        about = surrogate.about
        wanted = {f"validation.{name}" for name in surrogate.task.objective.weights}
        self._folds = tuple(folds) if folds else about.folds[:1] if wanted <= set(about.outputs) else about.folds
        if not set(self._folds) <= set(about.folds):
            raise BenchmarkError(f"folds {self._folds} asked for", f"choose from {about.folds}")
        self._surrogate, self._benchmark, self._version, self._member = surrogate, benchmark, version, member
        sides = [name.partition(".") for name in about.outputs]
        self._validation = [(name, i) for i, (side, _, name) in enumerate(sides) if side == "validation"]
        self._test = [(name, i) for i, (side, _, name) in enumerate(sides) if side == "test"]
        self._log_epochs = np.log(np.arange(1, about.full + 1))
        self._looks = np.log(about.epochs)
        self._checksum = _checksum(surrogate)

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
            "member": self._member,
            "folds": ", ".join(map(str, self._folds)),
        }

    def evaluate(self, proposal: Proposal, seed: int, *, trained: int = 0, limit: float = math.inf) -> Outcome:
        """Predict one proposal; see `Evaluator`. The whole curve is given, the epochs already trained too."""
        epochs = epochs_asked(proposal, trained, self._surrogate.about.full)
        return together([self._fold(proposal.config, seed, epochs, trained, fold) for fold in self._folds], {})

    def noise_free(self, config: Config) -> tuple[Mapping[str, float], Mapping[str, float]]:
        """Validation and test metrics at full length without noise, whatever the seed: the mean of all members."""
        return noise_free(self._surrogate, config, self._folds)

    def truth(self, config: Config) -> Truth:
        """What training to the full length gives on average, where it ends well; see `noise_free`."""
        validation, test = self.noise_free(config)
        return Truth(self._surrogate.task.objective.loss(validation), validation, test)

    def _fold(self, config: Config, seed: int, epochs: int, trained: int, fold: int) -> Outcome:
        member = seed % self._surrogate.members if self._member == "seed" else None
        expected = self._surrogate.predict(config, epochs, fold=fold, member=member)
        name = self._benchmark if len(self._folds) == 1 else f"{self._benchmark}/{fold}"
        drawn = noise.draw(name, self._version, seed, config, epochs)
        died = self._death(expected, drawn.trial[FAILURE], epochs)
        cost = self._cost(expected, trained, epochs if died is None else died)
        if died is not None:
            return Outcome(Status.DIVERGED, {}, {}, (), cost, f"failed by epoch {died}, as recorded trainings did")
        trial = np.array(drawn.trial[:FACTORS])
        figures = self._surrogate.noise(expected.outputs, epochs, trial, float(drawn.epoch[-1])).round(6).tolist()
        return Outcome(
            status=Status.OK,
            validation={name: figures[i] for name, i in self._validation},
            test={name: figures[i] for name, i in self._test},
            curve=self._curve(expected, trial, drawn.epoch),
            cost=cost,
        )

    def _death(self, expected: Prediction, z: float, epochs: int) -> int | None:
        """The recorded length by which a training has failed, if that is not after the length asked for."""
        about = self._surrogate.about
        if not about.failures:
            return None
        chance = 0.5 * (1 + math.erf(z / math.sqrt(2)))
        place = int(np.searchsorted(expected.failure, chance, side="right"))
        return about.epochs[place] if place < len(about.epochs) and about.epochs[place] <= epochs else None

    def _cost(self, expected: Prediction, trained: int, end: int) -> Cost:
        at, about = self._surrogate.seconds_at, self._surrogate.about
        before = round(float(at(expected.seconds, trained)), 6) if trained else 0.0
        seconds = max(round(round(float(at(expected.seconds, end)), 6) - before, 6), LEAST_SECONDS)
        return Cost(seconds, "predicted", about.device, min(round(about.evaluation_share * seconds, 6), seconds))

    def _curve(self, expected: Prediction, trial: Floats, epoch: Floats) -> tuple[float, ...]:
        """The headline after every epoch, with noise: linear in the epochs' logarithm between recorded lengths."""
        at, looks, s = self._log_epochs[: len(epoch)], self._looks, self._surrogate.scatter
        mean = np.interp(at, looks, expected.curve)
        added = np.interp(at, looks, s.factors[:, :, -1] @ trial) + epoch * np.interp(at, looks, s.rest[:, -1])
        return tuple(np.clip(mean + added * spread(mean) ** s.power[-1], 0.0, 1.0).round(6).tolist())


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
