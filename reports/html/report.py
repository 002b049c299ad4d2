"""The report: one HTML file that needs no network, the answer first.

plotly.js stands in the file once. A content security policy forbids the page to load anything, and all that comes
from users is escaped: by Jinja2 in the page, by `figures.label` in the charts, and once more in their JSON.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from importlib.resources import files
from pathlib import Path
from typing import Any

from hemobench.benchmarks.benchmark import Reference, load_benchmark
from hemobench.benchmarks.storage.results import Results
from hemobench.errors import BenchmarkError
from hemobench.reports.charts import Figure
from hemobench.reports.citing.citation import citation
from hemobench.reports.comparison.comparison import Comparison, comparisons
from hemobench.reports.comparison.incumbents import only_incumbents, with_trials
from hemobench.reports.html.sections import SIGNS, board_table, section, single
from hemobench.reports.leaderboard.ranking import leaderboard
from hemobench.reports.leaderboard.render import COLUMNS, notes_of, title
from hemobench.reports.leaderboard.run_figures import outside_shares
from hemobench.reports.papers import claims_of, of_comparisons
from hemobench.reports.papers.figures import parts
from hemobench.reports.parallel.section import parallel_section
from hemobench.reports.statistics.bootstrap import ranks
from hemobench.reports.statistics.hypothesis_tests import critical_difference
from hemobench.reports.statistics.pairwise import ROPE
from hemobench.reports.statistics.text import p_text
from hemobench.reports.text_tables import plain
from hemobench.reports.validation.repeats import Validation
from hemobench.reports.validation.tables import validation_tables, validation_words

IN_BOLD, MARKED = "is bold", "is marked ●"
"""How a terminal shows what a verdict names, and how the page does."""
TEMPLATES = files("hemobench.reports.html") / "templates"


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
        validations: What `hemobench validate` wrote: shown, and held against the papers.
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
    found = comparisons(best, reference_of)
    outside = outside_shares(results, known_outside)
    counting = of_comparisons(found, results, seed=seed)
    sections = [
        section(
            comparison,
            best,
            single(comparison, found, results, counting, seed),
            boards,
            outside,
            rope,
            seed,
            anchor=f"comparison-{k}",
        )
        for k, comparison in enumerate(found)
    ]
    claims = claims_of(counting, validations=validations, extended=extended, seed=seed)
    ran = set(results.runs["strategy"])
    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.filters["chart"] = _chart_json
    environment.filters["unbroken"] = _unbroken
    template = environment.from_string((TEMPLATES / "report.html.j2").read_text(encoding="utf-8"))
    return template.render(
        heading=heading,
        sections=sections,
        overall=[(title(board), board_table(board), notes_of(board)) for board in boards if board.version is None],
        across=_across(found),
        parallel=parallel_section(best, reference_of, seed),
        phases=[(found, validation_tables(found), validation_words(found)) for found in validations],
        papers=parts(counting, claims),
        legend=[(column.title, column.legend.replace(IN_BOLD, MARKED)) for column in COLUMNS],
        begins=sorted((name, text) for name, text in startup.items() if name in ran),
        signs=SIGNS,
        rope=rope,
        facts=_runs_of(results),
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


def _unbroken(cell: str) -> str:
    """A cell that is broken, if it has to be, before an interval and not within one."""
    return cell.replace(", ", ",\u00a0").replace(" ± ", "\u00a0±\u00a0")


def _chart_json(figure: Figure) -> str:
    """A chart as JSON that holds no `<`, so that it can stand inside a `<script>`."""
    text = json.dumps(
        {"data": figure.data, "layout": figure.layout}, separators=(",", ":"), allow_nan=False, default=_builtin
    )
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def _builtin(value: Any) -> Any:
    return value.item()


def _runs_of(results: Results) -> list[tuple[str, str]]:
    """When the page was made, and what the results are cited by."""
    cited = citation(results)
    facts = [("Page of", date.today().isoformat()), ("Suite", ", ".join(cited.suites))]
    facts += [("hemobench", ", ".join(cited.versions)), ("commit", ", ".join(cited.commits))]
    facts += [("run on", " to ".join(cited.dates)), ("on", ", ".join(one.text for one in cited.benchmarks))]
    facts += [("beware:", "made with changes that were not committed")] if not cited.clean else []
    return [(name, plain(text)) for name, text in facts if text]


def _across(found: list[Comparison]) -> str:
    """Why there is no critical-difference diagram, or what it says."""
    newest = {
        comparison.benchmark: comparison
        for comparison in sorted(found, key=lambda comparison: (comparison.version, comparison.gpu_hours))
    }
    names = sorted(set.intersection(*(set(comparison.strategies) for comparison in newest.values()))) if newest else []
    if len(newest) < 2 or len(names) < 2:
        return ""
    table = []
    for comparison in newest.values():
        mean = ranks(comparison.final).mean(axis=0)
        table.append([mean[comparison.strategies.index(name)] for name in names])
    try:
        result = critical_difference(table)
    except BenchmarkError as refusal:
        return f"There is {refusal.problem}."
    mean_ranks = ", ".join(f"{name} {rank:.2f}" for name, rank in zip(names, result.mean_ranks, strict=True))
    return (
        f"Friedman's p over {len(newest)} tasks is {p_text(result.friedman_p)}; mean ranks that lie less than "
        f"{result.critical_difference:.2f} apart are no difference: {mean_ranks}."
    )
