"""A task: a search space, what is minimised on it, how far a trial is trained, and on which device."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ConfigSpace import ConfigurationSpace


@dataclass(frozen=True, slots=True)
class Objective:
    """The one place where metrics to maximise are turned round into a loss.

    Attributes:
        weights: `score = sum(weight * validation[metric])`. A metric's deviation over folds ends in `_std`; where one
            fold alone answers there is none, and it counts as 0.
    """

    weights: Mapping[str, float]

    def score(self, validation: Mapping[str, float]) -> float:
        """The weighted sum of the validation metrics; higher is better, at most 1."""
        total = 0.0
        for name, weight in self.weights.items():
            value = validation.get(name, 0.0) if name.endswith("_std") else validation[name]
            total += weight * value
        return total

    def loss(self, validation: Mapping[str, float]) -> float:
        """`1 - score`: lower is better, 0 is perfect."""
        return round(1.0 - self.score(validation), 9)


@dataclass(frozen=True, slots=True)
class Task:
    """What a strategy is asked to tune.

    Attributes:
        name: As in `bone-marrow`.
        title: For people.
        space: Builds the search space, afresh at each call, since optimizers seed it.
        objective: What is minimised.
        headline: The metric that the paper reports, shown on the leaderboard, as a fraction.
        headline_label: For people, as in "micro F1".
        epochs: Full training length.
        reference_device: The device whose GPU-hours the budget is counted in, when costs are not measured.
        dataset: Name of the data set whose reader understands its images.
        training: `module:function` that makes what trains it live, of the task, images, pixels, options, device
            and cache folder (see `evaluators.live.Make`); empty where it cannot be trained here.
        settings: Of live training, that belong to the task wherever it is trained; what is given comes on top.
        options: Which of the options that only some trainings have it reads (see `training.options`); any other
            is refused by name. `None`: nothing is known of it, and all are taken.
    """

    name: str
    title: str
    space: Callable[[], ConfigurationSpace]
    objective: Objective
    headline: str
    headline_label: str
    epochs: int
    reference_device: str
    dataset: str
    training: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    options: tuple[str, ...] | None = None
