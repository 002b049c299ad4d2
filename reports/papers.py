"""The two papers' tables and figures beside ours: what agrees, and what does not, in words.

The papers' figures are theirs as printed. Ours come from whatever runs there are, of each source (published, recorded,
surrogate, live) by itself. On a published surface some agreement is by construction, since it was calibrated to
these figures; a benchmark's card says to which.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from hemobench.benchmarks.benchmark import Reference
from hemobench.benchmarks.results import Results
from hemobench.reports.anytime import RANDOM, Race, races
from hemobench.reports.boards import plain
from hemobench.reports.curves import final_incumbent, with_trials
from hemobench.reports.importance import importances
from hemobench.reports.pairwise import against

SCHEMA = 1
BONE_MARROW, C_NMC = "bone marrow (Gräbel et al.)", "C-NMC (Swastika et al.)"
METRICS = ("micro_f1", "macro_f1", "precision", "recall")
TABLE_1 = {  # percent, mean and deviation over six folds
    "manual": ((82.9, 1.1), (81.6, 1.4), (81.3, 1.9), (82.5, 0.9)),
    "random": ((83.4, 0.5), (82.0, 0.7), (82.2, 0.5), (82.2, 1.0)),
    "sssr": ((83.4, 0.5), (82.0, 0.7), (82.2, 0.5), (82.2, 1.0)),
}
EFFECTS = {  # section 4.1: points of micro F1 between the best and the worst value
    "sampling": 7.3,
    "initialization": 5.6,
    "frozen_blocks": 4.3,
    "rotation": 3.6,
    "batch_size": 2.1,
    "learning_rate": 1.6,
}
USEFUL = {"learning_rate": 1e-5, "batch_size": 2}
"""Least values that effects are read from: 1.6 points cannot be over all of 1e-7 to 1e-3, and 4.1 leaves out batch
size 1."""
SHARES = {  # section III: percent of the variance; the last three are given as 1 to 3
    "learning_rate": 55.0,
    "dropout_1": 34.0,
    "weight_decay": 5.0,
    "batch_size": 2.0,
    "hidden_size": 2.0,
    "dropout_2": 2.0,
}
TOP_FIVE = (96.86, 96.81, 95.73, 95.73, 95.78)  # Table 2
THREE_RUNS = (86.72, 82.64, 85.17)  # Table 3: test accuracy


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


def compare_with_papers(
    results: Results, reference_of: Callable[[str], Reference | None], *, seed: int = 0
) -> list[Claim]:
    """Every figure of the two papers that these runs can be held against, for each source by itself.

    Args:
        results: Runs and trials; the largest budget of each benchmark counts, with one worker where there is.
        reference_of: Gives the reference of a benchmark, or `None`.
        seed: Of bootstraps and forests.
    """
    results = with_trials(results)
    claims: list[Claim] = []
    for race in _largest(races(results, reference_of)):
        task = race.task.name
        if task == "bone-marrow":
            claims += [*_table_1(race, results), *_same_set(race, results), *_trials_saved(race, results)]
        if task.startswith("bone-marrow"):
            claims += _effects(race, results)
        if task == "c-nmc":
            claims += [*_history(race, results), *_shares(race, results, seed), *_runs(race, results)]
            claims += _alternatives(race, seed)
    return claims


def as_json(claims: Sequence[Claim]) -> dict[str, Any]:
    """The fields of `Claim` for programs."""
    return {"schema": SCHEMA, "claims": [plain(asdict(claim)) for claim in claims]}


def single_effects(trials: pd.DataFrame, metric: str) -> dict[str, float]:
    """Points between the best and the worst value of each hyperparameter that the manual analysis varied alone.

    Args:
        trials: Of one run of `manual`, in order; the first is the default that all others vary.
        metric: A column of fractions.
    """
    ok = trials[trials["status"] == "ok"]
    names = [name for name in ok.columns if str(name).startswith("config.")]
    if ok.empty or ok.iloc[0]["number"] != 0:
        return {}
    changed = ok[names].ne(ok.iloc[0][names]) & ~(ok[names].isna() & ok.iloc[0][names].isna())
    found = {}
    for name in names:
        alone = changed[name] & (changed.sum(axis=1) - changed[name] == 0)
        useful = ~(pd.to_numeric(ok[name], errors="coerce") < USEFUL.get(str(name).removeprefix("config."), -np.inf))
        values = 100 * ok.loc[useful & (alone | (changed.sum(axis=1) == 0)), metric].astype(float)
        if (alone & useful).any():
            found[str(name).removeprefix("config.")] = float(values.max() - values.min())
    return found


def _largest(found: list[Race]) -> list[Race]:
    chosen: dict[str, Race] = {}
    for race in sorted(found, key=lambda race: (race.version, -race.workers, race.gpu_hours)):
        chosen[race.benchmark] = race
    return list(chosen.values())


def _claim(
    paper: str, place: str, what: str, published: float, ours: float | None, margin: float, unit: str, race: Race
) -> Claim:
    if ours is None or not np.isfinite(ours):
        words = f"These runs cannot tell: {what} is {_figure(published, unit)} in the paper."
        return Claim(paper, place, what, published, None, margin, unit, race.benchmark, None, words)
    agrees = abs(ours - published) <= margin
    verb = "Agrees" if agrees else "Disagrees"
    words = f"{verb}: {what} is {_figure(published, unit)} in the paper and {ours:.4g} here (± {margin:g} would agree)."
    return Claim(paper, place, what, published, float(ours), margin, unit, race.benchmark, bool(agrees), words)


def _figure(value: float, unit: str) -> str:
    return f"{value:.4g} {unit}".strip()


def _incumbents(race: Race, results: Results, strategy: str) -> pd.DataFrame:
    """Final incumbents of a strategy's runs, by seed."""
    if strategy not in race.strategies:
        return pd.DataFrame()
    runs = race.table[:, race.strategies.index(strategy)]
    return final_incumbent(Results(race.runs, results.trials)).reindex(runs).set_axis(list(race.seeds))


def _mean(frame: pd.DataFrame, column: str) -> float | None:
    return 100 * float(frame[column].astype(float).mean()) if column in frame else None


def _table_1(race: Race, results: Results) -> Iterator[Claim]:
    """Agreement is within the paper's own deviation over folds; of two deviations, within one point."""
    for strategy, row in TABLE_1.items():
        best = _incumbents(race, results, strategy)
        for metric, (mean, deviation) in zip(METRICS, row, strict=True):
            what = f"{metric} of the best set of {strategy}"
            ours, spread = _mean(best, f"validation.{metric}"), _mean(best, f"validation.{metric}_std")
            yield _claim(BONE_MARROW, "Table 1", what, mean, ours, deviation, "%", race)
            deviates = f"deviation over folds of {what}"
            yield _claim(BONE_MARROW, "Table 1", deviates, deviation, spread, 1.0, "points", race)


def _same_set(race: Race, results: Results) -> Iterator[Claim]:
    if not {RANDOM, "sssr"} <= set(race.strategies):
        return
    one, other = (_best_configs(race, results, name) for name in (RANDOM, "sssr"))
    seeds = one.index.intersection(other.index)
    equal = (one.loc[seeds] == other.loc[seeds]) | (one.loc[seeds].isna() & other.loc[seeds].isna())
    what = "share of seeds in which random search and SSSR find the same set"
    ours = 100 * float(equal.all(axis=1).mean()) if len(seeds) else None
    yield _claim(BONE_MARROW, "Table 1 and 4.2", what, 100.0, ours, 50, "%", race)


def _best_configs(race: Race, results: Results, strategy: str) -> pd.DataFrame:
    """The selected configuration of each seed that has one."""
    final = final_incumbent(Results(race.runs, results.trials))["number"].astype(int).reset_index()
    columns = [name for name in results.trials.columns if str(name).startswith("config.")]
    best = results.trials.merge(final, on=["run", "number"]).set_index("run")[columns]
    runs = pd.Series(race.seeds, index=race.table[:, race.strategies.index(strategy)])
    return best[best.index.isin(runs.index)].rename(index=runs.to_dict()).sort_index()


def _trials_saved(race: Race, results: Results) -> Iterator[Claim]:
    """The paper's 48 trials against 100; a budget that ends random search well before 100 cannot tell."""
    if not {RANDOM, "sssr"} <= set(race.strategies):
        return
    finished = results.trials[results.trials["status"] != "cut"].groupby("run").size().reindex(race.runs.index)
    counts = finished.fillna(0).groupby(race.runs["strategy"]).mean()
    saved = 100 * (1 - counts["sssr"] / counts[RANDOM]) if counts[RANDOM] >= 80 else None
    what = "share of random search's 100 trials that SSSR saves"
    yield _claim(BONE_MARROW, "3 and 6", what, 52.0, saved, 10, "%", race)


def _effects(race: Race, results: Results) -> Iterator[Claim]:
    if "manual" not in race.strategies:
        return
    runs = race.table[:, race.strategies.index("manual")]
    found = [
        single_effects(results.trials[results.trials["run"] == run].sort_values("number"), "validation.micro_f1")
        for run in runs
    ]
    for name, published in EFFECTS.items():
        values = [effects[name] for effects in found if name in effects]
        if name in race.task.space():
            ours = float(np.mean(values)) if values else None
            yield _claim(BONE_MARROW, "4.1", f"effect of {name} alone", published, ours, 1.0, "points", race)


def _history(race: Race, results: Results) -> Iterator[Claim]:
    """Twenty trials of TPE; one trial more or less counts for the convergence, the paper's is one run."""
    if "optuna-tpe" not in race.strategies:
        return
    runs = race.table[:, race.strategies.index("optuna-tpe")]
    trials = results.trials[results.trials["run"].isin(runs) & (results.trials["number"] < 20)]
    ok = trials[trials["status"] == "ok"].assign(score=lambda frame: 100 * frame["validation.accuracy"].astype(float))
    early, late = ok[ok["number"] < 10]["score"], ok[ok["number"] >= 10]["score"]
    best = ok.sort_values("score", ascending=False).groupby("run")
    rows = (
        ("mean accuracy of trials 0 to 9", 88.84, early.mean(), 2.0, "%"),
        ("deviation of trials 0 to 9", 4.12, early.std(), 1.5, "points"),
        ("mean accuracy of trials 10 to 19", 95.21, late.mean(), 1.28, "%"),
        ("deviation of trials 10 to 19", 1.28, late.std(), 1.0, "points"),
        ("number of the best of twenty trials", 12, best["number"].first().mean(), 4, ""),
        ("accuracy of the best of twenty trials", max(TOP_FIVE), best["score"].first().mean(), 1.0, "%"),
        ("mean accuracy of the five best", float(np.mean(TOP_FIVE)), best["score"].head(5).mean(), 1.0, "%"),
    )
    for what, published, ours, margin, unit in rows:
        yield _claim(C_NMC, "Fig. 1 and Table 2", what, published, float(ours), margin, unit, race)


def _shares(race: Race, results: Results, seed: int) -> Iterator[Claim]:
    """Ours are of random search's trials, theirs of twenty of TPE's."""
    found = {row.name: 100 * row.share for row in importances(race, results, seed=seed)}
    for name, published in SHARES.items():
        what = f"importance of {name}"
        yield _claim(C_NMC, "Fig. 2", what, published, found.get(name), 10.0 if published > 10 else 5.0, "%", race)


def _runs(race: Race, results: Results) -> Iterator[Claim]:
    """Table 3's deviation divides by n: 1.68 by its three runs, printed as 1.66; by n - 1 it is 2.06."""
    best = _incumbents(race, results, "optuna-tpe")
    if best.empty:
        return
    test = 100 * best["test.accuracy"].astype(float).dropna()
    validation = _mean(best, "validation.accuracy")
    mean, deviation = float(np.mean(THREE_RUNS)), float(np.std(THREE_RUNS))
    spread = float(test.std(ddof=0)) if len(test) > 1 else None
    gap = None if validation is None else validation - float(test.mean())
    rows: tuple[tuple[str, float, float | None, float, str], ...] = (
        ("mean test accuracy of what TPE selects", mean, float(test.mean()), 2.06, "%"),
        ("its deviation over runs", deviation, spread, 1.0, "points"),
        ("its coefficient of variation", 1.96, 100 * spread / float(test.mean()) if spread else None, 1.0, "%"),
        ("gap from validation to test", 96.86 - mean, gap, 2.0, "points"),
    )
    for what, published, ours, margin, unit in rows:
        yield _claim(C_NMC, "Table 3", what, round(published, 2), ours, margin, unit, race)


def _alternatives(race: Race, seed: int) -> Iterator[Claim]:
    """What the paper leaves to future work: it has no figure, so there is nothing to agree with."""
    if "optuna-tpe" not in race.strategies:
        return
    for c in against("optuna-tpe", race.at(race.gpu_hours)[:, :, 0], race.strategies, seed=seed):
        if c.one in ("hyperopt-tpe", "smac", "skopt-gp", RANDOM) and c.difference is not None:
            verdict = {"better": "is better", "worse": "is worse"}.get(c.verdict, f"is {c.verdict}")
            words = (
                f"Not in the paper: against Optuna's TPE, {c.one} {verdict} ({c.difference:+.2f} points, 95 % interval "
                f"{c.low:+.2f} to {c.high:+.2f}, Holm's p {c.p_holm:.3g}, {len(race.seeds)} seeds)."
            )
            what = f"{c.one} against Optuna's TPE"
            yield Claim(C_NMC, "IV", what, None, c.difference, 0.0, "points", race.benchmark, None, words)
