"""Training for real on Dask workers, two trials at once, one of which loses its worker."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import threading
import time
from pathlib import Path

import pytest

from hemobench.benchmarks.execution.dask_cluster import cluster, over_cluster
from hemobench.benchmarks.execution.plan import plans
from hemobench.benchmarks.storage.run_folder import RUN, TRIALS, find_runs, read_end, read_header, read_trials
from hemobench.benchmarks.suite import Suite

pytest.importorskip("torch")
pytest.importorskip("timm")

TRIALS_EACH = 4


@pytest.fixture(scope="module")
def cells(tmp_path_factory):
    from hemobench.datasets.synthetic import synthesize

    folder = tmp_path_factory.mktemp("cells")
    synthesize("c-nmc", folder, images=60, seed=0, size=48)
    return folder


def chosen(cells) -> Suite:
    small = {"image_size": 64, "weights": "none", "backbone": "efficientnet_lite0"}
    settings = {"data": str(cells), "cache": str(cells / "cache"), **small}
    entry = {"name": "c-nmc@live", "gpu_hours": [0.5], "max_trials": TRIALS_EACH, "horizon": 4, "settings": settings}
    return Suite.model_validate({"seeds": 1, "workers": [2], "strategies": ["random"], "benchmarks": [entry]})


def kill_one(before: set[int], cache: Path) -> None:
    """Kill a Dask worker when the first features are there: both are at their first trials still."""
    until = time.monotonic() + 200
    while not list(cache.rglob("features-*.npy")) and time.monotonic() < until:
        time.sleep(0.01)
    workers = [process for process in multiprocessing.active_children() if process.pid in before]
    os.kill(random.choice(workers).pid, signal.SIGKILL)


def test_two_trials_at_once_and_a_dead_worker(tmp_path, cells):
    with cluster("local", 2) as client:
        before = {process.pid for process in multiprocessing.active_children()}
        killer = threading.Thread(target=kill_one, args=(before, cells / "cache"))
        killer.start()
        (done,) = over_cluster(plans(chosen(cells)), tmp_path, "test", client)
        killer.join()
    assert done.failure is None
    (folder,) = find_runs(tmp_path)
    records, end = read_trials(folder / TRIALS), read_end(folder)
    assert sorted(record.number for record in records) == list(range(TRIALS_EACH))
    assert {str(record.status) for record in records} == {"ok"}
    assert sum(round(seconds * 1e6) for seconds in end.ledger.values()) == 1800 * 10**6
    charged = sum(round(record.cost.gpu_seconds * 1e6) for record in records)
    assert round((end.ledger["train"] + end.ledger["evaluation"]) * 1e6) == charged  # the lost work is nobody's
    assert read_header(folder / RUN)["source"]["source"] == "live"
