"""Noise as a surrogate draws it beside noise as it was measured: by epoch and quality, its shape, its correlations."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hemobench.benchmarks.surrogates.noise.copula import EPOCH_FACTORS, TRIAL_FACTORS, Drawn
from hemobench.benchmarks.surrogates.noise.repeats import Repeats, differences_of
from hemobench.benchmarks.surrogates.surrogate import Surrogate
from hemobench.benchmarks.surrogates.targets import Targets
from hemobench.benchmarks.surrogates.trust.held_out import predicted

Floats = NDArray[np.float64]
DRAWS = 20
THIRDS = ("worst third", "middle third", "best third")


def noise_table(surrogate: Surrogate, t: Targets, found: Repeats) -> dict[str, Any]:
    """Deviations by noise of the headline metric, measured and drawn at the same predicted values.

    Drawn trainings are treated as the recorded ones were: as many of a configuration, less their mean.

    Returns:
        `between`: what the recorded trainings differed in, `seeds` or `folds`; `rows`: epoch, quality, number of
        trainings, deviation and skewness of each; `correlations`: pairs by name.
    """
    headline = t.outputs.index(f"validation.{surrogate.task.headline}")
    test = (
        t.outputs.index(f"test.{surrogate.task.headline}") if f"test.{surrogate.task.headline}" in t.outputs else None
    )
    quality = predicted(surrogate, t)[found.rows]
    drawn = drawn_differences(surrogate, quality, found)
    return {
        "between": found.between,
        "rows": list(_rows(t, quality[..., headline], found.differences[..., headline], drawn[..., headline])),
        "correlations": _correlations(found.differences, drawn, headline, test),
    }


def drawn_differences(surrogate: Surrogate, quality: Floats, found: Repeats, draws: int = DRAWS) -> Floats:
    """Differences of drawn trainings from their configuration's mean, shape (draws, r, T, M).

    Args:
        surrogate: What draws.
        quality: What it predicts of the repeated trainings, shape (r, T, M).
        found: These trainings.
        draws: How often.
    """
    about, noise = surrogate.about, surrogate.noise
    rng = np.random.default_rng(np.random.SeedSequence(0))
    shape = (len(quality), about.full)
    result = []
    for _ in range(draws):
        numbers = (rng.standard_normal((shape[0], TRIAL_FACTORS)), rng.standard_normal((*shape, EPOCH_FACTORS)))
        looks = [_answered(surrogate, noise, quality, k, *numbers) for k in range(len(about.epochs))]
        result.append(differences_of(np.stack(looks, axis=1) - quality, found))
    return np.stack(result)


def _answered(surrogate: Surrogate, noise: Any, quality: Floats, look: int, trial: Floats, epoch: Floats) -> Floats:
    """Outputs with noise after one of the recorded lengths, shape (r, M)."""
    epochs = surrogate.about.epochs[look]
    curve = surrogate.curve(quality[:, :, -1], epochs)
    drawn = Drawn(trial, epoch[:, :epochs], [0.0] * len(trial))
    figures: Floats = noise.answer(quality[:, look], curve, noise.plan(surrogate.between, epochs), drawn)[0]
    return figures


def _rows(t: Targets, quality: Floats, measured: Floats, drawn: Floats) -> Iterator[dict[str, Any]]:
    for look in sorted({0, len(t.epochs) // 2, len(t.epochs) - 1}):
        bounds = np.quantile(quality[:, look], [1 / 3, 2 / 3])
        third = np.searchsorted(bounds, quality[:, look], side="right")
        for k, name in enumerate(THIRDS):
            chosen = third == k
            if chosen.sum() > 2:
                pair = measured[chosen, look], drawn[:, chosen, look].ravel()
                yield {
                    "epoch": int(t.epochs[look]),
                    "quality": name,
                    "trainings": int(chosen.sum()),
                    **{f"{side}": _shape(values) for side, values in zip(("measured", "drawn"), pair, strict=True)},
                }


def _shape(values: Floats) -> dict[str, float]:
    """Deviation, skewness and the 5 % and 95 % quantiles, of values whose mean is 0."""
    deviation = float(np.sqrt((values**2).mean()))
    skewness = float((values**3).mean()) / max(deviation, 1e-9) ** 3
    low, high = np.quantile(values, [0.05, 0.95]).tolist()
    return {
        "deviation": round(deviation, 6),
        "skewness": round(skewness, 3),
        "low": round(low, 6),
        "high": round(high, 6),
    }


def _correlations(measured: Floats, drawn: Floats, headline: int, test: int | None) -> dict[str, Any]:
    last = measured.shape[1] - 1
    pairs = {"first and last epoch": ((0, headline), (last, headline))}
    if last:
        pairs["last two epochs"] = ((last - 1, headline), (last, headline))
    if test is not None:
        pairs["validation and test"] = ((last, headline), (last, test))
    return {
        name: {
            side: _correlation(v[..., *one], v[..., *other]) for side, v in (("measured", measured), ("drawn", drawn))
        }
        for name, (one, other) in pairs.items()
    }


def _correlation(one: Floats, other: Floats) -> float | None:
    size = np.sqrt((one**2).mean() * (other**2).mean())
    return round(float((one * other).mean() / size), 4) if size > 0 else None
