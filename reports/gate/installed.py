"""Another commit's or version's code, installed in an environment of its own beside this one."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tarfile
import tempfile
import venv
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from hemobench.errors import BenchmarkError

HINT = "give a commit, tag or branch of the repository that you are in, or a requirement such as optuna==4.5.0"
BORROWED = "_borrowed.pth"
"""Names this environment's packages to the other one, behind its own."""
REQUIREMENT = "=<>@~/"
"""What is in a requirement or a path, and in no plain name of a commit."""


@dataclass(frozen=True, slots=True)
class Other:
    """An environment with other code.

    Attributes:
        python: Its interpreter.
        folder: Where it lies, with room for files of one's own.
        shown: What is installed there, for people.
    """

    python: Path
    folder: Path
    shown: str

    def hemobench(self, *arguments: str) -> None:
        """Give a command there.

        Raises:
            BenchmarkError: In its own words, if it fails.
        """
        done = _run([str(self.python), "-P", "-m", "hemobench", *arguments], self.folder)
        if done.returncode:
            said = done.stderr.rpartition("hemobench: ")[2].strip() or done.stdout.strip()
            raise BenchmarkError(f"{self.shown}: {said[-600:]}", "what is held against must run by itself")


@contextmanager
def installed(ref: str) -> Iterator[Other]:
    """An environment where one thing differs: what is named is installed there, all else is this environment's.

    Args:
        ref: A commit, tag or branch of the repository in whose folder this process is, whose package is installed; or
            a requirement as `pip install` takes it.

    Raises:
        BenchmarkError: If it is neither, or cannot be installed.
    """
    with tempfile.TemporaryDirectory(prefix="hemobench-against-") as name:
        folder = Path(name)
        commit = _commit(ref)
        if commit is None and not set(ref) & set(REQUIREMENT):
            raise BenchmarkError(f"--against {ref}: no commit of a repository here, and no requirement", HINT)
        python = _environment(folder / "env")
        what = str(_checked_out(commit, folder / "source")) if commit else ref
        _install(python, what, ref)
        yield Other(python, folder, f"commit {commit[:12]}" if commit else ref)


def _commit(ref: str) -> str | None:
    """The commit that a name means in the repository of this folder; `None` where there is none."""
    done = _run(["git", "rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}"])
    return done.stdout.strip() or None


def _checked_out(commit: str, folder: Path) -> Path:
    """A commit's files, without touching the repository's own."""
    root = _run(["git", "rev-parse", "--show-toplevel"]).stdout.strip()
    packed = subprocess.run(["git", "-C", root, "archive", commit], capture_output=True, check=True).stdout
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        archive.extractall(folder, filter="data")
    return folder


def _environment(folder: Path) -> Path:
    """A new environment that sees this one's packages behind its own; its interpreter."""
    venv.EnvBuilder(symlinks=os.name != "nt").create(folder)
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    own = _run([str(python), "-I", "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]).stdout.strip()
    places = [path for path in sys.path if Path(path).name in ("site-packages", "dist-packages")]
    lines = [f"import site; site.addsitedir({path!r})" for path in places]
    (Path(own) / BORROWED).write_text("\n".join(lines) + "\n")
    return python


def _install(python: Path, what: str, ref: str) -> None:
    """Install with the build tools that are here; if that fails, as pip does by itself."""
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    if _run([*pip, "--no-build-isolation", what]).returncode == 0:
        return
    done = _run([*pip, what])
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["pip failed"]
        raise BenchmarkError(f"--against {ref}: {lines[-1][-300:]}", HINT)


def _run(command: Sequence[str], folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run without what this process has on its path beside its packages."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    try:
        return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    except OSError as problem:  # no git
        return subprocess.CompletedProcess(list(command), 1, "", str(problem))
