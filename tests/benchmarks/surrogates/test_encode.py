"""Vectors of configurations and distances between them, by hand."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from ConfigSpace import (
    Categorical,
    ConfigurationSpace,
    Constant,
    EqualsCondition,
    Float,
    Integer,
    OrdinalHyperparameter,
)
from contracts.small_tables import configs_of, table_of

from hemobench.benchmarks.surrogates import support as module
from hemobench.benchmarks.surrogates.encode import Encoder
from hemobench.benchmarks.surrogates.support import distances, outside_share, support, support_limit
from hemobench.benchmarks.tasks import load_task


def space() -> ConfigurationSpace:
    """All kinds of hyperparameters, wide ones and not, and one that is there for one family only."""
    found = ConfigurationSpace(
        space=[
            Categorical("family", ["a", "b", "c"]),
            Float("rate", (1e-5, 1e-1), log=True),
            Integer("wide", (1, 8)),
            Float("narrow", (2.0, 15.9)),
            Float("share", (0.0, 0.5)),
            OrdinalHyperparameter("size", ["small", "large"]),
            Constant("fixed", 3),
            Integer("depth", (1, 5)),
            Categorical("head", [True, False]),
        ]
    )
    found.add(
        EqualsCondition(found["depth"], found["family"], "b"), EqualsCondition(found["head"], found["family"], "c")
    )
    return found


SHARED = {"rate": 1e-3, "wide": 4, "narrow": 2.0, "share": 0.125, "size": "large", "fixed": 3}


@pytest.mark.parametrize(
    ("own", "wanted"),
    [
        ({"family": "a"}, {"family=a": 1}),
        ({"family": "b", "depth": 4}, {"family=b": 1, "depth": 0.5, "depth active": 1}),
        ({"family": "c", "head": False}, {"family=c": 1, "head=False": 1, "head active": 1}),
    ],
)
def test_vectors_by_hand(own: dict, wanted: dict[str, float]) -> None:
    """Places between the ends on each one's scale; wide is on a logarithmic one too; what is inactive is the middle."""
    encoder = Encoder(space())
    shared = {
        "rate": 0.0,
        "wide": 2 * 3 / 7 - 1,
        "log wide": 2 * 2 / 3 - 1,
        "narrow": -1.0,
        "share": -0.5,
        "size=large": 1,
        "fixed=3": 1,
    }
    found = dict(zip(encoder.names, encoder.one({**SHARED, **own}), strict=True))
    assert {name: value for name, value in found.items() if value} == pytest.approx(
        {name: value for name, value in {**shared, **wanted}.items() if value}
    )
    np.testing.assert_array_equal(encoder.many([{**SHARED, **own}] * 2), [list(found.values())] * 2)
    assert encoder.many([]).shape == (0, len(encoder.names))


def test_elements_have_names_and_their_order() -> None:
    names = Encoder(space()).names
    assert len(set(names)) == len(names)
    assert {name.partition("=")[0] for name in names} == {
        *space(),
        "log wide",
        "depth active",
        "head active",
    }
    assert names.index("log wide") == names.index("wide") + 1
    assert names.index("depth active") == names.index("depth") + 1
    assert names.index("head active") == names.index("head=True") + 2


@pytest.mark.parametrize(
    ("name", "low", "high", "scale"),
    [("rate", 1e-5, 1e-1, 1.0), ("wide", 1, 8, 1.0), ("narrow", 2.0, 15.9, 1.0), ("share", 0.0, 0.25, 0.5)],
)
def test_between_the_ends_of_a_numeric_one_lies_one(name: str, low: float, high: float, scale: float) -> None:
    encoder = Encoder(space())
    one, other = (np.array(encoder.one({**SHARED, "family": "a", name: value})) for value in (low, high))
    assert np.linalg.norm((one - other) * encoder.weights) == pytest.approx(scale)


@pytest.mark.parametrize(("name", "values"), [("family", "ab"), ("family", "bc"), ("size", ("small", "large"))])
def test_between_two_values_of_another_lies_one(name: str, values: tuple[str, str]) -> None:
    """Whether something else is active for one of them or not: its flag has no distance."""
    encoder = Encoder(space())
    one, other = (np.array(encoder.one({**SHARED, "family": "a", name: value})) for value in values)
    assert np.linalg.norm((one - other) * encoder.weights) == pytest.approx(1)
    active = np.array(encoder.one({**SHARED, "family": "b", "depth": 3}))  # in the middle, as if inactive
    inactive = np.array(encoder.one({**SHARED, "family": "b"}))
    assert np.abs(active - inactive).max() == 1
    assert np.linalg.norm((active - inactive) * encoder.weights) == 0


BASE = {"weight_decay": 1e-4, "dropout_1": 0.3, "dropout_2": 0.25, "hidden_size": 512, "batch_size": 32}


def at(share: float) -> dict:
    """A configuration of c-nmc at a place between the ends of the learning rate."""
    return {"learning_rate": 1e-5 * 10 ** (3 * share), **BASE}


def test_distances_to_the_nearest_by_hand() -> None:
    asked = [at(0.5), at(0.12), {**at(0.9), "batch_size": 64}, {**at(1.0), "dropout_1": 0.5, "hidden_size": 768}]
    found = distances("c-nmc", [at(0.0), at(0.4), at(0.9)], asked)
    assert found == pytest.approx([0.1, 0.12, 1.0, math.sqrt(0.1**2 + 0.5**2 + 1)])
    assert distances("c-nmc", [at(0.0)], []).shape == (0,)


def recorded(places: list[float], origins: list[str]):
    table = table_of("c-nmc", [(k, 0, 0, 0.5) for k in range(len(places))])
    rows = [
        replace(row, config=at(place), origin=origin)
        for row, place, origin in zip(table.rows, places, origins, strict=True)
    ]
    return replace(table, rows=tuple(rows))


def test_the_limit_is_a_quantile_of_distances_to_the_others() -> None:
    """Of 0, .1, .3, .6 and 1 the nearest others are .1, .1, .2, .3 and .4 away; what searches added is not asked."""
    places, origins = [0.0, 0.1, 0.3, 0.6, 1.0], ["sobol", "random", "sobol", "random", "sobol"]
    table = recorded([*places, 0.05, 0.62], [*origins, "optuna-tpe/0", "repeat"])
    assert support_limit(table, 0.5) == pytest.approx(0.2)
    assert support_limit(table, 0.75) == pytest.approx(0.3)
    assert support_limit(table) == pytest.approx(0.3 + 0.96 * 0.1)


def test_without_two_that_fill_the_space_the_limit_is_of_all() -> None:
    searched = recorded([0.0, 0.1, 0.4], ["sobol", "tpe/0", "tpe/0"])
    assert support_limit(searched, 1.0) == pytest.approx(0.3)
    two = recorded([0.0, 0.1, 0.4], ["sobol", "tpe/0", "random"])
    assert support_limit(two, 1.0) == pytest.approx(0.4)
    assert support_limit(recorded([0.5], ["sobol"])) == 0.0


def test_outside_are_those_beyond_the_limit() -> None:
    table = recorded([0.0, 0.5], ["sobol", "sobol"])
    asked = [at(0.0), at(0.2), at(0.6), at(0.9)]
    assert support(table, asked) == pytest.approx([0.0, 0.2, 0.1, 0.4])
    assert outside_share(table, asked, 0.15) == 0.5
    assert outside_share(table, asked, 0.3) == 0.25
    assert outside_share(table, asked) == 0.0  # the two recorded ones lie .5 apart
    assert outside_share(table, [at(0.0)], 0.0) == 0.0
    assert outside_share(table, [], 0.0) == 0.0


def test_places_are_vectors_in_the_unit_cube() -> None:
    for task in ("c-nmc", "bone-marrow", "bone-marrow-full"):
        encoder = Encoder(load_task(task).space())
        configs = configs_of(task, 5)
        np.testing.assert_array_equal(module._places(task, configs), encoder.many(configs) * encoder.weights)
        assert len(encoder.weights) == len(encoder.names)
        assert (encoder.weights >= 0).all()
