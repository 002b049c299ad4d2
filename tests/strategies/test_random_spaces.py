"""Every strategy on search spaces as other people have them: legal proposals to the end, or a refusal beforehand.

Here some spaces each; `python tests/contracts/random_spaces.py` drives all of them over two thousand.
"""

from __future__ import annotations

from dataclasses import replace

import pytest
from ConfigSpace import (
    AndConjunction,
    Categorical,
    ConfigurationSpace,
    Constant,
    EqualsCondition,
    Float,
    Integer,
    Normal,
)
from contracts.random_spaces import LIGHT, TRIALS, built, driven, space

from hemobench.benchmarks.execution.plan import require_support
from hemobench.benchmarks.tasks import load_task
from hemobench.strategies import STRATEGIES, unavailable
from hemobench.strategies.base import Status, Trial, UnsupportedTask
from hemobench.strategies.space import choices

AVAILABLE = [name for name in STRATEGIES if unavailable(name) is None]
SPACES = {"skopt-gp": 3, "optuna-gp": 2, "smac": 2, "smac-hyperband": 3, "bohb": 6, "optuna-tpe": 5}
"""How many, where not eight: seconds in all."""


@pytest.mark.parametrize("name", AVAILABLE)
@pytest.mark.filterwarnings("ignore")
def test_legal_proposals_to_the_end_or_a_refusal_beforehand(name):
    ends = {driven(name, seed) for seed in range(SPACES.get(name, 8))}
    assert ends - {"unsupported"}, "it refuses everything"
    assert "done without a trial" not in ends


@pytest.mark.parametrize(("name", "seed"), [("smac-hyperband", 327), ("smac-hyperband", 1270), ("smac", 1270)])
@pytest.mark.filterwarnings("ignore")
def test_a_value_beside_a_threshold_that_is_rounded_over_it(name, seed):
    """The library then leaves out what its own condition, by the rounded value, makes active, or refuses it."""
    pytest.importorskip("smac")
    assert driven(name, seed) == "trials"


def test_the_spaces_have_all_that_they_should():
    """Else the test above says little."""
    found = [space(seed) for seed in range(200)]
    kinds = {type(hp).__name__ for one in found for hp in one.values()}
    assert {
        "CategoricalHyperparameter",
        "OrdinalHyperparameter",
        "Constant",
        "UniformFloatHyperparameter",
        "UniformIntegerHyperparameter",
        "NormalFloatHyperparameter",
    } <= kinds
    assert sum(bool(one.conditions) for one in found) > 40
    assert any(getattr(hp, "log", False) and "Integer" in type(hp).__name__ for one in found for hp in one.values())
    mixed = [choices(hp) for one in found for hp in one.values() if "Categorical" in type(hp).__name__]
    assert any(len({type(value) for value in values}) > 1 for values in mixed)
    assert any(one.estimate_size() < 40 for one in found)


def small() -> ConfigurationSpace:
    """Six points, of values that libraries keep in one array of floats."""
    return ConfigurationSpace(space={"a": [0, 0.1, 1], "b": [True, False]}, seed=0)


def all_of(name, over, trials=TRIALS, loss=0.5):
    strategy = built(name, over, 0, trials)
    found = []
    for number in range(min(trials, LIGHT.get(name, (trials, {}))[0])):
        proposal = strategy.ask()
        if proposal is None:
            break
        found.append(proposal)
        strategy.tell(Trial(number, proposal, loss, Status.OK, 1.0))
    return found


@pytest.mark.parametrize("name", ["smac", "smac-hyperband"])
def test_smac_is_done_where_a_space_is_exhausted(name):
    proposals = all_of(name, small())
    points = {tuple(proposal.config.items()) for proposal in proposals}
    assert 1 <= len(points) <= 6
    assert len(proposals) < LIGHT[name][0], "it did not end"


@pytest.mark.parametrize("name", AVAILABLE)
@pytest.mark.filterwarnings("ignore")
def test_choices_come_back_as_the_equal_value_given(name):
    """0, 0.1 and 1 are floats in an array; True and False NumPy's."""
    for proposal in all_of(name, small(), trials=12):
        assert proposal.config["a"] in (0, 0.1, 1)
        assert type(proposal.config["a"]) is (float if proposal.config["a"] == 0.1 else int)
        assert type(proposal.config["b"]) is bool


@pytest.mark.parametrize("name", AVAILABLE)
def test_what_nobody_takes_is_refused_before_the_run(name):
    over = ConfigurationSpace(space={"x": Float("x", (-3.0, 3.0), distribution=Normal(0.0, 1.0))})
    task = replace(load_task("c-nmc"), space=lambda: over)
    with pytest.raises(UnsupportedTask, match="'x' is a NormalFloat"):
        require_support(name, task, 1)
    assert built(name, over, 0, 10) is None


def test_the_manual_analysis_leaves_out_what_is_never_active():
    """`c` asks for two values of `a` at once; `d` is active with the highest integer alone."""
    over = ConfigurationSpace(seed=0)
    a, b = Categorical("a", ["x", "y"], default="x"), Categorical("b", [1, 2], default=1)
    c, d, n = Integer("c", (1, 9)), Constant("d", 5), Integer("n", (1, 4), default=1)
    over.add([a, b, c, d, n])
    over.add(EqualsCondition(b, a, "y"))
    over.add(AndConjunction(EqualsCondition(c, a, "x"), EqualsCondition(c, b, 2)))
    over.add(EqualsCondition(d, n, 4))
    proposals = all_of("manual", over)
    assert all("c" not in proposal.config for proposal in proposals)
    assert any(proposal.config.get("b") == 2 for proposal in proposals)
