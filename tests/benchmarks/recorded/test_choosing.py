"""How well a validation set chooses: probabilities against counting, tables whose truth is known, and those shipped."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from hemobench.benchmarks.recorded import artefacts
from hemobench.benchmarks.recorded.choosing import best_of, choices, main
from hemobench.benchmarks.tables.io import read_table
from hemobench.benchmarks.tables.schema import Header, Row, Table
from hemobench.errors import BenchmarkError
from hemobench.strategies.base import Status

MANY = 200


@pytest.mark.parametrize("trials", [1, 2, 5, 7, 9])
def test_the_best_of_some_is_worth_what_counting_all_draws_says(trials):
    rng = np.random.default_rng(trials)
    quality, worth = rng.random(7), rng.random(7)
    drawn = list(combinations(range(7), min(trials, 7)))
    counted = np.mean([worth[max(some, key=quality.__getitem__)] for some in drawn])
    assert best_of(quality, worth, trials) == pytest.approx(counted)


def table(split, accuracies):
    """A recording with validation and test accuracies by fold, each of shape (n, 2)."""
    header = Header("c-nmc", "c-nmc@live", 1, "test", 1, "cpu", "", {"split": split}, {}, {})
    rows = []
    for fold, values in accuracies.items():
        for number, (validation, test) in enumerate(values.tolist()):
            config = {"learning_rate": float(number)}
            metrics = ({"accuracy": (validation,)}, {"accuracy": (test,)})
            rows.append(Row(config, 0, fold, "random", (1,), (1.0,), (0.1,), *metrics, (validation,), Status.OK))
    return Table(header, tuple(rows))


@pytest.fixture(scope="module")
def made():
    """People on both sides show what is of no use to others, people apart the truth, twice as noisy a rotation."""
    rng = np.random.default_rng(0)
    truth, memory = rng.normal(0.7, 0.02, MANY), rng.normal(0.9, 0.05, MANY)
    shared = table("paper", {0: np.stack([memory, truth], axis=1)})
    noisy = {r: np.stack([truth + rng.normal(0, 0.02, MANY), truth], axis=1) for r in range(3)}
    return truth, choices(shared, table("subject", noisy))


def test_people_on_both_sides_choose_no_better_than_chance(made):
    truth, (leaky, *_) = made
    assert abs(leaky.spearman) < 0.2
    assert leaky.reached[20] == pytest.approx(truth.mean(), abs=0.01)
    assert leaky.promised[20] > leaky.reached[20] + 0.2
    assert leaky.random == pytest.approx(truth.mean())


def test_people_apart_choose_well_and_a_mean_of_rotations_better(made):
    truth, (_, one, mean) = made
    perfect = best_of(truth, truth, 20)
    assert one.spearman == pytest.approx(1 / np.sqrt(2), abs=0.08)  # as much noise as spread
    assert one.reached[20] < mean.reached[20] < perfect
    assert mean.spearman > one.spearman


def test_a_mean_never_asks_the_people_who_judge():
    """Rotation 4 validates on part 0, which judges rotation 0: alone it knows the truth, and may not say it."""
    rng = np.random.default_rng(1)
    truth, blind = rng.normal(0.7, 0.02, MANY), rng.normal(0.7, 0.02, (2, MANY))
    apart = {0: np.stack([blind[0], truth], axis=1), 4: np.stack([truth, blind[1]], axis=1)}
    *_, mean = choices(table("paper", {0: np.stack([truth, truth], axis=1)}), table("subject", apart))
    assert abs(mean.spearman) < 0.15


def test_a_file_that_is_not_there_is_one_message(capsys, monkeypatch, tmp_path):
    monkeypatch.setattr("sys.argv", ["choosing", str(tmp_path / "a.parquet"), str(tmp_path / "b.parquet")])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert "a.parquet: No such file" in capsys.readouterr().err


def test_tables_of_other_points_are_refused(made):
    one = table("paper", {0: np.ones((30, 2))})
    with pytest.raises(BenchmarkError, match="30 configurations in common"):
        choices(one, one)


def test_what_the_documentation_says_is_what_the_shipped_tables_give():
    """To a tenth of a point; so does the claim that people apart choose better."""
    c_nmc = artefacts("c-nmc").table
    found = choices(read_table(c_nmc), read_table(c_nmc.with_name("c-nmc-subject.parquet")))
    said = (Path(__file__).parents[3] / "docs" / "recording.md").read_text()
    for one in found:
        row = next(line for line in said.splitlines() if line.startswith(f"| {one.by} |"))
        figures = [one.promised[20], one.reached[20], one.promised[100], one.reached[100]]
        assert (
            row == f"| {one.by} | {one.spearman:.2f} | " + " | ".join(f"{100 * value:.1f}" for value in figures) + " |"
        )
    leaky, *apart = found
    assert all(one.reached[k] > leaky.reached[k] for one in apart for k in (20, 100))
