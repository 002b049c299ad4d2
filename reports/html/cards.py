"""A benchmark's card for people: what its answers rest on, and how far to trust them, as tables and sentences."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hemobench.reports.html.trust import trust_tables, trust_words
from hemobench.reports.text_tables import Table


@dataclass(frozen=True, slots=True)
class Card:
    """What a card says.

    Attributes:
        tables: In the order of reading.
        words: Sentences below them.
    """

    tables: tuple[Table, ...]
    words: tuple[str, ...]


def card_of(found: Mapping[str, Any]) -> Card:
    """A card as `Benchmark.card` gives it, for people."""
    tables = []
    if found.get("targets"):
        tables.append(_targets(found["targets"]))
    if "recorded" in found:
        rows = tuple((name.replace("_", " "), str(value)) for name, value in found["recorded"].items() if value != "")
        tables.append(Table("What was recorded", ("What", "Value"), rows))
    words: list[str] = []
    if "trust" in found:
        tables += trust_tables(found["trust"], found.get("alternatives", {}))
        words += trust_words(found["trust"])
    words += (found.get("parity") or {}).get("words", [])
    return Card(tuple(tables), (*words, *found.get("notes", ())))


def _targets(targets: list[Mapping[str, Any]]) -> Table:
    rows = tuple(
        (
            target["name"],
            f"{target['target']:g} ± {target['tolerance']:g}",
            f"{target['achieved']:.4g}{'' if target['met'] else ' (missed)'}",
            target["unit"],
            target["source"],
        )
        for target in targets
    )
    met = sum(target["met"] for target in targets)
    caption = f"Published figures beside what this benchmark gives: {met} of {len(targets)} are met"
    return Table(caption, ("What", "Target", "Here", "Unit", "Source of the target"), rows)
