"""Fifty live trials in one process hold no more memory than ten: heads on shared features, and a fine-tuned network."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from statistics import median

import pytest

torch = pytest.importorskip("torch")

from hemobench.benchmarks.evaluators.live import live  # noqa: E402
from hemobench.benchmarks.tasks import load_task  # noqa: E402
from hemobench.datasets.synthetic import synthesize  # noqa: E402
from hemobench.strategies.base import Proposal, Status  # noqa: E402
from hemobench.strategies.space import active, default, random_stream  # noqa: E402

TRIALS, SETTLED, WINDOW = 50, 10, 8
MOST_GROWTH = 8.0
"""MiB from the trials after the tenth to the last ones, of the process; measured were 0.0 and 0.9."""
MOST_TENSORS = 0.5
"""The same of tensors that Python still holds: forty heads would be 90 MiB, forty of the small networks 2."""
SIZES = {
    "c-nmc": ("batch_size", "hidden_size"),
    "bone-marrow-micro": ("batch_size", "densenet_depth"),
}
"""Hyperparameters that decide how much a training needs; they stay, so that what is seen is what is left behind."""
SETTINGS = {
    "c-nmc": {"image_size": 64, "weights": "none", "backbone": "efficientnet_lite0"},
    "bone-marrow-micro": {"image_size": 64, "folds": 3, "fold": 0},
}


def resident() -> float:
    """MiB of this process in memory."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 2**20


def tensors() -> float:
    """MiB of all tensors that are alive and new."""
    alive = [each for each in gc.get_objects() if isinstance(each, torch.Tensor)]
    return sum(each.nbytes for each in alive) / 2**20


@contextmanager
def only_what_is_new() -> Iterator[None]:
    """The collector need not look, a hundred times, at the million objects that were there before."""
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="resident memory is read as Linux tells it")
@pytest.mark.parametrize("name", SETTINGS)
def test_memory_does_not_grow_with_trials(name, tmp_path):
    task = load_task(name)
    synthesize(task.dataset, tmp_path / "cells", images=40, size=48, seed=0)
    evaluator = live(task, tmp_path / "cells", epochs=1, device="cpu", cache=tmp_path / "cache", **SETTINGS[name])
    space = task.space()
    fixed = {hp: value for hp, value in default(space).items() if hp in SIZES[name]}
    held, alive = [], []
    with only_what_is_new():
        for drawn in islice(random_stream(space, 0), TRIALS):
            config = active(space, {**default(space), **drawn, **fixed})
            outcome = evaluator.evaluate(Proposal(config), 0)
            assert outcome.status in (Status.OK, Status.DIVERGED), outcome.error
            held.append(resident())
            alive.append(tensors())
    early, late = (median(part) for part in (held[SETTLED : SETTLED + WINDOW], held[-WINDOW:]))
    print(f"{name}: {early:.1f} MiB after {SETTLED} trials, {late:.1f} after {TRIALS}")  # noqa: T201
    assert late - early < MOST_GROWTH, [round(each, 1) for each in held]
    assert alive[-1] - alive[SETTLED] < MOST_TENSORS, [round(each, 2) for each in alive]
