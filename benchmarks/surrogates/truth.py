"""The noise-free answer of a configuration: what its trainings come to on average, whatever their seed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hemobench.benchmarks.surrogates.surrogate import Surrogate
from hemobench.strategies.base import Config

Floats = NDArray[np.float64]
Metrics = dict[str, float]


def noise_free(surrogate: Surrogate, config: Config, folds: Sequence[int]) -> tuple[Metrics, Metrics]:
    """Validation and test metrics of a configuration at full length, by the mean of all members, without noise.

    Where several folds are put together, a metric is the mean over them, and its deviation `<name>_std` is the one
    that trainings are expected to show: the folds' own and their noise. Without the noise no training reached it.

    Args:
        surrogate: What answers.
        config: The configuration.
        folds: The folds that the benchmark puts together.

    Returns:
        Validation and test metrics by name, fractions.
    """
    full = surrogate.about.full
    outputs = np.array([surrogate.predict(config, full, fold=fold).outputs for fold in folds])
    mean = outputs.mean(axis=0).round(6).tolist()
    deviation = _shown_deviation(outputs, surrogate.noise_variance(outputs, full)).round(6).tolist()
    sides: dict[str, Metrics] = {"validation": {}, "test": {}}
    for i, output in enumerate(surrogate.about.outputs[:-1]):
        side, _, name = output.partition(".")
        sides[side][name] = mean[i]
        if len(folds) > 1:
            sides[side][f"{name}_std"] = deviation[i]
    return sides["validation"], sides["test"]


def _shown_deviation(outputs: Floats, variance: Floats) -> Floats:
    """The deviation over folds that noisy trainings show on average, shape (M,); both arguments of shape (folds, M).

    Independent noise of variance v adds (k - 1) / k of it to the (population's) variance of k values.
    """
    share = (len(outputs) - 1) / len(outputs)
    return np.asarray(np.sqrt(outputs.var(axis=0) + share * variance.mean(axis=0)))
