"""How far work has come: told where it is done, heard where it is shown, be it in another process.

Nobody has to listen: then telling costs next to nothing. What is told is for people, and nothing rests on it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from typing import Literal

What = Literal["run", "trials", "epochs", "features", "images", "fits"]
QUIET_S = 0.25
"""Least seconds between two tellings of one kind; the last of a kind is always told."""


@dataclass(frozen=True, slots=True)
class Step:
    """How far one kind of work has come.

    Attributes:
        what: What is counted; a `run` is begun and not counted.
        done: How many are done.
        of: Of how many; 0 if nobody knows.
        note: For people.
        share: Of the whole of what the process is at, from 0 to 1; `None` if this says nothing about it.
        worker: Number of the process; 0 for the main one.
    """

    what: What
    done: int = 0
    of: int = 0
    note: str = ""
    share: float | None = None
    worker: int = 0


Listener = Callable[[Step], None]
_listener: Listener | None = None
_last: dict[str, float] = {}


def tell(what: What, done: int = 0, of: int = 0, note: str = "", share: float | None = None) -> None:
    """Say how far this process has come; see `Step`."""
    if _listener is None:
        return
    now = time.monotonic()
    always = what == "run" or done == of
    if always or now - _last.get(what, 0.0) >= QUIET_S:
        _last[what] = now
        _listener(Step(what, done, of, note, share))


def counting(what: What) -> Callable[[int, int], None]:
    """What tells of this kind when it is called with how many are done, and of how many."""
    return lambda done, of: tell(what, done, of)


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Hear what this process and the pools that it opens inside tell; from any thread, one call at a time."""
    global _listener
    before, one_at_a_time = _listener, threading.Lock()

    def heard(step: Step) -> None:
        with one_at_a_time:
            listener(step)

    _listener = heard
    _last.clear()
    try:
        yield
    finally:
        _listener = before


def is_heard() -> bool:
    """Whether anybody listens."""
    return _listener is not None


@contextmanager
def heard_from(reader: Connection) -> Iterator[None]:
    """Pass on what worker processes tell through their end of a pipe."""
    if _listener is None:
        yield
        return
    over = threading.Event()
    thread = threading.Thread(target=_pass_on, args=(reader, _listener, over), daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(timeout=2.0)


def _pass_on(reader: Connection, listener: Listener, over: threading.Event) -> None:
    with suppress(EOFError, OSError):
        while True:
            if reader.poll(0.05):
                step = reader.recv()
                with suppress(Exception):  # whatever befalls the screen, the pipe is emptied: else workers stand still
                    listener(step)
            elif over.is_set():
                return


def speak_through(writer: Connection, worker: int) -> None:
    """Let this process tell through a pipe that others write to, too: a step is short enough to be written whole."""
    global _listener

    def sent(step: Step) -> None:
        with suppress(OSError):  # nobody listens any more
            writer.send(replace(step, worker=worker, note=step.note[:200]))

    _listener = sent
