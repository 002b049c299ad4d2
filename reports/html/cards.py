"""A benchmark's card for people: what its answers rest on, and how far to trust them, as tables and sentences."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from hemobench.reports.leaderboard.render import ABSENT
from hemobench.reports.text_tables import Table

AGREEMENT = ("n", "r2", "mae", "spearman", "kendall")
SHOWN = ("accuracy", "auroc", "balanced_accuracy", "macro_f1", "micro_f1")
"""Metrics of the table for people; the card as JSON has them all."""
COLUMNS = ("Held-out prediction of", "Trainings", "R²", "MAE", "Spearman", "Kendall", "Spearman, best tenth")


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
        tables.append(trust_table(found["trust"], found.get("alternatives", {})))
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


def trust_table(trust: Mapping[str, Any], alternatives: Mapping[str, Any]) -> Table:
    """How well the surrogate predicts trainings of configurations that it was not fitted to.

    Args:
        trust: As from `surrogates.trust.trust`.
        alternatives: The loss by other models, by their name.
    """
    wanted = {"loss": trust["loss"], **{f"loss, by a {name}": figures for name, figures in alternatives.items()}}
    wanted |= {f"loss, averaged {what}": figures for what, figures in trust["averaged"].items() if figures["n"]}
    wanted["cost (logarithm)"] = trust["cost"]
    wanted |= {name: figures for name, figures in trust["metrics"].items() if name.partition(".")[2] in SHOWN}
    rows = tuple(
        (name, *(_number(f[k]) for k in AGREEMENT), _number(f["top"]["spearman"])) for name, f in wanted.items()
    )
    return Table(f"How far to trust the surrogate: {trust['protocol']}", COLUMNS, rows)


def trust_words(trust: Mapping[str, Any]) -> Iterator[str]:
    """What limits the figures, in sentences."""
    noise, ceiling, table = trust["noise"], trust["ceiling"], trust["table"]
    yield f"Recorded: {table['rows']} trainings of {table['configurations']} configurations."
    if noise["measured"] is not None:
        yield (
            f"Two trainings that differ in their seed alone have losses that deviate by {noise['measured']:.4f} "
            f"(measured on {noise['repeated']} trainings); the surrogate draws {noise['drawn']:.4f}."
        )
    if ceiling["spearman"] is not None:
        yield (
            f"That noise is a ceiling: even the truth would rank single trainings with a Spearman correlation of "
            f"{ceiling['spearman']:.2f} only ({_number(ceiling['top_spearman'])} in the best tenth), and explain "
            f"{100 * ceiling['r2']:.0f} % of their variance."
        )
    if noise["folds"] is not None:
        yield f"Between folds, losses of one configuration deviate by {noise['folds']:.4f}."
    failures = trust["failures"]
    yield f"Failed: {100 * failures['recorded']:.1f} % of the trainings; predicted {100 * failures['predicted']:.1f} %."
    yield (
        f"A configuration counts as outside what was recorded beyond a distance of {trust['support']['limit']:.3f} "
        "to the nearest recorded one (1 lies between the ends of one hyperparameter)."
    )


def _number(value: float | None) -> str:
    return ABSENT if value is None else f"{value:.3g}" if isinstance(value, float) else str(value)
