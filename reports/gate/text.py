"""The gate in words: one line, then each arm with its figures and its reasons; as text, Markdown and plain data."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import rich.table
from rich.console import Console
from rich.text import Text

from hemobench.reports.gate.baseline import Terms
from hemobench.reports.gate.divergence import Divergence
from hemobench.reports.gate.speed import SpeedVerdict
from hemobench.reports.gate.verdict import ArmVerdict, Measure, Verdict
from hemobench.reports.text_tables import Table, terminal_table

SCHEMA = 1
EXIT_CODES: dict[Verdict, int] = {"pass": 0, "regress": 1, "inconclusive": 3}
STYLES: dict[Verdict, str] = {"pass": "green", "regress": "bold red", "inconclusive": "yellow"}
SHOWN_SEEDS = 4


@dataclass(frozen=True)
class Judgement:
    """All that one gate concluded.

    Attributes:
        baseline: Name of the baseline.
        terms: What it promises; `None` for speed.
        arms: A verdict on each arm.
        versions: What changed since the baseline, as in `optuna 4.5.0 -> 5.0.0`.
        seconds: That the gate took; 0 where nothing was run.
        speed: Verdicts on benchmarks of speed.
    """

    baseline: str
    terms: Terms | None
    arms: tuple[ArmVerdict, ...] = ()
    versions: tuple[str, ...] = ()
    seconds: float = 0.0
    speed: tuple[SpeedVerdict, ...] = ()

    @property
    def verdicts(self) -> list[Verdict]:
        """Of every arm and benchmark of speed."""
        return [arm.verdict for arm in self.arms] + [speed.verdict for speed in self.speed]

    @property
    def verdict(self) -> Verdict:
        """The one word."""
        found = self.verdicts
        return "regress" if "regress" in found else "inconclusive" if "inconclusive" in found else "pass"


def headline(judgement: Judgement) -> str:
    """One line: the verdict, how many arms had which, how long it took."""
    found = judgement.verdicts
    counts = ", ".join(f"{found.count(word)} {word}" for word in EXIT_CODES if word in found)
    identical = sum(arm.identical for arm in judgement.arms)
    same = f" ({identical} bit-identical)" if identical else ""
    time = f"; {judgement.seconds:.0f} s" if judgement.seconds else ""
    return f"{judgement.verdict.upper()}: {counts}{same}, held against {judgement.baseline}{time}"


def reasons(arm: ArmVerdict) -> list[str]:
    """Why an arm has its verdict, the weightiest first."""
    if arm.error:
        return [f"strategy-error, {arm.error}", *arm.remarks]
    if arm.identical:
        return [f"bit-identical in {_seeds(arm.seeds)}"]
    found = [_measure_said(measure) for measure in arm.measures if measure.shown == "worse"]
    if not arm.measures:
        found.append(f"{_seeds(arm.seeds)} are too few for a test, which takes eight")
    elif arm.verdict == "inconclusive":
        found.append(f"neither shown after all {_seeds(arm.seeds)}")
    elif arm.verdict == "pass":
        found.append("shown not worse by the margin")
    return [*found, *_partings_said(arm.divergences, arm.seeds), *arm.remarks]


def _measure_said(measure: Measure) -> str:
    name = "regret at the end" if measure.name == "regret" else "anytime area"
    least = f", at least {measure.low:+.2f}" if measure.low is not None else ""
    return f"{name} worse by {measure.estimate:.2f}{least}"


def _partings_said(divergences: Sequence[Divergence], seeds: int) -> Iterator[str]:
    """Where runs part, told apart by whose doing it is."""
    for what, said in (
        ("ask", "first differing ask at trial"),
        ("end", "stops asking elsewhere: at trial"),
        ("answer", "the same asks were answered otherwise, which is not the strategy's doing: from trial"),
    ):
        found = [part for part in divergences if part.what == what]
        if found:
            shown = ", ".join(f"{part.trial} (seed {part.seed})" for part in found[:SHOWN_SEEDS])
            more = len(found) - SHOWN_SEEDS
            trials = [part.trial for part in found]
            rest = f" and {more} more, between {min(trials)} and {max(trials)}" if more > 0 else ""
            yield f"{said} {shown}{rest}"
    if divergences and len(divergences) < seeds:
        yield f"bit-identical in {seeds - len(divergences)} of {_seeds(seeds)}"


def _seeds(count: int) -> str:
    return f"{count} seed{'s' * (count != 1)}"


def figure(measure: Measure | None) -> str:
    """Estimate and interval, as in `+0.12 (-0.05 to +0.29)`."""
    if measure is None:
        return "–"
    low, high = (f"{end:+.2f}" if end is not None else "?" for end in (measure.low, measure.high))
    return f"{measure.estimate:+.2f} ({low} to {high})"


def smallest(arm: ArmVerdict) -> str:
    """The smallest change of regret and of area that would have been called."""
    if arm.identical:
        return "any"
    found = [f"{m.smallest:.2f}" if m.smallest is not None else "?" for m in arm.measures]
    return " / ".join(found) if found else "–"


COLUMNS = ("benchmark", "strategy", "verdict", "seeds", "regret at the end", "anytime area", "could see", "why")


def cells(arm: ArmVerdict) -> tuple[str, ...]:
    """An arm as a row of the table."""
    by_name = {measure.name: measure for measure in arm.measures}
    stands_for = arm.candidate if arm.candidate == arm.key.strategy else f"{arm.candidate} for {arm.key.strategy}"
    return (
        f"{arm.key.benchmark}, {arm.key.budget}",
        stands_for,
        arm.verdict,
        f"{arm.seeds} of {arm.of}",
        "±0" if arm.identical else figure(by_name.get("regret")),
        "±0" if arm.identical else figure(by_name.get("area")),
        smallest(arm),
        "; ".join(reasons(arm)),
    )


def speed_cells(speed: SpeedVerdict) -> tuple[str, ...]:
    """A benchmark of speed as a row."""
    ratios = [f"{ratio.fastest:.3g}" if ratio else "–" for ratio in (speed.before, speed.now)]
    return (speed.group, speed.name, speed.verdict, *ratios, speed.reference, speed.why)


SPEED_COLUMNS = ("group", "benchmark", "verdict", "ratio before", "ratio now", "over", "why")


def notes(judgement: Judgement) -> list[str]:
    """What a reader must know: the terms, and what changed since the baseline."""
    found = []
    if judgement.terms is not None:
        terms = judgement.terms
        found += [
            f"Figures are how much worse than the baseline, in normalised regret (0 the best known loss, 1 what "
            f"random search reaches); the margin is {terms.margin:g}. 'could see' is the smallest such change that "
            f"all seeds together would call worse with a chance of {terms.power:.0%} (at the end / area).",
            f"Chance of red although nothing is worse: at most {terms.false_alarm:.1%} over everything tested. Chance "
            f"of green although an arm is worse by the margin: at most {terms.false_pass:.1%}.",
        ]
    if any(not arm.identical for arm in judgement.arms):
        changed = ", ".join(judgement.versions)
        found.append(f"Changed since the baseline: {changed}." if changed else "No version changed since the baseline.")
    return found


def in_words(judgement: Judgement) -> str:
    """The verdict, and of all that is not bit-identical the figures and the reasons: for an exception's message."""
    lines = [headline(judgement)]
    for arm in (arm for arm in judgement.arms if not arm.identical):
        place, strategy, verdict, seeds, regret, area, could_see, why = cells(arm)
        lines.append(f"- {strategy} on {place}: {verdict} after {seeds} seeds: {why}")
        lines.append(f"  regret at the end {regret}, anytime area {area}, could see {could_see}")
    return "\n".join([*lines, *notes(judgement)])


def render(judgement: Judgement, console: Console) -> None:
    """Print the verdict, a table, and the reasons of what is not bit-identical."""
    console.print(Text(headline(judgement), style=STYLES[judgement.verdict]), soft_wrap=True)
    if judgement.arms:
        console.print(_table(COLUMNS[:-1], [cells(arm)[:-1] for arm in judgement.arms]))
    if judgement.speed:
        console.print(_table(SPEED_COLUMNS, [speed_cells(speed) for speed in judgement.speed]))
    for arm in judgement.arms:
        if not arm.identical:
            where = f"{arm.candidate} on {arm.key.benchmark}, {arm.key.budget}: {arm.verdict}"
            console.print(Text(f"- {where}: {'; '.join(reasons(arm))}"), soft_wrap=True)
    for note in notes(judgement):
        console.print(Text(note), soft_wrap=True)


def _table(columns: Sequence[str], rows: Sequence[tuple[str, ...]]) -> rich.table.Table:
    styles: dict[str, str] = {str(verdict): style for verdict, style in STYLES.items()}
    return terminal_table(Table("", tuple(columns), tuple(rows), texts=len(columns)), styles)


def to_markdown(judgement: Judgement) -> str:
    """For a summary of a CI job."""
    lines = [f"**{headline(judgement)}**", ""]
    for columns, rows in (
        (COLUMNS, [cells(arm) for arm in judgement.arms]),
        (SPEED_COLUMNS, [speed_cells(speed) for speed in judgement.speed]),
    ):
        if rows:
            lines += [_row(columns), _row(["---"] * len(columns)), *map(_row, rows), ""]
    return "\n".join([*lines, *(f"- {note}" for note in notes(judgement))]) + "\n"


def _row(texts: Sequence[str]) -> str:
    escaped = (text.replace("|", "\\|").replace("<", "&lt;").replace("\n", " ") for text in texts)
    return f"| {' | '.join(escaped)} |"


def as_json(judgement: Judgement) -> dict[str, Any]:
    """Plain data for programs: the fields of the verdicts, with the reasons in words."""
    return {
        "schema": SCHEMA,
        "verdict": judgement.verdict,
        "exit_code": EXIT_CODES[judgement.verdict],
        "headline": headline(judgement),
        "baseline": judgement.baseline,
        "terms": judgement.terms.model_dump() if judgement.terms else None,
        "versions_changed": list(judgement.versions),
        "arms": [{**asdict(arm), "why": reasons(arm)} for arm in judgement.arms],
        "speed": [asdict(speed) for speed in judgement.speed],
        "measured": {"seconds": round(judgement.seconds, 1)},
    }
