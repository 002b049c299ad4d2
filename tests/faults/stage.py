"""Where a scenario is played: a folder, the undisturbed results to compare with, and the command as a user gives it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import zlib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from faults.scenarios import Ground, Scenario

from hemobench.benchmarks.storage.run_folder import END, RUN, TRIALS

INJECTED = Path(__file__).parent / "injected"
PATIENCE = 240.0
ENOUGH = 4
"""How often the same command is given before a scenario counts as failed."""


class Failure(Exception):
    """A promise that was not kept."""


class Skip(Exception):
    """An injury that cannot be made on this machine; never counted as passed."""


def require(condition: bool, said: str) -> None:
    """Raise a `Failure` unless the condition holds."""
    if not condition:
        raise Failure(said)


@dataclass(frozen=True, slots=True)
class Ended:
    """A command that is over.

    Attributes:
        code: Its exit code; negative for a signal.
        errors: What it said on stderr.
    """

    code: int
    errors: str


class Command:
    """`hemobench run`, started in a session of its own."""

    def __init__(
        self, folder: Path, jobs: int, fault: Mapping[str, Any] | None = None, options: Sequence[str] = ()
    ) -> None:
        self.errors = folder / f"stderr-{time.monotonic_ns()}"
        arguments = [
            sys.executable,
            "-m",
            "hemobench",
            "run",
            "suite.toml",
            "--out",
            "out",
            "--jobs",
            str(jobs),
            *options,
        ]
        with self.errors.open("wb") as errors:
            self.process = subprocess.Popen(
                arguments,
                cwd=folder,
                stdout=subprocess.DEVNULL,
                stderr=errors,
                start_new_session=True,
                env=_environment(fault),
                preexec_fn=_as_from_a_terminal,
            )

    def ended(self) -> Ended:
        """Wait for it."""
        try:
            code = self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.signal_all(signal.SIGKILL)
            self.process.wait()
            raise Failure(f"the command did not end within {PATIENCE:g} s") from None
        return Ended(code, self.errors.read_text(errors="replace"))

    @property
    def running(self) -> bool:
        return self.process.poll() is None

    def signal_all(self, number: int) -> None:
        """Send a signal to the command and all of its processes."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)

    def workers(self) -> list[int]:
        """Its worker processes.

        Raises:
            Skip: Where /proc does not tell.
        """
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        if not Path("/proc/self").exists():
            raise Skip("no /proc to find worker processes in")
        try:
            found = [int(pid) for pid in children.read_text().split()]
            return [pid for pid in found if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()]
        except OSError:
            return []

    def orphans(self, patience: float = 8.0) -> bool:
        """Whether processes of a command that is over are still there after some patience."""
        until = time.monotonic() + patience
        while time.monotonic() < until:
            try:
                os.killpg(self.process.pid, 0)
            except (ProcessLookupError, PermissionError):
                return False
            time.sleep(0.05)
        return True


def _as_from_a_terminal() -> None:
    """Heed Ctrl-C: in the background of a shell it is ignored, and a child would inherit that."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _environment(fault: Mapping[str, Any] | None) -> dict[str, str]:
    """One thread; with a fault, the folder that makes it first on the path of every process."""
    found = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "COLUMNS": "120"}
    if fault:
        path = os.environ.get("PYTHONPATH")
        found |= {"FAULT": json.dumps(fault), "PYTHONPATH": os.pathsep.join(filter(None, [str(INJECTED), path]))}
    return found


@dataclass(slots=True)
class Stage:
    """One scenario's folder.

    Attributes:
        scenario: What is played.
        folder: Holds `suite.toml`, `out/` and what the commands said.
        undisturbed: The same suite's results, left in peace.
        shares: How much of the suite was done at each injury, as a fraction of its trials.
        damaged: Run folders that the injury itself changed; of the others nothing may be lost.
        commands: All that were started.
    note: What should be known of a scenario though it passed.
    """

    scenario: Scenario
    folder: Path
    undisturbed: Path
    shares: list[float] = field(default_factory=list)
    damaged: set[Path] = field(default_factory=set)
    commands: list[Command] = field(default_factory=list)
    note: str = ""

    @property
    def out(self) -> Path:
        """The results."""
        return self.folder / "out"

    def start(self, fault: Mapping[str, Any] | None = None, options: Sequence[str] = ()) -> Command:
        """Give the command, with further options."""
        command = Command(self.folder, self.scenario.jobs, fault, options)
        self.commands.append(command)
        return command

    def run(self, fault: Mapping[str, Any] | None = None, options: Sequence[str] = ()) -> Ended:
        """Give the command, with further options, and wait for it."""
        return self.start(fault, options).ended()

    def await_moment(self, command: Command, moment: float) -> bool:
        """Wait until that part of the suite is written.

        Returns:
            Whether the command is still at work.
        """
        files = [self.out / folder / TRIALS for folder in runs(self.undisturbed)]
        wanted = moment * written(self.undisturbed / folder / TRIALS for folder in runs(self.undisturbed))
        until = time.monotonic() + PATIENCE
        while command.running and time.monotonic() < until:
            if written(files) >= wanted:
                return True
            time.sleep(0.001)
        return False

    def note_share(self) -> None:
        """Note how much of the suite is done."""
        self.shares.append(lines(self.out) / max(1, lines(self.undisturbed)))

    def expect(self, ended: Ended, codes: Sequence[int], says: str = "") -> None:
        """Hold a command to how it may end: no traceback, and with exit code 2 one clear message."""
        where = f"exit code {ended.code}: …{ended.errors[-600:]}"
        require(ended.code in codes, where)
        if ended.code in (0, 2):
            require("Traceback" not in ended.errors, f"a traceback: {where}")
        if ended.code == 2:
            last = ended.errors.rpartition("hemobench: ")[2]
            require("hemobench: " in ended.errors and "\n  -> " in last, f"no message with a hint: {where}")
            require(says in last, f"the message does not say '{says}': {where}")

    def finish(self) -> None:
        """Give the same command until it ends well."""
        before = self.whole_lines()
        for _ in range(ENOUGH):
            ended = self.run()
            if ended.code == 0:
                break
            self.expect(ended, (0, 2))
        require(ended.code == 0, f"not done after {ENOUGH} times: {ended.code}: …{ended.errors[-600:]}")
        self.require_kept(before)

    def whole_lines(self) -> dict[Path, bytes]:
        """What is on disk of every run: the part of its trials that ends in a newline."""
        found = {}
        for folder in runs(self.out):
            content = _bytes(self.out / folder / TRIALS)
            found[folder] = content[: content.rfind(b"\n") + 1]
        return found

    def require_kept(self, before: Mapping[Path, bytes]) -> None:
        """Nothing that was there is lost or done again."""
        for folder, content in before.items():
            if folder not in self.damaged:
                now = _bytes(self.out / folder / TRIALS)
                require(now.startswith(content), f"{folder}: trials that were there are lost or were run again")

    def close(self) -> None:
        """End what is left of the commands."""
        for command in self.commands:
            command.signal_all(signal.SIGKILL)
            command.process.wait()


def runs(root: Path) -> list[Path]:
    """Run folders with a trials file, relative to the root; damaged ones too."""
    return sorted(path.parent.relative_to(root) for path in root.rglob(TRIALS))


def unmeasured(folder: Path) -> list[dict[str, Any]]:
    """A run's trials without what may differ between two equal runs, read without the code that wrote them."""
    trials = [json.loads(line) for line in (folder / TRIALS).read_text().splitlines()]
    return [{name: value for name, value in trial.items() if name != "measured"} for trial in trials]


def written(files: Any) -> int:
    """Bytes in files, of those that are there."""
    total = 0
    for file in files:
        try:
            total += os.stat(file).st_size
        except OSError:
            continue
    return total


def lines(root: Path) -> int:
    """Whole trials under a folder."""
    return sum(_bytes(root / folder / TRIALS).count(b"\n") for folder in runs(root))


def _bytes(path: Path) -> bytes:
    return path.read_bytes() if path.exists() else b""


def cut_short(stage: Stage) -> list[Path]:
    """The undisturbed results, as a kill at the scenario's moment would have left them.

    Returns:
        The runs that are on their way: as many as there are jobs, with some of their trials and no end.
    """
    rng = stage.scenario.rng
    shutil.copytree(stage.undisturbed, stage.out)
    order = [runs(stage.out)[i] for i in rng.permutation(len(runs(stage.out)))]
    done = min(int(stage.scenario.moments[0] * len(order)), len(order) - stage.scenario.jobs)
    halves, absent = order[done : done + stage.scenario.jobs], order[done + stage.scenario.jobs :]
    for folder in absent:
        shutil.rmtree(stage.out / folder)
    for folder in halves:
        path = stage.out / folder
        (path / END).unlink()
        trials = path.joinpath(TRIALS).read_bytes().splitlines(keepends=True)
        path.joinpath(TRIALS).write_bytes(b"".join(trials[: rng.integers(2, len(trials))]))
    stage.note_share()
    return halves


def undisturbed(ground: Ground, folder: Path) -> Path:
    """The results of a suite that nothing befalls, computed once in a folder that is kept.

    Raises:
        Failure: If the suite does not even end well by itself.
    """
    place = folder / f"ground-{zlib.crc32(ground.toml.encode()):08x}"
    if not (place / "out").exists():
        place.mkdir(parents=True, exist_ok=True)
        (place / "suite.toml").write_text(ground.toml)
        ended = Command(place, 2).ended()
        require(ended.code == 0, f"the undisturbed suite ended with {ended.code}: {ended.errors[-2000:]}")
    require(all((place / "out" / run / RUN).exists() for run in runs(place / "out")), "undisturbed runs are broken")
    return place / "out"
