"""Faults inside the command's processes: a clock that jumps, memory that runs out."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
from faults.checks import ledger_adds_up
from faults.stage import Skip, Stage, require, runs, unmeasured

LIVE = """
seeds = 2
strategies = ["random"]

[[benchmarks]]
name = "c-nmc@live"
gpu_hours = [1.0]
max_trials = 5
horizon = 5
settings = { data = "cells", cache = "cache", image_size = 64, epochs = 1, weights = "none", device = "cpu" }
"""
OUT_OF_MEMORY = "out-of-memory"


def clock(stage: Stage) -> None:
    """The wall clock jumps back and forth, and the command is killed under it now and then."""
    fault = {"clock": int(stage.scenario.rng.integers(2**31))}
    if stage.scenario.rng.random() < 0.5:
        command = stage.start(fault)
        stage.await_moment(command, stage.scenario.moments[0])
        command.process.kill()
        stage.expect(command.ended(), (0, -9))
        stage.note_share()
    stage.expect(stage.run(fault), (0,))


def memory_error(stage: Stage) -> None:
    """A process has no memory left in the middle of a run: that is said, the other runs go on, and so does this."""
    nth = int(stage.scenario.rng.integers(1, 40))
    once = stage.folder / "once"
    ended = stage.run({"memory": nth, "once": str(once)})
    stage.note_share()
    stage.expect(ended, (1,) if once.exists() else (0,))
    require(ended.code == 0 or "can be gone on with" in ended.errors, f"not said: {ended.errors[-600:]}")


def out_of_memory_in_training(stage: Stage) -> None:
    """Real trainings, some of which ask for more memory than there is: a status with a charge, and the run goes on."""
    try:
        import torch  # noqa: F401
    except ImportError:
        raise Skip("no torch") from None
    which = sorted(int(n) for n in stage.scenario.rng.choice(9, 3, replace=False))
    cells(stage.folder / "cells")
    (stage.folder / "suite.toml").write_text(LIVE)
    stage.expect(stage.run({"training": which}, ("--jobs", "1")), (0,))  # one process, so that trainings are counted
    statuses = []
    for folder in runs(stage.out):
        ledger_adds_up(stage.out / folder)
        ledger = json.loads((stage.out / folder / "end.json").read_text())["ledger"]
        trials = unmeasured(stage.out / folder)
        require(len(trials) == 5, f"{folder}: {len(trials)} trials instead of 5")
        failed = [trial for trial in trials if trial["status"] == OUT_OF_MEMORY]
        require(all(trial["cost"]["gpu_seconds"] > 0 and trial["error"] for trial in failed), "no charge, or no reason")
        require((ledger["failed"] > 0) == bool(failed), f"failed is {ledger['failed']}")
        statuses += [trial["status"] for trial in trials]
    require(statuses.count(OUT_OF_MEMORY) == len(which), f"{len(which)} ran out of memory, recorded: {statuses}")
    require(statuses.count("ok") == len(statuses) - len(which), f"others failed too: {statuses}")
    shutil.rmtree(stage.folder / "cache", ignore_errors=True)


def cells(root: Path) -> None:
    """C-NMC's layout: three folds of 6 leukaemic and 4 normal cells, 64 pixels wide."""
    from PIL import Image

    rng = np.random.default_rng(0)
    for fold in range(3):
        for kind, name, count in (("all", "UID_{}", 6), ("hem", "UID_H{}", 4)):
            folder = root / "training_data" / f"fold_{fold}" / kind
            folder.mkdir(parents=True)
            for i in range(count):
                pixels = rng.integers(0, 256, (64, 64, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(folder / f"{name.format(30 + fold)}_{i}_1_{kind}.png")
