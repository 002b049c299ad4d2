"""`hemobench baseline` and `gate`: has a strategy become worse since a baseline was recorded?"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hemobench.commands.console import Json, console, print_json, write_text
from hemobench.commands.options import Jobs, counts_of, listed
from hemobench.errors import BenchmarkError

if TYPE_CHECKING:
    from hemobench.reports.gate.text import Judgement


def baseline(
    suite: Annotated[str, typer.Argument(help="A suite's name or TOML file.")] = "gate",
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Default: SUITE.json.gz.")] = None,
    benchmarks: Annotated[str, typer.Option(help="Only these, with commas between.")] = "",
    strategies: Annotated[str, typer.Option(help="Only these, or others, also package.module:Class.")] = "",
    seeds: Annotated[int | None, typer.Option(min=1, help="Seeds a strategy.")] = None,
    seeds_of: Annotated[str, typer.Option(help="Other numbers for slow ones, as in smac=24,skopt-gp=24.")] = "",
    margin: Annotated[float, typer.Option(help="Normalised regret by which a strategy may be worse.")] = 0.3,
    false_alarm: Annotated[float, typer.Option(help="Chance of red though nothing is worse.")] = 0.05,
    false_pass: Annotated[float, typer.Option(help="Chance of green though worse by the margin.")] = 0.025,
    identical_after: Annotated[int, typer.Option(min=1, help="Seeds after which what is bit-identical passes.")] = 3,
    jobs: Jobs = None,
    out: Annotated[Path | None, typer.Option(help="Keep the runs there; the same command then goes on.")] = None,
) -> None:
    """Record what the strategies do now, in one small file that a gate can hold later versions against."""
    from hemobench.benchmarks.suite import load_suite, narrowed
    from hemobench.commands.progress import shown_progress
    from hemobench.reports.gate.baseline import save
    from hemobench.reports.gate.run import record_now, results_folder
    from hemobench.reports.gate.runs import require_reference

    sys.path.append(os.getcwd())  # for strategies of the user's own, after all that is installed
    terms = _terms(margin=margin, false_alarm=false_alarm, false_pass=false_pass, identical_after=identical_after)
    loaded = load_suite(suite)
    for wanted in listed(benchmarks) or [entry.name for entry in loaded.benchmarks]:
        require_reference(wanted)
    chosen = narrowed(loaded, benchmarks=listed(benchmarks), strategies=listed(strategies), seeds=seeds)
    name = Path(suite).stem
    fewer = counts_of("--seeds-of", seeds_of, [arm.shown for arm in chosen.strategies])
    with results_folder(out, empty=False) as folder, shown_progress(folder, name, jobs) as run:
        recorded = record_now(chosen, name, terms, folder, run, fewer)
    target = output or Path(f"{name}.json.gz")
    save(recorded, target)
    runs = sum(len(arm.runs) for arm in recorded.arms)
    sys.stdout.write(f"{target}: {len(recorded.arms)} arms, {runs} runs, {target.stat().st_size / 1000:.0f} kB\n")


def gate(
    baseline: Annotated[
        str, typer.Argument(help="A baseline's file or shipped name; or pytest-benchmark's JSON.")
    ] = "gate",
    candidate: Annotated[Path | None, typer.Argument(help="Results to judge; default: run the suite now.")] = None,
    strategy: Annotated[str, typer.Option(help="Gate only these, also your own: package.module:Class.")] = "",
    instead_of: Annotated[str, typer.Option(help="Recorded arm to hold it against; default: its own, or random.")] = "",
    jobs: Jobs = None,
    against: Annotated[
        str,
        typer.Option(
            metavar="REF", help="Run another commit, or version (optuna==4.5.0), here too, and hold it against that."
        ),
    ] = "",
    out: Annotated[Path | None, typer.Option(help="Keep the runs in this new folder.")] = None,
    as_json: Json = False,
    junit: Annotated[Path | None, typer.Option(help="Also write JUnit XML.")] = None,
    markdown: Annotated[Path | None, typer.Option(help="Also write Markdown.")] = None,
    speed_margin: Annotated[float, typer.Option(min=0.0, help="Share by which a ratio of speed may grow.")] = 0.25,
) -> None:
    """Say pass, regress or inconclusive (exit codes 0, 1, 3) of the strategies as they are now, and why."""
    from hemobench.reports.gate.baseline import locate, read_document
    from hemobench.reports.gate.junit import to_junit
    from hemobench.reports.gate.speed import is_speed_file
    from hemobench.reports.gate.text import EXIT_CODES, render, to_markdown
    from hemobench.reports.gate.text import as_json as plain

    sys.path.append(os.getcwd())
    content = read_document(locate(baseline), baseline)
    if against:
        _require_alone(against, candidate, instead_of, is_speed_file(content))
        judgement = _judged_against(baseline, listed(strategy), against, jobs, out)
    elif is_speed_file(content):
        judgement = _speed(baseline, content, candidate, speed_margin)
    else:
        judgement = _judged(baseline, candidate, listed(strategy), instead_of, jobs, out)
    if junit:
        write_text(junit, to_junit(judgement))
    if markdown:
        write_text(markdown, to_markdown(judgement))
    if as_json:
        print_json(plain(judgement))
    else:
        render(judgement, console())
    raise typer.Exit(EXIT_CODES[judgement.verdict])


def _judged(
    name: str, candidate: Path | None, strategies: list[str], instead_of: str, jobs: int | None, out: Path | None
) -> Judgement:
    from hemobench.commands.progress import shown_progress
    from hemobench.reports.gate.baseline import load
    from hemobench.reports.gate.run import chosen_arms, gate_now, gate_results, results_folder

    if instead_of and not strategies:
        raise BenchmarkError("--instead-of without --strategy", "say what is to be gated with --strategy")
    held = load(name)
    arms = chosen_arms(held, strategies, instead_of, imports=candidate is None)
    if candidate is not None:
        return gate_results(held, name, arms, candidate)
    try:
        with results_folder(out, empty=True) as folder, shown_progress(folder, held.name, jobs) as run:
            return gate_now(held, name, arms, folder, run)
    except KeyboardInterrupt:
        sys.stderr.write("\nhemobench: interrupted; nothing was decided\n")
        raise typer.Exit(130) from None


def _require_alone(against: str, candidate: Path | None, instead_of: str, speed: bool) -> None:
    if candidate is not None or instead_of or speed:
        raise BenchmarkError(
            f"--against {against} beside results, --instead-of or timings",
            "it runs both sides itself, each strategy against what it was",
        )


def _judged_against(name: str, strategies: list[str], ref: str, jobs: int | None, out: Path | None) -> Judgement:
    from hemobench.benchmarks.suite import Arm
    from hemobench.commands.progress import shown_progress
    from hemobench.reports.gate.against import gate_against
    from hemobench.reports.gate.baseline import load
    from hemobench.reports.gate.installed import installed
    from hemobench.reports.gate.run import chosen_arms, results_folder

    held = load(name)
    known = {arm.name: arm for arm in held.suite.strategies} | {arm.shown: arm for arm in held.suite.strategies}
    arms = [known.get(each, Arm(name=each)) for each in strategies] or list(chosen_arms(held, []).values())
    count, screen = jobs or os.cpu_count() or 1, console(stderr=True)

    def say(what: str) -> None:
        screen.print(what, markup=False, highlight=False, soft_wrap=True)

    with (
        installed(ref) as other,
        results_folder(out, empty=True) as folder,
        shown_progress(folder, held.name, jobs) as run,
    ):
        return gate_against(held, arms, other, folder, run, count, say)


def _speed(name: str, content: dict[str, Any], candidate: Path | None, margin: float) -> Judgement:
    from hemobench.reports.gate.baseline import read_document
    from hemobench.reports.gate.speed import is_speed_file, judge_speed
    from hemobench.reports.gate.text import Judgement

    if candidate is None:
        raise BenchmarkError(
            f"{name} holds timings: there is nothing to hold against it",
            "measure with pytest tests/performance --benchmark-enable --benchmark-json NOW.json, and give that too",
        )
    now = read_document(candidate, str(candidate))
    if not is_speed_file(now):
        raise BenchmarkError(f"{candidate}: not a file of pytest-benchmark", "measure with --benchmark-json")
    return Judgement(name, None, speed=tuple(judge_speed(content, now, (name, str(candidate)), margin)))


def _terms(**given: Any) -> Any:
    from pydantic import ValidationError

    from hemobench.reports.gate.baseline import Terms

    try:
        return Terms(**given)
    except ValidationError as problem:
        first = problem.errors()[0]
        option = "--" + str(first["loc"][0]).replace("_", "-")
        raise BenchmarkError(f"{option} {first['input']}: {first['msg']}", "see hemobench baseline --help") from None
