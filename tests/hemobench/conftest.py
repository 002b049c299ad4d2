"""The command, run as a person would run it."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest


def hemobench(*arguments, env=None, **options):
    return subprocess.run(
        [sys.executable, "-m", "hemobench", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=240,
        env={**os.environ, "COLUMNS": "120", **(env or {})},
        **options,
    )


@pytest.fixture(scope="session")
def command():
    """`command("run", "quick", …)` gives what ran: returncode, stdout, stderr."""
    return hemobench
