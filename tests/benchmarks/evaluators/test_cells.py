"""Anybody's cells: the task `cells`, and which options a training reads."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from hemobench.benchmarks.benchmark import load_benchmark  # noqa: E402
from hemobench.benchmarks.evaluators.live import Live, live  # noqa: E402
from hemobench.benchmarks.tasks import load_task  # noqa: E402
from hemobench.errors import BenchmarkError  # noqa: E402
from hemobench.strategies.base import Proposal, Status  # noqa: E402
from hemobench.strategies.space import default  # noqa: E402

CELLS = load_task("cells")
CONFIG = {**default(CELLS.space()), "batch_size": 16}
SMALL: dict[str, Any] = {"image_size": 64, "weights": "none", "device": "cpu", "precision": "fp32"}
Make = Callable[..., Live]


@pytest.fixture
def make(cache_of_cells: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    """Builds evaluators of a folder and options."""
    monkeypatch.setenv("HEMOBENCH_CACHE", str(cache_of_cells))

    def build(folder: Path, task: str = "cells", **options: Any) -> Live:
        return live(load_task(task), folder, **{**SMALL, "cache": cache_of_cells, **options})

    return build


def test_three_classes_train_and_one_fold_alone_has_a_loss_and_no_deviation(make: Make, three_classes: Path) -> None:
    evaluator = make(three_classes, folds=3, fold=1)
    outcome = evaluator.evaluate(Proposal(CONFIG, 1), 0)
    assert outcome.status is Status.OK
    assert evaluator.classes == ("blast", "debris", "smudge")
    assert {"f1_blast", "f1_debris", "f1_smudge"} <= outcome.validation.keys()
    assert evaluator.provenance["classes"] == "blast 6, debris 6, smudge 6"

    assert outcome.validation["macro_f1_std"] == 0.0
    both = outcome.validation["macro_f1"] + outcome.validation["micro_f1"]
    assert CELLS.objective.loss(outcome.validation) == pytest.approx(1 - both / 2)
    assert "fold 1 alone: the deviation over folds is 0" in evaluator.provenance["split"]


def test_a_split_that_is_given_is_the_only_one_whatever_the_number_of_classes(
    make: Make, many_classes_split: Path
) -> None:
    evaluator = make(many_classes_split)
    outcome, result = evaluator.train(Proposal(CONFIG, 1), 0)
    assert list(evaluator.folds) == [0]
    assert "as given, 46 train, 23 validation, 23 test" in evaluator.provenance["split"]
    assert outcome.status is Status.OK
    assert outcome.validation["macro_f1_std"] == 0.0
    assert result.confusion["test"].shape == (23, 23)
    assert result.confusion["test"].sum() == 23
    constant = json.loads(evaluator.provenance["constant_answer"])
    assert constant["test"]["micro_f1"] == pytest.approx(1 / 23, abs=1e-6)


def test_a_recording_of_a_given_split_has_what_the_objective_needs(make: Make, many_classes_split: Path) -> None:
    (look,) = make(many_classes_split).look(CONFIG, (1,), 0)
    assert CELLS.objective.loss(look.validation) <= 1


@pytest.mark.parametrize("option", [{"folds": 3}, {"extended": True}])
def test_what_deals_folds_is_refused_beside_a_given_split(
    make: Make, many_classes_split: Path, option: dict[str, Any]
) -> None:
    with pytest.raises(BenchmarkError, match=f"a split of its own: the option '{next(iter(option))}'"):
        make(many_classes_split, **option)


@pytest.mark.parametrize(
    ("task", "option"),
    [
        ("c-nmc", {"folds": 3}),
        ("c-nmc", {"extended": True}),
        ("c-nmc", {"scale": "micro"}),
        ("bone-marrow", {"backbone": "efficientnet_b2"}),
        ("bone-marrow", {"split": "subject"}),
        ("bone-marrow-lite", {"scale": "micro"}),
        ("cells", {"share_features": False}),
    ],
)
def test_options_that_a_task_does_not_read_are_refused_by_name(make: Make, task: str, option: dict[str, Any]) -> None:
    with pytest.raises(BenchmarkError, match=f"{task} does not read the option '{next(iter(option))}'"):
        make(Path("nowhere"), task, **option)  # before the folder is looked at


def test_images_of_c_nmc_are_no_bone_marrow(make: Make, three_classes: Path, tmp_path: Path) -> None:
    for fold in range(2):
        for name, of in (("all", "blast"), ("hem", "debris")):
            place = tmp_path / f"C-NMC_training_data/fold_{fold}/{name}"
            place.mkdir(parents=True)
            for i, image in enumerate(sorted((three_classes / of).iterdir())):
                subject = f"{'H' if name == 'hem' else ''}{fold + 1}"
                shutil.copy(image, place / f"UID_{subject}_{i}_1_{name}.bmp")
    for task in ("bone-marrow", "cells"):
        with pytest.raises(BenchmarkError, match="C-NMC"):
            make(tmp_path, task)


def test_the_readers_options_arrive(make: Make, three_classes: Path, tmp_path: Path) -> None:
    table = tmp_path / "who.csv"
    files = sorted(file.relative_to(three_classes).as_posix() for file in three_classes.rglob("*.png"))
    parts = ("train", "train", "train", "validation", "test", "test")
    lines = [f"{file},{parts[k % 6]}" for k, file in enumerate(files)]
    table.write_text("\n".join(["file,split", *lines]) + "\n")
    evaluator = make(three_classes, table=str(table))
    assert "as given, 9 train, 3 validation, 6 test" in evaluator.provenance["split"]
    with pytest.raises(BenchmarkError, match="no mapping 'astrology'"):
        make(three_classes, "bone-marrow", mapping="astrology")
    with pytest.raises(BenchmarkError, match="no option 'mapping'"):
        make(three_classes, mapping="folders")


@pytest.mark.parametrize("name", ["bone-marrow-micro", "bone-marrow-lite"])
def test_a_tasks_own_settings_stand_wherever_it_is_trained(make: Make, three_classes: Path, name: str) -> None:
    task = load_task(name)
    bare = live(task, three_classes, weights="none", device="cpu")
    suite = load_benchmark(f"{name}@live").evaluator(data=str(three_classes), weights="none", device="cpu")
    assert bare.provenance == suite.provenance
    assert bare.provenance["image_size"] == str(task.settings["image_size"])
    changed = live(task, three_classes, **{**SMALL, "image_size": 80})
    assert changed.provenance["image_size"] == "80"


def test_a_number_of_images_that_is_none_is_named(make: Make, three_classes: Path) -> None:
    with pytest.raises(BenchmarkError, match="images: 'many'"):
        make(three_classes, images="many")
