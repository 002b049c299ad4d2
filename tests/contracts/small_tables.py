"""Tables of a few trainings, each given by its figures at full length, and predictions of them that are known."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from hemobench.benchmarks.surrogates.targets import Targets
from hemobench.benchmarks.surrogates.trust.held_out import HeldOut
from hemobench.benchmarks.tables.schema import Header, Row, Table
from hemobench.benchmarks.tasks import load_task
from hemobench.strategies.base import Config, Status
from hemobench.strategies.space import random_stream

EPOCHS = (1, 5, 10)
METRICS = {"c-nmc": ("accuracy",), "bone-marrow": ("macro_f1", "micro_f1")}
"""What the trainings of a task have, in the order of a row's figures."""
FEW_TRAININGS = [
    (0, 0, 0, (0.60, 0.70)),
    (1, 0, 0, (0.50, 0.40)),
    (0, 1, 0, (0.64, 0.72)),
    (2, 0, 0, None),
    (0, 2, 0, (0.68, 0.68)),
    (3, 1, 0, (0.80, 0.82)),
    (3, 0, 0, (0.86, 0.80)),
]
"""Of bone-marrow: three seeds of one configuration, two of another, one of a third; one that failed."""


def configs_of(task: str, count: int) -> list[Config]:
    return list(islice(random_stream(load_task(task).space(), 0), count))


def table_of(task: str, rows: Iterable[tuple[int, int, int, object]], origins: dict[int, str] | None = None) -> Table:
    """Of rows as (configuration's number, seed, fold, figures); figures of `None` are those of a failed training.

    Before full length, trainings had nine tenths, and at first half, of their figures.
    """
    rows = list(rows)
    configs = configs_of(task, 1 + max(number for number, *_ in rows))
    found = []
    for number, seed, fold, figures in rows:
        failed = figures is None
        values = {} if failed else dict(zip(METRICS[task], np.atleast_1d(np.array(figures)).tolist(), strict=True))
        side = {name: (0.5 * value, 0.9 * value, value) for name, value in values.items()}
        found.append(
            Row(
                config=configs[number],
                seed=seed,
                fold=fold,
                origin=(origins or {}).get(number, "sobol"),
                epochs=(5,) if failed else EPOCHS,
                seconds=(50.0 + number,) if failed else (10.0 + number, 50.0 + number, 100.0 + number),
                evaluation_seconds=(5.0,) if failed else (1.0, 5.0, 10.0),
                validation=side or dict.fromkeys(METRICS[task], ()),
                test=side or dict.fromkeys(METRICS[task], ()),
                curve=(),
                status=Status.DIVERGED if failed else Status.OK,
            )
        )
    header = Header(task, f"{task}@live", 1, "synthetic", EPOCHS[-1], "none", "", {}, {}, {})
    return Table(header, tuple(found))


def held_out(
    t: Targets, outputs: NDArray[np.float64] | float | None = None, members: int = 3, seed: int = 0
) -> HeldOut:
    """Predictions out of the blue, or of one value for all outputs everywhere."""
    rng = np.random.default_rng(seed)
    n, shape = len(t.inputs), t.values.shape
    return HeldOut(
        outputs=rng.uniform(0.3, 0.9, shape) if outputs is None else np.broadcast_to(outputs, shape).copy(),
        members=rng.uniform(0.3, 0.9, (members, n, shape[2])),
        seconds=rng.uniform(50, 150, n),
        failure=rng.random(n),
    )
