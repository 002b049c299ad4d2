"""What was really answered, and what is believed of it, by hand and by loops over the rows of a table."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
from contracts.small_tables import held_out, table_of

from hemobench.benchmarks.surrogates.noise.repeats import repeats
from hemobench.benchmarks.surrogates.targets import targets
from hemobench.benchmarks.surrogates.trust import answers as module
from hemobench.benchmarks.surrogates.trust.answers import Answers, answers
from hemobench.benchmarks.tasks import load_task
from hemobench.benchmarks.tasks.base import Objective
from hemobench.benchmarks.training.metrics import over_folds

OUTPUTS = ("validation.macro_f1", "validation.micro_f1", "test.macro_f1", "test.micro_f1", "curve")
FOLDS = (0, 1, 2)


def answers_of(**given: object) -> Answers:
    """Of as many configurations as there are means; what is not given is of no account."""
    count = len(given["mean"])  # type: ignore[arg-type]
    nothing = np.zeros(count)
    shared = dict.fromkeys(("first", "headline", "predicted", "spread", "noise"), nothing)
    fixed = {"configs": ({},) * count, "filling": np.ones(count, bool), "measured": None, "repeated": 0}
    found = {name: np.array(value) for name, value in {"counts": [1] * count, **given}.items()}
    return Answers(**{**fixed, **shared, **found})


def test_what_is_believed_lies_between_trainings_and_prediction_by_their_certainties() -> None:
    """Four trainings of deviation .02 are as certain as one prediction of .01; with one it is a fifth of all."""
    a = answers_of(
        mean=[0.3, 0.3, 0.3], predicted=[0.2, 0.4, 0.2], counts=[4, 4, 1], noise=[0.02] * 3, spread=[0.01] * 3
    )
    assert a.believed == pytest.approx([0.25, 0.35, 0.22])
    doubt = [0.01 / math.sqrt(2), 0.01 / math.sqrt(2), 1 / math.sqrt(12500)]
    assert a.doubt == pytest.approx(doubt)
    assert a.reached == pytest.approx([0.3, 0.35 + doubt[1], 0.3])


def test_certainties_are_finite() -> None:
    """Without noise or without spread, the one of them that is 0 has it all; without both, it is shared by number."""
    a = answers_of(
        mean=[0.3] * 4, predicted=[0.2] * 4, counts=[1, 3, 3, 1], noise=[0, 0, 0, 0.02], spread=[0.1, 0, 0.1, 0]
    )
    assert a.believed == pytest.approx([0.3, 0.275, 0.3, 0.2], abs=1e-6)
    assert a.doubt == pytest.approx([1e-6, 0.5e-6, 1e-6 / math.sqrt(3), 1e-6], rel=1e-3)


def test_of_equal_configurations_the_one_that_was_trained_often_is_best() -> None:
    alike = {"predicted": [0.3] * 2, "noise": [0.02] * 2, "spread": [0.02] * 2}
    assert answers_of(mean=[0.3, 0.3], counts=[1, 5], **alike).best == 1


def test_the_luckiest_of_many_does_not_win_by_its_luck() -> None:
    """Two hundred configurations of known losses, trained once each: what the best is said to reach, it reaches."""
    rng = np.random.default_rng(0)
    flattered, taken_at_its_word = [], []
    for _ in range(300):
        truth = rng.normal(0.3, 0.01, 200)
        mean, predicted = truth + rng.normal(0, 0.02, 200), truth + rng.normal(0, 0.006, 200)
        a = answers_of(mean=mean, predicted=predicted, noise=[0.02] * 200, spread=[0.006] * 200)
        flattered.append(truth[a.best] - a.reached[a.best])
        taken_at_its_word.append(truth[mean.argmin()] - mean.min())
    assert np.mean(taken_at_its_word) > 0.04
    assert abs(np.mean(flattered)) < 0.002
    assert np.std(flattered) < 0.007


def test_the_best_is_best_for_sure() -> None:
    """What looks best is in doubt; what is sure is never better than its real trainings."""
    a = answers_of(mean=[0.30, 0.29, 0.31], predicted=[0.30, 0.30, 0.1], noise=[0.001, 0.05, 0.01], spread=[0.01] * 3)
    assert a.believed.argmin() == 2
    assert a.best == 0


def looked(weights: Mapping[str, float] | None = None, outputs: tuple[str, ...] = OUTPUTS) -> module._Looked:
    task = load_task("bone-marrow")
    return module._Looked(task if weights is None else replace(task, objective=Objective(weights)), outputs)


FIGURES = np.array([[0.6, 0.5, 0, 0, 0.5], [0.7, 0.5, 0, 0, 0.5], [0.8, 0.8, 0, 0, 0.8]])


def test_losses_of_three_folds_by_hand() -> None:
    """Means of .7 and .6, and a deviation of macro F1 of .0816497."""
    found = looked().losses(FIGURES[None], np.zeros((1, 3, 5)))
    assert found == pytest.approx([1 - 0.35 - 0.3 + math.sqrt(0.02 / 3)])
    folds = [dict(zip(("macro_f1", "micro_f1"), row, strict=True)) for row in FIGURES[:, :2].tolist()]
    assert found == pytest.approx([load_task("bone-marrow").objective.loss(over_folds(folds))])


def test_noise_that_is_not_in_the_values_widens_the_folds() -> None:
    """Of mean square .0009 on single folds; a third of it is lost with the mean. Micro F1's is of no account."""
    noise = np.zeros((2, 3, 5))
    noise[0, :, 0] = np.sqrt([0.0003, 0.0008, 0.0016])
    noise[:, :, 1] = 0.1
    found = looked().losses(np.stack([FIGURES] * 2), noise)
    assert found[0] == pytest.approx(0.35 + math.sqrt(0.02 / 3 + 0.0006))
    assert found[1] == pytest.approx(0.35 + math.sqrt(0.02 / 3))


def test_noise_widens_the_folds_as_it_does_when_it_is_drawn() -> None:
    """In the mean of the variances, for fold values with noise in them."""
    rng = np.random.default_rng(3)
    drawn = FIGURES[:, 0] + 0.03 * rng.standard_normal((40_000, 3))
    noise = np.zeros((1, 3, 5))
    noise[..., 0] = 0.03
    loss = looked({"macro_f1_std": 1.0}).losses(FIGURES[None], noise)[0]
    assert (1 - loss) ** 2 == pytest.approx(drawn.var(axis=1).mean(), rel=0.02)


def test_one_fold_has_no_deviation() -> None:
    found = looked().losses(FIGURES[None, :1], np.full((1, 1, 5), 0.2))
    assert found == pytest.approx([1 - 0.3 - 0.25])


@pytest.mark.parametrize(
    ("outputs", "means", "deviations"),
    [
        (OUTPUTS, {0: 0.5, 1: 0.5}, {0: -1.0}),
        (("validation.macro_f1_std", *OUTPUTS), {0: -1.0, 1: 0.5, 2: 0.5}, {}),
    ],
)
def test_deviations_are_of_the_folds_where_no_training_has_its_own(
    outputs: tuple[str, ...], means: dict[int, float], deviations: dict[int, float]
) -> None:
    task, places = load_task("bone-marrow"), {name: i for i, name in enumerate(outputs)}
    assert module._weights(task, places, deviation=False) == means
    assert module._weights(task, places, deviation=True) == deviations
    found = looked(outputs=outputs)
    assert found.needed == sorted({*means, *deviations})
    assert outputs[found.headline] == "validation.micro_f1"


def test_what_only_deviates_is_needed_too() -> None:
    assert looked({"micro_f1_std": -1.0, "macro_f1": 1.0}).needed == [0, 1]


ROWS = [
    # configuration, seed, fold, accuracy
    (1, 7, 0, 0.80),
    (0, 3, 2, 0.60),
    (0, 3, 0, 0.50),
    (0, 1, 0, 0.56),
    (1, 7, 1, 0.70),
    (0, 1, 1, 0.58),
    (0, 3, 1, 0.40),
    (1, 7, 2, 0.75),
    (0, 1, 2, 0.60),
    (2, 0, 0, 0.90),  # not on the last fold
    (2, 0, 1, 0.90),
    (3, 0, 0, 0.90),  # failed on the last
    (3, 0, 1, 0.90),
    (3, 0, 2, None),
]


def test_complete_is_what_reached_the_end_on_all_folds() -> None:
    """The table's first configuration is the one that comes first; lowest seeds first, folds as asked."""
    t = targets(table_of("c-nmc", ROWS))
    assert module._complete(t, FOLDS).tolist() == [[0, 4, 7], [3, 5, 8], [2, 6, 1]]
    assert module._complete(t, (2, 0)).tolist() == [[7, 0], [8, 3], [1, 2]]
    assert module._complete(t, (1,)).tolist() == [[4], [5], [6], [10], [12]]
    assert module._complete(t, (0, 9)).shape == (0, 2)
    early = replace(t, reached=np.stack([t.reached[:, -1], t.reached[:, -1], np.zeros(len(ROWS), bool)], axis=1))
    assert module._complete(early, FOLDS).shape == (0, 3)


def test_squares_are_without_bias() -> None:
    losses = np.array([0.1, 0.5, 0.3, 0.2, 0.6, 0.7])
    place, counts = np.array([0, 1, 0, 0, 1, 2]), np.array([3, 2, 1])
    found = module._squares(losses, place, counts)
    assert found == pytest.approx([0.01 * 1.5, 0.0025 * 2, 0.01 * 1.5, 0, 0.0025 * 2, 0])
    assert found[place == 0].mean() == pytest.approx(np.var([0.1, 0.3, 0.2], ddof=1))


def test_answers_are_of_whole_trainings_on_all_folds() -> None:
    """The lowest seed's, the seeds' mean, and what is predicted by held-out surrogates; by loops over the table."""
    table = table_of("c-nmc", ROWS, {0: "random", 1: "optuna-tpe/0"})
    t = targets(table)
    held = held_out(t)
    a = answers(table, t, held, repeats(t), FOLDS, widening=2.0)
    assert a is not None
    assert a.configs == (table.rows[0].config, table.rows[1].config)
    assert a.filling.tolist() == [False, True]
    seeds = {1: [0.25], 0: [1 - (0.56 + 0.58 + 0.60) / 3, 0.5]}  # lowest first
    assert a.first == pytest.approx([seeds[1][0], seeds[0][0]])
    assert a.mean == pytest.approx([np.mean(seeds[1]), np.mean(seeds[0])])
    assert a.headline == pytest.approx(1 - a.mean)
    assert a.counts.tolist() == [1, 2]
    assert (a.repeated, a.measured) == (2, None)
    for k, rows in enumerate(([0, 4, 7], [3, 5, 8])):
        predicted = 1 - sum(held.outputs[row, 2, 0] for row in rows) / 3
        members = [1 - sum(one[row, 0] for row in rows) / 3 for one in held.members]
        assert a.predicted[k] == pytest.approx(predicted)
        assert a.spread[k] == pytest.approx(2 * math.sqrt(sum((one - predicted) ** 2 for one in members) / 3))


def test_few_repeats_leave_the_noise_of_single_folds() -> None:
    """Of two seeds on three folds: .56 and .50, .58 and .40, .60 twice; of the mean of three folds, a third of it."""
    table = table_of("c-nmc", ROWS)
    t = targets(table)
    a = answers(table, t, held_out(t, 0.7), repeats(t), FOLDS, widening=1.0)
    assert a is not None
    variance = (2 * 0.03**2 + 2 * 0.09**2 + 0) * 2 / 6
    assert a.noise == pytest.approx(np.full(2, math.sqrt(variance / 3)))


def test_nothing_repeated_leaves_no_noise() -> None:
    table = table_of("c-nmc", [row for row in ROWS if row[1] != 3])
    t = targets(table)
    a = answers(table, t, held_out(t), repeats(t), FOLDS, widening=1.0)
    assert a is not None
    assert not a.noise.any()
    assert (a.repeated, a.measured) == (0, None)


def test_nothing_complete_has_no_answers() -> None:
    table = table_of("c-nmc", ROWS[-5:])
    t = targets(table)
    assert answers(table, t, held_out(t), repeats(t), FOLDS, widening=1.0) is None


def two_metrics(seeds: int, configs: int) -> list[tuple[int, int, int, np.ndarray]]:
    rng = np.random.default_rng(1)
    return [(c, s, f, rng.uniform(0.4, 0.8, 2)) for c in range(configs) for s in range(seeds) for f in FOLDS]


def test_enough_repeats_are_measured_on_answers() -> None:
    """Ten answers of five configurations, each twice: its deviation is that of the criterion, deviation and all."""
    rows = two_metrics(2, 5)
    table = table_of("bone-marrow", [*rows, *((5, 0, fold, (0.5, 0.5)) for fold in FOLDS)])
    t = targets(table)
    a = answers(table, t, held_out(t, 0.6), repeats(t), FOLDS, widening=1.0)
    assert a is not None
    losses = np.zeros((5, 2))
    for c in range(5):
        for s in range(2):
            macro, micro = np.array([figures for k, seed, _, figures in rows if (k, seed) == (c, s)]).T
            losses[c, s] = 1 - macro.mean() / 2 - micro.mean() / 2 + np.std(macro)
    assert a.first == pytest.approx([*losses[:, 0], 0.5])
    assert a.mean == pytest.approx([*losses.mean(axis=1), 0.5])
    measured = math.sqrt(losses.var(axis=1, ddof=1).mean())
    assert (a.repeated, a.measured) == (10, pytest.approx(measured))
    assert a.noise == pytest.approx(np.full(6, measured))
    micro = [np.mean([figures[1] for k, _, _, figures in rows if k == c]) for c in range(5)]
    assert a.headline == pytest.approx([*micro, 0.5])
    # of nine, none is
    fewer = table_of("bone-marrow", two_metrics(3, 3))
    t = targets(fewer)
    b = answers(fewer, t, held_out(t, 0.6), repeats(t), FOLDS, widening=1.0)
    assert b is not None
    assert (b.repeated, b.measured) == (9, None)


def test_a_prediction_is_of_folds_with_noise() -> None:
    """Held-out predictions have none: the criterion's deviation over folds is widened by that of single folds."""
    rows = two_metrics(2, 4)
    table = table_of("bone-marrow", rows)
    t = targets(table)
    held, found = held_out(t), repeats(t)
    held = replace(held, outputs=np.where(np.arange(5) == 0, 0.6, held.outputs))  # macro F1 alike everywhere
    a = answers(table, t, held, found, FOLDS, widening=1.0)
    assert a is not None
    macro = np.array([figures[0] for *_, figures in rows]).reshape(4, 2, 3)
    variance = macro.var(axis=1, ddof=1).mean()  # between the two seeds of a configuration and fold
    for c in range(4):
        here = [6 * c + fold for fold in FOLDS]
        micro = held.outputs[here, 2, 1].mean()
        assert a.predicted[c] == pytest.approx(1 - 0.3 - micro / 2 + math.sqrt(2 / 3 * variance))
        members = [
            1 - one[here, 0].mean() / 2 - one[here, 1].mean() / 2 + math.sqrt(one[here, 0].var() + 2 / 3 * variance)
            for one in held.members
        ]
        assert a.spread[c] == pytest.approx(math.sqrt(np.mean((np.array(members) - a.predicted[c]) ** 2)))


def test_the_noise_of_folds_is_that_of_weighted_sums() -> None:
    """Of what the criterion adds up, without its deviation; nine answers' folds, then a third of their variance."""
    rows = two_metrics(2, 4)
    table = table_of("bone-marrow", rows)
    t = targets(table)
    a = answers(table, t, held_out(t, 0.6), repeats(t), FOLDS, widening=1.0)
    assert a is not None
    figures = np.array([figures for *_, figures in rows]).reshape(4, 2, 3, 2)
    variance = figures.mean(axis=3).var(axis=1, ddof=1).mean()
    assert a.noise == pytest.approx(np.full(4, math.sqrt(variance / 3)))


def test_deviations_are_of_what_is_needed_at_full_length() -> None:
    table = table_of("bone-marrow", two_metrics(2, 4))
    t = targets(table)
    found = repeats(t)
    deviations = module._deviations(t, held_out(t, 0.6), found, [1])
    assert deviations.shape == (24, 5)
    wanted = math.sqrt(sum(found.differences[:, 2, 1] ** 2) / 24)
    assert deviations[:, 1] == pytest.approx(np.full(24, wanted))
    assert not deviations[:, [0, 2, 3, 4]].any()


def clusters() -> tuple[list[tuple[int, int, int, float]], np.ndarray]:
    """Two seeds each of thirty good configurations, .02 apart, and of thirty bad ones, .2 apart."""
    rows = [(c, s, 0, (0.8 + 0.02 * s) if c % 2 else (0.4 + 0.2 * s)) for c in range(60) for s in range(2)]
    return rows, np.array([c % 2 == 1 for c, *_ in rows])


def test_noise_is_that_of_trainings_that_are_predicted_alike_at_full_length() -> None:
    """Earlier predictions are the other way round."""
    rows, good = clusters()
    t = targets(table_of("c-nmc", rows))
    held = held_out(t, np.where(good[:, None] == np.array([False, False, True]), 0.8, 0.4)[..., None])
    found = repeats(t)
    wanted = np.where(good, 0.02, 0.2) / math.sqrt(2)
    assert module._deviations(t, held, found, [0])[:, 0] == pytest.approx(wanted, rel=1e-3)
    single = module._Looked(load_task("c-nmc"), t.outputs)
    noise = module._of_folds(found, t, held, single, np.array([0.2, 0.6]), 4)
    assert noise == pytest.approx(np.array([0.02, 0.2]) / math.sqrt(2) / 2, rel=1e-3)
