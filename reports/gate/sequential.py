"""The gate's loop: run a few seeds of every arm that is not decided, analyse, and stop where it is clear."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from hemobench.reports.gate.baseline import Terms
from hemobench.reports.gate.boundaries import LEAST, analyses
from hemobench.reports.gate.divergence import ASK, Divergence, divergence, repeats
from hemobench.reports.gate.runs import ArmKey, ArmRuns, GateRun
from hemobench.reports.gate.verdict import (
    MEASURES,
    ArmVerdict,
    Levels,
    Measure,
    Verdict,
    concluded,
    decide,
    levels,
    measured,
    paired_differences,
)

COVERED = 0.75
"""Share of the baseline's coverage of a range below which it is remarked upon."""


@dataclass(frozen=True, slots=True)
class Pair:
    """An arm of the baseline, and the label of what is held against it.

    Attributes:
        before: The recorded runs.
        candidate: Label of the strategy that is run in their place.
    """

    before: ArmRuns
    candidate: str

    @property
    def key(self) -> ArmKey:
        """Of the candidate's runs."""
        old = self.before.key
        return ArmKey(old.benchmark, old.version, self.candidate, old.gpu_hours, old.workers)


Perform = Callable[[Mapping[ArmKey, range]], Iterable[ArmRuns]]
"""Runs the given seeds of the given arms; gives every run of them so far."""


@dataclass
class _Arm:
    """An arm while it is being judged."""

    pair: Pair
    analyses: tuple[int, ...]
    now: ArmRuns | None = None
    seeds: int = 0
    shown: NDArray[np.int64] = field(default_factory=lambda: np.zeros(len(MEASURES), dtype=np.int64))
    measures: tuple[Measure, ...] = ()
    verdict: Verdict | None = None

    @property
    def runs(self) -> dict[int, GateRun]:
        return {run.seed: run for run in self.now.runs} if self.now else {}

    @property
    def divergences(self) -> tuple[Divergence, ...]:
        now = self.runs
        pairs = [(old, now[old.seed]) for old in self.pair.before.runs if old.seed in now]
        found = [divergence(old.seed, (old.asks, new.asks), (old.answers, new.answers)) for old, new in pairs]
        return tuple(part for part in found if part)

    @property
    def error(self) -> str | None:
        return next((f"seed {run.seed}: {run.error}" for run in self.runs.values() if run.error), None)


def judge(pairs: Sequence[Pair], terms: Terms, perform: Perform) -> list[ArmVerdict]:
    """Run and judge, in interim analyses.

    After the first few seeds what is bit-identical has passed, and what raised is red. The rest is tested after an
    eighth, a quarter, half and all of its seeds (at least eight), and leaves as soon as it is decided.

    Args:
        pairs: Arms of the baseline and what is held against them.
        terms: Margin and error rates.
        perform: Runs what is asked for.
    """
    arms = [_Arm(pair, analyses(len(pair.before.runs))) for pair in pairs]
    _run_up_to(arms, [min(terms.identical_after, arm.analyses[-1]) for arm in arms], perform)
    for arm in arms:
        arm.verdict = _without_a_test(arm)
    _test(arms, terms, perform)
    return [_concluded(arm) for arm in arms]


def judge_at_once(pairs: Sequence[Pair], terms: Terms, candidate: Iterable[ArmRuns]) -> list[ArmVerdict]:
    """Judge runs that are there already, all seeds in one analysis."""
    there = {arm.key: arm for arm in candidate}
    arms = []
    for pair in pairs:
        now = there[pair.key]
        common = {run.seed for run in pair.before.runs} & {run.seed for run in now.runs}
        runs = tuple(run for run in now.runs if run.seed in common)
        arm = _Arm(pair, (len(common),), ArmRuns(now.key, runs, now.coverage), len(common))
        arm.verdict = _without_a_test(arm)
        arms.append(arm)
    _test(arms, terms, lambda wanted: [])
    return [_concluded(arm) for arm in arms]


def _without_a_test(arm: _Arm) -> Verdict | None:
    """What raised is worse, what is bit-identical passes; of anything else only a test can tell."""
    if arm.error:
        return "regress"
    return None if arm.divergences else "pass"


def overall(verdicts: Sequence[ArmVerdict]) -> Verdict:
    """The gate's one line: red if anything is worse, green if everything passes."""
    found = {verdict.verdict for verdict in verdicts}
    return "regress" if "regress" in found else "inconclusive" if "inconclusive" in found else "pass"


def _test(arms: Sequence[_Arm], terms: Terms, perform: Perform) -> None:
    """Test what is not bit-identical, in interim analyses, until it is decided or its seeds are used up."""
    changed = [arm for arm in arms if arm.verdict is None and arm.analyses[-1] >= LEAST]
    most = max((len(arm.analyses) for arm in changed), default=0)
    for place in range(most):
        undecided = [arm for arm in changed if arm.verdict is None and place < len(arm.analyses)]
        _run_up_to(undecided, [arm.analyses[place] for arm in undecided], perform)
        for arm in undecided:
            # the chance of an error is shared among all arms that are tested, decided or not
            _analyse(arm, place, terms, levels(arm.analyses, terms, len(changed)))


def _run_up_to(arms: Sequence[_Arm], seeds: Sequence[int], perform: Perform) -> None:
    """Run each arm up to its number of seeds."""
    wanted = {}
    for arm, end in zip(arms, seeds, strict=True):
        if end > arm.seeds:
            wanted[arm.pair.key] = range(arm.seeds, end)
    new = {runs.key: runs for runs in perform(wanted)} if wanted else {}
    for arm, end in zip(arms, seeds, strict=True):
        arm.now = new.get(arm.pair.key, arm.now)
        arm.seeds = max(end, arm.seeds)


def _analyse(arm: _Arm, place: int, terms: Terms, at: Levels) -> None:
    """One interim analysis: the verdict, if it can be given."""
    if arm.error:
        arm.verdict = "regress"
        return
    differences = paired_differences(arm.pair.before.runs, arm.runs)
    arm.shown = decide(differences, arm.shown, place, terms.margin, at)
    arm.measures = tuple(measured(differences, arm.shown, place, at, terms.power))
    verdict = concluded(arm.shown)
    arm.verdict = None if verdict == "inconclusive" else verdict


def _concluded(arm: _Arm) -> ArmVerdict:
    divergences = arm.divergences
    return ArmVerdict(
        key=arm.pair.before.key,
        candidate=arm.pair.candidate,
        verdict=arm.verdict or "inconclusive",
        seeds=arm.seeds,
        of=len(arm.pair.before.runs),
        identical=not divergences and arm.error is None,
        error=arm.error,
        measures=arm.measures,
        divergences=divergences,
        remarks=tuple(_remarks(arm)) if divergences else (),
    )


def _remarks(arm: _Arm) -> Iterable[str]:
    """What the asks themselves tell: points asked again, ranges that are no longer searched."""
    if arm.now is None:
        return
    before, now = (_repeated(runs, arm.runs) for runs in (arm.pair.before.runs, arm.now.runs))
    if now > before + 0.1:
        yield f"{now:.0%} of its asks repeat an earlier one of the same run ({before:.0%} in the baseline)"
    for name, share in arm.pair.before.coverage.items():
        there = arm.now.coverage.get(name, 0.0)
        if there < COVERED * share:
            yield f"{name} is asked over {there:.0%} of its range ({share:.0%} in the baseline)"


def _repeated(runs: Iterable[GateRun], seeds: Mapping[int, GateRun]) -> float:
    """Share of asks that repeat one of the same run, over the seeds given."""
    chosen = [run for run in runs if run.seed in seeds]
    return sum(repeats(run.asks) for run in chosen) / max(1, sum(len(run.asks) // ASK for run in chosen))
