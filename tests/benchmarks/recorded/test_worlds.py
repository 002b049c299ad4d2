"""By whom a run on a surrogate is to be judged: figures of a known answer."""

from __future__ import annotations

import numpy as np

from hemobench.benchmarks.recorded.worlds import STRATEGIES, report


def test_errors_and_gains_of_a_known_answer():
    """By the member all scores are a point too high, gains right; by the mean gains are two points too small."""
    real = np.array([70.0, 71.0, 72.0, 73.0, 74.0, 75.0])
    by_mean = real - np.array([0, 2, 2, 2, 2, 2])
    world = np.stack([real + 1, by_mean], axis=1)
    lines = report(real, [world, world])
    assert [line.split()[0] for line in lines[1:7]] == list(STRATEGIES)
    assert lines[2].split()[1:] == ["71.00", "72.00", "69.00"]
    assert lines[-2] == "by member: scores +1.00 points on average; gains off by 0.00, +0.00 on average"
    assert lines[-1] == "by mean: scores -1.67 points on average; gains off by 2.00, -2.00 on average"
