"""The trust card: how far the answers of a surrogate can be relied on, measured on what it was not fitted to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import kendalltau, spearmanr

from hemobench.benchmarks.evaluators.surrogate import SurrogateEvaluator
from hemobench.benchmarks.evaluators.table import folds_needed
from hemobench.benchmarks.surrogates.fit import chosen, cross_validated, fit
from hemobench.benchmarks.surrogates.losses import losses
from hemobench.benchmarks.surrogates.network import Training
from hemobench.benchmarks.surrogates.noise.repeats import Repeats, repeats
from hemobench.benchmarks.surrogates.support import QUANTILE, support_limit
from hemobench.benchmarks.surrogates.surrogate import Surrogate
from hemobench.benchmarks.surrogates.targets import Targets, fraction, targets
from hemobench.benchmarks.surrogates.trust.answers import Answers, answers
from hemobench.benchmarks.surrogates.trust.constant import constant_answer, constant_loss
from hemobench.benchmarks.surrogates.trust.held_out import PARTS, HeldOut
from hemobench.benchmarks.surrogates.trust.noise_check import noise_table
from hemobench.benchmarks.surrogates.trust.tails import error_of_so_few, expected_best, with_error
from hemobench.benchmarks.tables.check import describe_table
from hemobench.benchmarks.tables.schema import Table
from hemobench.benchmarks.tasks import load_task
from hemobench.strategies.base import Proposal, Status
from hemobench.strategies.space import random_stream

Floats = NDArray[np.float64]
TOP = 0.1
DRAWS = 100
POOL = 2000
"""Random configurations whose answers stand for what random search draws from."""
BEST_OF = (20, 100)
SENSIBLE_DECADES = 1.5
"""A learning rate within this of the best configuration's is sensible."""
NORMAL_95 = 1.96


@dataclass(frozen=True, slots=True)
class Fitted:
    """A table with its surrogate and all that both are judged by.

    Attributes:
        table: What was recorded.
        targets: The same as arrays.
        held: Cross-validated predictions.
        repeated: The repeated trainings.
        surrogate: Fitted to the whole table.
        folds: What the benchmark puts together.
        answers: Answers that were recorded; None where no configuration was on all of these folds.
    """

    table: Table
    targets: Targets
    held: HeldOut
    repeated: Repeats
    surrogate: Surrogate
    folds: tuple[int, ...]
    answers: Answers | None


def fitted(
    table: Table, *, folds: Sequence[int] | None = None, seed: int = 0, how: Training | None = None, parts: int = PARTS
) -> Fitted:
    """Fit a table's surrogate and cross-validate it by configuration.

    Args:
        table: What was recorded.
        folds: What the benchmark puts together; by default as `folds_needed` says.
        seed: Of parts and fits.
        how: Settings of the fits; by default chosen once.
        parts: In how many the configurations are dealt, all trainings of one to the same.
    """
    t = targets(table)
    how = how or chosen(t, table, seed)
    held, repeated = cross_validated(t, table, how, count=parts, seed=seed), repeats(t)
    surrogate = fit(table, seed=seed, how=how, held=held)
    answering = tuple(folds or folds_needed(load_task(table.header.task).objective.weights, table.metrics[0], table))
    recorded = answers(table, t, held, repeated, answering, surrogate.about.widening)
    return Fitted(table, t, held, repeated, surrogate, answering, recorded)


def trust(table: Table, *, folds: int = PARTS, seed: int = 0, how: Training | None = None) -> dict[str, Any]:
    """Cross-validate the surrogate of a table and put down what came of it; see `card`."""
    return card(fitted(table, seed=seed, how=how, parts=folds), parts=folds, seed=seed)


def card(known: Fitted, *, parts: int = PARTS, seed: int = 0) -> dict[str, Any]:
    """What a surrogate's answers are worth.

    Configurations were dealt to parts, all trainings of one to the same; each part was predicted by a surrogate that
    was fitted to the others. All figures are of full length and of the folds that answer.

    Returns:
        Plain data. `loss`, `cost` and each metric under `metrics`, of single trainings: `r2`, `mae`, `spearman`,
        `kendall`, and under `top` the same for the trainings with the lowest tenth of the recorded losses; costs are
        compared as logarithms, so that their `mae` is nearly a relative error. `answers`: the same of what a trial
        answers, with its noise and what limits it; see `_answered`. `noise`: measured and drawn, by epoch and quality.
        `failures`, `support`, `table`: see there.
    """
    t, held, table = known.targets, known.held, known.table
    here = np.isin(t.folds, known.folds)
    well, timed = here & t.reached[:, -1], here & t.timed[:, -1]
    recorded, predicted = fraction(t.values[well, -1]), held.outputs[well, -1]
    wanted = losses(table, t, recorded)
    return {
        "protocol": f"{parts} parts by configuration, seed {seed}, {int(t.epochs[-1])} epochs",
        "folds": list(known.folds),
        "loss": agreement(wanted, losses(table, t, predicted)),
        "cost": agreement(t.seconds[timed, -1], np.log(held.seconds[timed])),
        "metrics": {
            name: agreement(recorded[:, i], predicted[:, i], wanted)
            for i, name in enumerate(t.outputs)
            if name != "curve"
        },
        "answers": _answered(known) if known.answers is not None else None,
        "noise": {**noise_table(known.surrogate, t, known.repeated), "widening": known.surrogate.about.widening}
        if len(known.repeated)
        else None,
        "failures": failures(t.failed[here, -1], held.failure[here]),
        "support": {"quantile": QUANTILE, "limit": support_limit(table)},
        "table": {k: v for k, v in describe_table(table).items() if k not in ("validation", "test", "header")},
    }


def _answered(known: Fitted) -> dict[str, Any]:
    """What is known of a trial's answer.

    Returns:
        `held_out`: agreement of one answer of each configuration with its held-out prediction; `ceiling`: the
        Spearman correlation that the truth itself would reach; `covered`: how many of the held-out errors lie within
        the 90 % that spread and noise allow; `intraclass`: the share of the variance that is no noise, among
        configurations that fill the space; `like_the_best`: how many of these two trials cannot tell from the best;
        `constant`, `tails`: see there.
    """
    a = known.answers
    assert a is not None
    filling = a.filling if a.filling.sum() >= FEWEST_FILLING else np.ones(len(a.filling), bool)
    return {
        "configurations": len(a.configs),
        "filling": int(a.filling.sum()),
        "held_out": agreement(a.first, a.predicted),
        "ceiling": ceiling(a.predicted, a.first, a.noise),
        "covered": round(_covered(a), 4),
        "noise": {
            "measured": _rounded(a.measured),
            "repeated": a.repeated,
            "drawn": _rounded(_drawn(known, a)),
            "typical": round(float(np.sqrt((a.noise**2).mean())), 6),
        },
        "intraclass": _rounded(intraclass(a.first[filling], a.noise[filling])),
        "like_the_best": _like_the_best(a),
        "constant": _constant(known, a),
        "tails": tails(known, a),
    }


FEWEST_FILLING = 20


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 6)


def _covered(a: Answers) -> float:
    """The share of configurations whose trainings' mean lies within 90 % of what spread and noise allow."""
    allowed = 1.645 * np.sqrt(a.spread**2 + a.noise**2 / a.counts)
    return float((np.abs(a.mean - a.predicted) <= allowed).mean())


def _evaluator(known: Fitted, member: Any = "seed") -> SurrogateEvaluator:
    name = known.surrogate.task.name
    return SurrogateEvaluator(known.surrogate, f"{name}@card", 1, member=member, folds=known.folds)


def _loss(evaluator: SurrogateEvaluator, objective: Any, config: Any, seed: int) -> float:
    outcome = evaluator.evaluate(Proposal(config), seed)
    return float(objective.loss(outcome.validation)) if outcome.status is Status.OK else float("nan")


def _drawn(known: Fitted, a: Answers) -> float:
    """Deviation between seeds of an answer of the surrogate's mean.

    Over the configurations that were repeated, so that it stands beside what was measured; of too few, over all. They
    are taken at equal steps of rank.
    """
    evaluator, objective = _evaluator(known, "mean"), known.surrogate.task.objective
    repeated = a.counts > 1 if a.measured is not None else np.ones(len(a.counts), bool)
    ranked = np.flatnonzero(repeated)[np.argsort(a.predicted[repeated])]
    order = ranked[np.linspace(0, len(ranked) - 1, min(40, len(ranked))).astype(int)]
    variances = []
    for place in order.tolist():
        drawn = [_loss(evaluator, objective, a.configs[place], seed) for seed in range(25)]
        variances.append(np.nanvar(drawn, ddof=1))
    return float(np.sqrt(np.nanmean(variances)))


def intraclass(answered: Floats, noise: Floats) -> float | None:
    """The share of single answers' variance that lies between configurations, of given deviations by noise."""
    variance = float(np.var(answered, ddof=1)) if len(answered) > 1 else 0.0
    return max(1 - float((noise**2).mean()) / variance, 0.0) if variance > 0 else None


def _like_the_best(a: Answers) -> dict[str, Any]:
    """How many of the configurations that fill the space one trial of each cannot tell from the best recorded one."""
    best = a.best
    limit = NORMAL_95 * np.sqrt(a.noise**2 + a.noise[best] ** 2)
    alike = (a.believed - a.reached[best] <= limit) & a.filling
    return {"count": int(alike.sum()), "of": int(a.filling.sum()), "noise_of_the_best": round(float(a.noise[best]), 6)}


def _constant(known: Fitted, a: Answers) -> dict[str, Any] | None:
    """The constant answer's headline metric, and the share of configurations that fill the space and beat it.

    `share_sensible`: of those with a learning rate within `SENSIBLE_DECADES` of the best configuration's. Where
    strategies minimise something else than the headline, `by_loss` holds the same of the loss.
    """
    task = known.surrogate.task
    constant = constant_answer(known.table, task.headline)
    if constant is None or not a.filling.any():
        return None
    sensible, about = _sensible(a)
    found = {"headline": constant, **_shares(a.headline > constant, a.filling, sensible), **about}
    loss = constant_loss(known.table, task.objective)
    if loss is not None and task.objective.weights != {task.headline: 1.0}:
        found["by_loss"] = {"loss": round(loss, 6), **_shares(a.mean < loss, a.filling, sensible)}
    return found


def _sensible(a: Answers) -> tuple[NDArray[np.bool_], dict[str, Any]]:
    """Which configurations that fill the space have a sensible learning rate; how many, and the best one's rate."""
    rates = np.array([config.get("learning_rate", np.nan) for config in a.configs], dtype=float)
    best = rates[a.best]
    sensible = a.filling & (np.abs(np.log10(rates / best)) <= SENSIBLE_DECADES)
    return sensible, {"sensible": int(sensible.sum()), "best_rate": float(best)} if sensible.any() else {}


def _shares(beaten: NDArray[np.bool_], filling: NDArray[np.bool_], sensible: NDArray[np.bool_]) -> dict[str, float]:
    """The share of configurations that beat the constant answer, and of the sensible ones where there are any."""
    shares = {"share": filling, "share_sensible": sensible}
    return {name: round(float(beaten[among].mean()), 4) for name, among in shares.items() if among.any()}


def tails(known: Fitted, a: Answers) -> dict[str, Any]:
    """Expected lowest loss of the best of a few uniformly random trials, by the table and by the surrogate.

    Returns:
        By the number of trials: `table` and `surrogate`, each with its standard error, and `apart`: their difference
        in standard errors of both together. The table's is that of as few configurations drawn from the surrogate.
    """
    evaluator, task = _evaluator(known), known.surrogate.task
    stream = islice(random_stream(task.space(), 1), POOL)
    drawn = np.array([_loss(evaluator, task.objective, config, seed) for seed, config in enumerate(stream)])
    drawn = np.where(np.isnan(drawn), np.nanmax(drawn), drawn)
    recorded = a.first[a.filling]
    found = {}
    for count in BEST_OF:
        if len(recorded) > count:
            here = with_error(drawn, count)
            there = expected_best(recorded, count), error_of_so_few(drawn, len(recorded), count)
            found[str(count)] = {
                "table": [round(x, 6) for x in there],
                "surrogate": [round(x, 6) for x in here],
                "apart": round((here[0] - there[0]) / float(np.hypot(there[1], here[1])), 2),
            }
    return found


def agreement(recorded: Floats, predicted: Floats, order: Floats | None = None) -> dict[str, Any]:
    """How well predictions agree with what was recorded, overall and in the best tenth.

    Args:
        recorded: Shape (n,).
        predicted: Shape (n,).
        order: What the best tenth is the lowest of; by default `recorded`.
    """
    rank = recorded if order is None else order
    top = rank <= np.quantile(rank, TOP)
    return {**_figures(recorded, predicted), "top": _figures(recorded[top], predicted[top])}


def _figures(recorded: Floats, predicted: Floats) -> dict[str, float | None]:
    """None where a figure is not defined: of too few trainings, or without any difference."""
    variance = float(np.var(recorded))
    defined = len(recorded) > 2 and variance > 0 and float(np.var(predicted)) > 0
    error = recorded - predicted
    return {
        "n": len(recorded),
        "r2": round(1 - float((error**2).mean()) / variance, 4) if defined else None,
        "mae": round(float(np.abs(error).mean()), 6),
        "spearman": round(float(spearmanr(recorded, predicted)[0]), 4) if defined else None,
        "kendall": round(float(kendalltau(recorded, predicted)[0]), 4) if defined else None,
    }


def failures(failed: NDArray[np.bool_], chance: Floats) -> dict[str, float | None]:
    """Recorded and mean predicted rate of failures, and the Brier score beside that of the rate alone."""
    rate = float(failed.mean())
    return {
        "recorded": round(rate, 4),
        "predicted": round(float(chance.mean()), 4),
        "brier": round(float(((chance - failed) ** 2).mean()), 4),
        "brier_of_rate": round(rate * (1 - rate), 4),
    }


def ceiling(predicted: Floats, recorded: Floats, noise: Floats) -> Mapping[str, float | None]:
    """How well the truth itself would rank single noisy answers: what limits any surrogate.

    The predictions stand for the truth, spread about their mean until they and the noise have the recorded variance.

    Args:
        predicted: Shape (n,).
        recorded: Single answers, shape (n,).
        noise: Deviation of each by noise, shape (n,).

    Returns:
        `r2`: the share of the recorded variance that is no noise; `spearman` and `top_spearman`: between truth and
        answers, overall and in the tenth that then is the best. None without noise, or where it hides all differences.
    """
    variance = float(np.var(recorded))
    if not noise.any() or not variance or not float(np.var(predicted)):
        return {"r2": None, "spearman": None, "top_spearman": None}
    share = max(1 - float((noise**2).mean()) / variance, 0.0)
    if not share:
        return {"r2": 0.0, "spearman": None, "top_spearman": None}
    scale = np.sqrt(share * variance / np.var(predicted))
    truth = predicted.mean() + scale * (predicted - predicted.mean())
    rng = np.random.default_rng(np.random.SeedSequence(1))
    overall, best = [], []
    for _ in range(DRAWS):
        noisy = truth + noise * rng.standard_normal(len(truth))
        top = noisy <= np.quantile(noisy, TOP)
        overall.append(spearmanr(truth, noisy)[0])
        best.append(spearmanr(truth[top], noisy[top])[0])
    return {
        "r2": round(share, 4),
        "spearman": round(float(np.nanmean(overall)), 4),
        "top_spearman": round(float(np.nanmean(best)), 4) if np.isfinite(best).any() else None,
    }
