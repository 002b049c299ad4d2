"""How far to trust a surrogate's answers, for people: tables and sentences of a trust card."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from hemobench.reports.leaderboard.render import ABSENT
from hemobench.reports.text_tables import Table

AGREEMENT = ("n", "r2", "mae", "spearman", "kendall")
SHOWN = ("accuracy", "auroc", "balanced_accuracy", "macro_f1", "micro_f1")
"""Metrics of the table for people; the card as JSON has them all."""
COLUMNS = ("Held-out prediction of", "Number", "R²", "MAE", "Spearman", "Kendall", "Spearman, best tenth")

Found = Mapping[str, Any]


def trust_tables(trust: Found, alternatives: Found) -> list[Table]:
    """A trust card's tables: held-out predictions, tails, noise, and what was trained near the optimum.

    Args:
        trust: As from `surrogates.trust.card`; cards of older releases lack some parts.
        alternatives: The loss by other models, by their name.
    """
    tables = [_agreement(trust, alternatives)]
    answers, noise = trust.get("answers"), trust.get("noise") or {}
    if answers and answers["tails"]:
        tables.append(_tails(answers["tails"]))
    if noise.get("rows"):
        tables.append(_noise(noise["rows"], noise.get("between", "seeds")))
    if "optimum" in trust:
        tables.append(_nearest(trust["optimum"]))
    return tables


def _agreement(trust: Found, alternatives: Found) -> Table:
    wanted = {"loss of a training": trust["loss"]}
    answers = trust.get("answers")
    if answers:
        wanted = {"loss that a trial answers": answers["held_out"], **wanted}
    wanted |= {f"loss of a training, by a {name}": figures for name, figures in alternatives.items()}
    wanted["cost (logarithm)"] = trust["cost"]
    wanted |= {name: figures for name, figures in trust["metrics"].items() if name.partition(".")[2] in SHOWN}
    rows = []
    for name, figures in wanted.items():
        cells = [_number(figures[key]) for key in AGREEMENT]
        rows.append((name, *cells, _number(figures["top"]["spearman"])))
    return Table(f"How far to trust the surrogate: {trust['protocol']}", COLUMNS, tuple(rows))


def _tails(tails: Found) -> Table:
    rows = []
    for count, figures in tails.items():
        sides = [f"{figures[side][0]:.4f} ± {figures[side][1]:.4f}" for side in ("table", "surrogate")]
        rows.append((count, *sides, f"{figures['apart']:+.1f}"))
    columns = ("Random trials", "Recorded", "Surrogate", "Apart, standard errors")
    return Table("Expected lowest loss of random trials, with its standard error", columns, tuple(rows))


def _noise(rows: list[Found], between: str) -> Table:
    """Of trainings of one configuration that differ in their seeds, or in their folds."""
    cells = []
    for row in rows:
        sides = [
            cell
            for side in ("measured", "drawn")
            for cell in (f"{100 * row[side]['deviation']:.2f}", f"{row[side]['skewness']:+.2f}")
        ]
        cells.append((str(row["epoch"]), row["quality"], str(row["trainings"]), *sides))
    columns = ("Epoch", "Predicted quality", "Trainings", "Measured", "Skewness", "Drawn", "Skewness")
    return Table(f"Noise between {between}, in points of the headline metric", columns, tuple(cells))


def _nearest(optimum: Found) -> Table:
    rows = []
    for row in optimum["nearest"]:
        losses = (f"{row['mean_loss']:.4f}", f"{row['surrogate']:.4f}")
        rows.append((f"{row['distance']:.3f}", str(row["trainings"]), *losses))
    caption = (
        f"Recorded configurations nearest to the surrogate's optimum (loss {optimum['loss']:.4f}, "
        f"spread {optimum['spread']:.4f})"
    )
    return Table(caption, ("Distance", "Trainings", "Their mean loss", "Surrogate"), tuple(rows))


def trust_words(trust: Found) -> Iterator[str]:
    """What limits the figures, in sentences."""
    table = trust["table"]
    yield f"Recorded: {table['rows']} trainings of {table['configurations']} configurations."
    if trust.get("answers"):
        yield from _answer_words(trust["answers"])
    yield from _noise_words(trust.get("noise") or {})
    failures = trust["failures"]
    yield f"Failed: {100 * failures['recorded']:.1f} % of the trainings; predicted {100 * failures['predicted']:.1f} %."
    yield (
        f"A configuration counts as outside what was recorded beyond a distance of {trust['support']['limit']:.3f} "
        "to the nearest recorded one (1 lies between the ends of one hyperparameter)."
    )


def _answer_words(answers: Found) -> Iterator[str]:
    """What a trial's answer is worth."""
    constant = answers["constant"]
    if constant:
        yield (
            f"The constant answer (always the commonest class) reaches {100 * constant['headline']:.1f} %: "
            f"{100 * constant['share']:.0f} % of the configurations spread over the space beat it{_sensible(constant)}."
        )
    if constant and "by_loss" in constant:
        by_loss = constant["by_loss"]
        yield (
            f"By what strategies minimise, its loss is {by_loss['loss']:.3f}: {100 * by_loss['share']:.0f} % beat "
            f"it{_sensible(by_loss)}."
        )
    noise = answers["noise"]
    measured = "not measured" if noise["measured"] is None else f"{noise['measured']:.4f} as measured"
    yield (
        f"Two answers to one configuration that differ in their seed alone deviate by {measured} "
        f"({noise['repeated']} repeated answers); the surrogate draws {noise['drawn']:.4f}."
    )
    if answers["intraclass"] is not None:
        yield (
            f"Of the variance of single answers, {100 * answers['intraclass']:.0f} % lie between configurations "
            "(intraclass correlation); the rest is noise."
        )
    alike = answers["like_the_best"]
    yield (
        f"One trial each cannot tell {alike['count']} of {alike['of']} configurations spread over the space "
        "from the best."
    )
    for count, figures in answers["tails"].items():
        yield (
            f"The best of {count} random trials is expected at a loss of {figures['table'][0]:.4f} by the recorded "
            f"trainings and {figures['surrogate'][0]:.4f} by the surrogate."
        )
    limit = answers["ceiling"]
    if limit["spearman"] is not None:
        yield (
            f"Noise is a ceiling: even the truth would rank single answers with a Spearman correlation of "
            f"{limit['spearman']:.2f} only ({_number(limit['top_spearman'])} in the best tenth); the surrogate reaches "
            f"{_number(answers['held_out']['spearman'])} on configurations that it has not seen."
        )
    yield (
        f"Of the configurations that it has not seen, {100 * answers['covered']:.0f} % lie within the 90 % that its "
        "members' spread and the noise allow."
    )


def _sensible(constant: Found) -> str:
    if "share_sensible" not in constant:
        return ""
    return (
        f", and {100 * constant['share_sensible']:.0f} % of those with a learning rate within a decade and a half "
        "of the best"
    )


def _noise_words(noise: Found) -> Iterator[str]:
    for name, pair in noise.get("correlations", {}).items():
        if pair["measured"] is not None:
            measured, drawn = f"{pair['measured']:.2f}", _number(pair["drawn"])
            yield f"Noise of {name} is correlated by {measured} as measured, {drawn} as drawn."


def _number(value: float | None) -> str:
    if value is None:
        return ABSENT
    return f"{value:.3g}" if isinstance(value, float) else str(value)
