"""Asks and tells of each strategy through the harness, against the library's own loop on the same space and seed.

Both loops propose the same configurations, which is asserted, so the ratio is the harness's own doing: adapter,
vetting, ledger and records. Seconds are the processor's, not the clock's, so that a busy machine disturbs them less.
Run with `pytest tests/performance --benchmark-enable --benchmark-only --benchmark-json NOW.json`, and hold that file
against an earlier one with `hemobench gate EARLIER.json NOW.json`.

SMAC and scikit-optimize take 0.1 to 3 seconds a trial: they are measured at 10 and 25 trials.
"""

from __future__ import annotations

import time

import numpy as np
import pytest
from performance.our_strategies import ours
from performance.raw_loops import LOOPS

MOST, ADDED_MICROSECONDS = 1.05, 60
"""What the harness may add to a library's own loop: a twentieth, or so much a trial, whichever is more."""
FAST = [(name, trials, 9) for name in ("optuna-tpe", "hyperopt-tpe") for trials in (10, 50, 100)]
CASES = [("random", 10, 20), ("random", 50, 20), ("random", 100, 20), *FAST]
CASES += [(name, trials, 3) for name in ("smac", "skopt-gp") for trials in (10, 25)]


def marked(function):
    return pytest.mark.parametrize(("name", "trials", "rounds"), CASES)(function)


def measure(benchmark, prepare, name, trials, rounds):
    """Time prepared loops; without --benchmark-enable a short one is run once, and nothing is timed."""
    shown = trials if benchmark.enabled else min(trials, 10)
    benchmark.group = f"{name}, {trials} trials"
    benchmark.pedantic(lambda loop: loop(), setup=lambda: ((prepare(shown),), {}), rounds=rounds, warmup_rounds=0)
    if benchmark.stats:
        benchmark.extra_info["milliseconds_a_trial"] = 1e3 * benchmark.stats.stats.min / trials


@pytest.mark.benchmark(timer=time.process_time)
@marked
def test_raw(benchmark, name, trials, rounds):
    benchmark.extra_info["reference"] = True
    measure(benchmark, lambda count: LOOPS[name](count, 0), name, trials, rounds)


@pytest.mark.benchmark(timer=time.process_time)
@marked
def test_ours(benchmark, name, trials, rounds):
    """Each round of ours follows one of the library's own.

    On a busy machine either estimate of the overhead, from the fastest rounds or from the median pair of rounds, is
    off by several percent at times; both must be above the limit for it to count as broken.
    """
    raw_seconds, proposed = [], {}

    def prepare(count):
        loop = LOOPS[name](count, 0)
        started = time.process_time()
        proposed["raw"] = loop()
        raw_seconds.append(time.process_time() - started)
        mine = ours(name, count, 0)

        def kept():
            proposed["ours"] = mine()

        return kept

    measure(benchmark, prepare, name, trials, rounds)
    if name != "random":  # which draws from a stream of our own
        assert proposed["ours"] == proposed["raw"]
    if benchmark.stats:
        seconds = np.array(benchmark.stats.stats.data)
        fastest = [float(min(seconds)), float(min(raw_seconds))]
        middle = [float(np.median(seconds)), float(np.median(raw_seconds))]
        added = min(1e6 * (one - raw) / trials for one, raw in (fastest, middle))
        ratio = min(one / raw for one, raw in (fastest, middle))
        benchmark.extra_info.update(over_raw=ratio, added_microseconds_a_trial=added)
        if name != "random":
            benchmark.extra_info["at_most"] = max(MOST, 1 + ADDED_MICROSECONDS * trials / (1e6 * fastest[1]))
            assert ratio <= MOST or added <= ADDED_MICROSECONDS, benchmark.extra_info
