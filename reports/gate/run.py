"""The gate as Python calls: record a baseline, run what is held against it, and judge; or judge results that are there.

    held = baseline.load("gate")
    judgement = gate_now(held, "gate", chosen_arms(held, ["optuna-tpe"]), out, run)

`run` runs plans into `out`, in whatever processes: `execution.execute` in this one, `execution.process_pool` in others.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from hemobench.benchmarks.environment import environment
from hemobench.benchmarks.execution.plan import Plan, plans
from hemobench.benchmarks.storage.load import load_results
from hemobench.benchmarks.suite import Arm, Suite
from hemobench.errors import BenchmarkError
from hemobench.reports.gate.baseline import Baseline, Terms, from_results, labels, require_same_benchmarks
from hemobench.reports.gate.provenance import Provenance, another_kernel, apart, changed_versions, provenance
from hemobench.reports.gate.runs import ArmKey, ArmRuns, Judged, arms_of, reference_by
from hemobench.reports.gate.sequential import Pair, Perform, judge, judge_at_once
from hemobench.reports.gate.text import Judgement
from hemobench.reports.gate.verdict import ArmVerdict
from hemobench.strategies import STRATEGIES

RANDOM = "random"
Run = Callable[[Sequence[Plan]], None]
"""Runs plans, each into its folder."""


def chosen_arms(
    baseline: Baseline, strategies: Sequence[str], instead_of: str = "", *, imports: bool = True
) -> dict[str, Arm]:
    """What is to be run, by the label of the recorded arm that it is held against.

    Args:
        baseline: With its suite.
        strategies: Names, labels or `package.module:Class`; none is all that the baseline has.
        instead_of: Label of the arm that a strategy is held against; by default its own, or else random search.
        imports: Whether the strategies will be imported and run.

    Raises:
        BenchmarkError: If a label is not there; or if the baseline names classes of other packages that were not
            named on the command line: a file shall not decide what is imported.
    """
    known = {arm.shown: arm for arm in baseline.suite.strategies if arm.shown in labels(baseline.arms)}
    found: dict[str, Arm] = {}
    for name in strategies:
        own = [label for label, arm in known.items() if name in (label, arm.name)]
        against = [instead_of] if instead_of else own or [RANDOM]
        for label in against:
            if label not in known:
                raise BenchmarkError(
                    f"the baseline has no arm '{label}' to hold '{name}' against",
                    f"choose one with --instead-of: {', '.join(known)}",
                )
            recorded = known[label]
            own_arm = name in (label, recorded.name)
            found[label] = recorded if own_arm else Arm(name=name, max_trials=recorded.max_trials)
    if strategies:
        return found
    foreign = sorted({arm.name for arm in known.values() if arm.name not in STRATEGIES})
    if foreign and imports:
        raise BenchmarkError(
            f"the baseline names strategies of other packages: {', '.join(foreign)}",
            f"if they are to be imported and run, say so: --strategy {','.join(foreign)}",
        )
    return known


def pairs_of(baseline: Baseline, arms: Mapping[str, Arm]) -> list[Pair]:
    """Each recorded arm with the label of what is held against it."""
    return [Pair(runs, arms[runs.key.strategy].shown) for runs in baseline.arms if runs.key.strategy in arms]


def record_now(
    suite: Suite, name: str, terms: Terms, out: Path, run: Run, seeds_of: Mapping[str, int] | None = None
) -> Baseline:
    """Run a suite and record what its strategies do now.

    Args:
        suite: What is run.
        name: Of the suite.
        terms: Margin and error rates of later gates.
        out: Folder of the runs; what is there already is not run again.
        run: Runs plans.
        seeds_of: Other numbers of seeds than the suite's, by label.

    Raises:
        BenchmarkError: If a strategy raises, or a benchmark has no reference.
    """
    seeds = seeds_of or {}
    most = max((suite.seeds, *seeds.values()))
    everything = plans(suite.model_copy(update={"seeds": most}))
    run([plan for plan in everything if plan.key.seed < seeds.get(plan.key.strategy, suite.seeds)])
    return from_results(load_results(out), name, suite, terms)


def gate_now(baseline: Baseline, name: str, arms: Mapping[str, Arm], out: Path, run: Run) -> Judgement:
    """Run the baseline's suite, or a part of it, and judge: in interim analyses, each into the same folder.

    Args:
        baseline: What is held against.
        name: Of the baseline, for people.
        arms: As from `chosen_arms`.
        out: An empty folder for the runs.
        run: Runs plans.
    """
    require_same_benchmarks(baseline, {})
    started = time.perf_counter()
    pairs = pairs_of(baseline, arms)
    suite = baseline.suite.model_copy(
        update={"strategies": list(arms.values()), "seeds": max(len(pair.before.runs) for pair in pairs)}
    )
    verdicts = judge(pairs, baseline.terms, performer(plans(suite), out, run, baseline))
    versions, numerics = apart(environment())
    about = Provenance(versions, numerics, baseline.sources)
    return _judgement(baseline, name, verdicts, about, time.perf_counter() - started)


def _judgement(
    baseline: Baseline, name: str, verdicts: Sequence[ArmVerdict], about: Provenance, seconds: float = 0.0
) -> Judgement:
    """The verdicts with what the candidate was made with, which may be why something was asked otherwise."""
    kernel = another_kernel(baseline.numerics, about.numerics)
    arms = []
    for verdict in verdicts:
        asked_otherwise = any(part.what == "ask" for part in verdict.divergences)
        arms.append(replace(verdict, other_kernel=bool(kernel) and asked_otherwise))
    changed = changed_versions(baseline.versions, about.versions)
    return Judgement(name, baseline.terms, tuple(arms), tuple(changed), kernel, seconds)


def performer(todo: Sequence[Plan], out: Path, run: Run, baseline: Baseline) -> Perform:
    """Runs seeds of arms by their plans and reads all that lies there by then."""

    def perform(wanted: Mapping[ArmKey, range]) -> Iterable[ArmRuns]:
        run([plan for plan in todo if plan.key.seed in wanted.get(arm_of(plan), ())])
        results = load_results(out)
        require_same_benchmarks(baseline, provenance(results).sources)
        return arms_of(results, reference_by(baseline.normalised_by), judged_by(baseline))

    return perform


def judged_by(baseline: Baseline) -> dict[str, Judged]:
    """What the baseline's regrets are of, by benchmark: the candidate's must be of the same."""
    return {arm.key.benchmark: arm.judged_by for arm in baseline.arms}


def arm_of(plan: Plan) -> ArmKey:
    """The arm that a plan is one seed of."""
    key = plan.key
    return ArmKey(plan.shown or key.benchmark, key.version, key.strategy, key.gpu_hours, key.workers)


def gate_results(baseline: Baseline, name: str, arms: Mapping[str, Arm], root: Path) -> Judgement:
    """Judge results that are there, a folder or an archive, all seeds at once.

    Raises:
        BenchmarkError: If an arm is missing there, or the results rest on another benchmark.
    """
    results = load_results(root)
    about = provenance(results)
    require_same_benchmarks(baseline, about.sources)
    candidate = arms_of(results, reference_by(baseline.normalised_by), judged_by(baseline))
    pairs = pairs_of(baseline, arms)
    missing = [pair.key for pair in pairs if pair.key not in {arm.key for arm in candidate}]
    if missing:
        raise BenchmarkError(
            f"{root} lacks {missing[0].strategy} on {missing[0].benchmark} v{missing[0].version}, {missing[0].budget}",
            "run it there, or gate a part of the baseline with --strategy",
        )
    verdicts = judge_at_once(pairs, baseline.terms, candidate)
    return _judgement(baseline, name, verdicts, about)


@contextmanager
def results_folder(out: Path | None, *, empty: bool) -> Iterator[Path]:
    """Where runs go: the folder that was asked for, or one that is gone afterwards.

    Raises:
        BenchmarkError: If it cannot be made, or should be empty (results of earlier code would be taken for this
            one's) and is not.
    """
    if out is None:
        with tempfile.TemporaryDirectory(prefix="hemobench-gate-") as folder:
            yield Path(folder)
        return
    try:
        out.mkdir(parents=True, exist_ok=True)
        full = empty and any(out.iterdir())
    except OSError as problem:
        raise BenchmarkError(f"--out {out}: {problem.strerror}", "name a folder that can be written") from None
    if full:
        raise BenchmarkError(f"--out {out}: not empty, and old results would pass for new ones", "name a new folder")
    yield out
