"""What all tests share."""

from __future__ import annotations

import inspect
import io
import os
import re
import subprocess
import sys
import traceback
from collections.abc import Callable
from contextlib import chdir, redirect_stderr, redirect_stdout
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import settings

# Before any library starts its threads: two busy cores and four threads are slower than one.
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

# The same examples every time, so that what fails is what was changed; FUZZ=1 looks for new ones.
settings.register_profile("repeatable", derandomize=True)
if "FUZZ" not in os.environ:
    settings.load_profile("repeatable")

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared"
sys.path.insert(0, str(Path(__file__).parent))  # tests may import `contracts.…`


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The real cell images beside the checkout, where they are."""
    data = SHARED / "data"
    if not data.is_dir():
        pytest.skip("no shared/data beside the checkout")
    return data


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that need torch, which are all that `tox -e train` runs: they skip themselves where it is not."""
    for item in items:
        if isinstance(item, pytest.Function) and _needs_torch(item):
            item.add_marker("torch")


def _needs_torch(item: pytest.Function) -> bool:
    whole = _source(item.module)
    if not _skips(whole):  # most modules: to find a function's lines in its file takes a millisecond
        return False
    return any(_skips(line) for line in whole.splitlines() if re.match(r"\w", line)) or _skips(_source(item.obj))


@cache
def _source(of: ModuleType | Callable[..., Any]) -> str:
    return inspect.getsource(of)


def _skips(code: str) -> bool:
    return 'importorskip("torch")' in code


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
        from hemobench import cli  # not before the threads are set

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
