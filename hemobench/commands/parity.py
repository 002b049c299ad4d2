"""`hemobench parity`: whether strategies rank the same on a table, on its surrogate and live."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hemobench.commands.console import Json, console, print_json
from hemobench.commands.options import Option, listed, settings_of
from hemobench.commands.progress import progress

if TYPE_CHECKING:
    from hemobench.reports.parity.agreement import Span
    from hemobench.reports.parity.calibration import Figure, Retraining
    from hemobench.reports.parity.rankings import Parity, SourceComparison
    from hemobench.reports.text_tables import Table


def parity(
    benchmark: Annotated[str, typer.Argument(help="As in c-nmc@recorded, or c-nmc@surrogate with files of your own.")],
    table: Annotated[Path | None, typer.Option(help="The recorded table; default: the benchmark's own.")] = None,
    surrogate: Annotated[Path | None, typer.Option(help="The surrogate fitted to it; default: likewise.")] = None,
    data: Annotated[Path | None, typer.Option(help="Folder of images: train for real too.")] = None,
    option: Option = None,
    against: Annotated[str, typer.Option(help="What stands for the truth; default: TASK@live, if --data.")] = "",
    strategies: Annotated[str, typer.Option(help="With commas between; default: the seven.")] = "",
    seeds: Annotated[int, typer.Option(min=2, help="Searches of each strategy in each source.")] = 10,
    gpu_hours: Annotated[float | None, typer.Option(help="Budget of a search; default: about 25 trials.")] = None,
    member_seeds: Annotated[int, typer.Option(min=0, help="Searches of each single member; 0: none.")] = 5,
    live_seeds: Annotated[int, typer.Option(min=0, help="Live searches of each strategy; 0: none.")] = 3,
    live_trials: Annotated[int, typer.Option(min=1, help="Trials of a live search.")] = 6,
    incumbents: Annotated[int, typer.Option(min=1, help="Of each strategy, trained again live.")] = 2,
    controls: Annotated[int, typer.Option(min=0, help="Random configurations trained beside them.")] = 10,
    repeats: Annotated[int, typer.Option(min=1, help="Trainings of each of these.")] = 3,
    live_repeats: Annotated[
        int | None, typer.Option(min=1, help="Trainings of what each live search ends with; default: as many.")
    ] = None,
    jobs: Annotated[int | None, typer.Option(min=1, help="Processes; default: one a core, or a GPU.")] = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="The result; its runs are kept beside.")] = Path(
        "parity.json"
    ),
    as_json: Json = False,
) -> None:
    """Say whether strategies rank the same on a table, on its surrogate and live. Resumes an interrupted check."""
    from hemobench.benchmarks.parity.searches import able
    from hemobench.benchmarks.storage.files import write_whole
    from hemobench.reports.parity.check import Extent, check, parity_setup, with_truth
    from hemobench.reports.parity.rankings import as_data
    from hemobench.reports.parity.text import in_words

    sys.path.append(os.getcwd())  # for strategies of the user's own
    setup = with_truth(parity_setup(benchmark, table, surrogate), against, data, settings_of(option or []))
    extent = Extent(
        strategies=able(setup.task, listed(strategies)),
        seeds=seeds,
        member_seeds=member_seeds,
        live_seeds=live_seeds,
        live_trials=live_trials,
        incumbents=incumbents,
        controls=controls,
        repeats=repeats,
        live_repeats=live_repeats or repeats,
        gpu_hours=gpu_hours,
    )
    runs = out.with_name(f"{out.name}.runs")
    try:
        with progress("runs") as bar:
            result = check(setup, extent, runs, jobs=jobs, on_progress=bar.phase)
    except KeyboardInterrupt:
        sys.stderr.write("\nhemobench: interrupted; the same command goes on from here\n")
        raise typer.Exit(130) from None
    content = {**as_data(result), "words": in_words(result)}
    write_whole(out, content)
    if as_json:
        print_json(content)
    else:
        render(result)
        sys.stdout.write(f"{out}\n")


def render(parity: Parity) -> None:
    """Print the rankings, what was trained again, and the conclusions in words."""
    from rich.text import Text

    from hemobench.reports.parity.text import in_words
    from hemobench.reports.text_tables import terminal_table

    screen = console()
    trials = parity.cached.horizon
    screen.print(
        terminal_table(
            rankings(parity.cached, f"{parity.benchmark}, searches of about {trials} trials: score in points")
        )
    )
    if parity.live is not None:
        screen.print(
            terminal_table(rankings(parity.live, f"live, searches of {parity.live.max_trials} trials: score in points"))
        )
    if parity.worth is not None:
        title = f"live, searches of {parity.worth.max_trials} trials, by what incumbents are worth: score in points"
        screen.print(terminal_table(rankings(parity.worth, title)))
    if parity.retraining is not None:
        screen.print(terminal_table(trainings_table(parity.retraining)))
    for line in in_words(parity):
        screen.print(Text(line), soft_wrap=True)
    for note in parity.notes:
        screen.print(Text(f"- {note}"), soft_wrap=True)


def rankings(compared: SourceComparison, title: str) -> Table:
    """Strategies by sources: rank, mean score with its interval, probability of being the best."""
    from hemobench.reports.text_tables import Table

    cells: dict[str, list[str]] = {one.strategy: [] for one in compared.rankings[0].standings}
    for ranking in compared.rankings:
        for rank, one in enumerate(ranking.standings, start=1):
            cells[one.strategy].append(f"{rank}. {score(one.loss)}, best {100 * one.best:.0f} %")
    header = ("strategy", *(ranking.source for ranking in compared.rankings))
    rows = tuple((name, *shown) for name, shown in cells.items())
    return Table(title, header, rows, texts=len(header))


def score(loss: Span) -> str:
    """A loss as the score's points, 100 * (1 - loss)."""
    value = f"{100 * (1 - loss.value):.2f}"
    if loss.low is None or loss.high is None:
        return value
    return f"{value} [{100 * (1 - loss.high):.2f}, {100 * (1 - loss.low):.2f}]"


def trainings_table(found: Retraining) -> Table:
    """Each configuration that was trained again: seen, predicted and live, of validation and test."""
    from hemobench.reports.text_tables import Table

    rows = []
    for check in found.checks:
        who = f"{check.strategy or check.group} {check.seed}"
        rows += [(who, name, *cells(one)) for name, one in check.figures.items() if name != "score"]
    header = ("found by", "metric", "seen", "predicted [90 %]", "live", "live - predicted", "inside")
    return Table(f"trained again, {found.repeats} times each: %", header, tuple(rows), texts=2)


def cells(one: Figure) -> tuple[str, ...]:
    """A figure's columns, in percent."""
    live = f"{100 * sum(one.live) / len(one.live):.2f}" if one.live else "failed"
    return (
        "–" if one.seen is None else f"{100 * one.seen:.2f}",
        f"{100 * one.predicted:.2f} [{100 * one.low:.2f}, {100 * one.high:.2f}]",
        live,
        "–" if one.difference is None else f"{100 * one.difference:+.2f}",
        f"{one.inside} of {len(one.live)}",
    )
