"""What repeated trainings of selected configurations say: spread of each, and tests between them; as JSON and back.

The C-NMC paper's second phase: three runs of 40 epochs, mean ± deviation, coefficient of variation, 95 % interval,
paired t-test. Its deviations divide by n; ours by n - 1, with the other beside.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import combinations
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field, FiniteFloat, TypeAdapter, ValidationError
from scipy import stats

from hemobench.benchmarks.storage.files import refusals, whole_file
from hemobench.errors import BenchmarkError

SCHEMA = 1
SIDES = ("validation", "test")
TABLE_3 = {
    "accuracy": "accuracy",
    "precision": "precision, mean of classes",
    "sensitivity": "sensitivity",
    "recall": "recall, mean of classes",
    "specificity": "specificity",
    "macro_f1": "F1, mean of classes",
    "auroc": "AUC",
}
"""Metrics of the C-NMC paper's Table 3 as they are measured, and for people. Sensitivity and specificity are those of
the class that is looked for; a task without one has means over classes."""
MOST_BYTES = 10 << 20
HINT = "write it again with: hemobench validate DIR --benchmark NAME --out FILE"


@dataclass(frozen=True, slots=True)
class Repeats:
    """Repeated measurements of one figure.

    Attributes:
        values: As measured.
        mean: Their mean.
        std: Sample standard deviation (n - 1); NaN for one value.
        population_std: Dividing by n, as the C-NMC paper does.
        cv: Coefficient of variation in percent: 100 * std / mean.
        low: Lower end of the 95 % t-interval of the mean; NaN for one value.
        high: Upper end.
    """

    values: tuple[float, ...]
    mean: float
    std: float
    population_std: float
    cv: float
    low: float
    high: float


def summary(values: Sequence[float]) -> Repeats:
    """Mean, deviations, coefficient of variation and 95 % t-interval of at least one value."""
    array = np.asarray(values, dtype=float)
    n, mean = len(array), float(array.mean())
    std = float(array.std(ddof=1)) if n > 1 else float("nan")
    half = float(stats.t.ppf(0.975, n - 1)) * std / np.sqrt(n) if n > 1 else float("nan")
    cv = 100 * std / mean if mean else float("nan")
    return Repeats(tuple(array.tolist()), mean, std, float(array.std()), cv, mean - half, mean + half)


@dataclass(frozen=True, slots=True)
class RepeatsTest:
    """Two configurations over the same repeats.

    Attributes:
        first: Label.
        second: Label.
        difference: Mean of first - second.
        t_p: Two-sided p-value of the paired t-test; NaN where all differences are equal.
        wilcoxon_p: Of the Wilcoxon signed-rank test; with n repeats it cannot be below 2 / 2**n.
    """

    first: str
    second: str
    difference: float
    t_p: float
    wilcoxon_p: float


def repeats_tests(values: Mapping[str, Sequence[float]]) -> list[RepeatsTest]:
    """Every pair of labels; values of one position are of one repeat."""
    found = []
    for first, second in combinations(values, 2):
        differences = np.asarray(values[first], dtype=float) - np.asarray(values[second], dtype=float)
        varied = len(differences) > 1 and float(np.ptp(differences)) > 0
        t_p = float(stats.ttest_rel(values[first], values[second]).pvalue) if varied else float("nan")
        wilcoxon_p = float(stats.wilcoxon(differences).pvalue) if np.any(differences) else 1.0
        found.append(RepeatsTest(first, second, float(differences.mean()), t_p, wilcoxon_p))
    return found


@dataclass(frozen=True, slots=True)
class Validation:
    """What `hemobench validate` measured: the C-NMC paper's second phase.

    Attributes:
        benchmark: As in `c-nmc@live`.
        metric: The headline metric, for people; all figures are in percent.
        epochs: Length of every training.
        validation: Repeats by strategy, of its selected configuration.
        test: The same on test.
        comparisons: Between strategies, by side.
        lost: Strategies that are left out, since a training of theirs failed.
        basis: What stands behind the figures, in words: see `leaderboard.basis`.
        metrics: Every metric of the C-NMC paper's Table 3 that was measured: repeats by side, name (see `TABLE_3`)
            and strategy.
    """

    benchmark: str
    metric: str
    epochs: int
    validation: Mapping[str, Repeats]
    test: Mapping[str, Repeats]
    comparisons: Mapping[str, Sequence[RepeatsTest]]
    lost: tuple[str, ...] = ()
    basis: tuple[str, ...] = ()
    metrics: Mapping[str, Mapping[str, Mapping[str, Repeats]]] = field(default_factory=dict)


def concluded(
    sides: Mapping[str, Mapping[str, Sequence[float]]],
    benchmark: str,
    metric: str,
    epochs: int,
    metrics: Mapping[str, Mapping[str, Mapping[str, Sequence[float]]]] | None = None,
) -> Validation:
    """Summaries and tests of repeated trainings.

    Args:
        sides: Percent by `validation` and `test`, strategy and repeat; NaN is a training that failed.
        benchmark: As in `c-nmc@live`.
        metric: For people.
        epochs: Length of every training.
        metrics: Percent by side, metric, strategy and repeat: what else was measured.
    """
    names = {name for values in sides.values() for name in values}
    lost = {
        name for name in names if not all(np.isfinite(sides.get(side, {}).get(name, [np.nan])).all() for side in SIDES)
    }
    whole = {side: {n: v for n, v in sides.get(side, {}).items() if n not in lost} for side in SIDES}
    return Validation(
        benchmark=benchmark,
        metric=metric,
        epochs=epochs,
        validation={name: summary(values) for name, values in whole["validation"].items()},
        test={name: summary(values) for name, values in whole["test"].items()},
        comparisons={side: repeats_tests(whole[side]) for side in SIDES},
        lost=tuple(sorted(lost)),
        metrics={side: _summaries((metrics or {}).get(side, {}), lost) for side in SIDES},
    )


def _summaries(
    metrics: Mapping[str, Mapping[str, Sequence[float]]], lost: Collection[str]
) -> dict[str, dict[str, Repeats]]:
    """By metric and strategy."""
    found = {}
    for name, values in metrics.items():
        found[name] = {strategy: summary(repeats) for strategy, repeats in values.items() if strategy not in lost}
    return found


def as_json(found: Validation) -> dict[str, Any]:
    """Plain data for programs; what cannot be known is `null`."""
    return {
        "schema": SCHEMA,
        "benchmark": found.benchmark,
        "metric": found.metric,
        "unit": "%",
        "epochs": found.epochs,
        **{side: {name: _known(asdict(repeats)) for name, repeats in getattr(found, side).items()} for side in SIDES},
        "comparisons": {side: [_known(asdict(test)) for test in tests] for side, tests in found.comparisons.items()},
        "lost": list(found.lost),
        "basis": list(found.basis),
        "metrics": {side: _metrics_as_json(metrics) for side, metrics in found.metrics.items()},
    }


def _metrics_as_json(metrics: Mapping[str, Mapping[str, Repeats]]) -> dict[str, Any]:
    plain: dict[str, Any] = {}
    for name, strategies in metrics.items():
        plain[name] = {strategy: _known(asdict(repeats)) for strategy, repeats in strategies.items()}
    return plain


def save(found: Validation, path: Path) -> None:
    """Write `as_json` as a file.

    Raises:
        BenchmarkError: If it cannot be written.
    """
    with refusals(path), whole_file(path) as partial:
        partial.write_text(json.dumps(as_json(found), indent=1, allow_nan=False) + "\n", encoding="utf-8")


def load(path: Path) -> Validation:
    """Read what `save` wrote; only the measured values are believed, all else is computed again.

    Raises:
        BenchmarkError: If it is no such file, or of a later schema.
    """
    try:
        size = path.stat().st_size
        if size > MOST_BYTES:
            raise BenchmarkError(f"{path}: {size:,} bytes; such a file has at most {MOST_BYTES:,}", HINT)
        read = _files.validate_json(path.read_bytes())
    except OSError as problem:
        raise BenchmarkError(f"{path}: {problem.strerror}", "name a file that hemobench validate wrote") from None
    except ValidationError as problem:
        first = problem.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "the whole file"
        raise BenchmarkError(f"{path}: {place}: {first['msg']}", HINT) from None
    sides = {side: {name: found.values for name, found in getattr(read, side).items()} for side in SIDES}
    lengths = {len(values) for side in sides.values() for values in side.values()}
    if len(lengths) > 1 or sides["validation"].keys() != sides["test"].keys():
        raise BenchmarkError(f"{path}: strategies have different trainings", HINT)
    metrics = {side: _measured(named) for side, named in read.metrics.items()}
    found = concluded(sides, read.benchmark, read.metric, read.epochs, metrics)
    return replace(found, basis=tuple(read.basis), lost=tuple(read.lost))


@dataclass(frozen=True, slots=True)
class _Values:
    values: Annotated[list[FiniteFloat], Field(min_length=1)]


@dataclass(frozen=True, slots=True)
class _File:
    schema: Literal[1]
    benchmark: str
    metric: str
    unit: Literal["%"]
    epochs: Annotated[int, Field(ge=1)]
    validation: dict[str, _Values]
    test: dict[str, _Values]
    basis: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    metrics: dict[str, dict[str, dict[str, _Values]]] = field(default_factory=dict)


_files = TypeAdapter(_File)


def _measured(metrics: Mapping[str, Mapping[str, _Values]]) -> dict[str, dict[str, list[float]]]:
    plain = {}
    for name, strategies in metrics.items():
        plain[name] = {strategy: found.values for strategy, found in strategies.items()}
    return plain


def _known(fields: Mapping[str, Any]) -> dict[str, Any]:
    known = {name: None if isinstance(v, float) and not np.isfinite(v) else v for name, v in fields.items()}
    return {name: list(v) if isinstance(v, tuple) else v for name, v in known.items()}
