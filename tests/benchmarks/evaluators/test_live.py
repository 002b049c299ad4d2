"""The live evaluator on small folders of images: outcomes, charges, failures, resumption."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

torch = pytest.importorskip("torch")

from hemobench.benchmarks.benchmark import load_benchmark  # noqa: E402
from hemobench.benchmarks.evaluator import Outcome  # noqa: E402
from hemobench.benchmarks.evaluators.live import Live, live  # noqa: E402
from hemobench.benchmarks.tasks import load_task  # noqa: E402
from hemobench.benchmarks.training.loop import Training  # noqa: E402
from hemobench.benchmarks.training.networks.head import FrozenBackbone  # noqa: E402
from hemobench.errors import BenchmarkError  # noqa: E402
from hemobench.strategies.base import Proposal, Status  # noqa: E402
from hemobench.strategies.space import default, random_stream  # noqa: E402

TASK = load_task("c-nmc")
CONFIG = {**default(TASK.space()), "hidden_size": 256}
MARROW = load_task("bone-marrow")
MARROW_CONFIG = {**default(MARROW.space()), "batch_size": 16}
MICRO: dict[str, Any] = {"image_size": 64, "scale": "micro", "folds": 3, "weights": "none"}
CELLS = ("erythroblast", "monocyte", "promyelocyte", "lymphocyte", "myelocyte")
MORE_CELLS = ("eosinophil", "metamyelocyte", "band_neutrophil", "segmented_neutrophil", "basophil")
Make = Callable[..., Live]


def draw(path: Path, shade: float, rng: np.random.Generator) -> None:
    """A disc on black, 64 pixels wide."""
    path.parent.mkdir(parents=True, exist_ok=True)
    y, x = np.mgrid[:64, :64]
    disc = (np.hypot(y - 32, x - 32) < 22)[:, :, None]
    pixels = np.clip(disc * (shade * np.array([1.0, 0.6, 0.9]) + rng.normal(0, 25, (64, 64, 3))), 0, 255)
    Image.fromarray(pixels.astype(np.uint8)).save(path)


@pytest.fixture(scope="module")
def blood(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """C-NMC's layout: three folds of 8 leukaemic and 5 normal cells, each fold of its own subjects."""
    root = tmp_path_factory.mktemp("blood")
    rng = np.random.default_rng(0)
    for fold in range(3):
        for i in range(8):
            draw(root / f"training_data/fold_{fold}/all/UID_{30 + fold}_{i}_1_all.png", 180, rng)
        for i in range(5):
            draw(root / f"training_data/fold_{fold}/hem/UID_H{30 + fold}_{i}_1_hem.png", 90, rng)
    return root


@pytest.fixture(scope="module")
def marrow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten class folders of 6 cells."""
    root = tmp_path_factory.mktemp("marrow")
    rng = np.random.default_rng(0)
    for c, name in enumerate((*CELLS, *MORE_CELLS)):
        for i in range(6):
            draw(root / name / f"{name}_{i}.png", 40 + 20 * c, rng)
    return root


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pixels and features that tests share; those that look into a cache give their own."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def leave_the_users_cache_alone(monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    """What is found while image files are read is kept there."""
    monkeypatch.setenv("HEMOBENCH_CACHE", str(cache))


@pytest.fixture
def make(blood: Path, cache: Path) -> Make:
    """Builds evaluators of the C-NMC task."""

    def build(**options: Any) -> Live:
        chosen = {"image_size": 64, "weights": "none", "device": "cpu", "cache": cache, **options}
        return live(TASK, blood, **chosen)

    return build


@pytest.fixture
def make_marrow(marrow: Path, cache: Path) -> Make:
    """Likewise, of the bone-marrow task."""

    def build(**options: Any) -> Live:
        return live(MARROW, marrow, **{**MICRO, "device": "cpu", "cache": cache, **options})

    return build


def bare(outcome: Outcome) -> tuple[Any, ...]:
    """What must be equal bit for bit."""
    return outcome.status, outcome.validation, outcome.test, outcome.curve


def test_a_trial_is_trained_measured_and_charged(make: Make) -> None:
    evaluator = make()
    outcome = evaluator.evaluate(Proposal(CONFIG, 3), 0)
    assert outcome.status is Status.OK
    assert outcome.error is None
    assert len(outcome.curve) == 3
    for metrics in (outcome.validation, outcome.test):
        wanted = {"accuracy", "balanced_accuracy", "macro_f1", "specificity", "sensitivity", "auroc", "ece"}
        assert wanted <= metrics.keys()
        assert all(0 <= value <= 1 for value in metrics.values())
    assert outcome.validation["accuracy"] in outcome.curve
    assert 0 <= TASK.objective.loss(outcome.validation) <= 1
    assert outcome.cost.kind == "measured"
    assert outcome.cost.device == evaluator.provenance["device"]
    assert 0 < outcome.cost.evaluation_seconds < outcome.cost.gpu_seconds
    assert outcome.extra["preparation_s"] > 0
    assert outcome.extra["peak_memory_mb"] > 10


def test_it_learns_what_can_be_seen(make: Make) -> None:
    outcome = make().evaluate(Proposal({**CONFIG, "learning_rate": 1e-3}, 8), 0)
    assert outcome.validation["auroc"] > 0.9


def test_features_are_prepared_once_and_not_charged(make: Make, tmp_path: Path) -> None:
    evaluator = make(cache=tmp_path)
    first, second = (evaluator.evaluate(Proposal(CONFIG, 2), seed) for seed in (0, 1))
    assert first.extra["preparation_s"] > 5 * second.extra["preparation_s"]
    assert second.extra["loading_s"] == 0
    assert first.validation != second.validation  # another seed


def test_equal_seeds_give_equal_bits_in_a_fresh_evaluator(make: Make, tmp_path: Path) -> None:
    one, other = (make(cache=tmp_path / name).evaluate(Proposal(CONFIG, 3), 4) for name in "ab")
    assert bare(one) == bare(other)


def test_provenance_is_text_and_says_what_was_trained(make: Make) -> None:
    provenance = make().provenance
    assert all(isinstance(value, str) and value for value in provenance.values())
    assert {"data_sha256", "weights", "weights_sha256", "split", "device", "torch", "image_size"} <= provenance.keys()


def test_the_global_state_of_torch_is_left_alone(make: Make) -> None:
    before = torch.get_rng_state(), torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    make(threads=1).evaluate(Proposal(CONFIG, 1), 0)
    assert torch.equal(torch.get_rng_state(), before[0])
    assert (torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()) == before[1:]


def test_a_huge_learning_rate_diverges_and_is_charged(make: Make) -> None:
    evaluator = make()
    outcome = evaluator.evaluate(Proposal({**CONFIG, "learning_rate": 1e38}, 3), 0)
    assert outcome.status is Status.DIVERGED
    assert (outcome.validation, outcome.test, outcome.curve) == ({}, {}, ())
    assert "loss" in (outcome.error or "")
    assert outcome.cost.gpu_seconds > 0
    assert bare(evaluator.evaluate(Proposal(CONFIG, 2), 0)) == bare(make().evaluate(Proposal(CONFIG, 2), 0))


def test_an_allocation_that_no_machine_can_make_is_out_of_memory(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """PyTorch's own error, as this machine words it."""
    evaluator = make()
    with monkeypatch.context() as patch:
        patch.setattr(torch.optim.AdamW, "step", lambda *_: torch.empty(1 << 50))
        assert evaluator.evaluate(Proposal(CONFIG, 1), 0).status is Status.OUT_OF_MEMORY


def test_a_bug_is_not_an_outcome(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    def bug(*_: Any) -> None:
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    evaluator = make()
    monkeypatch.setattr(torch.optim.AdamW, "step", bug)
    with pytest.raises(RuntimeError, match="shapes"):
        evaluator.evaluate(Proposal(CONFIG, 1), 0)


def test_a_trial_times_out(make: Make) -> None:
    outcome = make(trial_timeout=1e-4).evaluate(Proposal(CONFIG, 3), 0)
    assert outcome.status is Status.TIMED_OUT
    assert outcome.cost.gpu_seconds > 1e-4


def test_a_trial_stops_at_the_budget(make: Make) -> None:
    evaluator = make()
    outcome = evaluator.evaluate(Proposal(CONFIG, 3), 0, limit=1e-4)
    assert outcome.status is Status.CUT
    assert outcome.cost.gpu_seconds > 1e-4
    assert outcome.validation == {}


def test_a_resumed_trial_equals_the_uninterrupted_one_and_costs_the_increment(make: Make) -> None:
    whole = make().evaluate(Proposal(CONFIG, 6), 0)
    evaluator = make()
    evaluator.evaluate(Proposal(CONFIG, 4), 0)
    rest = evaluator.evaluate(Proposal(CONFIG, 6, resume_from=0), 0, trained=4)
    assert bare(rest) == bare(whole)
    assert rest.extra["repeated_s"] == 0


def test_without_a_checkpoint_the_charged_epochs_are_repeated_for_free(make: Make, tmp_path: Path) -> None:
    evaluator = make(cache=tmp_path)
    evaluator.evaluate(Proposal(CONFIG, 2), 0)
    for path in (tmp_path / "checkpoints").iterdir():
        path.unlink()
    resumed = evaluator.evaluate(Proposal(CONFIG, 3), 0, trained=2)
    assert resumed.extra["repeated_s"] > 0
    assert bare(resumed) == bare(make().evaluate(Proposal(CONFIG, 3), 0))


def test_checkpoints_do_not_pile_up(make: Make, tmp_path: Path) -> None:
    evaluator, folder = make(epochs=3, cache=tmp_path), tmp_path / "checkpoints"
    for trained, epochs in [(0, 1), (1, 2)]:
        evaluator.evaluate(Proposal(CONFIG, epochs), 0, trained=trained)
        assert [path.stem.rpartition("-")[2] for path in folder.iterdir()] == [str(epochs)]
    evaluator.evaluate(Proposal(CONFIG, TASK.epochs), 0, trained=2)
    assert not list(folder.iterdir())


def test_epochs_bound_every_proposal(make: Make) -> None:
    assert len(make(epochs=2).evaluate(Proposal(CONFIG, 10), 0).curve) == 2


def test_a_part_of_the_images_will_do(make: Make) -> None:
    evaluator = make(images=25)
    assert evaluator.provenance["images"] == "25"
    assert evaluator.evaluate(Proposal(CONFIG, 1), 0).status is Status.OK


def test_the_backbone_can_be_charged_to_every_trial(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a clock that goes on by a second whenever images pass through the backbone, and by next to nothing else."""
    clock = [0.0]

    def now() -> float:
        clock[0] += 1e-6
        return clock[0]

    monkeypatch.setattr("hemobench.benchmarks.training.timer.time.process_time", now)
    forward = FrozenBackbone.forward

    def passed(self: FrozenBackbone, images: Any) -> Any:
        clock[0] += 1.0
        return forward(self, images)

    monkeypatch.setattr(FrozenBackbone, "forward", passed)
    shared = make().evaluate(Proposal(CONFIG, 1), 0)
    charged = make(share_features=False).evaluate(Proposal(CONFIG, 1), 0)
    assert shared.cost.gpu_seconds < 1 < charged.cost.gpu_seconds
    assert charged.validation == pytest.approx(shared.validation, abs=1e-4)


def test_bone_marrow_is_cross_validated(make_marrow: Make) -> None:
    outcome = make_marrow().evaluate(Proposal(MARROW_CONFIG, 2), 0)
    assert outcome.status is Status.OK
    for name in ("micro_f1", "macro_f1", "precision", "recall"):
        assert {name, f"{name}_std"} <= outcome.validation.keys()
        assert {name, f"{name}_std"} <= outcome.test.keys()
    assert math.isfinite(MARROW.objective.loss(outcome.validation))
    assert len(outcome.curve) == 2
    assert outcome.extra["preparation_s"] >= 0


def test_extended_cross_validation_validates_on_every_other_fold(make_marrow: Make) -> None:
    plain = make_marrow().evaluate(Proposal(MARROW_CONFIG, 1), 0)
    extended = make_marrow(extended=True).evaluate(Proposal(MARROW_CONFIG, 1), 0)
    assert extended.validation != plain.validation
    assert "3 x 2 folds" in make_marrow(extended=True).provenance["split"]


def test_bone_marrow_resumes_fold_by_fold(make_marrow: Make) -> None:
    config = {**MARROW_CONFIG, "dropout": 0.2, "optimizer": "amsgrad"}
    whole = make_marrow().evaluate(Proposal(config, 3), 1)
    evaluator = make_marrow()
    first = evaluator.evaluate(Proposal(config, 1), 1)
    rest = evaluator.evaluate(Proposal(config, 3), 1, trained=1)
    assert bare(rest) == bare(whole)
    assert rest.curve[:1] == first.curve
    assert rest.extra["repeated_s"] == 0


def test_the_full_space_trains(make_marrow: Make, marrow: Path, tmp_path: Path) -> None:
    task = load_task("bone-marrow-full")
    evaluator = live(task, marrow, **MICRO, device="cpu", cache=tmp_path)
    stream = random_stream(task.space(), 3)
    trained = 0
    while trained < 2:
        config = next(stream)
        if config["architecture"] != "inception_v3":  # needs larger images; see below
            assert evaluator.evaluate(Proposal(config, 1), 0).status in (Status.OK, Status.DIVERGED)
            trained += 1


def test_images_too_small_for_a_network_are_refused(marrow: Path, tmp_path: Path) -> None:
    task = load_task("bone-marrow-full")
    config = {**default(task.space()), "architecture": "inception_v3"}
    evaluator = live(task, marrow, **MICRO, device="cpu", cache=tmp_path)
    with pytest.raises(BenchmarkError, match="inception_v3 needs images"):
        evaluator.evaluate(Proposal(config, 1), 0)


def test_a_benchmark_builds_it_too(blood: Path, tmp_path: Path) -> None:
    settings = {"data": str(blood), "image_size": 64, "weights": "none", "cache": str(tmp_path)}
    evaluator = load_benchmark("c-nmc@live").evaluator(**settings)
    assert evaluator.evaluate(Proposal(CONFIG, 1), 0).status is Status.OK


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"learning": 1}, "no option 'learning'"),
        ({"precision": "giant"}, "precision: Input should be 'auto', 'fp32', 'bf16' or 'fp16'"),
        ({"scale": "micro"}, "the training of c-nmc does not read the option 'scale'"),
        ({"threads": 0}, "0 threads"),
        ({"trial_timeout": -1.0}, "time out"),
        ({"epochs": 0}, "0 epochs"),
        ({"device": "abacus"}, "device 'abacus'"),
    ],
)
def test_wrong_options_are_named(make: Make, options: dict[str, Any], message: str) -> None:
    with pytest.raises(BenchmarkError, match=message):
        make(**options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"split": "leaky"}, "split: Input should be 'paper', 'official', 'subject' or 'random'"),
        ({"fold": 7}, "fold 7"),
        ({"weights": "nowhere.pth"}, "there is no weights file"),
        ({"image_size": 32}, "at least 64 pixels"),
    ],
)
def test_wrong_settings_of_the_training_are_named(make: Make, options: dict[str, Any], message: str) -> None:
    with pytest.raises(BenchmarkError, match=message):
        _ = make(**options).provenance


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
def test_a_gpu_trains_resumes_and_times_itself(make: Make, make_marrow: Make, tmp_path: Path) -> None:
    for build, config in [(make, CONFIG), (make_marrow, MARROW_CONFIG)]:
        evaluator = build(device="cuda", cache=tmp_path)
        evaluator.evaluate(Proposal(config, 1), 0)
        outcome = evaluator.evaluate(Proposal(config, 3), 0, trained=1)
        assert outcome.status is Status.OK
        assert outcome.extra["repeated_s"] == 0
        assert outcome.cost.device == torch.cuda.get_device_name(0)
        assert outcome.cost.gpu_seconds > 0


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(BenchmarkError, match="does not exist"):
        live(TASK, tmp_path / "gone")


def test_real_cells_are_trained_on(shared_data: Path, tmp_path: Path) -> None:
    """Real C-NMC files as downloaded, one epoch: the path from bitmaps to an outcome."""
    folder = shared_data / "c-nmc-sample"
    if not folder.is_dir():
        pytest.skip("no real cells here")
    evaluator = live(TASK, folder, image_size=64, weights="none", device="cpu", cache=tmp_path)
    outcome = evaluator.evaluate(Proposal(CONFIG, 1), 0)
    assert outcome.status is Status.OK
    assert outcome.cost.gpu_seconds > 0


def test_a_look_is_what_a_trial_of_that_length_ends_with(make: Make, make_marrow: Make) -> None:
    """On one split and put together over three: the same metrics and curves, whatever else is looked at."""
    for build, config in ((make, CONFIG), (make_marrow, MARROW_CONFIG)):
        evaluator = build()
        looks = evaluator.look(config, (1, 3), 4)
        for length, seen in zip((1, 3), looks, strict=True):
            alone = build().evaluate(Proposal(config, length), 4)
            assert (seen.status, seen.validation, seen.test) == (alone.status, alone.validation, alone.test)
            assert seen.curve == alone.curve


def test_a_look_is_charged_one_test_however_often_one_looks(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a clock that stands still but for training (1 s an epoch), validation (0.1 s) and tests (0.01 s)."""
    clock = [0.0]
    monkeypatch.setattr("hemobench.benchmarks.training.timer.time.process_time", lambda: clock[0])
    train, predict = Training._train_epoch, Training.predict

    def trained(self: Training, epoch: int) -> float:
        clock[0] += 1.0
        return train(self, epoch)

    def predicted(self: Training, side: str) -> Any:
        clock[0] += 0.1 if side == "validation" else 0.01
        return predict(self, side)

    monkeypatch.setattr(Training, "_train_epoch", trained)
    monkeypatch.setattr(Training, "predict", predicted)
    looks = make().look(CONFIG, (1, 2, 4), 0)
    assert [look.cost.gpu_seconds for look in looks] == pytest.approx([1.11, 2.21, 4.41])
    assert [look.cost.evaluation_seconds for look in looks] == pytest.approx([0.11, 0.21, 0.41])


def test_a_look_times_out_as_a_trial_does(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr("hemobench.benchmarks.training.timer.time.process_time", lambda: clock[0])
    train = Training._train_epoch

    def trained(self: Training, epoch: int) -> float:
        clock[0] += 1.0
        return train(self, epoch)

    monkeypatch.setattr(Training, "_train_epoch", trained)
    looks = make(trial_timeout=2.5).look(CONFIG, (1, 2, 3, 4), 0)
    assert [look.status for look in looks] == [Status.OK, Status.OK, Status.TIMED_OUT]
    assert looks[-1].cost.gpu_seconds == pytest.approx(3.0)
