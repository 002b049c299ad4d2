"""A trust card in five lines, on the cards that come along and on surrogates of tables whose truth is known."""

from __future__ import annotations

import json
from copy import deepcopy
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

from hemobench.reports.trust_verdict import verdict

CARDS = ("c-nmc", "bone-marrow-lite", "bone-marrow-head", "bone-marrow-micro")


def packaged(task):
    text = files("hemobench.benchmarks.recorded").joinpath(f"{task}.json").read_text()
    return json.loads(text)["card"]["trust"]


@pytest.mark.parametrize("task", CARDS)
def test_five_lines_hold_the_figures_of_a_card_that_comes_along(task):
    card = packaged(task)
    lines = verdict(card, task, Path("mine.npz"))
    assert len(lines) == 5
    assert all("\n" not in line for line in lines)
    assert f"{card['table']['rows']} trainings" in lines[0]
    assert f"{card['answers']['held_out']['spearman']:.2f}" in lines[1]
    assert f"{card['answers']['held_out']['mae']:.3f}" in lines[2]
    alike = card["answers"]["like_the_best"]
    assert f"{alike['count']} of {alike['of']}" in lines[3]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({}, "can be compared on it"),
        ({"spearman": 0.2}, "hardly ranks"),
        ({"spearman": None}, "hardly ranks"),
        ({"spearman": 0.45}, "coarse"),
        ({"apart": -3.5}, "not those recorded"),
        ({"ceiling": {"r2": 0.0, "spearman": None, "top_spearman": None}}, "noise hides"),
    ],
)
def test_what_follows_depends_on_ranking_ceiling_and_level(changes, says):
    card = deepcopy(packaged("c-nmc"))
    held = card["answers"]["held_out"]
    held["spearman"] = changes.get("spearman", held["spearman"])
    card["answers"]["tails"]["20"]["apart"] = changes.get("apart", 0.0)
    card["answers"]["ceiling"] = changes.get("ceiling", card["answers"]["ceiling"])
    assert says in verdict(card, "c-nmc", Path("mine.npz"))[-1]


def test_a_surrogate_of_noise_alone_is_not_fit(recorded_noise_card):
    assert "not fit to compare" in verdict(recorded_noise_card, "c-nmc", Path("mine.npz"))[-1]
    json.dumps(recorded_noise_card, allow_nan=False)  # as `fit --json` prints it


@pytest.fixture(scope="module")
def recorded_noise_card():
    """The card of a table whose losses say nothing about its configurations: they were dealt anew."""
    from dataclasses import replace

    from hemobench.benchmarks.recorded import artefacts
    from hemobench.benchmarks.surrogates.network import Training
    from hemobench.benchmarks.surrogates.trust.card import trust
    from hemobench.benchmarks.tables.io import read_table

    table = read_table(artefacts("c-nmc").table)
    rows = [row for row in table.rows if row.seed == 0 and row.fold == table.rows[0].fold][:150]
    dealt = np.random.default_rng(0).permutation(len(rows))
    mixed = [replace(row, config=rows[other].config) for row, other in zip(rows, dealt, strict=True)]
    return trust(replace(table, rows=tuple(mixed)), how=Training(steps=100))
