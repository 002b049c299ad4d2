"""`hemobench train`, `pretrain` and `data`, as commands; what trains is skipped where torch is not."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from hemobench.benchmarks.tasks import load_task
from hemobench.cli import app
from hemobench.commands.options import settings_of
from hemobench.commands.train import configured
from hemobench.datasets.synthetic import synthesize
from hemobench.errors import BenchmarkError

SMALL = ("--option", "image_size=64", "--option", "weights=none")


@pytest.fixture(scope="module")
def cells(tmp_path_factory, said):
    folder = tmp_path_factory.mktemp("cells") / "c-nmc"
    done = said("data", "synthesize", "c-nmc", "--out", folder, "--images", 150, "--size", 64)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def cached(tmp_path_factory):
    return {"HEMOBENCH_CACHE": str(tmp_path_factory.mktemp("cache"))}


def test_synthetic_cells_verify(cells, said, tmp_path):
    done = said("data", "verify", "c-nmc", cells, "--sheet", tmp_path / "sheet.png", "--json")
    assert done.returncode == 0
    found = json.loads(done.stdout)
    assert found["ok"]
    assert found["images"] == 150
    assert any(finding["kind"] == "synthetic" for finding in found["findings"])
    assert (tmp_path / "sheet.png").stat().st_size > 1000


def test_a_broken_file_makes_verify_fail(said, tmp_path):
    said("data", "synthesize", "bone-marrow", "--out", tmp_path / "cells", "--images", 40, "--size", 32)
    victim = next((tmp_path / "cells").rglob("*.jpg"))
    victim.write_bytes(victim.read_bytes()[:40])
    done = said("data", "verify", "bone-marrow", tmp_path / "cells")
    assert done.returncode == 1
    assert victim.name in done.stdout


def test_train_prints_metrics_curve_confusion_and_cost(cells, cached):
    pytest.importorskip("torch")
    runner = CliRunner(env=cached)
    arguments = ["train", "c-nmc", "--data", str(cells), "--epochs", "2", "--set", "hidden_size=256", *SMALL]
    arguments += ["--option", "images=60"]
    done = runner.invoke(app, arguments)
    assert done.exit_code == 0, done.output
    for word in ("hidden_size 256", "balanced_accuracy", "true class", "by epoch", "cost:"):
        assert word in done.stdout
    plain = json.loads(runner.invoke(app, [*arguments, "--json"]).stdout)
    again = json.loads(runner.invoke(app, [*arguments, "--json"]).stdout)
    assert plain["validation"] == again["validation"]  # same seed, same CPU: the same bits
    assert plain["test"] == again["test"]
    assert len(plain["curve"]) == 2
    assert sum(map(sum, plain["confusion"]["validation"])) > 0
    assert plain["cost"]["gpu_seconds"] > 0


def test_values_are_read_as_toml_or_text():
    given = ["a=1", "b=1e-3", "c=true", "d=focal", 'e="x=y"', "f = 2"]
    assert settings_of(given) == {"a": 1, "b": 1e-3, "c": True, "d": "focal", "e": "x=y", "f": 2}
    with pytest.raises(BenchmarkError, match="name=value"):
        settings_of(["novalue"])


def test_a_configuration_is_the_default_with_changes():
    task = load_task("bone-marrow-full")
    config = configured(task, ["architecture=resnet", "resnet_depth=152", "dropout=0"])
    assert config["resnet_depth"] == 152
    assert config["dropout"] == 0.0
    assert type(config["dropout"]) is float
    assert "densenet_depth" not in config


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("learnin_rate=1e-3", "no hyperparameter 'learnin_rate'"),
        ("learning_rate=7", "learning_rate cannot be 7"),
        ("optimizer=lion", "optimizer cannot be 'lion'"),
        ("frozen_blocks=2", "frozen_blocks is not active"),
    ],
)
def test_impossible_settings_are_named(given, says):
    with pytest.raises(BenchmarkError, match=says):
        configured(load_task("bone-marrow-full"), [given])


def test_pretrained_weights_are_what_live_training_starts_from(cells, cached, said, tmp_path):
    pytest.importorskip("torch")
    synthesize("bone-marrow", tmp_path / "ten", images=60, seed=0, size=64)
    weights = tmp_path / "b2.pth"
    done = said(
        *("pretrain", "efficientnet_b2", "--data", tmp_path / "ten", "-o", weights),
        *("--epochs", 1, "--image-size", 64, "--device", "cpu", "--json"),
        env=cached,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["images"] == 54
    trained = said(
        *("train", "c-nmc", "--data", cells, "--epochs", 1, "--weights", weights, "--images", 60, "--json"),
        *("--option", "image_size=64"),
        env=cached,
    )
    assert "file b2.pth" in trained.stdout, trained.stderr
    wrong = said("pretrain", "nonesuch", "--data", tmp_path / "ten", "-o", weights)
    assert wrong.returncode == 2
    assert "nonesuch" in wrong.stderr
