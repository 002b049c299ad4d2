"""Predictions of a surrogate beside live trainings: do they hold, and is whoever searches it too optimistic?

Whoever searches a surrogate finds where it is good, and where it is wrong in one's favour. So incumbents are compared
with configurations that nobody selected, drawn at random: what is wrong with these is not the search's doing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from hemobench.benchmarks.parity.retraining import CONTROL, INCUMBENT, Retrained
from hemobench.benchmarks.storage.results import MAY_DIFFER
from hemobench.benchmarks.tables.schema import config_key
from hemobench.reports.statistics.bootstrap import Array, bootstrap, interval

COVERAGE = 0.9
NAMES = ("score", "validation", "test")


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure of one configuration, as fractions, higher being better.

    Attributes:
        seen: What the search was told; `None` for a control.
        predicted: Mean of the outcomes drawn from the surrogate.
        low: Lower end of the predicted 90 % interval of a single training: member and noise.
        high: Upper end.
        live: Of each training that ended well.
        difference: Mean of `live` less `predicted`; `None` if no training ended well.
        inside: How many of `live` lie in the interval.
    """

    seen: float | None
    predicted: float
    low: float
    high: float
    live: tuple[float, ...]
    difference: float | None
    inside: int


@dataclass(frozen=True, slots=True)
class Check:
    """One configuration, predicted and trained.

    Attributes:
        group: `incumbent` or `control`.
        strategy: Who found it; empty for a control.
        seed: Of the search.
        config: The configuration.
        figures: By name: `score` (1 - loss), `validation` and `test` (the headline metric).
        failures: Trainings that failed.
        failing: Predicted probability of that.
    """

    group: str
    strategy: str
    seed: int
    config: Mapping[str, bool | int | float | str]
    figures: Mapping[str, Figure]
    failures: int
    failing: float


@dataclass(frozen=True, slots=True)
class Mean:
    """A mean over configurations with its 95 % bootstrap interval; both ends are `None` with one configuration."""

    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class Calibration:
    """One figure over the distinct configurations of a group.

    Attributes:
        configurations: How many.
        trainings: That ended well.
        inside: Share of these within the predicted 90 % interval. Trainings of one configuration share its error, so
            configurations are what is resampled.
        bias: Mean of predicted less live: positive is optimistic.
        luck: Mean of what the search was told less live: the same with the luck of its noise; `None` for controls.
    """

    configurations: int
    trainings: int
    inside: Mean
    bias: Mean
    luck: Mean | None


@dataclass(frozen=True, slots=True)
class Retraining:
    """What re-training says of a surrogate.

    Attributes:
        repeats: Trainings of each configuration.
        checks: All configurations; the same may stand under several strategies.
        groups: By group and figure.
        optimism: By figure: the bias of incumbents less that of controls; empty without both.
        source: What the trainings rest on.
    """

    repeats: int
    checks: tuple[Check, ...]
    groups: Mapping[str, Mapping[str, Calibration]]
    optimism: Mapping[str, Mean]
    source: Mapping[str, str]


def calibration(trained: Sequence[Retrained], seed: int = 0) -> Retraining:
    """What re-training says.

    Args:
        trained: Predictions and trainings, at least one.
        seed: Of the bootstrap.
    """
    checks = tuple(check(one) for one in trained)
    groups = {name: distinct([one for one in checks if one.group == name]) for name in (INCUMBENT, CONTROL)}
    found = {
        group: {name: calibrated(members, name, seed) for name in NAMES if any(_live(one, name) for one in members)}
        for group, members in groups.items()
        if members
    }
    return Retraining(
        repeats=len(trained[0].live),
        checks=checks,
        groups=found,
        optimism={
            name: _difference(_biases(groups[INCUMBENT], name), _biases(groups[CONTROL], name), seed)
            for name in NAMES
            if all(name in found.get(group, {}) for group in (INCUMBENT, CONTROL))
        },
        source=dict(trained[0].live[0].provenance) if trained[0].live else {},
    )


def check(one: Retrained) -> Check:
    """One configuration's figures."""
    live = [training.figures for training in one.live if training.figures]
    return Check(
        group=one.candidate.group,
        strategy=one.candidate.strategy,
        seed=one.candidate.seed,
        config=dict(one.candidate.config),
        figures={
            name: _figure(one.candidate.seen.get(name), drawn, [figures[name] for figures in live if name in figures])
            for name, drawn in one.predicted.items()
        },
        failures=len(one.live) - len(live),
        failing=one.failing,
    )


def _figure(seen: float | None, drawn: Array, live: Sequence[float]) -> Figure:
    low, high = (float(end) for end in interval(drawn, COVERAGE))
    mean = float(drawn.mean())
    return Figure(
        seen=seen,
        predicted=mean,
        low=low,
        high=high,
        live=tuple(live),
        difference=float(np.mean(live)) - mean if live else None,
        inside=sum(low <= value <= high for value in live),
    )


def distinct(checks: Sequence[Check]) -> list[Check]:
    """Each configuration once: two strategies may have found the same."""
    return list({config_key(one.config): one for one in reversed(checks)}.values())[::-1]


def calibrated(checks: Sequence[Check], name: str, seed: int = 0) -> Calibration:
    """One figure over distinct configurations, one of whose trainings at least ended well."""
    figures = [one.figures[name] for one in checks if _live(one, name)]
    counts = np.array([[figure.inside, len(figure.live)] for figure in figures], dtype=float)
    luck = [figure.seen - float(np.mean(figure.live)) for figure in figures if figure.seen is not None]
    return Calibration(
        configurations=len(figures),
        trainings=int(counts[:, 1].sum()),
        inside=_ratio(counts, seed),
        bias=_mean(_biases(checks, name), seed),
        luck=_mean(np.array(luck), seed) if luck else None,
    )


def _live(one: Check, name: str) -> bool:
    return name in one.figures and bool(one.figures[name].live)


def _biases(checks: Sequence[Check], name: str) -> Array:
    """Predicted less live of each configuration."""
    found = [one.figures[name].difference for one in checks if _live(one, name)]
    return -np.array(found, dtype=float)


def _ratio(counts: Array, seed: int) -> Mean:
    """Share of the second column that the first is."""
    whole = counts.sum(axis=0)
    drawn = bootstrap(counts, np.sum, seed=seed)
    return _ended(float(whole[0] / whole[1]), drawn[:, 0] / drawn[:, 1], len(counts))


def _mean(values: Array, seed: int) -> Mean:
    return _ended(float(values.mean()), bootstrap(values, seed=seed), len(values))


def _difference(one: Array, other: Array, seed: int) -> Mean:
    """Of two means of independent samples."""
    drawn = bootstrap(one, seed=seed) - bootstrap(other, seed=seed + 1)
    return _ended(float(one.mean() - other.mean()), drawn, min(len(one), len(other)))


def _ended(value: float, drawn: Array, count: int) -> Mean:
    if count < 2:
        return Mean(value, None, None)
    low, high = interval(drawn)
    return Mean(value, float(low), float(high))


def unlike(recorded: Mapping[str, str], trained: Mapping[str, str]) -> list[str]:
    """In what the re-trainings differ from the recording, beside the machine: one phrase each."""
    names = sorted((recorded.keys() & trained.keys()) - MAY_DIFFER)
    return [f"{name}: {trained[name]}, recorded {recorded[name]}" for name in names if recorded[name] != trained[name]]
