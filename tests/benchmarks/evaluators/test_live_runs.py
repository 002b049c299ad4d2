"""Live runs on disk: where half-trained trials lie meanwhile, what a kill leaves of them, and what is told."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip("torch")

from hemobench.benchmarks.execution.execute import CHECKPOINTS, execute
from hemobench.benchmarks.execution.plan import plans
from hemobench.benchmarks.execution.progress import Step, listening
from hemobench.benchmarks.storage.load import load_results
from hemobench.benchmarks.suite import load_suite

SUITE = """seeds = 1
strategies = [{ name = "asha", settings = { min_epochs = 1 } }]
[[benchmarks]]
name = "cells@live"
gpu_hours = [1.0]
max_trials = 7
horizon = 7
settings = { data = "DATA", cache = "CACHE", image_size = 64, images = 20, folds = 3, weights = "none", threads = 1 }
"""


@pytest.fixture
def suite(three_classes: Path, cache_of_cells: Path, tmp_path: Path) -> Path:
    path = tmp_path / "asha.toml"
    path.write_text(SUITE.replace("DATA", str(three_classes)).replace("CACHE", str(cache_of_cells)))
    return path


def test_a_killed_run_resumes_from_its_checkpoints_and_leaves_none(suite: Path, tmp_path: Path) -> None:
    (plan,) = plans(load_suite(str(suite)))
    folder = plan.folder(tmp_path / "out")
    kept = folder / CHECKPOINTS
    command = [sys.executable, "-m", "hemobench", "run", str(suite), "--out", str(tmp_path / "out"), "--jobs", "1"]
    process = subprocess.Popen(command, env=dict(os.environ), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    journal, until = folder / "trials.jsonl", time.monotonic() + 200
    try:
        while time.monotonic() < until and not (journal.exists() and journal.read_bytes().count(b"\n") >= 3):
            assert process.poll() is None, "it ended before it could be killed"
            time.sleep(0.02)
    finally:
        process.kill()
        process.wait()
    whole = journal.read_bytes().rpartition(b"\n")[0]
    assert list(kept.glob("*.pt"))
    steps: list[Step] = []
    with listening(steps.append):
        done = execute(plan, tmp_path / "out", "asha")
    assert done.end is not None
    assert journal.read_bytes().startswith(whole)
    assert not kept.exists()
    trials = load_results(tmp_path / "out").trials
    resumed = trials[trials["resume_from"].notna()]
    assert len(resumed)
    assert (resumed["measured.repeated_s"] == 0).all()  # every state was there when it was wanted
    told = [step for step in steps if step.what == "trials"]
    assert told[-1].done == 7
    assert told[-1].share == 1.0
    assert "of 1 GPU-hours" in told[-1].note
    assert any(step.what == "epochs" and step.of for step in steps)
    assert [step.note for step in steps if step.what == "run"][-1] == ""
