"""The command, run as a person would run it."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import traceback
from contextlib import chdir, redirect_stderr, redirect_stdout

import pytest

from hemobench import cli


def hemobench(*arguments, env=None, **options):
    return subprocess.run(
        [sys.executable, "-m", "hemobench", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=240,
        env={**os.environ, "COLUMNS": "120", **(env or {})},
        **options,
    )


def here(*arguments, env=None, cwd="."):
    """The console script's own function, in this process: what it prints, and the code that it would exit with."""
    words, out, errors, code = [str(argument) for argument in arguments], io.StringIO(), io.StringIO(), 0
    with pytest.MonkeyPatch.context() as patch, chdir(cwd), redirect_stdout(out), redirect_stderr(errors):
        for name, value in {"COLUMNS": "120", **(env or {})}.items():
            patch.setenv(name, value)
        patch.setattr(sys, "argv", ["hemobench", *words])
        patch.setattr(sys, "path", [*sys.path])
        try:
            cli.main()
        except SystemExit as ended:
            code = ended.code or 0
        except BaseException:
            code = 1
            traceback.print_exc()
    return subprocess.CompletedProcess(words, code, out.getvalue(), errors.getvalue())


@pytest.fixture(scope="session")
def command():
    """`command("run", "quick", …)` gives what ran: returncode, stdout, stderr; in a process of its own."""
    return hemobench


@pytest.fixture(scope="session")
def said():
    """The same for what needs no process of its own, which takes seconds to start."""
    return here
