"""Asks and tells of each strategy through the harness, against the library's own loop on the same space and seed.

Both loops propose the same configurations, which is asserted, so the ratio is the harness's own doing: adapter,
vetting, ledger and records. Seconds are the processor's, not the clock's, so that a busy machine disturbs them less.
Run with `pytest tests/performance --benchmark-enable --benchmark-only --benchmark-json NOW.json`, and hold that file
against an earlier one with `hemobench gate EARLIER.json NOW.json`.

SMAC and scikit-optimize take 0.1 to 3 seconds a trial: they are measured at 10 and 25 trials. Of scikit-optimize the
first ten are random and take half a millisecond each: cheap rounds, of which there are more.
"""

from __future__ import annotations

import gc
import time

import pytest
from performance.in_turn import InTurn, seconds
from performance.our_strategies import ours
from performance.raw_loops import LOOPS

MOST, A_TRIAL, A_RUN = 1.05, 60, 150
"""What the harness may add to a library's own loop: a twentieth, or so many microseconds a trial and a run, whichever
is more. What a run has once, its clock, its ledger and its end, is nothing beside 100 trials, and a fifth of what ten
random ones add."""
FAST = [(name, trials, 9, 60) for name in ("optuna-tpe", "hyperopt-tpe") for trials in (10, 50, 100)]
SLOW = [("smac", 10, 5, 12), ("smac", 25, 5, 12), ("skopt-gp", 10, 20, 60), ("skopt-gp", 25, 5, 12)]
CASES = [("random", 10, 20, 20), ("random", 50, 20, 20), ("random", 100, 20, 20), *FAST, *SLOW]
"""Name, trials, rounds, and rounds at most while the limit is not kept: a busy machine has few quiet moments."""


def marked(function):
    return pytest.mark.parametrize(("name", "trials", "rounds", "most"), CASES)(function)


def measure(benchmark, prepare, name, trials, rounds):
    """Time prepared loops; without --benchmark-enable a short one is run once, and nothing is timed."""
    shown = trials if benchmark.enabled else min(trials, 10)
    benchmark.group = f"{name}, {trials} trials"
    last = benchmark.pedantic(
        lambda loop: loop(), setup=lambda: ((prepare(shown),), {}), rounds=rounds, warmup_rounds=0
    )
    if benchmark.stats:
        benchmark.extra_info["milliseconds_a_trial"] = 1e3 * benchmark.stats.stats.min / trials
    return last


@pytest.mark.benchmark(timer=time.process_time)
@marked
def test_raw(benchmark, name, trials, rounds, most):
    benchmark.extra_info["reference"] = True
    proposed = measure(benchmark, lambda count: LOOPS[name](count, 0), name, trials, rounds)
    assert len(proposed) == (trials if benchmark.stats else min(trials, 10))


@pytest.mark.benchmark(timer=time.process_time)
@marked
def test_ours(benchmark, name, trials, rounds, most):
    """Each round of ours follows one of the library's own.

    While the limit is not kept, further rounds of both are measured: see `InTurn`.
    """
    measured, proposed = InTurn(), {}

    def raw_seconds(count):
        loop = LOOPS[name](count, 0)
        return seconds(lambda: proposed.update(raw=loop()))

    def prepared(count):
        mine = ours(name, count, 0)
        return lambda: proposed.update(ours=mine())

    def prepare(count):
        measured.raw.append(raw_seconds(count))
        work = prepared(count)
        gc.collect()
        return work

    measure(benchmark, prepare, name, trials, rounds)
    if name != "random":  # which draws from a stream of our own
        assert proposed["ours"] == proposed["raw"]
    if not benchmark.stats:
        return
    measured.ours = list(benchmark.stats.stats.data)
    if name != "random":
        measured.go_on(
            lambda: raw_seconds(trials),
            lambda: seconds(prepared(trials)),
            lambda: kept(measured, trials),
            least=rounds,
            most=most,
        )
        fair = max(MOST, 1 + allowed(trials) / min(measured.raw))
        benchmark.extra_info["at_most"] = fair
    benchmark.extra_info.update(
        over_raw=measured.ratio,
        added_microseconds_a_trial=1e6 * measured.added / trials,
        rounds=len(measured.raw),
    )
    assert name == "random" or kept(measured, trials), benchmark.extra_info


@pytest.mark.benchmark(timer=time.process_time)
def test_a_loop_that_takes_twice_as_long_is_found(benchmark):
    """However long it is given: what holds a limit on a busy machine must let no slow loop pass."""
    name, trials, rounds, most = FAST[0]
    measured = InTurn()

    def twice(count):
        loops = [LOOPS[name](count, 0) for _ in range(2)]
        return lambda: [loop() for loop in loops]

    def prepare(count):
        measured.raw.append(seconds(LOOPS[name](count, 0)))
        return twice(count)

    measure(benchmark, prepare, name, trials, rounds)
    if not benchmark.stats:
        return
    measured.ours = list(benchmark.stats.stats.data)
    measured.go_on(
        lambda: seconds(LOOPS[name](trials, 0)),
        lambda: seconds(twice(trials)),
        lambda: kept(measured, trials),
        least=rounds,
        most=most,
    )
    benchmark.extra_info["over_raw"] = measured.ratio
    assert not kept(measured, trials), measured


def allowed(trials):
    """Seconds that the harness may add to a run, if they are more than a twentieth."""
    return (A_TRIAL * trials + A_RUN) / 1e6


def kept(measured, trials):
    """Whether the harness adds no more than it may."""
    return measured.ratio <= MOST or measured.added <= allowed(trials)
