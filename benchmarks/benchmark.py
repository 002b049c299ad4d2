"""A benchmark is a task with a source of answers: `task@source`. Here they are listed, one row each."""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from importlib import import_module
from typing import Any, Protocol

from hemobench.benchmarks.evaluator import Evaluator
from hemobench.benchmarks.tasks import TASKS, load_task, task_names
from hemobench.benchmarks.tasks.base import Task
from hemobench.errors import BenchmarkError
from hemobench.extensions import Extension, declared
from hemobench.strategies.base import Config


class Reference(Protocol):
    """What regret is normalised by: fixed for a version of a benchmark, never the pool of competitors."""

    @property
    def best_loss(self) -> float:
        """The best known loss: normalised regret 0."""

    @property
    def trial_gpu_hours(self) -> float:
        """Mean cost of a uniformly random trial at full length."""

    def random_expected(self, gpu_hours: float) -> float:
        """Expected loss of random search's incumbent at that budget: normalised regret 1."""


@dataclass(frozen=True, slots=True)
class Benchmark:
    """One row of the list; immutable once released: a change makes a new version.

    Attributes:
        name: `task@source`.
        version: Results of different versions are never compared.
        about: One line for people.
        make: `module:function` that builds the evaluator from the benchmark and the suite's settings.
        refer: `module:function` that gives the `Reference` of a task; empty for a live benchmark.
        support_of: `module:function` that says which configurations of a task lie outside what was recorded; empty
            where nothing was.
        defaults: Settings of the evaluator that belong to the benchmark; a suite's own come on top.
        card_of: `module:function` that gives the card of a task: plain data, `targets` and `notes`.
    """

    name: str
    version: int
    about: str
    make: str
    refer: str = ""
    card_of: str = ""
    support_of: str = ""
    defaults: Mapping[str, Any] = field(default_factory=dict)

    @property
    def task(self) -> Task:
        """The task that is tuned."""
        return load_task(self.name.partition("@")[0])

    def maker(self) -> Callable[..., Evaluator]:
        """What builds the evaluator.

        Raises:
            BenchmarkError: If a library that it needs is missing.
        """
        try:
            make: Callable[..., Evaluator] = _load(self.make)
        except ImportError as problem:
            raise BenchmarkError(f"{self.name}: {problem}", "pip install 'hemobench[train]'") from None
        return make

    @property
    def live(self) -> bool:
        """Whether trials are trained, and cost what they cost."""
        return self.name.endswith("@live")

    def evaluator(self, **settings: Any) -> Evaluator:
        """What answers proposals, built with the suite's settings (`data=`, `image_size=`, …)."""
        make = self.maker()
        try:
            return make(self, **{**self.defaults, **settings})
        except TypeError as problem:
            raise BenchmarkError(f"{self.name}: {problem}", "see docs/suites.md and docs/live.md") from None

    def reference(self) -> Reference | None:
        """What regret is normalised by, or `None` where nothing is known beforehand."""
        if not self.refer:
            return None
        reference: Reference = _load(self.refer)(self.task.name)
        return reference

    def card(self) -> Mapping[str, Any]:
        """What the answers rest on: `targets`, each beside what was reached, and `notes`.

        Raises:
            BenchmarkError: If the benchmark rests on nothing but your images or your files: with what it is.
        """
        if self.live:
            raise BenchmarkError(f"{self.name} has no card: it trains on your images", "see docs/live.md")
        if not self.card_of:
            hint = "of a table: hemobench table show FILE; of a surrogate, what `hemobench fit` wrote beside it"
            raise BenchmarkError(f"{self.name} has no card of its own: it answers from {self.about}", hint)
        found: Mapping[str, Any] = _load(self.card_of)(self.task.name)
        return found

    def outside(self, configs: Sequence[Config]) -> Sequence[bool] | None:
        """Which configurations lie outside what was recorded; `None` where nothing was."""
        if not self.support_of:
            return None
        found: Sequence[bool] = _load(self.support_of)(self.task.name, configs)
        return found


def _load(path: str) -> Any:
    module, _, attribute = path.partition(":")
    return getattr(import_module(module), attribute)


def _row(task: str, source: str, about: str, version: int = 1, **more: Any) -> Benchmark:
    """The task's row of a source: version 1, until something about it changes."""
    return Benchmark(name=f"{task}@{source}", version=version, about=about, **more)


def _published(task: str, about: str) -> Benchmark:
    module = "hemobench.benchmarks.evaluators.published"
    refer = "hemobench.benchmarks.published:reference"
    return _row(task, "published", about, make=f"{module}:published", refer=refer, card_of=f"{module}:card")


def _live(task: str, about: str) -> Benchmark:
    return _row(task, "live", about, make="hemobench.benchmarks.evaluators.live:live")


def _from_table(task: str) -> Benchmark:
    about = "a table of your own recording (settings: table = FILE)"
    return _row(task, "table", about, make="hemobench.benchmarks.evaluators.table:recorded")


def _from_surrogate(task: str) -> Benchmark:
    about = "a surrogate fitted to your table (settings: surrogate = FILE)"
    return _row(task, "surrogate", about, make="hemobench.benchmarks.evaluators.surrogate:fitted")


def _recorded(task: str, about: str, version: int, **defaults: Any) -> Benchmark:
    module = "hemobench.benchmarks.recorded"
    parts = {"make": "evaluator", "refer": "reference", "card_of": "card", "support_of": "outside"}
    paths = {part: f"{module}:{name}" for part, name in parts.items()}
    return _row(task, "recorded", about, version, defaults=defaults, **paths)


BENCHMARKS: Mapping[str, Benchmark] = {
    row.name: row
    for row in (
        _recorded("c-nmc", "a surrogate of real trainings on C-NMC cells; see its card", 4, folds=(0,)),
        _recorded("bone-marrow-head", "a surrogate of real trainings on ten cell classes; see its card", 2),
        _recorded("bone-marrow-lite", "a surrogate of networks fine-tuned on ten cell classes; see its card", 3),
        _recorded("bone-marrow-micro", "a surrogate of real, small trainings on ten cell classes; see its card", 3),
        _published("c-nmc", "response surface calibrated to the C-NMC paper"),
        _published("bone-marrow", "response surface calibrated to the bone-marrow paper, automated space"),
        _published("bone-marrow-full", "the same, over the full space of the manual analysis"),
        _live("c-nmc", "training on a folder of C-NMC images (--data)"),
        _live("bone-marrow", "training on a folder of class folders (--data), automated space"),
        _live("bone-marrow-full", "the same, over the full space of the manual analysis"),
        _live("bone-marrow-micro", "the automated space on small networks and images, for a CPU"),
        _live("bone-marrow-lite", "the automated space on EfficientNet-Lite with ImageNet weights"),
        _live("bone-marrow-head", "the automated space on frozen EfficientNet-Lite features, for a CPU"),
        _from_table("c-nmc"),
        _from_table("bone-marrow"),
        _from_surrogate("c-nmc"),
        _from_table("bone-marrow-micro"),
        _from_surrogate("bone-marrow"),
        _from_surrogate("bone-marrow-micro"),
        _from_table("bone-marrow-lite"),
        _from_surrogate("bone-marrow-lite"),
        _from_table("bone-marrow-head"),
        _from_surrogate("bone-marrow-head"),
        _live("cells", "training on any folder of class folders (--data), with the bone-marrow recipe"),
        _from_table("cells"),
        _from_surrogate("cells"),
    )
}


GROUP = "hemobench.benchmarks"
"""Entry points of other packages: a name, `task@source`, and where its `Benchmark` is."""


def known_benchmarks() -> dict[str, Benchmark]:
    """Ours; those that other installed packages declare; and tables and surrogates of their tasks, as of ours.

    Raises:
        BenchmarkError: If what another package declares cannot be loaded.
    """
    found = dict(BENCHMARKS)
    for name, theirs in declared(GROUP, BENCHMARKS).items():
        found[name] = _theirs(theirs)
    for task in task_names():
        for row in _of_any_task(task) if task not in TASKS else ():
            found.setdefault(row.name, row)
    return found


def _theirs(extension: Extension) -> Benchmark:
    row = extension.load()
    if not isinstance(row, Benchmark) or row.name != extension.name:
        raise extension.wrong(f"not a Benchmark named '{extension.name}'")
    return row


def _of_any_task(task: str) -> list[Benchmark]:
    """The sources that any task has."""
    rows = [_from_table(task), _from_surrogate(task)]
    if load_task(task).training:
        rows.append(_live(task, "training on a folder of images (--data)"))
    return rows


def load_benchmark(name: str) -> Benchmark:
    """The benchmark of that name, ours or another package's; what results call a variant of it will do.

    Raises:
        BenchmarkError: If there is none, with what was perhaps meant.
    """
    name = name.partition("[")[0]
    if name in BENCHMARKS:
        return BENCHMARKS[name]
    if (theirs := declared(GROUP, BENCHMARKS).get(name)) is not None:
        return _theirs(theirs)
    known = known_benchmarks()
    if name in known:
        return known[name]
    close = difflib.get_close_matches(name, known, n=1)
    raise BenchmarkError(
        f"there is no benchmark '{name}'" + (f"; did you mean '{close[0]}'?" if close else ""),
        f"choose one of: {', '.join(known)}",
    )


def shared(benchmark: str, settings: Mapping[str, Any]) -> Evaluator:
    """This process's evaluator of a benchmark with these settings: what is costly to load is loaded once."""
    return _made(benchmark, json.dumps(settings, sort_keys=True, default=str))


@lru_cache(maxsize=4)
def _made(benchmark: str, settings: str) -> Evaluator:
    return load_benchmark(benchmark).evaluator(**json.loads(settings))
