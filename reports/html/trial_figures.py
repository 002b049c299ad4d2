"""Charts of single trials: parallel coordinates, importances, optimisation histories; and where GPU-hours went."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from ConfigSpace.hyperparameters import UniformIntegerHyperparameter

from hemobench.benchmarks.budget import ACCOUNTS
from hemobench.benchmarks.storage.results import Results
from hemobench.benchmarks.tasks.base import Task
from hemobench.errors import BenchmarkError
from hemobench.reports.charts import Figure, Style, axis, label, style, time_unit
from hemobench.reports.comparison.comparison import RANDOM, Comparison
from hemobench.reports.importance.importance import Importances
from hemobench.reports.text_tables import Table, number
from hemobench.strategies import startup_trials as of_strategy
from hemobench.strategies.space import Hyperparameter, choices, numeric

MOST_LINES = 600
TOP = "random's top ten"
_GROUPS = ("others", RANDOM, "sssr", "manual", TOP)
_GROUP_COLOURS = ("#b4b8bf", "#9bd770", "#2f7de1", "#d9363e", "#14691d")
_PATTERNS = dict(zip(ACCOUNTS, ("", "/", "x", "\\", ".", "-"), strict=True))
_ACCOUNT_COLOURS = dict(zip(ACCOUNTS, ("#2f7de1", "#0e9aa7", "#d9363e", "#d9730d", "#8a8f98", "#c3c7ce"), strict=True))


def parallel_figure(comparison: Comparison, results: Results) -> Figure | None:
    """All trials in parallel coordinates, in the colours of the bone-marrow paper's figure; `None` without any."""
    trials, left_out = _shown_trials(comparison, results)
    if trials.empty:
        return None
    score = 100 * trials[f"validation.{comparison.task.headline}"].astype(float)
    floor = float(score.quantile(0.25))
    group = trials["group"].map(_GROUPS.index)
    dimensions = [_group_axis(group), *(_dimension(trials, name, hp) for name, hp in comparison.task.space().items())]
    dimensions = [dimension for dimension in dimensions if dimension]
    dimensions.append(
        {"label": f"{comparison.task.headline_label} %", "values": score.clip(lower=floor).round(3).tolist()}
    )
    steps = [[edge / 5, colour] for k, colour in enumerate(_GROUP_COLOURS) for edge in (k, k + 1)]
    data = [
        {
            "type": "parcoords", "dimensions": dimensions, "labelangle": -18, "labelside": "top",
            "line": {"color": group.tolist(), "colorscale": steps, "cmin": -0.5, "cmax": 4.5},
            "unselected": {"line": {"opacity": 0.04}},
        }
    ]  # fmt: skip
    metric = comparison.task.headline_label
    caption = (
        f"Every line is a trial, from its hyperparameters to its validation {metric}; below {floor:.1f} % (the worst "
        "quarter) it is drawn at the foot. Light green: random search; dark green: its ten best; blue: SSSR; red: the "
        "manual analysis; grey: all others; the first axis says the same. Drag along an axis to pick lines, drag an "
        f"axis' name to move it, click to let go.{left_out}"
    )
    return Figure("All trials", caption, data, _PARCOORDS, _top_table(comparison, trials), wide=True)


_PARCOORDS = {"margin": {"l": 120, "r": 50, "t": 90, "b": 30}}


def _shown_trials(comparison: Comparison, results: Results) -> tuple[pd.DataFrame, str]:
    """The `ok` trials of the first seeds, up to what a screen bears, marked by group, the most telling last."""
    metric = f"validation.{comparison.task.headline}"
    runs = comparison.runs[["strategy", "seed"]]
    trials = results.trials[results.trials["run"].isin(runs.index) & (results.trials["status"] == "ok")]
    trials = trials.join(runs, on="run")
    if trials.empty or metric not in trials:
        return trials.iloc[:0], ""
    counts = trials.groupby("seed").size().cumsum()
    seeds = [seed for seed, count in counts.items() if count <= MOST_LINES] or list(counts.index[:1])
    shown = trials[trials["seed"].isin(seeds)]
    ours = shown["strategy"].isin([RANDOM, "sssr", "manual"])
    shown = shown.assign(group=shown["strategy"].where(ours, "others"))
    shown.loc[shown[shown["group"] == RANDOM].nlargest(10, metric).index, "group"] = TOP
    shown = _thinned(shown)
    shown = shown.sort_values("group", key=lambda column: column.map(_GROUPS.index), kind="stable")
    return shown, "" if len(seeds) == len(counts) else f" Shown are the trials of {len(seeds)} of {len(counts)} seeds."


def _thinned(trials: pd.DataFrame) -> pd.DataFrame:
    """Evenly spaced rows where one seed alone has too many trials; the best ones stay."""
    rest = np.flatnonzero((trials["group"] != TOP).to_numpy())
    if len(trials) <= 2 * MOST_LINES:
        return trials
    kept = rest[np.linspace(0, len(rest) - 1, MOST_LINES).round().astype(int)]
    return trials.iloc[np.sort(np.concatenate([kept, np.flatnonzero((trials["group"] == TOP).to_numpy())]))]


def _group_axis(group: pd.Series[int]) -> dict[str, Any]:
    there = sorted(set(group))
    return {
        "label": "trial of", "values": group.tolist(), "tickvals": there, "range": [-0.3, 4.3],
        "ticktext": [_GROUPS[k] for k in there],
    }  # fmt: skip


def _dimension(trials: pd.DataFrame, name: str, hyperparameter: Hyperparameter) -> dict[str, Any] | None:
    """An axis; inactive hyperparameters stand one step below its foot."""
    column = trials.get(f"config.{name}")
    if column is None or column.isna().all():
        return None
    values = choices(hyperparameter)
    if values is not None:
        places = column.map({value: k for k, value in enumerate(values)}).fillna(-1)
        ticks = list(range(len(values)))
        texts = [label(str(value)) for value in values]
    else:
        bounds = numeric(hyperparameter)
        whole = isinstance(hyperparameter, UniformIntegerHyperparameter)
        low, high = float(bounds.lower), float(bounds.upper)
        places, ticks, texts = _numeric_axis(column.astype(float), low, high, bounds.log, whole)
    if column.isna().any():
        ticks, texts = [-1, *ticks], ["not used", *texts]
    found = {"label": label(name), "values": [round(float(v), 4) for v in places], "tickvals": ticks}
    return {**found, "ticktext": texts, "range": [min(ticks), max(ticks)]}


def _numeric_axis(
    column: pd.Series[float], low: float, high: float, log: bool, whole: bool
) -> tuple[Any, list[Any], list[str]]:
    """Numbers on an axis from 0 to 4, so that an inactive one at -1 has a place."""
    if log:
        span = np.log(high / low)
        values = np.geomspace(low, high, 5)
        return (4 * np.log(column / low) / span).fillna(-1), list(range(5)), [f"{value:.1g}" for value in values]
    values = np.linspace(low, high, 5)
    places = np.arange(5.0)
    if whole:  # of whole numbers, ticks stand where there is one
        values = values.round()
        places = 4 * (values - low) / (high - low)
    return (4 * (column - low) / (high - low)).fillna(-1), places.tolist(), [f"{value:.3g}" for value in values]


def _top_table(comparison: Comparison, trials: pd.DataFrame) -> Table:
    """The best trials of random search, and the best one of every other strategy."""
    metric = f"validation.{comparison.task.headline}"
    best = trials.sort_values(metric, ascending=False)
    top = pd.concat(
        [best[best["strategy"] == RANDOM].head(10), best[best["strategy"] != RANDOM].drop_duplicates("strategy")]
    )
    names = [name for name in comparison.task.space() if f"config.{name}" in trials]
    header = ("Strategy", "Seed", "Trial", f"{comparison.task.headline_label} %", *names)
    rows = tuple(
        (row["strategy"], str(row["seed"]), str(row["number"]), number(100 * row[metric]),
         *(_shown(row[f"config.{name}"]) for name in names))
        for row in top.to_dict("records")
    )  # fmt: skip
    return Table("Random search's ten best trials, and the best of each other strategy", header, rows)


def _shown(value: Any) -> str:
    if value is None or value != value:  # NaN
        return "–"
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def importance_figure(importances: Importances) -> Figure | None:
    """Shares of the variance with their uncertainty; `None` if there are none, or they are withheld."""
    if not importances.shares or importances.explained is None:
        return None
    shown = importances.shares[::-1]
    percent = [round(100 * row.share, 2) for row in shown]
    data = [
        {
            "type": "bar", "orientation": "h", "x": percent, "y": [label(row.name) for row in shown],
            "marker": {"color": "#2f7de1"}, "showlegend": False,
            "error_x": {
                "type": "data", "symmetric": False, "thickness": 1.5,
                "array": [max(0.0, round(100 * row.high - p, 2)) for row, p in zip(shown, percent, strict=True)],
                "arrayminus": [max(0.0, round(p - 100 * row.low, 2)) for row, p in zip(shown, percent, strict=True)],
            },
        }
    ]  # fmt: skip
    layout = {
        "xaxis": axis("Share of the explained variance (%)", rangemode="tozero"),
        "yaxis": axis("", type="category"),
    }
    caption = (
        f"Functional ANOVA of a random forest on random search's {importances.trials} trials: main effects, in "
        f"percent of their sum. Of trials that it has not seen, the forest explains {importances.explained:.0%} of "
        "the variance (R2). Whiskers span 90 % of resampled seeds, each with a forest of its own."
    )
    rows = tuple(
        (r.name, number(100 * r.share, 1), number(100 * r.low, 1), number(100 * r.high, 1)) for r in importances.shares
    )
    table = Table("Importance in percent", ("Hyperparameter", "Share", "Low", "High"), rows)
    return Figure("Which hyperparameters matter", caption, data, layout, table)


def history_figures(comparison: Comparison, results: Results, startup: Mapping[str, int]) -> list[Figure]:
    """One a strategy: the trials of its median seed in order, the best so far, and its two phases."""
    final = comparison.at(comparison.gpu_hours)[:, :, 0]
    figures = []
    for place, name in enumerate(comparison.strategies):
        known = np.flatnonzero(~np.isnan(final[:, place]))
        if len(known):
            middle = known[np.argsort(final[known, place], kind="stable")[(len(known) - 1) // 2]]
            of_all = results.trials[results.trials["run"].isin(comparison.table[:, place])]
            mine = of_all[of_all["run"] == comparison.table[middle, place]].sort_values("number")
            figures.append(_history(comparison, name, int(comparison.seeds[middle]), mine, of_all, startup.get(name)))
    return figures


def _history(
    comparison: Comparison, name: str, seed: int, mine: pd.DataFrame, of_all: pd.DataFrame, startup: int | None
) -> Figure:
    """The trials of one run as the search saw them, and its incumbent, by number."""
    look = style(name, comparison.strategies)
    trials = mine[mine["status"] == "ok"]
    floor = float(_score(trials).quantile(0.1))
    score = _score(trials).clip(lower=floor)
    room = 0.06 * float(score.max() - floor) or 0.5
    yaxis = axis(_score_label(comparison))
    yaxis["range"] = [floor - room, float(score.max()) + room]
    layout: dict[str, Any] = {"xaxis": axis("Trial"), "yaxis": yaxis, "height": 280}
    phases = "It has no phases."
    if startup:
        layout["shapes"] = [_end_of_exploration(startup)]
        phases = f"Open marks: exploration, the first {startup} trials; filled: exploitation."
    data = [_trial_marks(trials, score, look, startup or 0), _incumbent_line(trials, score, look)]
    caption = f"Seed {seed}, the median one. {phases} The worst tenth stands at the foot."
    return Figure(name, caption, data, layout, _phases(comparison, of_all, startup), small=True)


def _score(trials: pd.DataFrame) -> pd.Series[float]:
    """What the search goes by, in points: 100 (1 - loss)."""
    return 100 * (1 - trials["loss"].astype(float))


def _score_label(comparison: Comparison) -> str:
    """The metric where the loss is of it alone, else the task's score."""
    task = comparison.task
    alone = dict(task.objective.weights) == {task.headline: 1.0}
    return f"{task.headline_label} (%)" if alone else "Score, points"


def _trial_marks(trials: pd.DataFrame, score: pd.Series[float], look: Style, startup: int) -> dict[str, Any]:
    symbols = [look.symbol if number >= startup else "circle-open" for number in trials["number"]]
    return {
        "type": "scatter",
        "mode": "markers",
        "name": "trials",
        "x": trials["number"].tolist(),
        "y": score.round(3).tolist(),
        "showlegend": False,
        "marker": {"color": look.colour, "size": 7, "symbol": symbols},
    }


def _incumbent_line(trials: pd.DataFrame, score: pd.Series[float], look: Style) -> dict[str, Any]:
    """Steps up at each trial that lowered the best loss, and on to the last trial."""
    losses = trials["loss"].astype(float)
    best = losses.cummin().eq(losses)
    return {
        "type": "scatter",
        "mode": "lines",
        "name": "incumbent",
        "line": {"shape": "hv", "color": look.colour},
        "x": [*trials["number"][best], int(trials["number"].max())],
        "y": [*score[best].round(3), round(float(score[best].iloc[-1]), 3)],
        "showlegend": False,
    }


def _end_of_exploration(startup: int) -> dict[str, Any]:
    """A vertical line before the first trial that rests on what was learnt."""
    line = {"width": 1, "dash": "dot", "color": "#8a8f98"}
    place = startup - 0.5
    return {"type": "line", "x0": place, "x1": place, "y0": 0, "y1": 1, "yref": "paper", "line": line}


def _phases(comparison: Comparison, trials: pd.DataFrame, startup: int | None) -> Table:
    ok = trials[trials["status"] == "ok"]
    score = _score(ok)
    early = ok["number"] < (startup or 0)
    parts = [("exploration", score[early]), ("exploitation", score[~early])] if startup else [("all trials", score)]
    rows = [(title, number(values.mean()), number(values.std(ddof=1)), str(len(values))) for title, values in parts]
    last = ok.loc[ok.groupby("run")["loss"].idxmin(), "number"]
    rows.append(("best trial's number, median over seeds", number(float(last.median()), 0), "–", str(len(last))))
    return Table(
        "Phases over all seeds",
        ("Phase", f"Mean {_score_label(comparison)}", "Deviation", "Number"),
        tuple(rows),
    )


def hours_figure(comparison: Comparison) -> Figure:
    """Where the GPU-hours went, by account."""
    columns = [f"ledger.{account}" for account in ACCOUNTS]
    hours = (
        comparison.runs.reindex(columns=columns).astype(float).groupby(comparison.runs["strategy"]).mean().fillna(0.0)
        / 3600
    )
    unit = time_unit(comparison.gpu_hours, comparison.unit)
    hours = hours.reindex(list(comparison.strategies))
    data = [
        {
            "type": "bar", "orientation": "h", "name": account, "y": [label(name) for name in hours.index][::-1],
            "x": [float(f"{value:.5g}") for value in unit.per_hour * hours[column]][::-1],
            "marker": {"color": _ACCOUNT_COLOURS[account], "pattern": {"shape": _PATTERNS[account], "solidity": 0.35}},
        }
        for account, column in zip(ACCOUNTS, columns, strict=True)
    ]  # fmt: skip
    xaxis = axis(f"{unit.name} a run")
    layout = {"barmode": "stack", "xaxis": xaxis, "yaxis": axis("", type="category")}
    caption = (
        "What the budget was spent on, mean over seeds; the accounts add up to it. Failed: trials that diverged or "
        "crashed. Cut: in flight when the budget ended. Idle: workers waiting for the strategy. Unspent: left over by "
        "a strategy that ended by itself. The strategies' own computing is on the leaderboard, in seconds."
    )
    rows = tuple(
        (str(name), *(number(unit.per_hour * value) for value in row))
        for name, row in zip(hours.index, hours.to_numpy(), strict=True)
    )
    return Figure(
        "Where the budget went", caption, data, layout, Table(f"{unit.name} a run", ("Strategy", *ACCOUNTS), rows)
    )


def startup_trials(header: Mapping[str, Any], task: Task) -> int | None:
    """Trials before a strategy learns; `None` if it never does, or is not known here.

    Args:
        header: A `run.json`.
        task: For the number of hyperparameters, by which SMAC's design is sized.
    """
    strategy = header.get("strategy", {})
    horizon, hyperparameters = int(header.get("horizon") or 1), len(task.space())
    try:
        return of_strategy(str(strategy.get("name")), strategy.get("settings", {}), horizon, hyperparameters)
    except BenchmarkError:
        return None
