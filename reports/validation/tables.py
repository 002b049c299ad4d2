"""The second phase as tables, the same for the terminal and for the report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from hemobench.reports.text_tables import Table
from hemobench.reports.validation.repeats import SIDES, TABLE_3, Repeats, RepeatsTest, Validation

FIGURES = ("Mean", "± (n-1)", "± (n)", "CV %", "95 % interval")


def validation_tables(found: Validation) -> list[Table]:
    """Of both sides: the headline metric with its runs, the tests between strategies, and all metrics."""
    tables = []
    for side in SIDES:
        title = f"{found.benchmark}, {side} {found.metric} in %, {found.epochs} epochs"
        tables.append(_runs(title, getattr(found, side)))
        if found.comparisons[side]:
            tables.append(_tests(f"{side}, paired by repeat", found.comparisons[side]))
    tables += [_metrics(f"{side}, %", found.metrics[side]) for side in SIDES if found.metrics.get(side)]
    return tables


def validation_words(found: Validation) -> list[str]:
    """What was left out, and what the figures rest on."""
    left = [f"Left out, since a training of theirs failed: {', '.join(found.lost)}."] if found.lost else []
    return [*left, *found.basis]


def _runs(title: str, summaries: Mapping[str, Repeats]) -> Table:
    rows = []
    for name, repeats in sorted(summaries.items(), key=lambda item: -item[1].mean):
        runs = " ".join(f"{value:.2f}" for value in repeats.values)
        rows.append((name, runs, *_figures(repeats)))
    return Table(title, ("Strategy", "Runs", *FIGURES), tuple(rows))


def _tests(title: str, tests: Sequence[RepeatsTest]) -> Table:
    rows = [
        (test.first, test.second, f"{test.difference:+.2f}", f"{test.t_p:.3f}", f"{test.wilcoxon_p:.3f}")
        for test in tests
    ]
    return Table(title, ("First", "Second", "Difference", "Paired t, p", "Wilcoxon, p"), tuple(rows), texts=2)


def _metrics(title: str, metrics: Mapping[str, Mapping[str, Repeats]]) -> Table:
    rows = []
    for metric, strategies in metrics.items():
        rows += [(TABLE_3.get(metric, metric), name, *_figures(repeats)) for name, repeats in strategies.items()]
    return Table(title, ("Metric", "Strategy", *FIGURES), tuple(rows), texts=2)


def _figures(repeats: Repeats) -> tuple[str, ...]:
    """For people; no metric lies below 0 or above 100 %, wherever a t-interval of few repeats ends."""
    figures = (repeats.mean, repeats.std, repeats.population_std, repeats.cv)
    low, high = (float(np.clip(end, 0.0, 100.0)) for end in (repeats.low, repeats.high))
    return (*(f"{value:.2f}" for value in figures), f"{low:.2f} … {high:.2f}")
