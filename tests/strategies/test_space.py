"""What is derived from a search space: draws, defaults, activity."""

from __future__ import annotations

import math
from itertools import islice

import numpy as np
import pytest
from ConfigSpace import (
    AndConjunction,
    Categorical,
    Configuration,
    ConfigurationSpace,
    Constant,
    EqualsCondition,
    Float,
    Integer,
    NormalFloatHyperparameter,
    OrConjunction,
    OrdinalHyperparameter,
)
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from hemobench.benchmarks.tasks import TASKS, load_task
from hemobench.strategies import load_strategy
from hemobench.strategies import space as spaces
from hemobench.strategies.base import UnsupportedTask
from hemobench.strategies.manual import enabling
from hemobench.testing.drives import drive


def draws(space, count, seed=0):
    return list(islice(spaces.random_stream(space, seed), count))


@pytest.mark.parametrize("name", TASKS)
def test_draws_are_legal_and_the_default_is(name):
    space = load_task(name).space()
    for config in draws(space, 200):
        Configuration(space, values=config)
    Configuration(space, values=spaces.active(space, spaces.default(space)))


def test_draws_are_uniform_in_each_hyperparameters_own_scale():
    space = ConfigurationSpace(
        space=[
            Float("linear", (2.0, 5.0)),
            Float("log", (1e-7, 1e-3), log=True),
            Integer("small", (1, 4)),
            Integer("log_integer", (1, 64), log=True),
            Categorical("choice", ["a", "b", "c"]),
            Categorical("weighted", ["x", "y"], weights=[0.8, 0.2]),
        ]
    )
    table = draws(space, 6000)
    column = {name: [config[name] for config in table] for name in space}
    assert stats.kstest(column["linear"], stats.uniform(2, 3).cdf).pvalue > 1e-4
    assert stats.kstest(np.log10(column["log"]), stats.uniform(-7, 4).cdf).pvalue > 1e-4
    assert stats.chisquare(np.bincount(column["small"])[1:]).pvalue > 1e-4
    ends = math.log(64.5 / 0.5)
    expected = [6000 * math.log((k + 0.5) / (k - 0.5)) / ends for k in range(1, 65)]
    assert stats.chisquare(np.bincount(column["log_integer"], minlength=65)[1:], expected).pvalue > 1e-4
    assert stats.chisquare([column["choice"].count(v) for v in "abc"]).pvalue > 1e-4
    assert column["weighted"].count("x") == pytest.approx(4800, abs=150)


def test_streams_are_seeded_and_do_not_touch_the_space():
    space = load_task("bone-marrow-full").space()
    before = space.sample_configuration()
    space.seed(3)
    one = space.sample_configuration()
    space.seed(3)
    first = draws(space, 50, seed=9)
    assert space.sample_configuration() == one
    assert first == draws(space, 50, seed=9)
    assert first != draws(space, 50, seed=10)
    assert before is not one


@given(st.floats(0, 1, exclude_max=True))
def test_quantiles_are_monotone_and_within_bounds(u):
    for hp in (Float("f", (1e-5, 1e-2), log=True), Integer("i", (1, 32)), Integer("g", (3, 90), log=True)):
        at = spaces.quantile(hp)
        assert hp.lower <= at(0.0) <= at(u) <= at(math.nextafter(1, 0)) <= hp.upper


def test_inactive_hyperparameters_are_dropped():
    space = load_task("bone-marrow-full").space()
    values = spaces.default(space)
    assert "frozen_blocks" not in spaces.active(space, values)
    feature = spaces.active(space, {**values, "initialization": "feature_extraction", "architecture": "resnet"})
    assert feature["frozen_blocks"] == 4
    assert "resnet_depth" in feature
    assert "densenet_depth" not in feature


def test_a_grandchild_of_an_inactive_parent_is_inactive():
    space = ConfigurationSpace()
    top, middle, low = Categorical("a", ["on", "off"]), Categorical("b", ["x", "y"]), Integer("c", (1, 3))
    space.add(top, middle, low)
    space.add(EqualsCondition(middle, top, "on"), EqualsCondition(low, middle, "x"))
    assert spaces.active(space, {"a": "off", "b": "x", "c": 2}) == {"a": "off"}


@pytest.mark.parametrize("name", TASKS)
def test_legality_agrees_with_configspace(name):
    space = load_task(name).space()
    require_legal = spaces.legality(space)
    for config in draws(space, 100):
        require_legal(config)
    for wrong in mutations(space, draws(space, 30, seed=1)):
        with pytest.raises(ValueError, match=r"cannot be|missing|not active|unknown"):
            require_legal(wrong)
        with pytest.raises(Exception):  # noqa: B017, PT011 - ConfigSpace has an error for each case
            Configuration(space, values=wrong)


def mutations(space, configs):
    """Each configuration with one thing wrong."""
    inactive = sorted(set(space) - set(configs[0]))
    for config in configs:
        first = next(iter(config))
        yield {**config, "learning_rate": 5.0}
        yield {**config, "batch_size": 1000}
        yield {name: value for name, value in config.items() if name != first}
        yield {**config, "unheard_of": 1}
        for name in inactive:
            if name not in config:
                yield {**config, name: spaces.default(space)[name]}


def test_legality_wants_built_in_types():
    require_legal = spaces.legality(load_task("c-nmc").space())
    config = draws(load_task("c-nmc").space(), 1)[0]
    for name, value in [("learning_rate", np.float64(1e-3)), ("hidden_size", np.int64(512)), ("dropout_1", 1)]:
        with pytest.raises(ValueError, match=name):
            require_legal({**config, name: value})


def test_conjunctions_of_conditions():
    space = ConfigurationSpace()
    a, b, c, d = (Categorical(name, ["x", "y"]) for name in "abcd")
    space.add(a, b, c, d)
    both = AndConjunction(EqualsCondition(c, a, "x"), EqualsCondition(c, b, "x"))
    either = OrConjunction(EqualsCondition(d, a, "y"), EqualsCondition(d, b, "y"))
    space.add(both, either)
    assert set(spaces.active(space, dict.fromkeys("abcd", "x"))) == {"a", "b", "c"}
    assert set(spaces.active(space, dict.fromkeys("abcd", "y"))) == {"a", "b", "d"}
    for config in draws(space, 100):
        Configuration(space, values=config)
    assert enabling(space, "c") == {"a": "x", "b": "x"}
    with pytest.raises(UnsupportedTask, match="several parents"):
        load_strategy("hyperopt-tpe")(space, seed=0, horizon=5)
    for proposal in drive(load_strategy("optuna-tpe")(space, seed=0, horizon=14), 14):
        Configuration(space, values=dict(proposal.config))


def test_all_supported_kinds_have_choices_or_a_range():
    assert spaces.choices(OrdinalHyperparameter("o", ["low", "high"])) == ("low", "high")
    assert spaces.choices(Constant("k", 3)) == (3,)
    assert spaces.choices(Float("f", (0, 1))) is None
    with pytest.raises(UnsupportedTask, match="Normal"):
        spaces.choices(NormalFloatHyperparameter("n", 0, 1, lower=-1, upper=1))
