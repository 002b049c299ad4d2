"""What a reader of images left out or assumed, said once before anything is trained on them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hemobench.commands.console import console
from hemobench.commands.progress import progress

if TYPE_CHECKING:
    from hemobench.benchmarks.suite import Suite
    from hemobench.benchmarks.tasks.base import Task


def say_notes(notes: Iterable[str]) -> None:
    """Print notes on the standard error, a line each, those that are equal once."""
    screen = console(stderr=True)
    for note in dict.fromkeys(notes):
        screen.print(f"images: {note}", markup=False, highlight=False, soft_wrap=True)


def notes_of(task: Task, settings: Mapping[str, Any]) -> Sequence[str]:
    """What the task's reader says of the folder in the settings of live training.

    What is found while files are decoded is kept in the cache: those who train read it from there.

    Raises:
        BenchmarkError: If the images cannot be read.
    """
    from hemobench.datasets import open_images, reader_options

    known = reader_options(task.dataset)
    options = {name: value for name, value in settings.items() if name in known}
    with progress("images") as bar:
        return open_images(task.dataset, Path(settings["data"]), progress=bar.update, **options).notes


def say_notes_of_suite(suite: Suite) -> None:
    """The same for all live benchmarks of a suite, before its first run."""
    from hemobench.benchmarks.benchmark import load_benchmark

    notes: list[str] = []
    for entry in suite.benchmarks:
        benchmark = load_benchmark(entry.name)
        if benchmark.live:
            notes += notes_of(benchmark.task, {**benchmark.defaults, **entry.settings})
    say_notes(notes)
