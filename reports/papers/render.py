"""Claims by figure of a paper, with the benchmarks side by side, as tables and sentences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from hemobench.reports.papers.claims import BONE_MARROW, C_NMC, Claim, by_source
from hemobench.reports.serialize import rounded
from hemobench.reports.text_tables import Table, escaped, latex_table, markdown_table

SCHEMA = 1
PAPERS = (BONE_MARROW, C_NMC)
_MICRO = (
    "Its small networks on small images stand for themselves: compare its leads, effects and shares, not its levels."
)


FITTED = "agrees (fitted)"
FITTED_MEANS = (
    f'"{FITTED}": the surface was calibrated to the paper, so this agreement is by construction and confirms nothing.'
)


@dataclass(frozen=True, slots=True)
class PaperFigure:
    """A table, figure or section of a paper, beside ours.

    Attributes:
        paper: Which one.
        place: Where in it.
        table: What is claimed, the paper's figure, and a column for each benchmark.
        reading: How far the benchmarks agree, in a sentence.
        words: A sentence for each row of the table.
    """

    paper: str
    place: str
    table: Table
    reading: str
    words: tuple[str, ...]


def beside(claims: Sequence[Claim]) -> list[PaperFigure]:
    """By figure of a paper, in the order in which claims come."""
    keys = dict.fromkeys((claim.paper, claim.place) for claim in claims)
    return [_figure(paper, place, [c for c in claims if (c.paper, c.place) == (paper, place)]) for paper, place in keys]


def readings(claims: Sequence[Claim]) -> list[tuple[str, str]]:
    """Each paper with, for each benchmark, a sentence: how many figures agree, and which do not."""
    keys = {(claim.paper, claim.benchmark) for claim in claims}
    ordered = sorted(keys, key=lambda key: (PAPERS.index(key[0]), by_source(key[1])))
    return [
        (paper, _reading(benchmark, [c for c in claims if (c.paper, c.benchmark) == (paper, benchmark)]))
        for paper, benchmark in ordered
    ]


def in_words(claims: Sequence[Claim]) -> list[str]:
    """All of it for a terminal: of each paper the readings, then its figures row by row."""
    lines: list[str] = []
    for paper in dict.fromkeys(claim.paper for claim in claims):
        lines += [paper, *(f"  {text}" for name, text in readings(claims) if name == paper)]
        for figure in beside([claim for claim in claims if claim.paper == paper]):
            lines += [f"  {figure.place}. {figure.reading}".rstrip(), *(f"  - {text}" for text in figure.words)]
    return lines


def legend(claims: Sequence[Claim]) -> list[str]:
    """What a reader of the tables must know."""
    return [FITTED_MEANS] if any(claim.agrees and claim.fitted for claim in claims) else []


def to_markdown(claims: Sequence[Claim]) -> str:
    """Every figure as a Markdown table, under its paper, with the readings."""
    lines: list[str] = []
    for paper in dict.fromkeys(claim.paper for claim in claims):
        lines += [f"## {escaped(paper)}", ""]
        lines += [f"- {escaped(text)}" for name, text in readings(claims) if name == paper]
        for figure in beside([claim for claim in claims if claim.paper == paper]):
            lines += ["", f"### {escaped(figure.place)}", "", *markdown_table(figure.table)]
        lines += [""]
    return "\n".join([*lines, *map(escaped, legend(claims))]).rstrip() + "\n"


def to_latex(claims: Sequence[Claim]) -> str:
    """Every figure as a LaTeX table (package `booktabs`), the legend as a comment."""
    tables = [latex_table(figure.table) for figure in beside(claims)]
    return "\n\n".join([*(f"% {text}" for text in legend(claims)), *tables]) + "\n"


def as_json(claims: Sequence[Claim]) -> dict[str, Any]:
    """The fields of `Claim` for programs, with its source; and the sentences of `readings`."""
    return {
        "schema": SCHEMA,
        "claims": [{**rounded(asdict(claim)), "source": claim.source, "fitted": claim.fitted} for claim in claims],
        "readings": [{"paper": paper, "words": words} for paper, words in readings(claims)],
    }


def _figure(paper: str, place: str, mine: Sequence[Claim]) -> PaperFigure:
    benchmarks = sorted({claim.benchmark for claim in mine}, key=by_source)
    rows, words, found = [], [], []
    for what in dict.fromkeys(claim.what for claim in mine):
        by_benchmark = {claim.benchmark: claim for claim in mine if claim.what == what}
        told = [by_benchmark[name] for name in benchmarks if name in by_benchmark]
        cells = (_cell(by_benchmark.get(name)) for name in benchmarks)
        rows.append((what, told[0].published_text, *cells, told[0].within))
        words.append(_side_by_side(told))
        found.append({claim.agrees for claim in told if claim.agrees is not None})
    table = Table(f"{paper}, {place}", ("What", "Paper", *benchmarks, "Agrees within"), tuple(rows))
    return PaperFigure(paper, place, table, _across(found) if len(benchmarks) > 1 else "", tuple(words))


def _cell(claim: Claim | None) -> str:
    if claim is None:
        return "–"
    if claim.published is None:
        return claim.ours_text
    return "cannot tell" if claim.agrees is None else f"{claim.ours_text} {_verb(claim)}"


def _verb(claim: Claim) -> str:
    if claim.agrees and claim.fitted:
        return FITTED
    return "agrees" if claim.agrees else "disagrees"


def _said(claim: Claim) -> str:
    return "agrees by construction" if claim.agrees and claim.fitted else _verb(claim)


def _side_by_side(told: Sequence[Claim]) -> str:
    """One row in words; a single benchmark has its own sentence."""
    first = told[0]
    if len(told) == 1 or first.published is None:
        return " ".join(claim.words for claim in told)
    parts = [
        f"{claim.benchmark} cannot tell"
        if claim.agrees is None
        else f"{claim.benchmark} {_said(claim)} with {claim.ours_text}"
        for claim in told
    ]
    said = (
        f"{first.what[0].upper()}{first.what[1:]} is {first.published_text} in the paper ({first.within} would agree)"
    )
    return " ".join([f"{said}: {'; '.join(parts)}.", *_notes(told)])


def _notes(told: Sequence[Claim]) -> list[str]:
    """Each note once where all benchmarks have the same."""
    if len({claim.note for claim in told}) == 1:
        return [told[0].note] if told[0].note else []
    return [f"On {claim.benchmark}: {claim.note}" for claim in told if claim.note]


def _across(found: Sequence[set[bool]]) -> str:
    """How many rows the benchmarks agree on among themselves."""
    told = [verdicts for verdicts in found if verdicts]
    if len(told) < 3:  # the table says it at a glance
        return ""
    both = sum(len(verdicts) > 1 for verdicts in told)
    agree = sum(verdicts == {True} for verdicts in told)
    return (
        f"Of the figures that can be told ({len(told)}), {agree} agree on every benchmark, "
        f"{len(told) - agree - both} on none, and {both} on some only."
    )


def _reading(benchmark: str, mine: Sequence[Claim]) -> str:
    told = [claim for claim in mine if claim.agrees is not None]
    unknown = sum(claim.agrees is None and claim.published is not None for claim in mine)
    places = "; ".join(
        f"{place}: {sum(bool(c.agrees) for c in told if c.place == place)} of {sum(c.place == place for c in told)}"
        for place in dict.fromkeys(claim.place for claim in told)
    )
    left = f"; {unknown} cannot be told" if unknown else ""
    said = f"{benchmark}: {sum(bool(c.agrees) for c in told)} of {len(told)} figures agree{left}"
    said += f" ({places})." if places else "."
    return f"{said} {_MICRO}" if benchmark.startswith("bone-marrow-micro@") else said
