"""The gate against other code on this machine: nothing but the code differs, whatever processor it runs on."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from hemobench.benchmarks.suite import Arm, Suite
from hemobench.reports.gate.baseline import Baseline, Terms, labels, load
from hemobench.reports.gate.installed import Other
from hemobench.reports.gate.run import Run, gate_now
from hemobench.reports.gate.text import Judgement

Say = Callable[[str], None]


def gate_against(
    held: Baseline, arms: Sequence[Arm], other: Other, out: Path, run: Run, jobs: int, say: Say
) -> Judgement:
    """Run the same with the other code and with this one, and judge.

    First the seeds after which what is bit-identical passes; then, of what is not, all of them.

    Args:
        held: A baseline, of whose suite, terms and numbers of seeds the gate is; not of its runs.
        arms: Strategies.
        other: Where the other code is.
        out: An empty folder for this code's runs.
        run: Runs plans with this code.
        jobs: Processes that the other code may use.
        say: Told what is done.
    """
    suite = held.suite.model_copy(update={"strategies": list(arms)})
    seeds = {arm.shown: _seeds(held, arm) for arm in arms}
    few = {label: min(held.terms.identical_after, count) for label, count in seeds.items()}
    first = _judged(_recorded(other, suite, few, held.terms, jobs, say), arms, other, out, run)
    changed = {verdict.key.strategy for verdict in first.arms if not verdict.identical and not verdict.error}
    left = [arm for arm in arms if arm.shown in changed]
    if not left:
        return first
    suite = suite.model_copy(update={"strategies": left})
    wanted = {arm.shown: seeds[arm.shown] for arm in left}
    tested = _judged(_recorded(other, suite, wanted, held.terms, jobs, say), left, other, out, run)
    verdicts = {verdict.key: verdict for verdict in (*first.arms, *tested.arms)}
    return replace(tested, arms=tuple(verdicts.values()), seconds=first.seconds + tested.seconds)


def _seeds(held: Baseline, arm: Arm) -> int:
    """As many as the baseline has of that arm, or of the one that has most."""
    counts = {known.key.strategy: len(known.runs) for known in held.arms}
    return counts.get(arm.shown, max(counts.values()))


def _judged(recorded: Baseline, arms: Sequence[Arm], other: Other, out: Path, run: Run) -> Judgement:
    known = {arm.shown: arm for arm in arms if arm.shown in labels(recorded.arms)}
    return gate_now(recorded, other.shown, known, out, run)


def _recorded(other: Other, suite: Suite, seeds: Mapping[str, int], terms: Terms, jobs: int, say: Say) -> Baseline:
    """What the other code does; what it did before in the same folder is not run again."""
    say(f"{other.shown}: {', '.join(f'{label} {count} seeds' for label, count in seeds.items())}")
    file, target = other.folder / "suite.toml", other.folder / "baseline.json.gz"
    least = min(seeds.values())
    file.write_text(to_toml(suite.model_copy(update={"seeds": least}).model_dump(exclude_defaults=True)))
    more = ",".join(f"{label}={count}" for label, count in seeds.items() if count != least)
    options = ["--margin", terms.margin, "--false-alarm", terms.false_alarm, "--false-pass", terms.false_pass]
    options += ["--identical-after", terms.identical_after, "--jobs", jobs, "--out", other.folder / "runs"]
    options += ["--seeds-of", more] if more else []
    other.hemobench("baseline", str(file), "-o", str(target), *map(str, options))
    found = load(str(target))
    kept = tuple(arm for arm in found.arms if arm.key.strategy in seeds)
    return found.model_copy(update={"arms": kept})


def to_toml(document: Mapping[str, Any]) -> str:
    """Plain data as TOML: a line a key, with nested data in one line."""
    return "".join(f"{json.dumps(name)} = {_value(value)}\n" for name, value in document.items() if value is not None)


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        inside = ", ".join(f"{json.dumps(name)} = {_value(part)}" for name, part in value.items() if part is not None)
        return f"{{ {inside} }}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_value, value))}]"
    return json.dumps(value, allow_nan=False)
