"""What results are cited by: suite, version, commit and date; benchmarks with versions and checksums."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from hemobench.benchmarks.storage.results import Results
from hemobench.reports.text_tables import plain

SHORT = 8
"""Hexadecimal digits of a checksum that are shown."""
CHECKSUMS = {"data_sha256": "data", "sha256": "answers"}
"""What of a run's source is a checksum, and of what."""


@dataclass(frozen=True, slots=True)
class Cited:
    """A benchmark as results rest on it.

    Attributes:
        benchmark: As in `c-nmc@recorded`.
        version: Of the benchmark.
        checksums: SHA-256 by what it is of: `data`, `answers`; whole.
    """

    benchmark: str
    version: int
    checksums: dict[str, str]

    @property
    def text(self) -> str:
        """As in `c-nmc@recorded v2 (data d92cea7f, answers 30fff0d5)`."""
        sums = ", ".join(f"{of} {checksum[:SHORT]}" for of, checksum in self.checksums.items())
        return f"{self.benchmark} v{self.version}" + (f" ({sums})" if sums else "")


@dataclass(frozen=True, slots=True)
class Citation:
    """All that results say of how they came about; what they do not say is empty.

    Attributes:
        suites: Names of the suites.
        versions: Of hemobench.
        commits: Of hemobench's checkout; one that ends in `-dirty` was of a tree that nobody else has.
        dates: First and last day on which a run began, ISO 8601.
        benchmarks: By name.
    """

    suites: tuple[str, ...]
    versions: tuple[str, ...]
    commits: tuple[str, ...]
    dates: tuple[str, ...]
    benchmarks: tuple[Cited, ...]

    @property
    def clean(self) -> bool:
        """Whether all that made them was committed, or installed from a package."""
        return not any(commit.endswith("-dirty") or commit == "unknown" for commit in self.commits)

    @property
    def lines(self) -> list[str]:
        """For people: how they were made, on what, and whether that can be had again."""
        parts = [f"suite {', '.join(self.suites)}" if self.suites else ""]
        parts += [f"hemobench {', '.join(self.versions)}" if self.versions else ""]
        parts += [f"commit {', '.join(self.commits)}" if self.commits else "", " to ".join(self.dates)]
        made = [" · ".join(part for part in parts if part)]
        made += [" · ".join(cited.text for cited in self.benchmarks)]
        if not self.clean:
            made.append("made with changes that were not committed: not for citing")
        return [plain(line) for line in made if line]

    def as_json(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "suites": list(self.suites),
            "hemobench": list(self.versions),
            "commits": list(self.commits),
            "clean": self.clean,
            "dates": list(self.dates),
            "benchmarks": [
                {"name": cited.benchmark, "version": cited.version, "checksums": cited.checksums}
                for cited in self.benchmarks
            ],
        }


def citation(results: Results) -> Citation:
    """What results are cited by."""
    suites, versions, commits, dates = set(), set(), set(), set()
    benchmarks: dict[tuple[str, int], dict[str, str]] = {}
    for benchmark, header in _kinds(results):
        about = header.get("environment") or {}
        suites.add(header.get("suite"))
        versions.add(about.get("hemobench"))
        commits.add(about.get("git"))
        dates.add(about.get("date"))
        source = header.get("source") or {}
        sums = {of: str(source[name]) for name, of in CHECKSUMS.items() if source.get(name)}
        benchmarks.setdefault((benchmark, int(header.get("version") or 1)), sums)
    days = _texts(dates)
    return Citation(
        suites=_texts(suites),
        versions=_texts(versions),
        commits=_texts(commits - {"none"}),
        dates=tuple(dict.fromkeys((days[0], days[-1]))) if days else (),
        benchmarks=tuple(Cited(name, version, sums) for (name, version), sums in sorted(benchmarks.items())),
    )


def _kinds(results: Results) -> Iterator[tuple[str, dict[str, Any]]]:
    """The headers of runs, those that differ in their seed alone once: there may be very many."""
    if "header" not in results.runs:
        return
    seen = results.runs["header"].map(lambda text: re.sub(r'"seed": \d+', "", text)).drop_duplicates()
    for run in seen.index:
        yield str(results.runs.loc[run, "benchmark"]), results.header(run)


def _texts(found: set[Any]) -> tuple[str, ...]:
    return tuple(sorted(str(each) for each in found if each))
