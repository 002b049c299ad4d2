"""What a recording asks of live training: looks at one training after several lengths, alone or many side by side."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch

from hemobench.benchmarks.evaluator import PACE_OF, Alike, Asked, Cost, Outcome
from hemobench.benchmarks.tables.schema import Row
from hemobench.benchmarks.tasks.base import Task
from hemobench.benchmarks.training.hardware import devices
from hemobench.benchmarks.training.hardware.memory import free_memory, memory_ends_trials
from hemobench.benchmarks.training.looking import Look, Looks, look_all
from hemobench.benchmarks.training.options import Options
from hemobench.benchmarks.training.protocols.base import TrainingProtocol
from hemobench.benchmarks.training.seeds import spread, trial_seed
from hemobench.benchmarks.training.timer import Timer, TrialEnded
from hemobench.benchmarks.training.together.looks import look_together
from hemobench.benchmarks.training.together.pace import Pace, measure, read_pace, recovered, require_known
from hemobench.benchmarks.training.together.train import require_stackable
from hemobench.strategies.base import Config, Status


@dataclass(frozen=True, slots=True)
class LiveLooks:
    """Trains for a table; see `Looking` and `LookingTogether`.

    Attributes:
        task: What is trained.
        options: How.
        device: Where.
        device_name: What is printed on it.
        full: No training is longer, epochs.
        protocol: Gives what trains. The first time it reads the images, and may run out of memory.
    """

    task: Task
    options: Options
    device: torch.device
    device_name: str
    full: int
    protocol: Callable[[], TrainingProtocol]

    def look(self, config: Config, lengths: Sequence[int], seed: int) -> Sequence[Outcome]:
        """Train a configuration once and look at it after some numbers of epochs; see `training.looking`.

        Args:
            config: What to train.
            lengths: Numbers of epochs, rising.
            seed: The run's seed.

        Returns:
            The outcome of a trial of each length, from nothing, until one does not end well. Their costs are those
            of the whole trials.
        """
        lengths = self._bounded(lengths)
        with devices.settings(self.options.threads, self.options.deterministic):
            watch = Timer(self.device)
            try:
                with memory_ends_trials(watch, self.device):
                    noise = trial_seed(seed, config)
                    limit = self.options.trial_timeout or math.inf
                    looks = look_all(self.protocol(), config, lengths, noise, self.device, limit)
            except TrialEnded as problem:
                looks = _none(problem, watch)
        return self._outcomes(looks, whole=self.options.fold is None)

    def alike(self, config: Config) -> Alike:
        """Which others a configuration's training can be computed with."""
        protocol = self.protocol()
        batch_size = protocol.recipe(config).batch_size
        key = f"{protocol.shape(config)}, batch {batch_size}"
        return Alike(key, protocol.most_together(batch_size), 1 / batch_size)

    def pace_of(self, rows: Sequence[Row]) -> Mapping[str, Any]:
        """What an earlier recording's trainings took; see `LookingTogether`."""
        with devices.settings(self.options.threads, self.options.deterministic):
            return asdict(recovered(self.protocol(), rows))

    def pace(self, configs: Sequence[Config], known: Mapping[str, Any]) -> Mapping[str, Any]:
        """What these take alone, measured on an idle device; see `LookingTogether`."""
        protocol = self.protocol()
        if PACE_OF in known:
            require_known(protocol, configs, read_pace(known), known[PACE_OF])
            return known
        with devices.settings(self.options.threads, self.options.deterministic):
            some = protocol.job(configs[0], protocol.folds[0], 0)
            require_stackable(some, self.full)
            return asdict(measure(protocol, configs, self.device, read_pace(known)))

    def look_together(
        self, asked: Sequence[Asked], lengths: Sequence[int], pace: Mapping[str, Any]
    ) -> Sequence[Sequence[Outcome]]:
        """As `look`, of trainings that are alike.

        Where memory does not suffice for all at once, half go first; one alone ends.
        """
        ended: TrialEnded | None = None
        with devices.settings(self.options.threads, self.options.deterministic):
            watch = Timer(self.device)
            try:
                with memory_ends_trials(watch, self.device):
                    looks = self._look_at(asked, lengths, read_pace(pace))
            except TrialEnded as problem:
                ended = TrialEnded(problem.status, problem.message)
        free_memory(self.device)  # every group has its own graph, whose memory others cannot use
        if ended is None:
            whole = len(self.protocol().folds) == 1 and self.options.fold is None
            return [self._outcomes(each, whole=whole) for each in looks]
        if len(asked) == 1:
            return [self._outcomes(_none(ended, watch), whole=False)]
        half = len(asked) // 2
        first = self.look_together(asked[:half], lengths, pace)
        return [*first, *self.look_together(asked[half:], lengths, pace)]

    def _look_at(self, asked: Sequence[Asked], lengths: Sequence[int], pace: Pace) -> list[Looks]:
        protocol = self.protocol()
        jobs = []
        for config, seed, fold in asked:
            part = fold if fold in protocol.folds else protocol.folds[0]  # of one split alone, whatever its number
            jobs.append(protocol.job(config, part, spread(trial_seed(seed, config), part)))
        return look_together(protocol, jobs, self._bounded(lengths), self.device, pace)

    def _bounded(self, lengths: Sequence[int]) -> list[int]:
        return [min(length, self.full) for length in lengths]

    def _outcomes(self, looks: Looks, *, whole: bool) -> Sequence[Outcome]:
        """Of a training looked at; `whole` if it was trained on all splits that a trial is, and not on one of them."""
        outcomes = [self._looked(look, whole) for look in looks.looks]
        if looks.ended is not None:
            cost = self._cost(*looks.seconds)
            outcomes.append(Outcome(looks.ended.status, {}, {}, (), cost, looks.ended.message))
        return outcomes

    def _looked(self, look: Look, whole: bool) -> Outcome:
        result = look.result
        cost = self._cost(look.seconds, look.evaluation_seconds)
        sides = (result.validation, result.test)
        if whole:  # a table knows a fold alone by its lack of deviations
            sides = (with_deviations(self.task, sides[0]), with_deviations(self.task, sides[1]))
        return Outcome(Status.OK, *sides, result.curve, cost)

    def _cost(self, seconds: float, evaluation: float) -> Cost:
        return Cost(seconds, "measured", self.device_name, min(evaluation, seconds))


def with_deviations(task: Task, metrics: dict[str, float]) -> dict[str, float]:
    """The metrics, with the deviations that the objective asks for: over one split they are 0."""
    asked = [name for name in task.objective.weights if name.endswith("_std")]
    return {**dict.fromkeys(asked, 0.0), **metrics} if metrics else metrics


def _none(ended: TrialEnded, watch: Timer) -> Looks:
    """Nothing was seen before it ended."""
    return Looks((), TrialEnded(ended.status, ended.message), (watch.charged, 0.0))
