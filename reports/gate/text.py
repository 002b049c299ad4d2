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


@dataclass(frozen=True)
class Judgement:
    """All that one gate concluded.

    Attributes:
        baseline: Name of the baseline.
        terms: What it promises; `None` for speed.
        arms: A verdict on each arm.
        versions: What changed since the baseline, as in `optuna 4.5.0 -> 5.0.0`.
        kernel: How the numerical fingerprint changed, as from `another_kernel`; empty if it did not.
        seconds: That the gate took; 0 where nothing was run.
        speed: Verdicts on benchmarks of speed.
    """

    baseline: str
    terms: Terms | None
    arms: tuple[ArmVerdict, ...] = ()
    versions: tuple[str, ...] = ()
    kernel: str = ""
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
    """One line: the verdict, how many arms had which and within what they passed, how long it took."""
    found = judgement.verdicts
    counts = ", ".join(f"{found.count(word)} {word}" for word in EXIT_CODES if word in found)
    passed = [arm for arm in judgement.arms if arm.verdict == "pass"]
    identical = sum(arm.identical for arm in passed)
    within = [f"{identical} bit-identical"] * (identical > 0)
    if judgement.terms is not None and len(passed) > identical:
        within.append(f"{len(passed) - identical} worse by less than {judgement.terms.margin:g} if at all")
    same = f" ({', '.join(within)})" if within else ""
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
        found.append(f"neither shown after all {_seeds(arm.seeds)}, which could have seen {smallest(arm)}")
    elif arm.verdict == "pass":
        found.append(f"shown not worse by the margin: {_bounds_said(arm.measures)}")
    return [*found, *_partings_said(arm), *arm.remarks]


def _bounds_said(measures: Sequence[Measure]) -> str:
    """How much worse it is at most, as in `at most +0.21 at the end, +0.12 in area`."""
    places = {"regret": "at the end", "area": "in area"}
    said = [f"{measure.high:+.2f} {places[measure.name]}" for measure in measures if measure.high is not None]
    return f"at most {', '.join(said)}"


def _measure_said(measure: Measure) -> str:
    name = "regret at the end" if measure.name == "regret" else "anytime area"
    least = f", at least {measure.low:+.2f}" if measure.low is not None else ""
    return f"{name} worse by {measure.estimate:.2f}{least}"


def _partings_said(arm: ArmVerdict) -> Iterator[str]:
    """Where runs part, told apart by whose doing it is."""
    for what, said in (
        ("ask", "first differing ask at trial"),
        ("end", "stops asking elsewhere: at trial"),
        ("answer", "the same asks were answered otherwise, which is not the strategy's doing: from trial"),
    ):
        found = [part for part in arm.divergences if part.what == what]
        if found:
            cause = ", under another numerical kernel" if what == "ask" and arm.other_kernel else ""
            yield f"{said} {_trials_said(found)}{cause}"
    if arm.divergences and len(arm.divergences) < arm.seeds:
        yield f"bit-identical in {arm.seeds - len(arm.divergences)} of {_seeds(arm.seeds)}"


def _trials_said(found: Sequence[Divergence]) -> str:
    """The first of these trials, and how many seeds and what range the others are."""
    trials = [part.trial for part in found]
    first = f"{found[0].trial} (seed {found[0].seed})"
    if len(found) == 1:
        return first
    others = len(found) - 1
    if min(trials) == max(trials):
        return f"{first}, the same in {others} more"
    return f"{first}, {others} more between {min(trials)} and {max(trials)}"


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
    if judgement.kernel and any(arm.other_kernel for arm in judgement.arms):
        found.append(
            f"{judgement.kernel[0].upper()}{judgement.kernel[1:]}. Its numbers differ in "
            "their last bits, and so do the proposals of a Gaussian process; such an arm is judged statistically."
        )
    return found


def in_words(judgement: Judgement) -> str:
    """The verdict, and of all that is not bit-identical the figures and the reasons: for an exception's message."""
    lines = [headline(judgement)]
    for arms in _alike(judgement):
        _, strategy, verdict, seeds, regret, area, could_see, why = cells(arms[0])
        lines.append(f"- {strategy} on {_places(arms)}: {verdict} after {seeds} seeds: {why}")
        lines.append(f"  regret at the end {regret}, anytime area {area}, could see {could_see}")
    return "\n".join([*lines, *notes(judgement)])


def _alike(judgement: Judgement) -> list[list[ArmVerdict]]:
    """What is not bit-identical, arms of one strategy of which the same is to be said together: one cause once."""
    found: dict[tuple[str, ...], list[ArmVerdict]] = {}
    for arm in judgement.arms:
        if not arm.identical:
            found.setdefault(cells(arm)[1:], []).append(arm)
    return list(found.values())


def _places(arms: Sequence[ArmVerdict]) -> str:
    """The benchmarks and budgets of some arms."""
    return "; ".join(f"{arm.key.benchmark}, {arm.key.budget}" for arm in arms)


def render(judgement: Judgement, console: Console) -> None:
    """Print the verdict, a table a benchmark, and the reasons of what is not bit-identical."""
    console.print(Text(headline(judgement), style=STYLES[judgement.verdict]), soft_wrap=True)
    places = {cells(arm)[0]: None for arm in judgement.arms}
    for place in places:
        rows = [narrow_cells(arm) for arm in judgement.arms if cells(arm)[0] == place]
        console.print(_table(NARROW_COLUMNS, rows, place))
    if judgement.speed:
        console.print(_table(SPEED_COLUMNS, [speed_cells(speed) for speed in judgement.speed]))
    for arms in _alike(judgement):
        where = f"{arms[0].candidate} on {_places(arms)}: {arms[0].verdict}"
        console.print(Text(f"- {where}: {'; '.join(reasons(arms[0]))}"))
    for note in notes(judgement):
        console.print(Text(note))


NARROW_COLUMNS = ("strategy", "verdict", "seeds", "worse at the end", "worse in area")


def narrow_cells(arm: ArmVerdict) -> tuple[str, ...]:
    """An arm as a row of the terminal's table, which fits into 80 columns."""
    by_name = {measure.name: measure for measure in arm.measures}
    figures = ["±0" if arm.identical else _at_most(by_name.get(name)) for name in ("regret", "area")]
    return (cells(arm)[1], arm.verdict, f"{arm.seeds} of {arm.of}", *figures)


def _at_most(measure: Measure | None) -> str:
    """Estimate and upper bound, as in `+0.02, at most +0.21`."""
    if measure is None:
        return "–"
    return (
        f"{measure.estimate:+.2f}, at most {measure.high:+.2f}"
        if measure.high is not None
        else f"{measure.estimate:+.2f}"
    )


def _table(columns: Sequence[str], rows: Sequence[tuple[str, ...]], caption: str = "") -> rich.table.Table:
    styles: dict[str, str] = {str(verdict): style for verdict, style in STYLES.items()}
    return terminal_table(Table(caption, tuple(columns), tuple(rows), texts=len(columns)), styles)


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
        "kernel_changed": judgement.kernel,
        "arms": [{**asdict(arm), "why": reasons(arm)} for arm in judgement.arms],
        "speed": [asdict(speed) for speed in judgement.speed],
        "measured": {"seconds": round(judgement.seconds, 1)},
    }
