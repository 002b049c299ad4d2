"""How commands print: tables as wide as there is room, or JSON."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hemobench.errors import BenchmarkError

if TYPE_CHECKING:
    from rich.console import Console

WIDE = 140
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


def console(*, stderr: bool = False) -> Console:
    """Where tables are printed; what is not a terminal has room for all columns."""
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() or "COLUMNS" in os.environ else WIDE
    return Console(stderr=stderr, width=width)


def print_json(content: Any) -> None:
    """Print plain data for other programs."""
    sys.stdout.write(json.dumps(content, indent=1, allow_nan=False) + "\n")


def write_text(path: Path, text: str) -> None:
    """Write a file.

    Raises:
        BenchmarkError: If it cannot be written.
    """
    try:
        path.write_text(text)
    except OSError as problem:
        raise BenchmarkError(f"{path}: {problem.strerror}", "name a file that can be written") from None


def try_output(path: Path) -> Path:
    """Find out, before anything expensive starts, whether a file can be written at its end; gives the path.

    Its folder is made. A file that is there stays as it is.

    Raises:
        BenchmarkError: If it cannot be written.
    """
    if path.is_dir():
        raise BenchmarkError(f"{path}: is a folder", "name a file")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}."):
            pass
        if path.exists():
            with path.open("ab"):
                pass
    except OSError as problem:
        raise BenchmarkError(f"{path}: {problem.strerror}", "name a file that can be written") from None
    return path
