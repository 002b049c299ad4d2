"""Every task keeps the contract, and has the search space that its paper gives."""

from __future__ import annotations

from dataclasses import replace
from itertools import count

import pytest
from ConfigSpace import ConfigurationSpace, Float, Normal

from hemobench.benchmarks.benchmark import BENCHMARKS
from hemobench.benchmarks.tasks import TASKS, load_task
from hemobench.benchmarks.tasks.base import Objective
from hemobench.benchmarks.tasks.bone_marrow import criterion
from hemobench.errors import BenchmarkError
from hemobench.strategies.base import UnsupportedTask
from hemobench.strategies.space import choices
from hemobench.testing import check_task


@pytest.fixture(params=TASKS)
def task(request):
    return load_task(request.param)


def test_it_keeps_the_contract(task):
    assert load_task(task.name) is task
    check_task(task)


BROKEN = {
    "one space for all": {"space": lambda: ONE_SPACE},
    "two classes of spaces": {"space": lambda: next(SPACES)},
    "nothing to minimise": {"objective": Objective({})},
    "no epoch": {"epochs": 0},
    "a normal float": {
        "space": lambda: ConfigurationSpace(space=[Float("x", (0.0, 1.0), distribution=Normal(0.5, 0.1))])
    },
}
ONE_SPACE = load_task("c-nmc").space()
SPACES = (ConfigurationSpace(space={"x": (0.0, float(i + 1))}) for i in count())


@pytest.mark.parametrize("way", BROKEN)
def test_a_broken_task_fails(way):
    with pytest.raises((AssertionError, UnsupportedTask)):
        check_task(replace(load_task("c-nmc"), **BROKEN[way]))


def test_it_trains_at_least_an_epoch_and_has_a_benchmark(task):
    assert task.epochs >= 1
    assert any(benchmark.task is task for benchmark in BENCHMARKS.values())


def test_an_unknown_task_is_named():
    with pytest.raises(BenchmarkError, match="no task 'blood'"):
        load_task("blood")


def ranges(space):
    return {
        name: choices(hp) if choices(hp) is not None else (hp.lower, hp.upper, hp.log) for name, hp in space.items()
    }


def test_the_c_nmc_papers_table_1():
    assert ranges(load_task("c-nmc").space()) == {
        "learning_rate": (1e-5, 1e-2, True),
        "weight_decay": (1e-6, 1e-2, True),
        "dropout_1": (0.1, 0.5, False),
        "dropout_2": (0.1, 0.4, False),
        "hidden_size": (256, 512, 768, 1024),
        "batch_size": (32, 40, 48, 56, 64),
    }


OPTIMIZERS = ("sgd", "momentum", "nesterov", "rmsprop", "adam", "amsgrad", "radam")


def test_the_bone_marrow_papers_automated_space():
    assert ranges(load_task("bone-marrow").space()) == {
        "densenet_depth": (121, 161, 169, 201),
        "learning_rate": (1e-7, 1e-3, True),
        "batch_size": (1, 32, False),
        "optimizer": OPTIMIZERS,
        "loss": ("cross_entropy", "focal"),
        "loss_weighting": (0.0, 1.0, False),
        "dropout": (0.0, 0.25, False),
    }


def test_the_bone_marrow_papers_full_space():
    space = load_task("bone-marrow-full").space()
    assert ranges(space) == {
        "architecture": ("densenet", "resnet", "inception_v3", "vgg_bn"),
        "densenet_depth": (121, 161, 169, 201),
        "resnet_depth": (18, 152),
        "vgg_depth": (11, 19),
        "learning_rate": (1e-7, 1e-3, True),
        "batch_size": (1, 64, False),
        "optimizer": OPTIMIZERS,
        "loss": ("cross_entropy", "focal"),
        "loss_weighting": (0.0, 1.0, False),
        "dropout": (0.0, 0.5, False),
        **dict.fromkeys(
            ("random_crop", "mirroring", "rotation", "stretching", "blurring", "gamma_correction"), (False, True)
        ),
        "elastic_deformation": (False, True),
        "initialization": ("random", "fine_tuning", "feature_extraction"),
        "frozen_blocks": (1, 4, False),
        "sampling": ("normal", "over", "under"),
    }
    conditions = {c.child.name: (c.parent.name) for c in space.conditions}
    assert conditions == {
        "densenet_depth": "architecture",
        "resnet_depth": "architecture",
        "vgg_depth": "architecture",
        "frozen_blocks": "initialization",
    }


def test_the_criterion_of_the_bone_marrow_paper():
    found = {"macro_f1": 0.82, "micro_f1": 0.834, "macro_f1_std": 0.007}
    assert criterion().score(found) == pytest.approx(0.5 * 0.82 + 0.5 * 0.834 - 0.007)
    assert criterion(macro=1.0, micro=0.0, deviation=2.0).score(found) == pytest.approx(0.82 - 0.014)
