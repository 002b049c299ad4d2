"""The gate as JUnit XML: an arm is a test case, red is a failure, inconclusive is skipped with its reason."""

from __future__ import annotations

from collections.abc import Iterator
from xml.etree import ElementTree as Xml

from hemobench.reports.gate.text import Judgement, cells, headline, reasons, speed_cells
from hemobench.reports.gate.verdict import Verdict


def to_junit(judgement: Judgement) -> str:
    """The whole file."""
    cases = list(_cases(judgement))
    suite = Xml.Element(
        "testsuite",
        name=f"hemobench gate: {judgement.baseline}",
        tests=str(len(cases)),
        failures=str(sum(verdict == "regress" for _, _, verdict, _ in cases)),
        skipped=str(sum(verdict == "inconclusive" for _, _, verdict, _ in cases)),
        errors="0",
        time=f"{judgement.seconds:.1f}",
    )
    for group, name, verdict, why in cases:
        case = Xml.SubElement(suite, "testcase", classname=_clean(group), name=_clean(name))
        if verdict == "pass":
            Xml.SubElement(case, "system-out").text = _clean(why)
        else:
            kind = "failure" if verdict == "regress" else "skipped"
            Xml.SubElement(case, kind, message=_clean(why)).text = _clean(headline(judgement))
    Xml.indent(suite)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + Xml.tostring(suite, encoding="unicode") + "\n"


def _cases(judgement: Judgement) -> Iterator[tuple[str, str, Verdict, str]]:
    for arm in judgement.arms:
        place, strategy = cells(arm)[:2]
        yield place, strategy, arm.verdict, "; ".join(reasons(arm))
    for speed in judgement.speed:
        yield speed.group, speed.name, speed.verdict, speed_cells(speed)[-1]


def _clean(text: str) -> str:
    """Without the control characters that XML cannot hold: an error message may have any."""
    return "".join(letter if letter.isprintable() or letter in "\n\t" else "?" for letter in text)
