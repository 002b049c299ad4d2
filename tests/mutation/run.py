"""Plant changes in the code, one at a time, and see whether a test fails: what survives is not tested.

In a worktree and an environment of their own, since files are changed in place:

    git worktree add ../mutants && cd ../mutants
    python -m venv .venv && .venv/bin/pip install -c constraints.txt -e .[dev] cosmic-ray pytest-cov
    .venv/bin/python tests/mutation/run.py record reports/statistics benchmarks/execution
    .venv/bin/python tests/mutation/run.py try --minutes 60 reports/statistics benchmarks/execution

`record` runs the tests once, with coverage, and keeps which of them run which line. `try` takes mutants in a random
order and holds each against the quickest tests that run its line; it goes on where it was stopped. What survives has
its change in `.mutation/mutants.jsonl`; hold it against all tests of its line with `--seconds 600 --again`.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from mutation.covering import Covering, record
from mutation.mutants import Mutant, mutants

ROOT = Path(__file__).resolve().parents[2]
PLACE = ROOT / ".mutation"
SECONDS = 20.0
"""Of tests that a mutant is held against, as they took when they were recorded."""


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["record", "try"])
    parser.add_argument("folders", nargs="+", help="as in reports/statistics")
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--seconds", type=float, default=SECONDS, help="of tests a mutant, at most")
    parser.add_argument("--again", action="store_true", help="try those that survived")
    parser.add_argument("--pytest", nargs=argparse.REMAINDER, default=["--ignore", "tests/performance"])
    asked = parser.parse_args()
    if asked.what == "record":
        record(ROOT, PLACE, asked.folders, asked.pytest)
        return
    journal = PLACE / "mutants.jsonl"
    covering = Covering.read(ROOT, PLACE)
    until = time.monotonic() + 60 * asked.minutes
    for mutant in todo(journal, asked.folders, again=asked.again):
        if time.monotonic() > until:
            break
        tried(mutant, covering, asked.seconds, journal)
    results = Counter(row["result"] for row in latest(journal).values())
    sys.stdout.write(", ".join(f"{count} {name}" for name, count in results.most_common()) + "\n")


def todo(journal: Path, folders: list[str], *, again: bool) -> Iterator[Mutant]:
    """Mutants that were not tried yet, or those that survived, always in the same random order."""
    results = {mutant: row["result"] for mutant, row in latest(journal).items()}
    every = list(mutants(ROOT, folders))
    random.Random(0).shuffle(every)
    for mutant in every:
        before = results.get(mutant)
        if before == "survived" if again else before is None:
            yield mutant


def latest(journal: Path) -> dict[Mutant, dict[str, Any]]:
    """What came of every mutant that was tried, when it was tried last."""
    lines = journal.read_text().splitlines() if journal.exists() else []
    rows = [json.loads(line) for line in lines]
    return {Mutant(**row["mutant"]): row for row in rows}


def tried(mutant: Mutant, covering: Covering, most_seconds: float, journal: Path) -> None:
    """Hold one mutant against its tests, and write down what came of it."""
    path = ROOT / mutant.file
    code = path.read_text()
    mutated = mutant.of(code)
    if mutated is None:
        return
    tests = covering.quickest(mutant.file, mutant.line, most_seconds)
    started = time.monotonic()
    try:
        path.write_text(mutated)
        result = outcome(tests, 30 + 4 * most_seconds) if tests else "untested"
    finally:
        path.write_text(code)
    changed = [pair for pair in zip(code.splitlines(), mutated.splitlines(), strict=False) if pair[0] != pair[1]]
    row = {
        "mutant": asdict(mutant),
        "result": result,
        "tests": len(tests),
        "seconds": round(time.monotonic() - started, 1),
        "change": [[side.strip() for side in pair] for pair in changed[:2]],
    }
    with journal.open("a") as file:
        file.write(json.dumps(row) + "\n")


def outcome(tests: list[str], limit: float) -> str:
    """What tests say: `killed` if one fails, `timeout`, `survived`; `unusable` if they cannot be collected.

    They run in a fork of this process, which has the libraries loaded and nothing of hemobench.
    """
    child = os.fork()
    if child == 0:
        _run(tests)
    ends = time.monotonic() + limit
    while time.monotonic() < ends:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            code = os.waitstatus_to_exitcode(status)
            return {0: "survived", 4: "unusable", 5: "unusable"}.get(code, "killed")
        time.sleep(0.05)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return "timeout"


def _run(tests: list[str]) -> None:
    """Run tests in a group of processes of its own, in silence, and end."""
    os.setsid()
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 1)
    os.dup2(silence, 2)
    os.chdir(ROOT)
    import pytest

    os._exit(int(pytest.main(["-x", "-q", "-p", "no:cacheprovider", *tests])))


if __name__ == "__main__":
    # bytecode would outlive its mutant: it is told by a second's time and a size
    sys.dont_write_bytecode = True
    os.environ |= {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONHASHSEED": "0", "OMP_NUM_THREADS": "1"}
    import hypothesis  # noqa: F401
    import pandas  # noqa: F401
    import pytest  # noqa: F401
    import scipy.stats  # noqa: F401

    main()
