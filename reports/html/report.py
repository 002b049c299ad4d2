"""The report: one HTML file that needs no network, the answer first.

plotly.js stands in the file once. A content security policy forbids the page to load anything, and all that comes
from users is escaped: by Jinja2 in the page, by `figures.label` in the charts, and once more in their JSON.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from hemobench.benchmarks.benchmark import Reference, load_benchmark
from hemobench.benchmarks.storage.results import Results
from hemobench.errors import BenchmarkError
from hemobench.reports.comparison.anytime import RANDOM, Race, areas, races, speed_ups
from hemobench.reports.comparison.incumbents import only_incumbents, with_trials
from hemobench.reports.html.cards import Card, card_of
from hemobench.reports.html.figures import Figure, Table, final_figure, gap_figure, number, rank_figure, regret_figure
from hemobench.reports.html.phases import startup_trials
from hemobench.reports.html.trial_figures import history_figures, hours_figure, importance_figure, parallel_figure
from hemobench.reports.leaderboard.model import Board
from hemobench.reports.leaderboard.ranking import leaderboard
from hemobench.reports.leaderboard.render import ABSENT, COLUMNS, fitting, plain, title
from hemobench.reports.papers import Measured, claims_of, of_races
from hemobench.reports.papers.figures import parts
from hemobench.reports.parallel.section import parallel_section
from hemobench.reports.recommendation.recommend import Recommendation, recommend
from hemobench.reports.recommendation.text import hours_text, in_words
from hemobench.reports.statistics.bootstrap import ranks
from hemobench.reports.statistics.hypothesis_tests import critical_difference
from hemobench.reports.statistics.pairwise import ROPE, Comparison, Relation, against, all_pairs, mirrored
from hemobench.reports.validation import Validation

TEMPLATES = files("hemobench.reports.html") / "templates"
_SIGNS: Mapping[Relation, str] = {"better": "▲", "worse": "▼", "equivalent": "≈", "undecided": "?"}


@dataclass(frozen=True)
class Section:
    """What the page says of one race."""

    anchor: str
    race: Race
    answer: Recommendation | None
    words: list[str]
    board: Table | None
    notes: tuple[str, ...]
    figures: list[Figure]
    histories: list[Figure]
    matrix: list[tuple[str, list[tuple[str, str, str] | None]]]
    control: Table | None
    card: Card | None
    provenance: list[tuple[str, str]]


def write_report(
    results: Results,
    path: Path,
    *,
    reference_of: Callable[[str], Reference | None] | None = None,
    startup: Mapping[str, str] | None = None,
    heading: str = "hemobench report",
    rope: float = ROPE,
    seed: int = 0,
    validations: Sequence[Validation] = (),
    extended: Results | None = None,
) -> None:
    """Write the report.

    Args:
        results: Runs and trials.
        path: Of the HTML file.
        reference_of: Gives the reference of a benchmark, or `None`; by default the benchmarks' own.
        startup: How strategies begin, by label; for the leaderboard's legend.
        heading: Of the page.
        rope: Points within which strategies are equivalent.
        seed: Of the bootstrap.
        validations: What `hemobench validate` wrote, for the page of the papers.
        extended: Results under 6 x 5-fold cross-validation, for the same.

    Raises:
        BenchmarkError: If the file cannot be written.
    """
    page = render(results, reference_of or known_reference, startup or {}, heading, rope, seed, validations, extended)
    try:
        path.write_text(page, encoding="utf-8")
    except OSError as problem:
        raise BenchmarkError(f"{path}: {problem.strerror}", "name a file in a folder that can be written") from None


def known_reference(benchmark: str) -> Reference | None:
    """The reference of a benchmark, or `None` if the benchmark is not known here."""
    try:
        return load_benchmark(benchmark).reference()
    except BenchmarkError:
        return None


def known_outside(benchmark: str, configs: list[dict[str, Any]]) -> Sequence[bool] | None:
    """Which configurations lie outside what a benchmark recorded, or `None` if that is not known here."""
    try:
        return load_benchmark(benchmark).outside(configs)
    except BenchmarkError:
        return None


def render(
    results: Results,
    reference_of: Callable[[str], Reference | None],
    startup: Mapping[str, str],
    heading: str,
    rope: float,
    seed: int,
    validations: Sequence[Validation] = (),
    extended: Results | None = None,
) -> str:
    """The page as text; see `write_report`."""
    from jinja2 import Environment

    results = with_trials(results)
    boards = leaderboard(results, reference_of, startup=startup, outside_of=known_outside, seed=seed)
    best = only_incumbents(results)
    found = races(best, reference_of)
    counting = of_races(found, results, seed=seed)
    sections = [
        _section(race, best, _single(race, found, results, counting, seed), boards, rope, seed, anchor=f"race-{k}")
        for k, race in enumerate(found)
    ]
    claims = claims_of(counting, validations=validations, extended=extended, seed=seed)
    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.filters["chart"] = _chart_json
    template = environment.from_string((TEMPLATES / "report.html.j2").read_text(encoding="utf-8"))
    return template.render(
        heading=heading,
        sections=sections,
        overall=[(title(board), _board_table(board), board.notes) for board in boards if board.version is None],
        across=_across(found),
        parallel=parallel_section(best, reference_of, seed),
        papers=parts(counting, claims),
        legend=[(column.title, column.legend) for column in COLUMNS],
        begins=sorted(startup.items()),
        signs=_SIGNS,
        rope=rope,
        runs=len(results.runs),
        trials=len(results.trials),
        style=(TEMPLATES / "report.css").read_text(encoding="utf-8"),
        script=(TEMPLATES / "report.js").read_text(encoding="utf-8"),
        plotly=plotly_js(),
    )


def plotly_js() -> str:
    """The library that draws, from plotly's own package, such that it can stand inside a `<script>`."""
    source = (files("plotly") / "package_data" / "plotly.min.js").read_text(encoding="utf-8")
    return source.replace("</script", "<\\/script").replace("<!--", "<\\!--")


def _chart_json(figure: Figure) -> str:
    """A chart as JSON that holds no `<`, so that it can stand inside a `<script>`."""
    text = json.dumps(
        {"data": figure.data, "layout": figure.layout}, separators=(",", ":"), allow_nan=False, default=_builtin
    )
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def _builtin(value: Any) -> Any:
    return value.item()


def _single(race: Race, found: list[Race], results: Results, counting: list[Measured], seed: int) -> Measured | None:
    """A race with its trials, if they are to be shown one by one: only those of a benchmark's largest budget are."""
    same = [r for r in found if (r.benchmark, r.version, r.workers) == (race.benchmark, race.version, race.workers)]
    if race is not max(same, key=lambda r: r.gpu_hours):
        return None
    known = next((mine for mine in counting if mine.race is race), None)
    if known is not None:
        return known
    return Measured(race, Results(race.runs, results.trials[results.trials["run"].isin(race.runs.index)]), seed)


def _section(
    race: Race,
    best: Results,
    single: Measured | None,
    boards: list[Board],
    rope: float,
    seed: int,
    *,
    anchor: str,
) -> Section:
    """What is said of a race; `best` are the incumbents of all results."""
    board = next(b for b in boards if (b.benchmark, b.version, b.gpu_hours, b.workers) == _key(race))
    answer = _answer(race, best, rope, seed)
    headers = _headers(race)
    begins = {name: count for name, header in headers.items() if (count := startup_trials(header, race.task))}
    losses = race.at(race.gpu_hours)[:, :, 0]
    pairs = all_pairs(losses, race.strategies, rope)
    return Section(
        anchor=anchor,
        race=race,
        answer=answer,
        words=in_words(answer) if answer else ["An older version of this benchmark: no recommendation."],
        board=_board_table(board),
        notes=board.notes,
        figures=_figures(race, best, single),
        histories=history_figures(race, single.results, begins) if single else [],
        matrix=_matrix(race, pairs, [row.strategy for row in board.rows]),
        control=_control(race, pairs, seed),
        card=_card(race),
        provenance=_provenance(headers),
    )


def _key(race: Race) -> tuple[str, int, float, int]:
    return race.benchmark, race.version, race.gpu_hours, race.workers


def _answer(race: Race, results: Results, rope: float, seed: int) -> Recommendation | None:
    if race.version != results.runs.loc[results.runs["benchmark"] == race.benchmark, "version"].max():
        return None
    return recommend(
        results, race.benchmark, race.gpu_hours, race.reference, workers=race.workers, rope=rope, seed=seed
    )


def _figures(race: Race, best: Results, single: Measured | None) -> list[Figure]:
    found: list[Figure | None] = [regret_figure(race), rank_figure(race), final_figure(race), gap_figure(race, best)]
    if single:
        found += [parallel_figure(race, single.results), importance_figure(single.importances)]
    return [figure for figure in [*found, hours_figure(race)] if figure is not None]


def _board_table(board: Board) -> Table | None:
    if not board.rows:
        return None
    columns = fitting(board, 10**6)
    rows = tuple(tuple(column.cell(row) for column in columns) for row in board.rows)
    return Table(title(board), tuple(column.title for column in columns), rows)


def _matrix(
    race: Race, pairs: list[Comparison], order: list[str]
) -> list[tuple[str, list[tuple[str, str, str] | None]]]:
    """Rows of cells: verdict, points, and all there is to know; `None` on the diagonal."""
    both = {(c.one, c.other): c for pair in pairs for c in (pair, mirrored(pair))}
    return [(one, [_cell(both[one, other]) if one != other else None for other in order]) for one in order]


def _cell(comparison: Comparison) -> tuple[str, str, str]:
    points = ABSENT if comparison.difference is None else f"{comparison.difference:+.2f}"
    detail = (
        f"{comparison.verdict}: 95 % interval {number(comparison.low)} to {number(comparison.high)} points, better on "
        f"a seed with probability {comparison.improvement:.2f}, Holm's p {comparison.p_holm:.3g}"
    )
    return comparison.verdict, points, detail


def _control(race: Race, pairs: list[Comparison], seed: int) -> Table | None:
    """Every strategy against random search."""
    if RANDOM not in race.strategies or len(race.strategies) < 2:
        return None
    speed = {row.strategy: row for row in speed_ups(race, seed=seed)}
    area = dict(zip(race.strategies, areas(race).mean(axis=0), strict=True))
    rows = []
    for c in against(RANDOM, pairs):
        s = speed.get(c.one)
        rows.append(
            (
                c.one,
                f"{number(c.difference)} [{number(c.low)}, {number(c.high)}]",
                f"{c.improvement:.2f}",
                f"{c.p:.3g}",
                f"{c.p_holm:.3g}",
                str(c.zeros),
                f"{_SIGNS[c.verdict]} {c.verdict}",
                ABSENT if s is None else (f"> {race.gpu_hours:g}" if s.hours is None else hours_text(s.hours)),
                ABSENT if s is None or s.hours is None else f"{s.factor:.2f} [{s.low:.2f}, {s.high:.2f}]",
                number(float(area[c.one])),
            )
        )
    header = ("Strategy", "Points better", "P(better on a seed)", "p", "p (Holm)", "Equal seeds", "Verdict")
    more = ("GPU-hours to random's end", "Speed-up", "Area under regret" if race.scale else "Area under loss")
    return Table("Against random search, on paired seeds", header + more, tuple(rows))


def _card(race: Race) -> Card | None:
    try:
        return card_of(load_benchmark(race.benchmark).card())
    except BenchmarkError:
        return None


def _headers(race: Race) -> dict[str, Mapping[str, Any]]:
    """One `run.json` a strategy, where results have them."""
    if "header" not in race.runs:
        return {}
    first = race.runs.drop_duplicates("strategy")
    return {str(name): json.loads(text) for name, text in zip(first["strategy"], first["header"], strict=True)}


def _provenance(headers: Mapping[str, Mapping[str, Any]]) -> list[tuple[str, str]]:
    """What the runs say of themselves, each thing once where all agree."""
    rows: list[tuple[str, str]] = []
    for part in ("suite", "horizon", "source", "environment"):
        values = {name: _said(header.get(part)) for name, header in headers.items()}
        if len(set(values.values())) == 1:
            rows.append((part, next(iter(values.values()))))
        else:
            rows += [(f"{part} of {name}", value) for name, value in values.items()]
    settings = {name: header.get("strategy", {}).get("settings") for name, header in headers.items()}
    return rows + [(f"settings of {name}", _said(value)) for name, value in settings.items() if value]


def _said(value: Any) -> str:
    if isinstance(value, dict):
        return plain(", ".join(f"{key} {_said(inner)}" for key, inner in sorted(value.items())))
    return plain(str(value))


def _across(found: list[Race]) -> str:
    """Why there is no critical-difference diagram, or what it says."""
    newest = {race.benchmark: race for race in sorted(found, key=lambda race: (race.version, race.gpu_hours))}
    names = sorted(set.intersection(*(set(race.strategies) for race in newest.values()))) if newest else []
    if len(newest) < 2 or len(names) < 2:
        return ""
    table = []
    for race in newest.values():
        mean = ranks(race.at(race.gpu_hours)[:, :, 0]).mean(axis=0)
        table.append([mean[race.strategies.index(name)] for name in names])
    try:
        result = critical_difference(table)
    except BenchmarkError as refusal:
        return f"There is {refusal.problem}."
    mean_ranks = ", ".join(f"{name} {rank:.2f}" for name, rank in zip(names, result.mean_ranks, strict=True))
    return (
        f"Friedman's p over {len(newest)} tasks is {result.friedman_p:.3g}; mean ranks that lie less than "
        f"{result.critical_difference:.2f} apart are no difference: {mean_ranks}."
    )
