"""Speed, as ratios: two files of pytest-benchmark, and how each benchmark stands to the reference of its own run.

Seconds of two days or machines cannot be compared; a ratio to what was measured beside it in the same run can. A
group of pytest-benchmark (`@pytest.mark.benchmark(group=…)`) holds one reference and what is held against it. The
reference says so (`benchmark.extra_info["reference"] = True`) or is called `test_bare…`, `test_raw…` or
`test_native…`. A benchmark may carry a limit of its own: `benchmark.extra_info["at_most"] = 1.05`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, Field, ValidationError

from hemobench.errors import BenchmarkError
from hemobench.reports.gate.verdict import Verdict

MARGIN = 0.25
"""Share by which a ratio may grow. Repeated runs on two busy cores differ by up to a fifth."""
REFERENCE = re.compile(r"test_(bare|raw|native|reference)")
Seconds = Annotated[float, Field(gt=0, lt=1e9)]


class _Stats(BaseModel):
    min: Seconds
    median: Seconds


class _Timing(BaseModel):
    name: str
    fullname: str
    group: str | None = None
    extra_info: dict[str, Any] = {}
    stats: _Stats

    @property
    def is_reference(self) -> bool:
        return bool(self.extra_info.get("reference")) or bool(REFERENCE.match(self.name))


class _File(BaseModel):
    benchmarks: list[_Timing]


@dataclass(frozen=True, slots=True)
class Ratio:
    """A benchmark over its reference, twice: the fastest rounds, and the median ones.

    Attributes:
        fastest: Of the shortest rounds; the least disturbed figure there is.
        median: Of the median rounds.
    """

    fastest: float
    median: float


@dataclass(frozen=True, slots=True)
class SpeedVerdict:
    """What is concluded on one benchmark.

    Attributes:
        group: Of pytest-benchmark.
        name: Of the test, with its parameters.
        reference: Name of what it is held against.
        before: Ratio in the baseline; `None` if it is new.
        now: Ratio in the candidate; `None` if it was not measured.
        at_most: The benchmark's own limit of the ratio.
        verdict: The fastest and the median rounds must agree to make it `pass` or `regress`.
        why: In words.
    """

    group: str
    name: str
    reference: str
    before: Ratio | None
    now: Ratio | None
    at_most: float | None
    verdict: Verdict
    why: str


def is_speed_file(content: Mapping[str, Any]) -> bool:
    """Whether a JSON document is pytest-benchmark's."""
    return isinstance(content.get("benchmarks"), list) and "machine_info" in content


def judge_speed(
    before: Mapping[str, Any], now: Mapping[str, Any], names: tuple[str, str], margin: float = MARGIN
) -> list[SpeedVerdict]:
    """Hold one file of pytest-benchmark against another.

    Args:
        before: The baseline's content.
        now: The candidate's.
        names: Of both files, for messages.
        margin: Share by which a ratio may grow.

    Raises:
        BenchmarkError: If a file is damaged, or no group has a reference.
    """
    old, new = (_ratios(_parsed(content, name)) for content, name in zip((before, now), names, strict=True))
    if not old:
        raise BenchmarkError(
            f"{names[0]}: no group of benchmarks has a reference, so there is no ratio to judge",
            'mark one test of each group: benchmark.extra_info["reference"] = True',
        )
    return [_verdict(key, old.get(key), new.get(key), margin) for key in sorted(old.keys() | new.keys())]


_Found = tuple[str, Ratio, float | None]


def _parsed(content: Mapping[str, Any], name: str) -> _File:
    try:
        return _File.model_validate(content)
    except ValidationError as problem:
        first = problem.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise BenchmarkError(f"{name}: {where}: {first['msg']}", "measure again with --benchmark-json") from None


def _ratios(file: _File) -> dict[tuple[str, str], _Found]:
    """By group and name: the reference's name, the ratio and the limit."""
    return dict(_ratio_rows(file.benchmarks))


def _ratio_rows(timings: Sequence[_Timing]) -> Iterator[tuple[tuple[str, str], _Found]]:
    for group in {timing.group for timing in timings if timing.group}:
        members = [timing for timing in timings if timing.group == group]
        references = [timing for timing in members if timing.is_reference]
        if len(references) != 1:
            continue
        base = references[0]
        for timing in members:
            if timing is not base:
                ratio = Ratio(timing.stats.min / base.stats.min, timing.stats.median / base.stats.median)
                limit = timing.extra_info.get("at_most")
                yield (group, timing.name), (base.name, ratio, float(limit) if limit is not None else None)


def _verdict(key: tuple[str, str], old: _Found | None, new: _Found | None, margin: float) -> SpeedVerdict:
    found = new or old
    assert found is not None
    before, now, limit = old[1] if old else None, new[1] if new else None, found[2]
    verdict, why = _judged(before, now, limit, margin)
    return SpeedVerdict(*key, found[0], before, now, limit, verdict, why)


def _judged(before: Ratio | None, now: Ratio | None, limit: float | None, margin: float) -> tuple[Verdict, str]:
    if now is None:
        return "inconclusive", "was not measured now"
    allowed = [(limit, f"at most {limit:g} is allowed")] if limit is not None else []
    said = ""
    if before is not None:
        grown = (now.fastest / before.fastest - 1, now.median / before.median - 1)
        said = f"{grown[0]:+.0%} by the fastest rounds, {grown[1]:+.0%} by the median; {margin:+.0%} is allowed"
        if min(grown) > margin:
            return "regress", said
    if allowed and min(now.fastest, now.median) > allowed[0][0]:
        return "regress", allowed[0][1]
    if before is not None and max(grown) > margin:
        return "inconclusive", said
    if allowed and max(now.fastest, now.median) > allowed[0][0]:
        return "inconclusive", f"{allowed[0][1]}, and the fastest and median rounds disagree"
    return "pass", said or "new"
