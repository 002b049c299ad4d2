"""A whole parity check: run what is not there yet, in every source, and conclude.

setup = parity_setup("c-nmc@recorded")
result = check(setup, Extent(strategies=able(setup.task)), Path("parity.runs"))
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hemobench.benchmarks.benchmark import load_benchmark
from hemobench.benchmarks.parity.foresight import tried
from hemobench.benchmarks.parity.retraining import Retrained, by_worth, candidates, incumbents_of, retrained
from hemobench.benchmarks.parity.searches import OnProgress, Searches, search, search_budget
from hemobench.benchmarks.parity.setup import LIVE, MEMBER, POOL, SURROGATE, TABLE, ParitySetup, checksum, trainer
from hemobench.benchmarks.parity.setup import check as checked
from hemobench.benchmarks.recorded import artefacts
from hemobench.benchmarks.tables.schema import Table
from hemobench.errors import BenchmarkError
from hemobench.reports.parity.calibration import Retraining, calibration
from hemobench.reports.parity.foresight import foreseen
from hemobench.reports.parity.rankings import Parity, compare_sources
from hemobench.reports.parity.text import notes

Phases = Callable[[str], OnProgress]
"""Called with what is done next (as in `searches`), gives what is called with how many are done, and of how many."""


@dataclass(frozen=True, slots=True)
class Extent:
    """How much is run.

    Attributes:
        strategies: Labels; see `searches.able`.
        seeds: Searches of each strategy on the table, the pool and the surrogate.
        member_seeds: Searches of each strategy on each single member of the ensemble; 0 is none.
        live_seeds: Live searches of each strategy, if something trains for real; 0 is none.
        live_trials: Trials of a live search.
        incumbents: Of each strategy, trained again live.
        controls: Random configurations trained beside them.
        repeats: Trainings of each of these.
        live_repeats: Trainings of what each live search ends with.
        gpu_hours: Budget of a search; `None` is what about 25 trials cost.
    """

    strategies: tuple[str, ...]
    seeds: int = 10
    member_seeds: int = 5
    live_seeds: int = 3
    live_trials: int = 6
    incumbents: int = 2
    controls: int = 10
    repeats: int = 3
    live_repeats: int = 3
    gpu_hours: float | None = None


def parity_setup(benchmark: str, table: Path | None = None, surrogate: Path | None = None) -> ParitySetup:
    """A benchmark with the files that are compared: those given, or those that come with it.

    Args:
        benchmark: As in `c-nmc@recorded`, or `c-nmc@surrogate` with files.
        table: The recorded table.
        surrogate: The surrogate fitted to it.

    Raises:
        BenchmarkError: If there are none.
    """
    task = load_benchmark(benchmark).task.name
    if table is not None and surrogate is not None:
        return ParitySetup(benchmark, str(table), str(surrogate))
    if table is not None or surrogate is not None or not benchmark.endswith("@recorded"):
        hint = "give --table FILE and --surrogate FILE"
        raise BenchmarkError(f"{benchmark}: a table and the surrogate fitted to it are compared", hint)
    own = artefacts(task)
    return ParitySetup(benchmark, str(own.table), str(own.surrogate))


def with_truth(
    setup: ParitySetup, against: str = "", data: Path | None = None, settings: Mapping[str, Any] | None = None
) -> ParitySetup:
    """The same with what trains for real.

    Args:
        setup: Without.
        against: The benchmark that stands for the truth; by default the task's `@live`, if there are images.
        data: Folder of images.
        settings: Of that benchmark.

    Returns:
        The setup as it was if neither a benchmark nor images are given.

    Raises:
        BenchmarkError: If it is of another task, or has no images to train on.
    """
    if not against and data is None:
        if settings:
            raise BenchmarkError("--option without --data", "give the folder of images with --data DIR")
        return setup
    truth = load_benchmark(against or f"{setup.task.name}@live")
    if truth.task.name != setup.task.name:
        raise BenchmarkError(f"--against {truth.name} is of another task", f"name one of {setup.task.name}")
    if truth.live and (data is None or not data.is_dir()):
        raise BenchmarkError(f"{data or truth.name}: no folder of images", "give it with --data DIR")
    images = {"data": str(data)} if truth.live else {}
    table, _ = checked(setup)
    return replace(setup, live=trainer(table, truth.name, {**(settings or {}), **images}))


def check(
    setup: ParitySetup,
    extent: Extent,
    folder: Path,
    *,
    jobs: int | None = None,
    on_progress: Phases = lambda what: lambda done, of: None,
) -> Parity:
    """Run what is not there yet, and conclude.

    Args:
        setup: As from `parity_setup`, perhaps `with_truth`.
        extent: How much is run.
        folder: Keeps every search and training, so that the same call resumes an interrupted one.
        jobs: Processes; by default one a core, and one a GPU where training is live.
        on_progress: See `Phases`.

    Raises:
        BenchmarkError: If the files do not belong together, or a search raises.
    """
    table, fitted = checked(setup)
    members = fitted.members if extent.member_seeds else 0
    count = jobs or os.cpu_count() or 1
    wanted = dict.fromkeys((TABLE, POOL, SURROGATE), extent.seeds)
    wanted |= {f"{MEMBER}{member}": extent.member_seeds for member in range(members)}
    budget = search_budget(table, extent.gpu_hours)
    cached = search(setup, budget, extent.strategies, wanted, folder, jobs=count, on_progress=on_progress("searches"))
    if setup.live is None:
        return _concluded(setup, table, cached)
    count = jobs or _devices(setup.live.benchmark)
    chosen = candidates(cached, setup.task, extent.incumbents, extent.controls)
    trainings = retrained(setup, chosen, extent.repeats, folder, jobs=count, on_progress=on_progress("live trainings"))
    live = worth = None
    trials: list[Retrained] = []
    if extent.live_seeds:
        short = search_budget(table, None, extent.live_trials)
        wanted = dict.fromkeys((LIVE, TABLE, SURROGATE), extent.live_seeds)
        live = search(
            setup, short, extent.strategies, wanted, folder, jobs=count, on_progress=on_progress("live searches")
        )
        chosen = incumbents_of(live, LIVE)
        again = retrained(
            setup,
            chosen,
            extent.live_repeats,
            folder,
            jobs=count,
            on_progress=on_progress("live incumbents, trained again"),
        )
        worth = by_worth(live, again)
        trials = tried(setup, short, extent.strategies, extent.live_seeds, folder)
    found = _concluded(setup, table, cached, live, calibration(trainings), worth, trials)
    return replace(found, live_repeats=extent.live_repeats)


def _devices(benchmark: str) -> int:
    """How many trainings go on side by side: one a GPU where there are any."""
    if not load_benchmark(benchmark).live:
        return os.cpu_count() or 1
    try:
        from hemobench.benchmarks.training.hardware import devices
    except ImportError as problem:
        raise BenchmarkError(f"training needs torch: {problem}", "pip install 'hemobench[train]'") from None
    return int(devices.count())


def _concluded(
    setup: ParitySetup,
    table: Table,
    cached: Searches,
    live: Searches | None = None,
    retraining: Retraining | None = None,
    worth: Searches | None = None,
    trials: Sequence[Retrained] = (),
) -> Parity:
    return Parity(
        benchmark=setup.benchmark,
        version=load_benchmark(setup.benchmark).version,
        table=checksum(Path(setup.table)),
        surrogate=checksum(Path(setup.surrogate)),
        recorded=dict(table.header.source),
        cached=compare_sources(cached),
        live=compare_sources(live) if live else None,
        worth=compare_sources(worth) if worth else None,
        retraining=retraining,
        foreseen=foreseen(trials),
        notes=notes(table, cached, live, retraining),
    )
