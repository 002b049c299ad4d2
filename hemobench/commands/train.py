"""`hemobench train` and `pretrain`: what is trained for real, outside of a search."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hemobench.commands.console import Json, console, print_json, try_output
from hemobench.commands.images import say_notes
from hemobench.commands.options import Data, Option, counted, settings_of
from hemobench.commands.progress import interruptible, progress
from hemobench.errors import BenchmarkError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from hemobench.benchmarks.evaluator import Outcome
    from hemobench.benchmarks.evaluators.live import Live
    from hemobench.benchmarks.tasks.base import Task
    from hemobench.benchmarks.training.cross_validation import Result
    from hemobench.reports.text_tables import Table

MOST_COLUMNS = 12
"""Classes up to which confusion matrices are printed."""


def train(
    name: Annotated[str, typer.Argument(metavar="TASK", help="cells, c-nmc, bone-marrow, …; see `hemobench list`.")],
    data: Data,
    given: Annotated[
        list[str] | None, typer.Option("--set", help="A hyperparameter, name=value; the rest have their defaults.")
    ] = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="Default: the task's full length.")] = None,
    folds: Annotated[int | None, typer.Option(min=3, help="cells and bone-marrow: how many folds.")] = None,
    images: Annotated[int | None, typer.Option(min=20, help="Train on a stratified part of so many.")] = None,
    weights: Annotated[str, typer.Option(help="auto, imagenet, none, or a state-dict file.")] = "auto",
    seed: Annotated[int, typer.Option(help="Decides all noise.")] = 0,
    option: Option = None,
    as_json: Json = False,
) -> None:
    """Train one configuration and print its metrics."""
    from hemobench.benchmarks.tasks import load_task
    from hemobench.strategies.base import Proposal, Status

    task = load_task(name)
    config = configured(task, given or [])
    chosen = {"weights": weights, "folds": folds, "images": images}
    extra = {**{name: value for name, value in chosen.items() if value is not None}, **settings_of(option or [])}
    length = epochs or task.epochs
    evaluator = live_evaluator(replace(task, epochs=length), data, extra)
    with interruptible("nothing", resumes=False), progress("epochs") as bar:
        on_epoch = bar.epochs(len(evaluator.folds), length)
        outcome, result = evaluator.train(Proposal(config, length), seed, on_epoch=on_epoch)
    if as_json:
        print_json(trained_as_json(config, outcome, result, evaluator))
    else:
        render_trained(config, outcome, result, evaluator)
        render_basis(outcome, evaluator, task)
    if outcome.status is not Status.OK:
        raise typer.Exit(1)


def live_evaluator(task: Task, data: Path, options: Mapping[str, Any]) -> Live:
    """A live evaluator, or the one message that torch is missing."""
    try:
        from hemobench.benchmarks.evaluators.live import live
    except ImportError as problem:
        raise BenchmarkError(
            f"training needs torch and torchvision: {problem}", "pip install 'hemobench[train]'"
        ) from None
    with progress("images"):
        evaluator = live(task, data, **options)
    say_notes(evaluator.notes)
    return evaluator


def configured(task: Task, given: Sequence[str]) -> dict[str, Any]:
    """The task's default configuration with some hyperparameters set.

    Raises:
        BenchmarkError: If one is unknown, inactive, or has no such value.
    """
    from hemobench.strategies.space import active, choices, default, legality, numeric

    space = task.space()
    changes = settings_of(given)
    for name in changes:
        if name not in space:
            raise BenchmarkError(f"{task.name} has no hyperparameter '{name}'", f"choose from: {', '.join(space)}")
        if choices(space[name]) is None and isinstance(numeric(space[name]).upper, float):
            changes[name] = float(changes[name]) if isinstance(changes[name], int) else changes[name]
    config = active(space, {**default(space), **changes})
    try:
        legality(space)({**config, **changes})
    except ValueError as problem:
        raise BenchmarkError(f"--set: {problem}", f"see the search space of {task.name}") from None
    return config


def trained_as_json(config: Mapping[str, Any], outcome: Outcome, result: Result, evaluator: Live) -> dict[str, Any]:
    """One training as plain data."""
    return {
        "config": dict(config),
        "status": outcome.status.value,
        "error": outcome.error,
        "validation": dict(outcome.validation),
        "test": dict(outcome.test),
        "curve": list(outcome.curve),
        "folds": [{"validation": r.validation, "test": r.test, "curve": list(r.curve)} for r in result.folds],
        "classes": list(evaluator.classes),
        "confusion": {side: matrix.tolist() for side, matrix in result.confusion.items()},
        "per_class": {side: class_figures(matrix) for side, matrix in result.confusion.items()},
        "cost": {"gpu_seconds": outcome.cost.gpu_seconds, "evaluation_seconds": outcome.cost.evaluation_seconds},
        "device": outcome.cost.device,
        "measured": dict(outcome.extra),
        "provenance": dict(evaluator.provenance),
    }


def class_figures(matrix: NDArray[np.int64]) -> dict[str, list[float]]:
    """Precision, recall, specificity and F1 of each class, counted over all folds."""
    from hemobench.benchmarks.training.metrics import per_class

    return {name: values.tolist() for name, values in per_class(matrix).items()}


def render_trained(config: Mapping[str, Any], outcome: Outcome, result: Result, evaluator: Live) -> None:
    """Print one training: its metrics, learning curve, confusion matrix and cost."""
    from rich.text import Text

    from hemobench.reports.text_tables import terminal_table

    screen = console()
    screen.print(Text(", ".join(f"{name} {value}" for name, value in config.items())), soft_wrap=True)
    if outcome.error:
        screen.print(Text(f"{outcome.status.value}: {outcome.error}"))
    screen.print(terminal_table(metrics_table(outcome)))
    for side, matrix in result.confusion.items():
        screen.print(terminal_table(class_table(side, matrix, evaluator.classes)))
    curve = " ".join(f"{100 * score:.1f}" for score in outcome.curve)
    screen.print(Text(f"validation accuracy by epoch, %: {curve}"), soft_wrap=True)
    cost = outcome.cost
    screen.print(
        Text(
            f"cost: {cost.gpu_seconds:.2f} s on {cost.device}, of it {cost.evaluation_seconds:.2f} s evaluation; "
            + ", ".join(f"{name} {value:.2f}" for name, value in outcome.extra.items())
        ),
        soft_wrap=True,
    )


def render_basis(outcome: Outcome, evaluator: Live, task: Task) -> None:
    """Print first weights, split and the constant answer, and whether the training is better than that."""
    from hemobench.reports.leaderboard.basis import basis_of, sentences, warnings

    basis = basis_of(evaluator.provenance, task)
    if basis is None:
        return
    sides = {"validation": outcome.validation, "test": outcome.test}
    shown = {side: {"this training": 100 * found[task.headline]} for side, found in sides.items() if found}
    for sentence in (*sentences(basis, task), *warnings(basis, shown)):
        sys.stdout.write(f"{sentence}\n")


def metrics_table(outcome: Outcome) -> Table:
    """Metrics over all classes, in percent; of several folds mean ± deviation."""
    from hemobench.reports.text_tables import Table

    names = [name for name in outcome.validation if not name.startswith("f1_") and not name.endswith("_std")]
    rows = [(name, _shown(outcome.validation, name), _shown(outcome.test, name)) for name in names]
    return Table("", ("%", "validation", "test"), tuple(rows))


def class_table(side: str, matrix: NDArray[np.int64], classes: Sequence[str]) -> Table:
    """Each class's confusion and figures, counted over all folds."""
    from hemobench.benchmarks.training.metrics import per_class
    from hemobench.reports.text_tables import Table

    figures = per_class(matrix)
    wide = len(matrix) > MOST_COLUMNS  # no screen holds the counts; --json does
    counts = [] if wide else [f"as {k + 1}" for k in range(len(matrix))]
    header = (f"{side}, true class", *counts, *(f"{name} %" for name in figures))
    rows = []
    for k, row in enumerate(matrix):
        percent = [f"{100 * values[k]:.1f}" for values in figures.values()]
        rows.append((f"{k + 1} {classes[k]}", *map(str, [] if wide else row), *percent))
    return Table("", header, tuple(rows))


def _shown(metrics: Mapping[str, float], name: str) -> str:
    if name not in metrics:
        return "–"
    deviation = metrics.get(f"{name}_std")
    return f"{100 * metrics[name]:.2f}" + (f" ± {100 * deviation:.2f}" if deviation is not None else "")


def pretrain(
    architecture: Annotated[str, typer.Argument(help="torchvision's name, as in efficientnet_b2.")],
    data: Data,
    out: Annotated[Path, typer.Option("--out", "-o", help="The state dict, for --weights or weights=FILE.")],
    dataset: Annotated[
        str, typer.Option(help="How the folder is laid out: cells, bone-marrow or c-nmc.")
    ] = "bone-marrow",
    epochs: Annotated[int, typer.Option(min=1, help="At most.")] = 15,
    image_size: Annotated[int, typer.Option(min=32, help="Side in pixels.")] = 96,
    images: Annotated[int | None, typer.Option(min=20, help="Train on a stratified part of so many.")] = None,
    seed: Annotated[int, typer.Option(help="Decides all that is random.")] = 0,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, ...")] = "auto",
    threads: Annotated[int, typer.Option(min=1, help="CPU threads.")] = 1,
    option: Annotated[
        list[str] | None, typer.Option("--option", help="Of the reader: mapping=NAME, table=FILE; repeatable.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Train a network from random weights to tell the classes of a folder of images, and save its weights."""
    from dataclasses import asdict

    from hemobench.datasets import open_images
    from hemobench.datasets.images import subset

    try:
        from hemobench.benchmarks.training.pretrain import pretrain as trained
    except ImportError as problem:
        raise BenchmarkError(
            f"training needs torch and torchvision: {problem}", "pip install 'hemobench[train]'"
        ) from None
    try_output(out)
    with progress("images") as bar:
        everything = open_images(dataset, data, progress=bar.update, **settings_of(option or []))
    say_notes(everything.notes)
    chosen = subset(everything, images, seed) if images else everything
    with interruptible(f"every whole epoch, beside {out}"), progress("epochs") as bar:
        on_epoch = bar.epochs(1, epochs)
        result = trained(
            chosen,
            architecture,
            out,
            epochs=epochs,
            image_size=image_size,
            seed=seed,
            device=device,
            threads=threads,
            on_epoch=on_epoch,
        )
    if as_json:
        print_json({"weights": str(out), **asdict(result)})
    else:
        sys.stdout.write(
            f"{out}: {counted(result.epochs, 'epoch')} on {result.images} images; accuracy on those held out "
            f"{100 * result.accuracy:.1f} %\n"
        )
