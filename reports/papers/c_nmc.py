"""The C-NMC paper: twenty trials of TPE, importances, test accuracy of what it selects, and the alternatives."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from hemobench.reports.comparison.comparison import RANDOM
from hemobench.reports.papers.claims import C_NMC, Claim, Printed, deviation_margin, unprinted
from hemobench.reports.papers.measured import Measured
from hemobench.reports.papers.reference_values import (
    FIRST_LATE,
    LENGTH,
    PHASES,
    SHARES,
    THREE_RUNS,
    THREE_RUNS_CV,
    TOP_FIVE,
)
from hemobench.reports.statistics.pairwise import against, all_pairs
from hemobench.reports.statistics.text import p_text

TASK, TPE = "c-nmc", "optuna-tpe"
ALTERNATIVES = ("hyperopt-tpe", "smac", "skopt-gp", RANDOM)


def history(mine: Measured) -> pd.DataFrame:
    """The first twenty trials of TPE's runs that succeeded: `run`, `number`, `score` in percent."""
    trials = mine.trials(TPE)
    ok = trials[(trials["number"] < LENGTH) & (trials["status"] == "ok")]
    if "validation.accuracy" not in ok:
        return pd.DataFrame(columns=["run", "number", "score"])
    return ok[["run", "number"]].assign(score=100 * ok["validation.accuracy"].astype(float))


def phases(trials: pd.DataFrame) -> dict[str, tuple[float, float]]:
    """Mean and deviation of the scores of trials 0 to 9 and 10 to 19, over all runs."""
    late = trials["number"] >= FIRST_LATE
    parts = zip(PHASES, (trials.loc[~late, "score"], trials.loc[late, "score"]), strict=True)
    return {name: (float(scores.mean()), float(scores.std())) for name, scores in parts}


def claims(mine: Measured) -> Iterator[Claim]:
    """What the paper claims first, the accuracy that TPE finds in twenty trials; then Figures 1 and 2, and Table 3."""
    if mine.has(TPE):
        yield from _history(mine)
    yield from _shares(mine)
    if mine.has(TPE):
        yield from _selected(mine)


def _history(mine: Measured) -> Iterator[Claim]:
    """A few trials more or less count for the convergence, since the paper's is one run."""
    trials = history(mine)
    ours, best = phases(trials), trials.sort_values("score", ascending=False).groupby("run")
    early, late = (ours[name] for name in PHASES)
    (early_mean, early_deviation), (late_mean, late_deviation) = PHASES.values()
    top = float(np.mean(list(TOP_FIVE.values())))
    rows = (
        ("Table 2", "accuracy of the best of twenty trials", max(TOP_FIVE.values()), best["score"].first().mean(), 1.0, "%"),  # noqa: E501
        ("Table 2", "mean accuracy of the five best", top, best["score"].head(5).mean(), 1.0, "%"),
        ("Fig. 1", "mean accuracy of trials 0 to 9", early_mean, early[0], 2.0, "%"),
        ("Fig. 1", "deviation of trials 0 to 9", early_deviation, early[1], deviation_margin(early_deviation, 10), "points"),  # noqa: E501
        ("Fig. 1", "mean accuracy of trials 10 to 19", late_mean, late[0], late_deviation, "%"),
        ("Fig. 1", "deviation of trials 10 to 19", late_deviation, late[1], deviation_margin(late_deviation, 10), "points"),  # noqa: E501
        ("Fig. 1", "number of the best of twenty trials", 12, best["number"].first().mean(), 4, ""),
    )  # fmt: skip
    for place, what, theirs, value, margin, unit in rows:
        yield Printed(C_NMC, place, what, theirs, margin, unit).beside(float(value), mine.benchmark)


def _shares(mine: Measured) -> Iterator[Claim]:
    """Ours are of random search's trials, theirs of twenty of TPE's; the small ones are given as 1 to 3 %."""
    found = {row.name: row for row in mine.importances.shares}
    explained = mine.importances.explained
    withheld = "" if explained is None else f"Withheld: the forest predicts no unseen trial (R2 {explained:.2f})."
    for name, theirs in SHARES.items():
        row = found.get(name)
        note = withheld if row is None else f"Ours lies between {100 * row.low:.0f} and {100 * row.high:.0f} % (90 %)."
        printed = Printed(C_NMC, "Fig. 2", f"importance of {name}", theirs, _share_margin(theirs), "%")
        yield printed.beside(None if row is None else 100 * row.share, mine.benchmark, note)


def _share_margin(share: float) -> float:
    """Ten points of a large share; of a small one, half of it."""
    return 10.0 if share > 20 else share / 2


def _selected(mine: Measured) -> Iterator[Claim]:
    """Table 3 against the search's own test figures, at the search's length; its deviations divide by n."""
    frame = mine.selected(TPE)
    test = 100 * frame["test.accuracy"].astype(float).dropna() if "test.accuracy" in frame else pd.Series(dtype=float)
    ours = float(test.mean()) if len(test) else None
    spread = float(test.std(ddof=0)) if len(test) > 1 else None
    validation = mine.percent(TPE, "validation.accuracy")
    mean = float(np.mean(THREE_RUNS))
    rows: tuple[tuple[str, float, float | None, float, str], ...] = (
        ("mean test accuracy of what TPE selects", mean, ours, float(np.std(THREE_RUNS, ddof=1)), "%"),
        ("its deviation over runs", float(np.std(THREE_RUNS)), spread, 1.0, "points"),
        ("its coefficient of variation", THREE_RUNS_CV, 100 * spread / ours if spread and ours else None, 1.0, "%"),
        (
            "gap from validation to test",
            max(TOP_FIVE.values()) - mean,
            None if validation is None or ours is None else validation - ours,
            2.0,
            "points",
        ),
    )
    for what, theirs, value, margin, unit in rows:
        printed = Printed(C_NMC, "Table 3, at the search's length", what, round(theirs, 2), round(margin, 2), unit)
        yield printed.beside(value, mine.benchmark)


def alternatives(mine: Measured, seed: int) -> Iterator[Claim]:
    """The tests against other optimizers, which the paper leaves to future work."""
    comparison = mine.comparison
    if comparison.task.name != TASK or not mine.has(TPE):
        return
    for c in against(TPE, all_pairs(comparison.final, comparison.strategies)):
        if c.one in ALTERNATIVES and c.difference is not None:
            verdict = {"better": "is better", "worse": "is worse"}.get(c.verdict, f"is {c.verdict}")
            said = (
                f"against Optuna's TPE, {c.one} {verdict} ({c.difference:+.2f} points, 95 % interval "
                f"{c.low:+.2f} to {c.high:+.2f}, Holm's p {p_text(c.p_holm)}, {len(comparison.seeds)} seeds)."
            )
            what = f"{c.one} against Optuna's TPE"
            yield unprinted(C_NMC, "Section IV, the alternatives", what, c.difference, "points", mine.benchmark, said)
