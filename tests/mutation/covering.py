"""Which tests run a line, and how long they take: what a mutant of the line is held against."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from coverage import CoverageData

COVERAGE, DURATIONS = "coverage", "durations.txt"
UNKNOWN = 0.005
"""Seconds of a test that pytest does not list, being faster."""


def record(root: Path, place: Path, folders: list[str], pytest_arguments: list[str]) -> None:
    """Run the tests once and keep which lines of the folders each of them runs."""
    place.mkdir(parents=True, exist_ok=True)
    sources = "".join(f"    {root / folder}\n" for folder in folders)
    configuration = place / "coveragerc"
    configuration.write_text(f"[run]\nsource =\n{sources}data_file = {place / COVERAGE}\n")
    options = ["--cov", f"--cov-config={configuration}", "--cov-context=test", "--cov-report=", "--durations=0"]
    arguments = ["-q", "-p", "no:cacheprovider", *options, *pytest_arguments]
    with (place / DURATIONS).open("w") as file:
        subprocess.run([sys.executable, "-m", "pytest", *arguments], cwd=root, stdout=file, check=True)


@dataclass(frozen=True)
class Covering:
    """What was recorded.

    Attributes:
        tests: By file, relative to the checkout: by line, the tests that run it.
        seconds: That each test takes.
    """

    tests: Mapping[str, Mapping[int, frozenset[str]]]
    seconds: Mapping[str, float]

    @classmethod
    def read(cls, root: Path, place: Path) -> Covering:
        """What `record` has kept."""
        data = CoverageData(str(place / COVERAGE))
        data.read()
        files = {}
        for measured in data.measured_files():
            contexts = data.contexts_by_lineno(measured)
            lines = {line: frozenset(_test(name) for name in names if name) for line, names in contexts.items()}
            files[str(Path(measured).resolve().relative_to(root))] = lines
        return cls(files, _seconds((place / DURATIONS).read_text()))

    def quickest(self, file: str, line: int, most_seconds: float) -> list[str]:
        """Tests that run a line, the quickest first, for so many seconds; one at least, if there is any.

        What only an import runs, as a constant, may matter anywhere in its file.
        """
        lines = self.tests.get(file, {})
        found = lines.get(line, frozenset()) or frozenset().union(*lines.values())
        chosen: list[str] = []
        left = most_seconds
        for test in sorted(found, key=lambda name: (self._takes(name), name)):
            left -= self._takes(test)
            if chosen and left < 0:
                break
            chosen.append(test)
        return chosen

    def _takes(self, test: str) -> float:
        return self.seconds.get(test, UNKNOWN)


def _test(context: str) -> str:
    """A test's name: contexts end in what part of it ran."""
    return context.rpartition("|")[0]


def _seconds(listed: str) -> dict[str, float]:
    found: dict[str, float] = {}
    for seconds, test in re.findall(r"^([\d.]+)s (?:setup|call) +(\S.*)$", listed, flags=re.MULTILINE):
        found[test] = found.get(test, 0.0) + float(seconds)
    return found
