"""The bone-marrow paper: Table 1, the same set from two searches, trials saved, effects of single hyperparameters."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from hemobench.reports.comparison.comparison import RANDOM
from hemobench.reports.papers.claims import BONE_MARROW, SECTION_4_2, Claim, Printed, deviation_margin
from hemobench.reports.papers.measured import Measured
from hemobench.reports.papers.reference_values import EFFECTS, FOLDS, METRICS, TABLE_1, TRIALS, USEFUL

SEARCHED = ("bone-marrow", "bone-marrow-micro")
"""Tasks with the space of the automated searches, of which Table 1 tells."""
LEAD_MARGIN = 0.25
"""Points, Table 1's least deviation over folds: a lead of 0.5 agrees if it has the same sign and at most doubles."""
SECTION_4_1 = "Section 4.1, effects"


def table_1(mine: Measured) -> dict[tuple[str, str], tuple[float | None, float | None]]:
    """Ours, by strategy and metric: mean over seeds of the selected sets' means and deviations over folds."""
    return {
        (strategy, metric): (
            mine.percent(strategy, f"validation.{metric}"),
            mine.percent(strategy, f"validation.{metric}_std"),
        )
        for strategy in TABLE_1
        if mine.has(strategy)
        for metric in METRICS
    }


def effects(mine: Measured) -> dict[str, list[float]]:
    """Points of micro F1 by hyperparameter, one for each run of the manual analysis that varied it alone."""
    found: dict[str, list[float]] = {}
    for _, trials in mine.trials("manual").groupby("run"):
        for name, points in single_effects(trials.sort_values("number"), "validation.micro_f1").items():
            found.setdefault(name, []).append(points)
    return found


def single_effects(trials: pd.DataFrame, metric: str) -> dict[str, float]:
    """Points between the best and the worst value of each hyperparameter that the manual analysis varied alone.

    Args:
        trials: Of one run of `manual`, in order; the first is the default that all others vary.
        metric: A column of fractions.
    """
    ok = trials[trials["status"] == "ok"]
    names = [str(name) for name in ok.columns if str(name).startswith("config.")]
    if ok.empty or ok["number"].iloc[0] != 0:
        return {}
    settings = ok[names].to_numpy(dtype=object)
    absent = pd.isna(settings)
    changed = (settings != settings[0]) & ~(absent & absent[0])
    score, count = 100 * ok[metric].to_numpy(dtype=float), changed.sum(axis=1)
    found = {}
    for place, name in enumerate(name.removeprefix("config.") for name in names):
        useful = np.ones(len(ok), dtype=bool)
        if name in USEFUL:
            useful = ~(pd.to_numeric(ok[f"config.{name}"], errors="coerce").to_numpy(dtype=float) < USEFUL[name])
        alone = changed[:, place] & (count == 1) & useful
        if alone.any():
            values = score[alone | ((count == 0) & useful)]
            found[name] = float(np.nanmax(values) - np.nanmin(values))
    return found


def claims(mine: Measured) -> Iterator[Claim]:
    """What Table 1 and the automated searches say."""
    yield from _best_sets(mine)
    yield from _leads(mine)
    yield from _same_set(mine)
    yield from _trials_saved(mine)


def effect_claims(mine: Measured) -> Iterator[Claim]:
    """Section 4.1: only of hyperparameters that the task's space has."""
    if not mine.has("manual"):
        return
    found, space = effects(mine), mine.comparison.task.space()
    for name, points in EFFECTS.items():
        if name in space:
            ours = float(np.mean(found[name])) if found.get(name) else None
            margin = min(1.0, points / 2)
            printed = Printed(BONE_MARROW, SECTION_4_1, f"effect of {name} alone", points, margin, "points")
            yield printed.beside(ours, mine.benchmark)


def _best_sets(mine: Measured) -> Iterator[Claim]:
    """Agreement is within the paper's own deviation over folds; of two deviations, within two standard errors."""
    ours = table_1(mine)
    for strategy, row in TABLE_1.items():
        for (metric, title), (mean, deviation) in zip(METRICS.items(), row, strict=True):
            value, spread = ours.get((strategy, metric), (None, None))
            what = f"{title} of the best set of {strategy}"
            yield Printed(BONE_MARROW, "Table 1", what, mean, deviation, "%").beside(value, mine.benchmark)
            what = f"deviation over folds of {what}"
            margin = deviation_margin(deviation, FOLDS)
            yield Printed(BONE_MARROW, "Table 1", what, deviation, margin, "points").beside(spread, mine.benchmark)


def _leads(mine: Measured) -> Iterator[Claim]:
    """Differences, which another scale may share where it cannot share the level."""
    ours = table_1(mine)
    for one, other in ((RANDOM, "manual"), ("sssr", "manual"), ("sssr", RANDOM)):
        theirs = TABLE_1[one][0][0] - TABLE_1[other][0][0]
        a, b = (ours.get((name, "micro_f1"), (None, None))[0] for name in (one, other))
        what = f"lead of the best set of {one} over that of {other}, micro F1"
        printed = Printed(BONE_MARROW, "Table 1", what, round(theirs, 2), LEAD_MARGIN, "points")
        yield printed.beside(None if a is None or b is None else a - b, mine.benchmark)


def _same_set(mine: Measured) -> Iterator[Claim]:
    if not mine.has(RANDOM, "sssr"):
        return
    one, other = (_best_configs(mine, name) for name in (RANDOM, "sssr"))
    seeds = one.index.intersection(other.index)
    equal = (one.loc[seeds] == other.loc[seeds]) | (one.loc[seeds].isna() & other.loc[seeds].isna())
    ours = 100 * float(equal.all(axis=1).mean()) if len(seeds) and one.shape[1] else None
    what = "share of seeds in which random search and SSSR find the same set"
    yield Printed(BONE_MARROW, SECTION_4_2, what, 100.0, 25, "%").beside(ours, mine.benchmark)


def _best_configs(mine: Measured, strategy: str) -> pd.DataFrame:
    """The selected configuration of each seed that has one."""
    final = mine.incumbents["number"].astype(int).reset_index()
    columns = [name for name in mine.results.trials.columns if str(name).startswith("config.")]
    best = mine.results.trials.merge(final, on=["run", "number"]).set_index("run")[columns]
    seeds = dict(zip(mine.runs(strategy), mine.comparison.seeds, strict=True))
    return best[best.index.isin(list(seeds))].rename(index=seeds).sort_index()


def _trials_saved(mine: Measured) -> Iterator[Claim]:
    """The paper's 48 trials against 100; a budget that ends random search well before 100 cannot tell."""
    if not mine.has(RANDOM, "sssr"):
        return
    trials, runs = mine.results.trials, mine.comparison.runs
    finished = trials[trials["status"] != "cut"].groupby("run").size().reindex(runs.index)
    counts = finished.fillna(0).groupby(runs["strategy"]).mean()
    enough = counts[RANDOM] >= 0.8 * TRIALS[RANDOM]
    saved = 100 * (1 - counts["sssr"] / counts[RANDOM]) if enough else None
    theirs = 100 * (1 - TRIALS["sssr"] / TRIALS[RANDOM])
    note = "" if enough else f"Random search had {counts[RANDOM]:.0f} trials here, not {TRIALS[RANDOM]}."
    what = "share of random search's 100 trials that SSSR saves"
    yield Printed(BONE_MARROW, SECTION_4_2, what, theirs, 10, "%").beside(saved, mine.benchmark, note)
