"""What a leaderboard is made with is imported while the runs are waited for."""

from __future__ import annotations

import subprocess
import sys

import pytest

from hemobench.commands import results

SCRIPT = """
import sys
from hemobench.commands import results
results.load_ahead().join()
before = {name for name in sys.modules if name.startswith("hemobench.")}
results.leaderboard()
after = {name for name in sys.modules if name.startswith("hemobench.")}
print(*sorted(after - before), file=sys.stderr)
"""


def test_nothing_of_the_reports_is_left_to_import() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=240, check=True)
    left = [name for name in done.stderr.split() if name.startswith("hemobench.reports")]
    assert left == ["hemobench.reports.shipped"]  # where those lie that come along
    assert "hemobench" in done.stdout


def test_a_module_that_fails_is_left_to_who_imports_it_in_earnest(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(results, "LEADERBOARD", ("hemobench.reports.there_is_none",))
    results.load_ahead().join()
    assert capfd.readouterr() == ("", "")
