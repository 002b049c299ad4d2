"""The noise-free answer of a configuration: what its trainings come to on average, whatever their seed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hemobench.benchmarks.surrogates.surrogate import Surrogate

Floats = NDArray[np.float64]
Metrics = dict[str, float]


def noise_free(surrogate: Surrogate, predicted: Floats) -> tuple[Metrics, Metrics]:
    """Validation and test metrics of a configuration at full length, without noise.

    Where several folds are put together, a metric is the mean over them, and its deviation `<name>_std` is the one
    that trainings are expected to show: the folds' own and their noise. Without the noise no training reached it.

    Args:
        surrogate: What answers.
        predicted: Outputs that it predicts at full length on the folds that the benchmark puts together, fractions,
            shape (folds, M).

    Returns:
        Validation and test metrics by name, fractions.
    """
    offset, noise = surrogate.noise.moments(predicted, surrogate.between[surrogate.about.full])
    outputs = np.clip(predicted + offset, 0.0, 1.0)
    mean = outputs.mean(axis=0).round(6).tolist()
    deviation = _shown_deviation(outputs, noise).round(6).tolist()
    sides: dict[str, Metrics] = {"validation": {}, "test": {}}
    for i, output in enumerate(surrogate.about.outputs[:-1]):
        side, _, name = output.partition(".")
        sides[side][name] = mean[i]
        if len(outputs) > 1:
            sides[side][f"{name}_std"] = deviation[i]
    return sides["validation"], sides["test"]


def _shown_deviation(outputs: Floats, noise: Floats) -> Floats:
    """The deviation over folds that noisy trainings show on average, shape (M,); both arguments of shape (folds, M).

    Independent noise of deviation s adds (k - 1) / k of s * s to the (population's) variance of k values.
    """
    share = (len(outputs) - 1) / len(outputs)
    return np.asarray(np.sqrt(outputs.var(axis=0) + share * (noise**2).mean(axis=0)))
