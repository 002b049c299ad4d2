"""`assert_not_worse`: the gate as one line of a pytest test, in this process and without files."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hemobench.benchmarks.execution.plan import Plan
    from hemobench.reports.gate.baseline import Terms
    from hemobench.reports.gate.text import Judgement
    from hemobench.strategies.base import Strategy


class GateInconclusive(UserWarning):
    """Neither shown to be worse nor shown not to be."""


def assert_not_worse(
    strategy: str | type[Strategy],
    than: str | Path = "random",
    benchmark: str = "c-nmc@published",
    *,
    seeds: int = 60,
    trials: int = 25,
    margin: float = 0.3,
    false_alarm: float = 0.05,
    false_pass: float = 0.025,
    strict: bool = False,
) -> Judgement:
    """Fail if a strategy is shown to be worse than another one, or than a recorded baseline.

    Runs are made in this process, in looks, and end as soon as it is clear. SMAC asks alike from process to process
    only with a fixed `PYTHONHASHSEED`; without it is compared statistically, like anything that has changed.

    Args:
        strategy: A class at the top of a module, `package.module:Class`, or a name of hemobench's table.
        than: Another strategy, run here too; or the path (or shipped name) of a baseline, whose benchmarks, seeds,
            margin and error rates then hold instead of the arguments below, and whose arm of the same strategy, if
            there is one, and else random search, is the one to hold up with.
        benchmark: As in `c-nmc@published`; it must have references to normalise regret by.
        seeds: Paired runs of each, at most.
        trials: A run's budget, in mean costs of a uniformly random trial.
        margin: Normalised regret by which it may be worse.
        false_alarm: Chance of failing although nothing is worse.
        false_pass: Chance of passing although it is worse by the margin.
        strict: Fail also where neither could be shown; by default that is a warning, `GateInconclusive`.

    Returns:
        All that was concluded, with `.verdict`.

    Raises:
        AssertionError: In the gate's own words.
        BenchmarkError: If there is no such strategy, benchmark or baseline.
    """
    from hemobench.reports.gate.baseline import Terms
    from hemobench.reports.gate.text import in_words
    from hemobench.strategies import path_of

    name = strategy if isinstance(strategy, str) else path_of(strategy)
    if _is_file(than):
        judgement = _against_file(name, str(than))
    else:
        terms = Terms(margin=margin, false_alarm=false_alarm, false_pass=false_pass)
        judgement = _against_strategy(name, str(than), benchmark, seeds, trials, terms)
    if judgement.verdict == "regress" or (strict and judgement.verdict == "inconclusive"):
        raise AssertionError(in_words(judgement))
    if judgement.verdict == "inconclusive":
        warnings.warn(in_words(judgement), GateInconclusive, stacklevel=2)
    return judgement


def _is_file(than: str | Path) -> bool:
    from hemobench.reports.gate.baseline import SUFFIXES, shipped

    return str(than).endswith(SUFFIXES) or str(than) in shipped()


def _against_file(name: str, than: str) -> Judgement:
    from hemobench.reports.gate.baseline import load
    from hemobench.reports.gate.run import chosen_arms, gate_now

    baseline = load(than)
    arms = chosen_arms(baseline, [name])
    with tempfile.TemporaryDirectory(prefix="hemobench-gate-") as folder:
        return gate_now(baseline, than, arms, Path(folder), _in_this_process(Path(folder)))


def _against_strategy(name: str, than: str, benchmark: str, seeds: int, trials: int, terms: Terms) -> Judgement:
    """Run the other strategy first, all seeds of it, then this one in looks."""
    from hemobench.benchmarks.execution.plan import plans
    from hemobench.benchmarks.storage.load import load_results
    from hemobench.benchmarks.suite import Arm, Entry, Suite
    from hemobench.reports.gate.baseline import from_results
    from hemobench.reports.gate.run import gate_now
    from hemobench.reports.gate.runs import require_reference

    hours = round(trials * require_reference(benchmark).trial_gpu_hours, 6)
    other = Arm(name=than, label="other." + Arm(name=than).shown)
    suite = Suite(seeds=seeds, strategies=[other], benchmarks=[Entry(name=benchmark, gpu_hours=[hours])])
    with tempfile.TemporaryDirectory(prefix="hemobench-gate-") as folder:
        before, now = Path(folder, "before"), Path(folder, "now")
        _in_this_process(before)(plans(suite))
        baseline = from_results(load_results(before), than, suite, terms)
        return gate_now(baseline, than, {other.shown: Arm(name=name)}, now, _in_this_process(now))


def _in_this_process(out: Path) -> Callable[[Sequence[Plan]], None]:
    from hemobench.benchmarks.execution.execute import execute

    def run(todo: Sequence[Plan]) -> None:
        for plan in todo:
            execute(plan, out, "gate")

    return run
