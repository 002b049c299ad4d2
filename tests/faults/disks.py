"""Disks that are full, files that cannot be written, and files that are not as they were left."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from faults.stage import Skip, Stage, cut_short, require, runs, unmeasured

from hemobench.benchmarks.storage.load import load_results
from hemobench.benchmarks.storage.run_folder import END, RUN, TRIALS
from hemobench.errors import BenchmarkError

PAGE = 4096


def full(stage: Stage) -> None:
    """The results lie on a small disk of their own, which fills up on the way; then it is made larger."""
    pages = sum(-(-path.stat().st_size // PAGE) for path in stage.undisturbed.rglob("*") if path.is_file())
    size = max(4, int(stage.scenario.moments[0] * pages)) * PAGE
    with mounted(stage.out, f"size={size}"):
        ended = stage.run()
        stage.note_share()
        stage.expect(ended, (2,), str(Path("out")))
        require("No space left" in ended.errors, f"another message: {ended.errors[-300:]}")
        _quiet("mount", "-o", "remount,size=64m", str(stage.out))
        stage.finish()
        _keep(stage)


def _keep(stage: Stage) -> None:
    """Copy the results off a disk that goes away."""
    shutil.copytree(stage.out, stage.folder / "kept")


@contextmanager
def mounted(place: Path, options: str) -> Iterator[None]:
    """A file system in memory at a place; what is copied to `kept` takes the place afterwards."""
    place.mkdir()
    if not _quiet("mount", "-t", "tmpfs", "-o", options, "none", str(place)):
        place.rmdir()
        raise Skip("no right to mount a small disk")
    try:
        yield
    finally:
        _quiet("umount", "-l", str(place))
        place.rmdir()
        if (place.parent / "kept").exists():
            (place.parent / "kept").rename(place)


def _quiet(*command: str) -> bool:
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def limited(stage: Stage) -> None:
    """No file may grow beyond a limit, as at the end of a quota: a line is written in part, and the rest refused."""
    sizes = [(stage.undisturbed / folder / TRIALS).stat().st_size for folder in runs(stage.undisturbed)]
    most = int(stage.scenario.rng.integers(PAGE, int(0.9 * max(sizes))))  # less, and no process can be started
    ended = stage.run({"file_limit": most})
    stage.note_share()
    stage.expect(ended, (2,), "File too large")
    for path in stage.out.rglob(TRIALS):
        require(path.read_bytes()[-1:] in (b"", b"\n"), f"{path}: half a line was left there")


def read_only(stage: Stage) -> None:
    """A part of the results cannot be written; they can still be read."""
    halves = cut_short(stage)
    one = stage.out / halves[0]
    place = [stage.out, one, one / TRIALS, one.parent.parent][stage.scenario.rng.integers(4)]
    with _frozen(place):
        try:
            load_results(stage.out)
        except BenchmarkError as problem:
            raise AssertionError(f"what is read-only cannot be read: {problem}") from None
        stage.expect(stage.run(), (2,), str(Path("out")))


@contextmanager
def _frozen(place: Path) -> Iterator[None]:
    """A file or folder with all that is in it, read-only: by its modes, or for root as immutable."""
    root = os.geteuid() == 0
    freeze, thaw = (
        (("chattr", "-R", "+i"), ("chattr", "-R", "-i")) if root else (("chmod", "-R", "a-w"), ("chmod", "-R", "u+w"))
    )
    if not _quiet(*freeze, str(place)):
        raise Skip("root ignores modes, and files cannot be made immutable here")
    try:
        yield
    finally:
        _quiet(*thaw, str(place))


def half_a_line(stage: Stage) -> None:
    """The last trial is cut somewhere, of a run on its way or of one that had ended."""
    rng = stage.scenario.rng
    halves = cut_short(stage)
    folder = halves[0] if rng.random() < 0.5 else _any(rng, runs(stage.out))
    path = stage.out / folder / TRIALS
    last = len(path.read_bytes().splitlines(keepends=True)[-1])
    os.truncate(path, path.stat().st_size - int(rng.integers(1, last)))


def garbage(stage: Stage) -> None:
    """Bytes of nothing after the last trial."""
    rng = stage.scenario.rng
    halves = cut_short(stage)
    stuff = rng.integers(0, 256, rng.integers(1, 400), dtype=np.uint8).tobytes().replace(b"\n", b"?")
    with (stage.out / halves[0] / TRIALS).open("ab") as file:
        file.write(stuff)


UNTOLD = ("curve", "error", "test", "validation")
"""Figures of a trial that nothing else tells, but for the validation metric that the loss is made from."""


def damaged_line(stage: Stage) -> None:
    """Bytes inside whole trials are others: refused with the place, or they did not matter to the search."""
    rng = stage.scenario.rng
    folder = cut_short(stage)[0]
    path = stage.out / folder / TRIALS
    content = bytearray(path.read_bytes())
    for place in rng.integers(0, len(content) - 1, rng.integers(1, 4)):
        content[place] = rng.integers(256)
    path.write_bytes(content)
    _refused_or_harmless(stage, folder)
    if (stage.out / folder).exists() and unmeasured(stage.out / folder) != unmeasured(stage.undisturbed / folder):
        _require_same_search(stage, folder)
        stage.note = "a damaged figure was not noticed"
        shutil.rmtree(stage.out / folder)


def _require_same_search(stage: Stage, folder: Path) -> None:
    """What differs of a run that was not refused is figures that no strategy sees and no ledger counts."""
    here, there = (unmeasured(root / folder) for root in (stage.out, stage.undisturbed))
    for trial in (*here, *there):
        for name in UNTOLD:
            del trial[name]
    require(here == there, f"{folder}: damage changed the search")


def lost_lines(stage: Stage) -> None:
    """Whole trials are gone from a run that had ended: its ledger tells, and replay brings them back."""
    rng = stage.scenario.rng
    cut_short(stage)
    folder = _any(rng, runs(stage.out))
    path = stage.out / folder / TRIALS
    trials = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(trials[: rng.integers(0, len(trials))]))


def doubled_line(stage: Stage) -> None:
    """A whole trial stands there twice, of a run on its way or of one that had ended: refused with the place."""
    rng = stage.scenario.rng
    halves = cut_short(stage)
    folder = halves[0] if rng.random() < 0.5 else _any(rng, runs(stage.out))
    path = stage.out / folder / TRIALS
    trials = path.read_bytes().splitlines(keepends=True)
    which = int(rng.integers(len(trials)))
    path.write_bytes(b"".join([*trials[: which + 1], *trials[which:]]))
    _refused_or_harmless(stage, folder, (2,))


def damaged_header(stage: Stage) -> None:
    """`run.json` is cut, emptied, or not JSON."""
    rng = stage.scenario.rng
    cut_short(stage)
    folder = _any(rng, runs(stage.out))
    _damage(rng, stage.out / folder / RUN)
    _refused_or_harmless(stage, folder)


def damaged_end(stage: Stage) -> None:
    """`end.json` is cut, emptied, or not JSON: replay writes it again, and until then nobody reads it."""
    rng = stage.scenario.rng
    cut_short(stage)
    folder = _any(rng, [folder for folder in runs(stage.out) if (stage.out / folder / END).exists()] or [Path()])
    if folder == Path():
        shutil.copytree(stage.undisturbed, stage.out, dirs_exist_ok=True)
        folder = _any(rng, runs(stage.out))
    _damage(rng, stage.out / folder / END)


def leftovers(stage: Stage) -> None:
    """Files that were half written when a process died, and a run of which nothing but the folder is there."""
    rng = stage.scenario.rng
    halves = cut_short(stage)
    for folder in {halves[0], _any(rng, runs(stage.out))}:
        for name in (RUN, END):
            (stage.out / folder / f"{name}.{rng.integers(2, 99999)}.partial").write_bytes(b'{"sche')
    absent = [folder for folder in runs(stage.undisturbed) if not (stage.out / folder).exists()]
    for folder in absent[:1]:
        (stage.out / folder).mkdir(parents=True)
        (stage.out / folder / TRIALS).touch()


def _damage(rng: np.random.Generator, path: Path) -> None:
    content = path.read_bytes()
    kinds: list[Callable[[], bytes]] = [
        lambda: content[: rng.integers(0, len(content) - 2)],
        lambda: b"",
        lambda: rng.integers(0, 256, 200, dtype=np.uint8).tobytes(),
        lambda: content.replace(b":", b"=", 1),
        lambda: b"null",
    ]
    path.write_bytes(kinds[rng.integers(len(kinds))]())


def _refused_or_harmless(stage: Stage, folder: Path, codes: tuple[int, ...] = (0, 2)) -> None:
    """Refused by a message that names the run, whose folder is then deleted, as the message says."""
    stage.damaged.add(folder)
    ended = stage.run()
    stage.expect(ended, codes, str(folder))
    if ended.code == 2:
        require(re.search(r"delete|give another --out", ended.errors) is not None, f"no hint: {ended.errors[-300:]}")
        shutil.rmtree(stage.out / folder)


def _any(rng: np.random.Generator, found: list[Path]) -> Path:
    return found[int(rng.integers(len(found)))]
