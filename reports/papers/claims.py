"""A figure of a paper beside ours, and the sentence that says so."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import sqrt

import numpy as np

BONE_MARROW, C_NMC = "bone marrow (Gräbel et al.)", "C-NMC (Swastika et al.)"
SECTION_4_2 = "Section 4.2, search"
SOURCES = ("published", "recorded", "surrogate", "table", "live")


def by_source(benchmark: str) -> tuple[int, str]:
    """A key that sorts benchmarks by source, from the cheapest answer to the dearest, then by name."""
    source = benchmark.partition("@")[2]
    return (SOURCES.index(source) if source in SOURCES else len(SOURCES), benchmark)


@dataclass(frozen=True, slots=True)
class Claim:
    """A figure of a paper beside ours.

    Attributes:
        paper: Which one.
        place: Where it stands there.
        what: What is claimed.
        published: The paper's figure; `None` where it has none.
        ours: Ours; `None` if these runs cannot tell.
        margin: How far apart the two may lie and still agree.
        unit: As in `%` or `points`.
        benchmark: What ours was measured on.
        agrees: Whether they do; `None` where there is nothing to compare.
        words: The same as a sentence.
        note: A sentence that the reader needs to judge it; part of `words`.
        published_text: What a table shows of the paper's, where a number is not all of it, as of an interval.
        ours_text: And of ours.
        within: What would agree.
    """

    paper: str
    place: str
    what: str
    published: float | None
    ours: float | None
    margin: float
    unit: str
    benchmark: str
    agrees: bool | None
    words: str
    note: str = ""
    published_text: str = ""
    ours_text: str = ""
    within: str = ""

    @property
    def source(self) -> str:
        """What answered: `published`, `recorded`, `surrogate`, `table` or `live`."""
        return self.benchmark.partition("@")[2]

    @property
    def fitted(self) -> bool:
        """Whether ours comes of a surface that was calibrated to the paper: its agreement is by construction.

        How a strategy walks over the surface was not calibrated.
        """
        return self.published is not None and self.source == "published" and self.place != SECTION_4_2


@dataclass(frozen=True, slots=True)
class Printed:
    """What a paper says.

    Attributes:
        paper: Which one.
        place: Where it stands there.
        what: What is claimed.
        figure: The paper's.
        margin: How far from it still agrees.
        unit: As in `%` or `points`.
        text: The figure as it is said; by default itself with its unit.
    """

    paper: str
    place: str
    what: str
    figure: float
    margin: float
    unit: str
    text: str = ""

    def beside(self, ours: float | None, benchmark: str, note: str = "") -> Claim:
        """Held against ours; `note` is a sentence that the reader needs to judge it."""
        known = ours is not None and bool(np.isfinite(ours))
        claim = Claim(
            paper=self.paper,
            place=self.place,
            what=self.what,
            published=self.figure,
            ours=float(ours) if ours is not None and known else None,
            margin=self.margin,
            unit=self.unit,
            benchmark=benchmark,
            agrees=bool(abs(ours - self.figure) <= self.margin) if ours is not None and known else None,
            words="",
            note=note,
            published_text=self.text or figure_text(self.figure, self.unit),
            ours_text=ours_text(ours if known else None, self.margin),
            within=f"± {self.margin:g}",
        )
        return replace(claim, words=" ".join(filter(None, [_sentence(claim), note])))


def unprinted(paper: str, place: str, what: str, ours: float, unit: str, benchmark: str, said: str) -> Claim:
    """What the paper leaves open: it has no figure, so there is nothing to agree with."""
    words = f"Not in the paper, on {benchmark}: {said}"
    text = f"{ours:+.2f} {unit}".strip()
    return Claim(paper, place, what, None, float(ours), 0.0, unit, benchmark, None, words, "", "none", text, "–")


def deviation_margin(deviation: float, count: int) -> float:
    """Two standard errors of a deviation of so many values: s / sqrt(2 (n - 1)) is one, of normal values."""
    return round(2 * deviation / sqrt(2 * (count - 1)), 2)


def figure_text(value: float | None, unit: str = "") -> str:
    """Four significant digits and the unit."""
    return "–" if value is None else f"{value:.4g} {unit}".strip()


def ours_text(value: float | None, margin: float) -> str:
    """Our figure, as finely as what would agree: two decimals, and three where the margin is below a tenth."""
    if value is None:
        return "–"
    text = f"{value:.{3 if margin < 0.1 else 2}f}"
    return text.lstrip("-") if not float(text) else text


def _sentence(claim: Claim) -> str:
    theirs = claim.published_text
    if claim.agrees is None:
        return f"Runs on {claim.benchmark} cannot tell: {claim.what} is {theirs} in the paper."
    verb = "Agrees" if claim.agrees else "Disagrees"
    if claim.agrees and claim.fitted:
        verb = "Agrees by construction"
    return (
        f"{verb} on {claim.benchmark}: {claim.what} is {theirs} in the paper and {claim.ours_text} here "
        f"({claim.within} would agree)."
    )
