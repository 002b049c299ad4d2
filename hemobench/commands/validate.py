"""`hemobench validate`: what strategies selected is trained again, longer and several times."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hemobench.commands.console import Json, console, print_json, try_output
from hemobench.commands.images import say_notes
from hemobench.commands.options import Option, settings_of, trainings_at_once
from hemobench.commands.progress import interruptible, progress

if TYPE_CHECKING:
    from hemobench.benchmarks.benchmark import Benchmark
    from hemobench.benchmarks.execution.retrain import Asked, Selected, Trainer
    from hemobench.benchmarks.execution.retraining_journal import Retraining
    from hemobench.benchmarks.storage.journal import Journal
    from hemobench.benchmarks.tasks.base import Task
    from hemobench.commands.bar import Bar
    from hemobench.reports.validation.repeats import Validation

Wanted = Mapping[str, Sequence["Asked"]]
"""The trainings of each strategy's selection, repeat by repeat."""


def validate(
    results: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of the results of a suite.")],
    benchmark: Annotated[str, typer.Option(help="As in c-nmc@live.")],
    repeats: Annotated[int, typer.Option(min=1, help="Trainings of each configuration.")] = 3,
    epochs: Annotated[int | None, typer.Option(min=1, help="Default: the task's full length.")] = None,
    data: Annotated[Path | None, typer.Option(help="Folder of images, for a live benchmark.")] = None,
    jobs: Annotated[
        int | None, typer.Option(min=1, help="Trainings side by side; default: one a GPU, or a core.")
    ] = None,
    option: Option = None,
    out: Annotated[Path | None, typer.Option(help="Write it as JSON too, for papers and report --validation.")] = None,
    as_json: Json = False,
) -> None:
    """Train what each strategy selected again, several times, and compare: the C-NMC paper's second phase. Resumable.

    Every training is kept in DIR/validation as soon as it is done; the same command goes on from there.
    """
    from hemobench.benchmarks.benchmark import load_benchmark
    from hemobench.benchmarks.execution.retrain import asked, evaluator_of, selected
    from hemobench.benchmarks.storage.load import load_results

    if out is not None:
        try_output(out)
    found = load_benchmark(benchmark)
    chosen = selected(load_results(results), benchmark)
    length = epochs or chosen[0].settings.get("epochs") or found.task.epochs
    given = settings_of(option or []) | ({"data": str(data)} if data is not None else {})
    with _journal(results, found) as journal, interruptible(_kept(journal)):
        trainers = _trainers(found, chosen, length, given)
        with progress("trainings") as bar:
            sources = {trainer.key: evaluator_of(trainer.key).provenance for trainer in trainers.values()}
            wanted = {
                choice.strategy: asked(trainer, sources[trainer.key], choice.trial.config, repeats)
                for choice, trainer in zip(chosen, trainers.values(), strict=True)
            }
            done = _carried_out(wanted, journal, trainings_at_once(found, jobs), bar)
    validation = concluded(wanted, done, found, length)
    bases = [(sources[trainer.key], name) for name, trainer in trainers.items()]
    validation = replace(validation, basis=_basis(validation, bases, found.task))
    if out is not None:
        from hemobench.reports.validation.repeats import save

        save(validation, out)
    _say_failures(done)
    if as_json:
        from hemobench.reports.validation.repeats import as_json as plain

        print_json(plain(validation))
    else:
        render(validation)


@contextmanager
def _journal(results: Path, benchmark: Benchmark) -> Iterator[Journal[Retraining] | None]:
    """Where live trainings are kept: beside the runs, or beside an archive of them. Others cost nothing."""
    from hemobench.benchmarks.execution.retraining_journal import open_trainings

    if not benchmark.live:
        yield None
        return
    folder = results / "validation" if results.is_dir() else results.with_name(f"{results.name}.validation")
    journal = open_trainings(folder / f"{benchmark.name}.jsonl")
    try:
        yield journal
    finally:
        journal.close()


def _kept(journal: Journal[Retraining] | None) -> str:
    return f"every finished training, in {journal.path}" if journal is not None else "nothing"


def _trainers(
    benchmark: Benchmark, chosen: Sequence[Selected], epochs: int, given: Mapping[str, Any]
) -> dict[str, Trainer]:
    """What trains each strategy's selection: with the settings that its run had, what is given here on top."""
    from hemobench.benchmarks.execution.retrain import Trainer, evaluator_of

    found = {choice.strategy: Trainer(benchmark.name, epochs, {**choice.settings, **given}) for choice in chosen}
    with progress("images"):
        evaluators = [evaluator_of(key) for key in dict.fromkeys(trainer.key for trainer in found.values())]
    say_notes(note for evaluator in evaluators for note in getattr(evaluator, "notes", ()))
    return found


def _carried_out(wanted: Wanted, journal: Journal[Retraining] | None, jobs: int, bar: Bar) -> dict[str, Retraining]:
    """All trainings by identity: repeat by repeat, those with equal settings together."""
    from hemobench.benchmarks.execution.retrain import retrain
    from hemobench.benchmarks.execution.retraining_journal import lasting

    every = [one for repeat in zip(*wanted.values(), strict=True) for one in repeat]
    every.sort(key=lambda one: one.trainer.key)  # stable; images are loaded once for each setting
    known = lasting(journal.records.values()) if journal is not None else {}
    distinct = {one.identity for one in every}
    bar.update(len(distinct & known.keys()), len(distinct))

    def on_done(training: Retraining) -> None:
        if journal is not None:
            journal.append(training)
        bar.advance()

    return retrain(every, known, jobs, on_done)


def concluded(wanted: Wanted, done: Mapping[str, Retraining], benchmark: Benchmark, epochs: int) -> Validation:
    """Summaries of the headline metric, with tests, and of all metrics of the paper's table."""
    from hemobench.reports.validation import repeats as validation
    from hemobench.strategies.base import Status

    task = benchmark.task
    trainings = {name: [done[one.identity] for one in asked] for name, asked in wanted.items()}
    sides: dict[str, dict[str, list[float]]] = {}
    metrics: dict[str, dict[str, dict[str, list[float]]]] = {}
    for side in validation.SIDES:
        measured = [getattr(one, side) for one in chain(*trainings.values()) if one.status is Status.OK]
        names = [name for name in validation.TABLE_3 if all(name in found for found in measured)]
        sides[side] = _percent(trainings, side, task.headline)
        metrics[side] = {name: _percent(trainings, side, name) for name in names}
    return validation.concluded(sides, benchmark.name, task.headline_label, epochs, metrics)


def _percent(trainings: Mapping[str, Sequence[Retraining]], side: str, metric: str) -> dict[str, list[float]]:
    """By strategy and repeat; NaN where a training failed."""
    found = {}
    for name, repeats in trainings.items():
        found[name] = [100 * getattr(one, side).get(metric, math.nan) for one in repeats]
    return found


def _basis(validation: Validation, sources: Sequence[tuple[Mapping[str, str], str]], task: Task) -> tuple[str, ...]:
    """What the figures rest on, in words: once for all strategies whose trainings rest on the same."""
    from hemobench.reports.leaderboard.basis import Basis, basis_of, sentences, warnings

    together: list[tuple[Basis, list[str]]] = []
    for source, strategy in sources:
        basis = basis_of(source, task)
        if basis is None:
            continue
        same = next((names for known, names in together if known == basis), None)
        if same is None:
            together.append((basis, [strategy]))
        else:
            same.append(strategy)
    lines: list[str] = []
    for basis, names in together:
        means = {
            side: {n: r.mean for n, r in getattr(validation, side).items() if n in names} for side in basis.constant
        }
        whose = f"{', '.join(names)}: " if len(together) > 1 else ""
        lines += [whose + line for line in (*sentences(basis, task), *warnings(basis, means))]
    return tuple(lines)


def _say_failures(done: Mapping[str, Retraining]) -> None:
    from hemobench.strategies.base import Status

    for reason in dict.fromkeys(f"{one.status}: {one.error}" for one in done.values() if one.status is not Status.OK):
        sys.stderr.write(f"a training failed, {reason}\n")


def render(validation: Validation) -> None:
    """Print what repeated trainings say, of validation and of test."""
    from hemobench.reports.text_tables import terminal_table
    from hemobench.reports.validation.tables import validation_tables, validation_words

    for table in validation_tables(validation):
        console().print(terminal_table(table))
    for sentence in validation_words(validation):
        sys.stdout.write(f"{sentence}\n")
