"""Processes that are killed, interrupted, or started twice."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Sequence
from contextlib import suppress
from importlib.util import find_spec

from faults.stage import Command, Skip, Stage, require

from hemobench.benchmarks.storage.run_folder import TRIALS

INTERRUPTED = 130


def killed(stage: Stage) -> None:
    """The coordinator is killed, as by the kernel."""
    _signalled(stage, signal.SIGKILL, (0, -signal.SIGKILL))


def terminated(stage: Stage) -> None:
    """The coordinator is asked to end, as by a batch system."""
    _signalled(stage, signal.SIGTERM, (0, -signal.SIGTERM, 128 + signal.SIGTERM))


def interrupted(stage: Stage) -> None:
    """The coordinator alone gets Ctrl-C."""
    command = _signalled(stage, signal.SIGINT, (0, INTERRUPTED))
    said = command.errors.read_text()
    require("Traceback" not in said, f"a traceback: …{said[-600:]}")


def interrupted_together(stage: Stage) -> None:
    """Coordinator and workers get Ctrl-C, as from a terminal."""
    command = _signalled(stage, signal.SIGINT, (0, INTERRUPTED), together=True)
    said = command.errors.read_text()
    require("Traceback" not in said, f"a traceback: …{said[-600:]}")


def killed_worker(stage: Stage) -> None:
    """One worker process is killed, as by the kernel when memory is short; the command goes on by itself."""
    _worker_killed(stage, ())


def killed_dask_worker(stage: Stage) -> None:
    """The same over a cluster of this machine."""
    if find_spec("distributed") is None:
        raise Skip("no distributed")
    _worker_killed(stage, ("--dask", "local"))


def _worker_killed(stage: Stage, options: Sequence[str]) -> None:
    command = stage.start(options=options)
    at_work = stage.await_moment(command, stage.scenario.moments[0])
    stage.note_share()
    workers = command.workers() if at_work else []
    if workers:
        with suppress(ProcessLookupError):
            os.kill(workers[int(stage.scenario.rng.integers(len(workers)))], signal.SIGKILL)
    stage.expect(command.ended(), (0,))


def killed_often(stage: Stage) -> None:
    """Several of these, one after the other, each into what the one before left."""
    for moment in stage.scenario.moments:
        number = stage.scenario.rng.choice([signal.SIGKILL, signal.SIGKILL, signal.SIGTERM])
        before = stage.whole_lines()
        command = stage.start()
        stage.await_moment(command, moment)
        command.process.send_signal(int(number))
        stage.expect(command.ended(), (0, -int(number), 128 + int(number)))
        stage.note_share()
        stage.require_kept(before)


def two_at_once(stage: Stage) -> None:
    """Two commands on one folder: each run is done once, and who comes second waits or is refused."""
    first = stage.start()
    time.sleep(float(stage.scenario.rng.uniform(0, 1.5)))
    second = stage.start()
    both = [first.ended(), second.ended()]
    stage.note_share()
    for ended in both:
        stage.expect(ended, (0, 2), "another process")
    require(any(ended.code == 0 for ended in both), "both were refused")


def second_refused(stage: Stage) -> None:
    """A command stands still with its runs half done: a second one is refused, and the first then ends well."""
    first = stage.start()
    at_work = stage.await_moment(first, stage.scenario.moments[0])
    first.signal_all(signal.SIGSTOP)
    stage.note_share()
    held = at_work and _holds_a_run(stage)
    second = stage.start()
    ended = second.ended()
    first.signal_all(signal.SIGCONT)
    stage.expect(ended, (2,) if held else (0, 2), "another process")
    stage.expect(first.ended(), (0, 2), "another process")


def _holds_a_run(stage: Stage) -> bool:
    """Whether a stopped command has a run open: one of its locks is refused to us."""
    import fcntl

    for path in stage.out.rglob(TRIALS):
        with path.open("ab") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
    return False


def _signalled(stage: Stage, number: int, codes: tuple[int, ...], *, together: bool = False) -> Command:
    command = stage.start()
    stage.await_moment(command, stage.scenario.moments[0])
    if together:
        command.signal_all(number)
    else:
        command.process.send_signal(number)
    stage.expect(command.ended(), codes)
    stage.note_share()
    return command
