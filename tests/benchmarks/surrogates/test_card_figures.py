"""The card's figures one by one: against scikit-learn and scipy, by counting pairs, and by hand."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from itertools import combinations
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from contracts.small_tables import held_out, table_of
from scipy.stats import rankdata
from sklearn.metrics import brier_score_loss, mean_absolute_error, r2_score

from hemobench.benchmarks.surrogates.losses import losses
from hemobench.benchmarks.surrogates.noise.repeats import repeats
from hemobench.benchmarks.surrogates.support import support_limit
from hemobench.benchmarks.surrogates.targets import fraction, targets
from hemobench.benchmarks.surrogates.trust import card as module
from hemobench.benchmarks.surrogates.trust.answers import Answers
from hemobench.benchmarks.surrogates.trust.card import agreement, card, ceiling, failures, intraclass
from hemobench.benchmarks.surrogates.trust.tails import error_of_so_few, expected_best, with_error
from hemobench.benchmarks.tasks import load_task
from hemobench.strategies.base import Status


def pair(count: int = 60) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(count)
    recorded = rng.normal(0.3, 0.05, count)
    return recorded, recorded + rng.normal(0.01, 0.03, count)


def concordance(one: np.ndarray, other: np.ndarray) -> float:
    """Kendall's tau without ties: of all pairs, those in the same order less those in the other."""
    signs = [np.sign((one[i] - one[j]) * (other[i] - other[j])) for i, j in combinations(range(len(one)), 2)]
    return float(np.mean(signs))


def figures_of(recorded: np.ndarray, predicted: np.ndarray) -> dict[str, Any]:
    return {
        "n": len(recorded),
        "r2": pytest.approx(r2_score(recorded, predicted), abs=1e-4),
        "mae": pytest.approx(mean_absolute_error(recorded, predicted), abs=1e-6),
        "spearman": pytest.approx(np.corrcoef(rankdata(recorded), rankdata(predicted))[0, 1], abs=1e-4),
        "kendall": pytest.approx(concordance(recorded, predicted), abs=1e-4),
    }


@pytest.mark.parametrize("count", [3, 4, 60])
def test_figures_are_those_of_the_libraries(count: int) -> None:
    recorded, predicted = pair(count)
    assert module._figures(recorded, predicted) == figures_of(recorded, predicted)
    assert module._figures(recorded, 2 * predicted) == figures_of(recorded, 2 * predicted)


@pytest.mark.parametrize(
    ("recorded", "predicted"),
    [([0.1, 0.2], [0.3, 0.2]), ([0.2] * 5, [0.1, 0.2, 0.3, 0.4, 0.5]), ([0.1, 0.2, 0.3, 0.4, 0.5], [0.2] * 5)],
)
def test_figures_of_too_few_or_of_no_difference_are_none(recorded: list[float], predicted: list[float]) -> None:
    found = module._figures(np.array(recorded), np.array(predicted))
    assert (found["r2"], found["spearman"], found["kendall"]) == (None, None, None)
    assert found["n"] == len(recorded)
    assert found["mae"] == pytest.approx(np.mean([abs(a - b) for a, b in zip(recorded, predicted, strict=True)]))


@pytest.mark.parametrize(("count", "tenth"), [(60, 6), (61, 7), (40, 4)])
def test_the_top_is_the_lowest_tenth_of_what_was_recorded_or_of_another_order(count: int, tenth: int) -> None:
    recorded, predicted = pair(count)
    first = sorted(range(count), key=lambda i: recorded[i])[:tenth]
    assert agreement(recorded, predicted)["top"] == figures_of(recorded[first], predicted[first])
    order = np.random.default_rng(1).permutation(count)
    first = sorted(range(count), key=lambda i: order[i])[:tenth]
    found = agreement(recorded, predicted, order)
    assert found.pop("top") == figures_of(recorded[first], predicted[first])
    assert found == figures_of(recorded, predicted)


def test_failures_by_hand_and_by_scikit_learn() -> None:
    """One of four failed."""
    failed, chance = np.array([True, False, False, False]), np.array([0.9, 0.3, 0.2, 0.0])
    found = failures(failed, chance)
    assert found == {"recorded": 0.25, "predicted": 0.35, "brier": 0.035, "brier_of_rate": 0.1875}
    assert found["brier"] == pytest.approx(brier_score_loss(failed, chance))
    assert found["brier_of_rate"] == pytest.approx(brier_score_loss(failed, np.full(4, 0.25)))


def test_intraclass_by_hand() -> None:
    """A variance of .0100 with noise of .0025 and .0015 in it."""
    answered = np.array([0.2, 0.3, 0.4])
    assert intraclass(answered, np.sqrt([0.0025, 0.0015, 0.0020])) == pytest.approx(0.8)
    assert intraclass(answered, np.zeros(3)) == 1.0
    assert intraclass(answered, np.full(3, 0.5)) == 0.0
    assert intraclass(answered[:2], np.zeros(2)) == 1.0


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("answered", [[], [0.3], [0.3, 0.3, 0.3]])
def test_intraclass_without_any_difference_is_none(answered: list[float]) -> None:
    assert intraclass(np.array(answered), np.full(len(answered), 0.01)) is None


def test_the_ceilings_share_is_what_is_no_noise() -> None:
    recorded, predicted = pair()
    noise = math.sqrt(0.3 * recorded.var())
    found = ceiling(predicted, recorded, np.full(60, noise))
    assert found["r2"] == pytest.approx(0.7, abs=1e-4)
    # of normal numbers, Spearman's is six over pi times the arcsine of half of Pearson's
    assert found["spearman"] == pytest.approx(6 / math.pi * math.asin(math.sqrt(0.7) / 2), abs=0.03)
    assert found["top_spearman"] < found["spearman"]


def test_the_ceiling_of_hardly_any_noise_is_one() -> None:
    recorded, predicted = pair()
    found = ceiling(predicted, recorded, np.full(60, 1e-9))
    assert found == {"r2": 1.0, "spearman": 1.0, "top_spearman": 1.0}


def test_there_is_no_ceiling_without_noise_or_without_differences() -> None:
    recorded, predicted = pair()
    nobody = {"r2": None, "spearman": None, "top_spearman": None}
    noise = np.full(60, 0.01)
    assert ceiling(predicted, recorded, np.zeros(60)) == nobody
    assert ceiling(np.full(60, 0.25), recorded, noise) == nobody
    assert ceiling(predicted, np.full(60, 0.25), noise) == nobody


def answers_of(**given: Any) -> Answers:
    count = len(next(iter(given.values())))
    fixed = {
        "configs": ({},) * count,
        "filling": np.ones(count, bool),
        "counts": np.ones(count, int),
        "measured": None,
        "repeated": 0,
    }
    floats = dict.fromkeys(("first", "mean", "headline", "predicted", "spread", "noise"), np.zeros(count))
    arrays = {name: value if name == "configs" else np.array(value) for name, value in given.items()}
    return Answers(**{**fixed, **floats, **arrays})


def test_covered_are_those_within_nine_tenths_of_spread_and_noise() -> None:
    """Spread .03 and noise .04 are .05 together, .08225 in 90 %; of four seeds the noise is half, and .0593 it is."""
    mean = [0.30 + 0.082, 0.30 + 0.083, 0.30 - 0.083, 0.30 - 0.059, 0.30 + 0.060]
    a = answers_of(mean=mean, predicted=[0.3] * 5, spread=[0.03] * 5, noise=[0.04] * 5, counts=[1, 1, 1, 4, 4])
    assert module._covered(a) == pytest.approx(2 / 5)


def test_like_the_best_are_those_that_one_trial_each_cannot_tell_from_it() -> None:
    """Of deviations .03 and .04 the difference's is .05; 1.96 of them are .098. What is believed is the mean here."""
    mean = [0.200, 0.297, 0.299, 0.297, 0.250]
    a = answers_of(
        mean=mean,
        predicted=mean,
        spread=[1e-6] * 5,
        noise=[0.04, 0.03, 0.03, 0.03, 0.001],
        filling=[True, True, True, False, True],
    )
    assert a.best == 0
    assert module._like_the_best(a) == {"count": 3, "of": 4, "noise_of_the_best": 0.04}


def test_like_the_best_are_held_against_what_it_reaches_for_sure() -> None:
    """The best is believed to be at .15 and reached .20: .295 is within .098 of this and not of that."""
    a = answers_of(
        mean=[0.20, 0.295], predicted=[0.10, 0.295], spread=[0.04, 1e-6], noise=[0.04, 0.03], filling=[True, True]
    )
    assert a.believed == pytest.approx([0.15, 0.295])
    assert module._like_the_best(a)["count"] == 2


@pytest.mark.parametrize(("count", "asked"), [(20, 20), (19, 24)])
def test_what_is_known_of_an_answer(count: int, asked: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Noise is held against the differences of what fills the space, where that is at least twenty."""
    for name in ("_drawn", "_constant", "tails"):
        monkeypatch.setattr(module, name, lambda *_, name=name: 0.0123456789 if name == "_drawn" else name)
    monkeypatch.setattr(module, "ceiling", lambda *given: [each.tolist() for each in given])
    rng = np.random.default_rng(count)
    first, predicted, noise = rng.normal(0.3, 0.05, 24), rng.normal(0.3, 0.05, 24), rng.uniform(0.01, 0.03, 24)
    filling = np.arange(24) < count
    a = answers_of(first=first, mean=first, predicted=predicted, noise=noise, spread=[0.03] * 24, filling=filling)
    found = module._answered(SimpleNamespace(answers=replace(a, measured=0.0223456789, repeated=17)))
    within = [abs(x - p) <= 1.645 * math.hypot(0.03, n) for x, p, n in zip(first, predicted, noise, strict=True)]
    assert found == {
        "configurations": 24,
        "filling": count,
        "held_out": agreement(first, predicted),
        "ceiling": [predicted.tolist(), first.tolist(), noise.tolist()],
        "covered": round(sum(within) / 24, 4),
        "noise": {
            "measured": 0.022346,
            "repeated": 17,
            "drawn": 0.012346,
            "typical": pytest.approx(math.sqrt(sum(noise * noise) / 24), abs=1e-6),
        },
        "intraclass": pytest.approx(intraclass(first[:asked], noise[:asked]), abs=1e-6),
        "like_the_best": module._like_the_best(a),
        "constant": "_constant",
        "tails": "tails",
    }
    assert module._answered(SimpleNamespace(answers=a))["noise"]["measured"] is None


RATES = [1e-3, 10**-1.6, 10**-1.4, 10**-4.4, 10**-4.6, 1e-3, 1e-3, None]
HEADLINE = [0.90, 0.80, 0.80, 0.60, 0.80, 0.80, 0.70, 0.90]
FILLING = [True, True, True, True, True, False, True, True]


def test_the_constant_answer_is_beaten_by_shares_of_what_fills_the_space() -> None:
    """Of seven that fill the space five lie above .7; of the four with a rate near the best one's, two."""
    task = load_task("c-nmc")
    table = SimpleNamespace(header=SimpleNamespace(source={"constant_answer": '{"accuracy": 0.7}'}), rows=(), folds=())
    known = SimpleNamespace(surrogate=SimpleNamespace(task=task), table=table)
    a = answers_of(
        mean=[0.1, *[0.3] * 7],
        predicted=[0.1, *[0.3] * 7],
        noise=[0.01] * 8,
        spread=[0.01] * 8,
        headline=HEADLINE,
        filling=FILLING,
        configs=tuple({} if rate is None else {"learning_rate": rate} for rate in RATES),
    )
    assert a.best == 0
    assert module._constant(known, a) == {
        "headline": 0.7,
        "share": round(5 / 7, 4),
        "share_sensible": 0.5,
        "sensible": 4,
        "best_rate": 1e-3,
    }
    without = answers_of(mean=[0.1, 0.2], headline=[0.8, 0.6])
    assert module._constant(known, without) == {"headline": 0.7, "share": 0.5}
    searched = answers_of(mean=[0.1, 0.2], headline=[0.8, 0.6], filling=[False, False])
    assert module._constant(known, searched) is None
    untold = SimpleNamespace(header=SimpleNamespace(source={}), rows=(), folds=())
    assert module._constant(SimpleNamespace(surrogate=known.surrogate, table=untold), a) is None


def test_the_constant_answer_is_beaten_by_loss_too_where_that_is_something_else() -> None:
    """One class of ten, .214 of all: micro F1 .214, macro F1 .035, so that its loss is .875."""
    said = json.dumps({"micro_f1": 0.214, "macro_f1": 0.036, "macro_f1_std": 0.0})
    table = SimpleNamespace(header=SimpleNamespace(source={"constant_answer": said}), rows=(), folds=())
    known = SimpleNamespace(surrogate=SimpleNamespace(task=load_task("bone-marrow")), table=table)
    a = answers_of(
        mean=[0.3, 0.87, 0.88, 0.86],
        predicted=[0.3, 0.87, 0.88, 0.86],
        headline=[0.7, 0.2, 0.2, 0.3],
        configs=tuple({"learning_rate": rate} for rate in (1e-3, 1e-3, 1e-3, 1e-6)),
    )
    found = module._constant(known, a)
    assert (found["share"], found["share_sensible"]) == (0.5, 0.3333)
    assert found["by_loss"] == {"loss": 0.875, "share": 0.75, "share_sensible": 0.6667}
    table.header.source["constant_answer"] = json.dumps({"micro_f1": 0.214})
    assert "by_loss" not in module._constant(known, a)


def known_as(loss: Any, monkeypatch: pytest.MonkeyPatch, pool: int = 150) -> Any:
    """A surrogate whose losses are known, in place of one that is fitted."""
    monkeypatch.setattr(module, "POOL", pool)
    monkeypatch.setattr(module, "_evaluator", lambda known, member="seed": member)
    monkeypatch.setattr(module, "_loss", loss)
    return SimpleNamespace(surrogate=SimpleNamespace(task=load_task("c-nmc")))


def test_tails_are_apart_by_standard_errors_of_both(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every tenth of the surrogate's trials fails and is as bad as the worst; searches' answers do not count."""
    rng = np.random.default_rng(2)
    own, recorded = rng.normal(0.3, 0.05, 150), rng.normal(0.32, 0.05, 180)
    own[::10] = np.nan
    drawn = own.tolist()
    known = known_as(lambda evaluator, objective, config, seed: drawn[seed], monkeypatch)
    filling = np.arange(180) % 3 > 0
    found = module.tails(known, answers_of(first=recorded, filling=filling))
    assert set(found) == {"20", "100"}
    for count in (20, 100):
        answered = np.array([max(x for x in drawn if x == x) if math.isnan(x) else x for x in drawn])
        here, few = with_error(answered, count), recorded[filling]
        there = expected_best(few, count), error_of_so_few(answered, len(few), count)
        pair = found[str(count)]
        assert pair["table"] == pytest.approx(there, abs=1e-6)
        assert pair["surrogate"] == pytest.approx(here, abs=1e-6)
        apart = (here[0] - there[0]) / math.sqrt(there[1] ** 2 + here[1] ** 2)
        assert pair["apart"] == pytest.approx(apart, abs=5e-3)
    assert set(module.tails(known, answers_of(first=recorded[:100]))) == {"20"}
    assert module.tails(known, answers_of(first=recorded[:20])) == {}


def test_the_drawn_noise_is_the_root_of_the_mean_variance(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without bias, of the mean surrogate, over forty configurations from the best to the worst; failures aside."""
    rng = np.random.default_rng(5)
    losses = rng.normal(0.3, 0.02, (79, 25)) + np.arange(79)[:, None]
    losses[4, 3] = np.nan

    def loss(evaluator: Any, objective: Any, config: Any, seed: int) -> float:
        assert evaluator == "mean"
        return float(losses[config["number"], seed])

    known = known_as(loss, monkeypatch)
    shuffled = rng.permutation(79)
    a = answers_of(predicted=shuffled / 100, configs=tuple({"number": int(k)} for k in shuffled))
    variances = [np.var([x for x in losses[k] if x == x], ddof=1) for k in range(0, 79, 2)]  # every second by rank
    assert module._drawn(known, a) == pytest.approx(math.sqrt(np.mean(variances)))


def test_the_loss_of_a_failed_trial_is_no_number() -> None:
    task = load_task("c-nmc")
    for status, wanted in ((Status.OK, 0.25), (Status.DIVERGED, math.nan)):
        outcome = SimpleNamespace(status=status, validation={"accuracy": 0.75})
        evaluator = SimpleNamespace(evaluate=lambda proposal, seed, outcome=outcome: outcome)
        assert module._loss(evaluator, task.objective, {}, 0) == pytest.approx(wanted, nan_ok=True)


def rows_of(count: int) -> list[tuple[int, int, int, Any]]:
    rng = np.random.default_rng(7)
    rows = [(c, 0, fold, rng.uniform(0.4, 0.9, 2)) for c in range(count) for fold in (0, 1)]
    rows[4] = (2, 0, 0, None)
    return rows


def test_a_card_is_of_full_length_and_of_the_folds_that_answer() -> None:
    table = table_of("bone-marrow", rows_of(30))
    t = targets(table)
    t = replace(t, failed=t.failed & np.array([False, False, True]))  # only at full length
    held = held_out(t)
    known = SimpleNamespace(targets=t, held=held, table=table, folds=(0,), answers=None, repeated=repeats(t))
    found = card(known, parts=4, seed=3)  # type: ignore[arg-type]
    here = [i for i in range(0, 60, 2) if i != 4]
    wanted = np.array([1 - rows_of(30)[i][3].mean() for i in here])
    predicted = np.array([1 - held.outputs[i, 2, :2].sum() / 2 for i in here])
    assert {k: v for k, v in found["loss"].items() if k != "top"} == figures_of(wanted, predicted)
    np.testing.assert_allclose(wanted, losses(table, t, fraction(t.values[here, -1])))
    top = [i for i in range(29) if wanted[i] <= sorted(wanted)[2]]
    assert set(found["metrics"]) == {
        f"{side}.{name}" for side in ("validation", "test") for name in ("macro_f1", "micro_f1")
    }
    for name, place in (("validation.macro_f1", 0), ("test.micro_f1", 3)):
        recorded = np.array([rows_of(30)[i][3][place % 2] for i in here])
        figures = dict(found["metrics"][name])
        assert figures.pop("top") == figures_of(recorded[top], held.outputs[here, 2, place][top])
        assert figures == figures_of(recorded, held.outputs[here, 2, place])
    cost = {k: v for k, v in found["cost"].items() if k != "top"}
    assert cost == figures_of(np.log([100.0 + i // 2 for i in here]), np.log(held.seconds[here]))
    failed = [i == 4 for i in range(0, 60, 2)]
    assert found["failures"] == failures(np.array(failed), held.failure[::2])
    assert (found["answers"], found["noise"], found["folds"]) == (None, None, [0])
    assert found["protocol"] == "4 parts by configuration, seed 3, 10 epochs"
    assert found["support"] == {"quantile": 0.99, "limit": support_limit(table)}
    assert found["table"]["rows"] == 60
    assert not {"validation", "test", "header"} & set(found["table"])
