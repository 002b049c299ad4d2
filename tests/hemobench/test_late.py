"""ConfigSpace behaves with the stand-in for `scipy.stats` as it does without, and loads it only where it is needed."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

PREPARE = """
import copy, json, pickle, sys
{first}
import hemobench
from hemobench.benchmarks.tasks import load_task
space = load_task("bone-marrow-full").space()
loaded = "scipy.stats" in sys.modules
"""
USE = """
from ConfigSpace import ConfigurationSpace
from ConfigSpace.hyperparameters import BetaFloatHyperparameter as BetaFloat
from ConfigSpace.hyperparameters import BetaIntegerHyperparameter as BetaInteger
from ConfigSpace.hyperparameters import NormalFloatHyperparameter as NormalFloat
from ConfigSpace.hyperparameters import NormalIntegerHyperparameter as NormalInteger
others = ConfigurationSpace(space={
    "a": BetaFloat("a", alpha=2, beta=3, lower=0, upper=1), "b": BetaInteger("b", alpha=2, beta=3, lower=1, upper=9),
    "c": NormalFloat("c", 0.5, 0.1, lower=0, upper=1), "d": NormalInteger("d", 5, 2, lower=1, upper=9),
})
drawn = []
for each in (space, copy.deepcopy(space), pickle.loads(pickle.dumps(space)), others):
    each.seed(3)
    drawn.append([str(dict(config)) for config in each.sample_configuration(20)])
near = [str(n) for n in space["batch_size"].neighbors_values(13, n=4, seed=__import__("numpy").random.RandomState(1))]
density = [float(hp.pdf_values([hp.default_value])[0]) for hp in others.values()]
same = space == load_task("bone-marrow-full").space() == copy.deepcopy(space)
print(json.dumps([loaded, "scipy.stats" in sys.modules, drawn, near, density, same, str(space)]))
"""


def said(first: str, then: str) -> list:
    program = PREPARE.format(first=first) + then
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def with_stand_in():
    return said("", USE)


def test_a_space_loads_no_statistics(with_stand_in):
    assert with_stand_in[:2] == [False, True]


def test_all_is_drawn_as_without_it(with_stand_in):
    without = said("import scipy.stats", USE)
    assert without[0] is True
    assert without[2:] == with_stand_in[2:]
    assert without[5] is True
    assert len({row for rows in without[2] for row in rows}) > 30


WANTS_MORE = """
import sys, types, hemobench
from hemobench import late
late.truncnorm = None
before = late.ModuleType
class Bare(types.ModuleType):
    def __getattribute__(self, name):
        if name == "truncnorm":
            raise AttributeError(name)
        return super().__getattribute__(name)
late.ModuleType = Bare
import ConfigSpace, json
print(json.dumps(["scipy.stats" in sys.modules, type(sys.modules["scipy.stats"]) is types.ModuleType]))
"""


def test_where_more_is_wanted_the_real_one_is_loaded():
    done = subprocess.run([sys.executable, "-c", WANTS_MORE], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == [True, True]
