"""Recordings: what a design asks, resumed and killed."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from dataclasses import replace

import pytest

from hemobench.benchmarks.evaluator import Cost, Outcome
from hemobench.benchmarks.recording.design import Design, across_folds, repeated
from hemobench.benchmarks.recording.journal import open_rows, read_rows
from hemobench.benchmarks.recording.points import corners, near_best, near_default, on_grid, points, require_grid, sobol
from hemobench.benchmarks.recording.recording import do_unit, first_asked, record, searches
from hemobench.benchmarks.recording.rows import look
from hemobench.benchmarks.recording.source import Source
from hemobench.benchmarks.tables.io import read_table
from hemobench.benchmarks.tables.schema import config_key, final_loss
from hemobench.benchmarks.tasks import load_task
from hemobench.errors import BenchmarkError
from hemobench.strategies.base import Status
from hemobench.strategies.space import default, legality

DESIGN = Design(
    sobol=24,
    random=12,
    strategies=("optuna-tpe", "hyperopt-tpe"),
    strategy_seeds=1,
    strategy_trials=15,
    repeats=6,
    repeat_seeds=3,
)
SOURCE = Source("c-nmc@published")
SCRIPT = """
import sys
from pathlib import Path
from hemobench.benchmarks.recording.recording import record
from hemobench.benchmarks.recording.source import Source
from hemobench.benchmarks.recording.design import Design
if __name__ == "__main__":
    design = Design(sobol=24, random=12, strategies=("optuna-tpe", "hyperopt-tpe"), strategy_seeds=1,
                    strategy_trials=15, repeats=6, repeat_seeds=3)
    record(Source("c-nmc@published"), design, Path(sys.argv[1]), jobs=2, progress=lambda a: print("done", flush=True))
"""


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    seen = []
    table = record(SOURCE, DESIGN, tmp_path_factory.mktemp("whole") / "t.parquet", jobs=2, progress=seen.append)
    assert seen[-1].recorded == seen[-1].known
    return table


def test_a_recording_holds_its_design(undisturbed):
    origins = [row.origin for row in undisturbed.rows]
    assert origins.count("sobol") == 24
    assert origins.count("random") == 12
    assert origins.count("repeat") == 12
    assert sum(origin.startswith("optuna-tpe") for origin in origins) > 5
    assert all(row.epochs == tuple(range(1, 11)) for row in undisturbed.rows)


def test_metrics_are_those_of_trials_of_that_length(undisturbed):
    from hemobench.benchmarks.benchmark import load_benchmark
    from hemobench.strategies.base import Proposal

    evaluator = load_benchmark("c-nmc@published").evaluator()
    for row in undisturbed.rows[::9]:
        for i in (0, 4, 9):
            alone = evaluator.evaluate(Proposal(row.config, row.epochs[i]), row.seed)
            assert row.at(i) == (dict(alone.validation), dict(alone.test))
            assert row.seconds[i] == pytest.approx(alone.cost.gpu_seconds, abs=0.01)
        assert row.curve == alone.curve


def test_killed_at_any_moment_it_ends_with_the_same_rows(tmp_path, undisturbed):
    script, out = tmp_path / "campaign.py", tmp_path / "t.parquet"
    script.write_text(SCRIPT)
    rng = random.Random(0)
    for wanted in (1, 5):
        process = subprocess.Popen([sys.executable, str(script), str(out)], stdout=subprocess.PIPE)
        for _ in range(wanted):
            process.stdout.readline()
        time.sleep(rng.random() * 0.05)
        process.kill()  # the parent alone: its workers must not outlive it
        process.communicate()
    assert not out.exists()
    assert list((tmp_path / "t.parquet.journal").glob("*.jsonl"))
    table = record(SOURCE, DESIGN, out, jobs=2)
    assert table.rows == undisturbed.rows
    assert read_table(out) == table
    assert not list(tmp_path.rglob("*.partial"))


def test_a_half_written_line_is_cut_and_recorded_again(tmp_path):
    (unit,) = (unit for unit in searches(DESIGN) if unit.name == "optuna-tpe-0")
    do_unit(unit, SOURCE, DESIGN, tmp_path)
    (path,) = tmp_path.glob("*.jsonl")
    whole = path.read_bytes()
    lines = whole.splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:7]) + lines[7][:40])
    do_unit(unit, SOURCE, DESIGN, tmp_path)
    assert path.read_bytes() == whole


def test_another_recording_is_not_mixed_in(tmp_path):
    small = Design(sobol=4, random=0, strategies=(), repeats=0)
    record(SOURCE, small, tmp_path / "t.parquet")
    with pytest.raises(BenchmarkError, match="of another run: design"):
        record(SOURCE, Design(sobol=5, random=0, strategies=(), repeats=0), tmp_path / "t.parquet")


def test_a_damaged_journal_is_named(tmp_path):
    path = tmp_path / "points-00000.jsonl"
    path.write_bytes(b'{"config": 3}\n')
    with pytest.raises(BenchmarkError, match="line 1"):
        read_rows(path)


def test_a_journal_is_held_by_one(tmp_path):
    pytest.importorskip("fcntl")
    held = open_rows(tmp_path / "a.jsonl")
    with pytest.raises(BenchmarkError, match="another process"):
        open_rows(tmp_path / "a.jsonl")
    held.close()


@pytest.mark.parametrize("name", ["c-nmc", "bone-marrow", "bone-marrow-full"])
def test_points_are_legal_distinct_and_spread(name):
    space = load_task(name).space()
    found = points(Design(sobol=64, random=20), space)
    require_legal = legality(space)
    for _, config in found:
        require_legal(config)
    assert len(found) == 84
    assert found == points(Design(sobol=64, random=20), space)
    assert found != points(Design(sobol=64, random=20, seed=1), space)
    rates = sorted(config["learning_rate"] for config in sobol(space, 64, 0))
    low, high = space["learning_rate"].lower, space["learning_rate"].upper
    shares = [
        sum((low * (high / low) ** (k / 8)) <= r <= (low * (high / low) ** ((k + 1) / 8)) for r in rates)
        for k in range(8)
    ]
    assert set(shares) == {8}  # a net in base 2: as many in each eighth


def test_repeats_span_the_ranks(undisturbed):
    task = load_task("c-nmc")
    design = Design(folds=(-1,), repeats=5, repeat_seeds=4)
    asked = repeated(design, undisturbed.rows, task.objective)
    assert len(asked) == 15
    loss = {row.key[0]: task.objective.loss(row.at(-1)[0]) for row in undisturbed.rows if row.seed == 0}
    picked = [loss[config_key(config)] for _, config, seed, _ in asked if seed == 1]
    assert picked[0] == min(loss.values())
    assert picked[-1] == max(loss.values())


def test_other_folds_are_asked_for_too(undisturbed):
    rows = [replace(row, fold=0) for row in undisturbed.rows]
    design = Design(folds=(0, 1, 2), repeats=0, every_fold=7)
    asked = across_folds(design, rows, load_task("c-nmc").objective)
    assert len(asked) == 14
    assert {fold for *_, fold in asked} == {1, 2}


def test_the_best_and_some_random_ones_are_repeated_on_every_fold_they_have(undisturbed):
    task = load_task("c-nmc")
    once = [row for row in undisturbed.rows if row.seed == 0]
    rows = [replace(row, fold=fold) for row in once for fold in (0, 1)]
    design = Design(folds=(0, 1), best_repeats=4, random_repeats=3, repeats=0, repeat_seeds=3)
    asked = repeated(design, rows, task.objective)
    best = [(config, seed, fold) for origin, config, seed, fold in asked if origin == "repeat-best"]
    ranked = sorted(once, key=lambda row: final_loss(row, task.objective))
    expected = [(row.config, seed, fold) for row in ranked[:4] for seed in (1, 2) for fold in (0, 1)]
    assert best == expected
    drawn = {config_key(row.config) for row in once if row.origin == "random"}
    others = [asking for asking in asked if asking[0] == "repeat-random"]
    assert {config_key(config) for _, config, _, _ in others} <= drawn
    assert len(asked) == len({(config_key(c), seed, fold) for _, c, seed, fold in asked})


@pytest.mark.parametrize(
    "wrong",
    [
        {"sobol": -1},
        {"folds": ()},
        {"folds": (0, 0)},
        {"epochs": (3, 2)},
        {"epochs": (0, 2)},
        {"sobol": 0, "random": 0, "strategies": ()},
    ],
)
def test_designs_that_cannot_be(wrong):
    with pytest.raises(BenchmarkError):
        Design(**wrong)


def test_looks_end_with_the_full_length():
    assert Design().looks(10) == tuple(range(1, 11))
    assert Design().looks(100)[-3:] == (50, 75, 100)
    assert Design(epochs=(2, 5)).looks(10) == (2, 5, 10)
    with pytest.raises(BenchmarkError, match="11 epochs"):
        Design(epochs=(11,)).looks(10)


class Scripted:
    """Gives the outcomes that it was told to, one after the other."""

    def __init__(self, *outcomes: Outcome) -> None:
        self.outcomes = list(outcomes)
        self.provenance = {"source": "scripted"}

    def evaluate(self, proposal, seed, *, trained=0, limit=0.0):
        return self.outcomes.pop(0)


def outcome(value=0.5, status=Status.OK, error=None):
    metrics = {"accuracy": value} if status is Status.OK else {}
    return Outcome(status, metrics, metrics, (0.5,), Cost(1.5, "measured", "cpu", 0.5), error)


def test_a_failure_ends_the_looking():
    failed = outcome(status=Status.OUT_OF_MEMORY, error="out of memory " + "x" * 5000)
    row = look(Scripted(outcome(), failed), (1, 2, 3), "random", {}, 0, -1)
    assert (row.status, row.epochs, row.seconds) == (Status.OUT_OF_MEMORY, (1, 2), (1.5, 3.0))
    assert row.validation == {"accuracy": (0.5,)}
    assert len(row.error) == 2000


def test_a_figure_that_is_no_number_is_a_failure():
    row = look(Scripted(outcome(float("nan"))), (1, 2), "random", {}, 0, -1)
    assert row.status is Status.DIVERGED
    assert row.validation == {}
    assert row.error == "accuracy is not finite"


def test_points_on_a_grid_take_its_values_alone():
    space = load_task("bone-marrow-lite").space()
    design = Design(sobol=64, random=32, grid={"batch_size": (1, 8, 32)})
    sizes = [config["batch_size"] for _, config in points(design, space)]
    assert set(sizes) == {1, 8, 32}
    assert all(type(size) is int for size in sizes)
    assert on_grid({"batch_size": 20}, design.grid) == {"batch_size": 8}  # 8 and 32 are as near: the first
    assert on_grid({"batch_size": 21}, design.grid) == {"batch_size": 32}


@pytest.mark.parametrize("name", ["bone-marrow-head", "bone-marrow-full", "c-nmc"])
def test_points_near_the_default_differ_from_it_in_a_few_hyperparameters(name):
    """Of those that both have: another architecture brings hyperparameters of its own."""
    space = load_task(name).space()
    usual = default(space)
    design = Design(sobol=4, random=4, near_default=60, every_fold=68, folds=(0, 2), seed=5)
    asked = near_default(design, (), space)
    configs = [config for _, config, _, _ in asked[::2]]
    assert [fold for _, _, _, fold in asked] == [0, 2] * 60
    assert len({config_key(config) for config in configs}) == 60
    changed = [sum(config[key] != usual[key] for key in config.keys() & usual.keys()) for config in configs]
    assert set(changed) <= {0, 1, 2, 3}
    assert {1, 2, 3} <= set(changed)
    for config in configs:
        legality(space)(config)
    rows = [look(Scripted(outcome()), (1,), "near-default", config, 0, 0) for config in configs[:10]]
    fresh = {config_key(config) for _, config, _, _ in near_default(design, rows, space)}
    assert not fresh & {config_key(row.config) for row in rows}


def test_corners_lie_at_the_ends_of_about_half_of_the_ranges():
    space = load_task("c-nmc").space()
    design = Design(sobol=4, corners=200)
    configs = [config for _, config, _, fold in corners(design, (), space)]
    assert len({config_key(config) for config in configs}) == 200
    for name in ("learning_rate", "weight_decay", "dropout_1"):
        low, high = space[name].lower, space[name].upper
        at = [config[name] == pytest.approx(end, rel=1e-6) for config in configs for end in (low, high)]
        assert 70 < sum(at) < 130  # 100 expected, of deviation 7
        assert 30 < sum(at[::2]) < 70


def test_a_recording_begun_before_there_were_such_points_goes_on():
    assert not {"near_default", "corners", "incumbents"} & set(Design().as_data())
    assert Design(near_default=3).as_data()["near_default"] == 3


@pytest.mark.parametrize(
    ("grid", "words"),
    [
        ({"batch": (1,)}, "no number of the space"),
        ({"optimizer": (1,)}, "no number of the space"),
        ({"batch_size": (1.5,)}, "with 1.5"),
        ({"batch_size": (64,)}, "with 64"),
        ({"batch_size": ()}, "no value"),
    ],
)
def test_a_grid_of_no_numbers_of_the_space_is_refused(grid, words):
    with pytest.raises(BenchmarkError, match=words):
        require_grid(Design(grid=grid), load_task("bone-marrow-lite").space())


def test_points_near_the_best_are_new_legal_and_nearer_than_random_ones(undisturbed):
    task = load_task("c-nmc")
    space = task.space()
    design = replace(DESIGN, near_best=30)
    asked = near_best(design, undisturbed.rows, task.objective, space)
    assert len({config_key(config) for _, config, _, _ in asked}) == 30
    assert not {config_key(config) for _, config, _, _ in asked} & {row.key[0] for row in undisturbed.rows}
    require_legal = legality(space)
    rate = space["learning_rate"]
    ranked = sorted(undisturbed.rows, key=lambda row: final_loss(row, task.objective))
    best = [float(rate.to_vector(row.config["learning_rate"])) for row in ranked[:20]]
    for _, config, seed, fold in asked:
        require_legal(config)
        assert (seed, fold) == (0, design.folds[0])

    def distance(config):
        return min(abs(float(rate.to_vector(config["learning_rate"])) - place) for place in best)

    drawn = [config for origin, config in points(replace(DESIGN, sobol=0, random=60), space)]
    near = sum(distance(config) for _, config, _, _ in asked) / len(asked)
    assert near < sum(distance(config) for config in drawn) / len(drawn) / 2
    assert asked == near_best(design, undisturbed.rows, task.objective, space)


def test_every_fold_from_the_start_and_seeds_on_the_first_alone(undisturbed):
    task = load_task("c-nmc")
    design = Design(
        sobol=6, random=4, near_best=3, every_fold=13, strategies=(), repeats=0, folds=(0, 1), best_repeats=2,
        repeat_seeds=3, repeat_folds=1,
    )  # fmt: skip
    asked = first_asked(design, task)
    assert [fold for _, _, _, fold in asked] == [0, 1] * 10
    assert {fold for _, _, _, fold in first_asked(replace(design, every_fold=12), task)} == {0}
    rows = [replace(row, fold=fold) for row in undisturbed.rows if row.seed == 0 for fold in (0, 1)]
    near = near_best(design, rows, task.objective, task.space())
    assert [fold for _, _, _, fold in near] == [0, 1] * 3
    assert across_folds(design, rows, task.objective) == []
    first = [row for row in rows if row.fold == 0]
    searches_alone = replace(design, sobol=0, random=0, near_best=0, strategies=("smac",), every_fold=4)
    assert [fold for _, _, _, fold in across_folds(searches_alone, first, task.objective)] == [1] * 4
    again = repeated(design, rows, task.objective)
    assert [(seed, fold) for _, _, seed, fold in again] == [(1, 0), (2, 0)] * 2
    assert {fold for _, _, _, fold in repeated(replace(design, repeat_folds=0), rows, task.objective)} == {0, 1}


def test_what_does_not_train_side_by_side_says_so(tmp_path):
    with pytest.raises(BenchmarkError, match="does not train side by side"):
        record(Source("c-nmc@published", together=True), DESIGN, tmp_path / "t.parquet")
