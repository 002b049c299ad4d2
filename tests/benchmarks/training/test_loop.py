"""The loop on the ten-class task at micro scale: every hyperparameter trains, stops, resumes."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from hemobench.benchmarks.tasks import load_task  # noqa: E402
from hemobench.benchmarks.tasks.bone_marrow import AUGMENTATIONS, OPTIMIZERS  # noqa: E402
from hemobench.benchmarks.training.checkpoints import Checkpoints  # noqa: E402
from hemobench.benchmarks.training.inputs.sampling import order  # noqa: E402
from hemobench.benchmarks.training.loop import Training  # noqa: E402
from hemobench.benchmarks.training.options import Options  # noqa: E402
from hemobench.benchmarks.training.protocols.bone_marrow import BoneMarrowProtocol, architecture  # noqa: E402
from hemobench.benchmarks.training.seeds import generator  # noqa: E402
from hemobench.benchmarks.training.timer import Timer, TrialEnded  # noqa: E402
from hemobench.strategies.base import Status  # noqa: E402
from hemobench.strategies.space import active, default, random_stream  # noqa: E402

CPU = torch.device("cpu")
OPTIONS = Options(image_size=64, weights="none", scale="micro", folds=3)
FULL = load_task("bone-marrow-full").space()
Make = Callable[..., Training]


def configuration(**changes: Any) -> dict[str, Any]:
    return active(FULL, {**default(FULL), "batch_size": 16, **changes})


@pytest.fixture(scope="module")
def bench(marrow: tuple) -> BoneMarrowProtocol:
    images, pixels = marrow
    return BoneMarrowProtocol(images, pixels, OPTIONS, CPU)


@pytest.fixture
def make(bench: BoneMarrowProtocol) -> Make:
    """Builds trainings on the first fold: `make(recipe changes..., config=...)`."""

    def build(config: dict[str, Any] | None = None, watch: Timer | None = None, **recipe: Any) -> Training:
        job = bench.job(config or configuration(), 0, 11)
        return Training(replace(job, recipe=replace(job.recipe, **recipe)), CPU, watch or Timer(CPU))

    return build


@pytest.fixture(scope="module")
def usual(bench: BoneMarrowProtocol) -> dict[str, torch.Tensor]:
    """What the default configuration becomes in one epoch."""
    training = Training(bench.job(configuration(), 0, 11), CPU, Timer(CPU))
    training.run(1)
    return training.job.network.state_dict()


CHANGES = [
    *({"optimizer": name} for name in OPTIMIZERS),
    *({name: True} for name in AUGMENTATIONS),
    *({"sampling": how} for how in ("over", "under")),
    *({"initialization": how} for how in ("random", "fine_tuning")),
    *({"initialization": "feature_extraction", "frozen_blocks": n} for n in (1, 4)),
    *({"densenet_depth": depth} for depth in (161, 169, 201)),
    *({"architecture": "resnet", "resnet_depth": depth} for depth in (18, 152)),
    *({"architecture": "vgg_bn", "vgg_depth": depth} for depth in (11, 19)),
    {"loss": "focal", "loss_weighting": 0.7},
    {"dropout": 0.5},
    {"batch_size": 1},
]


@pytest.mark.parametrize("change", CHANGES, ids=lambda c: "-".join(f"{k}={v}" for k, v in c.items()))
def test_every_hyperparameter_changes_the_training(
    make: Make, usual: dict[str, torch.Tensor], change: dict[str, Any]
) -> None:
    """One epoch gives a finite loss; but for what is the default anyway, other weights than the default's."""
    training = make(configuration(**change))
    progress = training.run(1)
    assert math.isfinite(progress.losses[0])
    same_here = change == {"initialization": "random"}  # without weights, fine-tuning starts at random too
    if configuration(**change) != configuration() and not same_here:
        ours, theirs = training.job.network.state_dict(), usual
        assert ours.keys() != theirs.keys() or any(
            ours[k].shape != theirs[k].shape or not torch.equal(ours[k], theirs[k]) for k in ours
        )


def test_inception_trains(marrow: tuple) -> None:
    """The one network without a micro form, on images of its least size."""
    images, pixels = marrow
    larger = pixels.repeat(2, axis=1).repeat(2, axis=2)[:, :107, :107]
    protocol = BoneMarrowProtocol(images, larger, replace(OPTIONS, image_size=107), CPU)
    config = configuration(architecture="inception_v3", initialization="feature_extraction", frozen_blocks=4)
    progress = Training(protocol.job(config, 0, 0), CPU, Timer(CPU)).run(1)
    assert math.isfinite(progress.losses[0])


def test_frozen_weights_and_their_statistics_do_not_move(make: Make) -> None:
    training = make(configuration(initialization="feature_extraction", frozen_blocks=4))
    before = {k: v.clone() for k, v in training.job.network.state_dict().items()}
    training.run(1)
    moved = [k for k, v in training.job.network.state_dict().items() if not torch.equal(v, before[k])]
    assert moved
    assert all(k.startswith("body.classifier") for k in moved)


def test_training_learns(make: Make) -> None:
    progress = make(configuration(learning_rate=1e-3, batch_size=4)).run(12)
    assert progress.train_losses[-1] < 0.9 * progress.train_losses[0]
    assert max(progress.scores) > 0.3  # of ten classes


def test_every_configuration_of_the_automated_space_is_a_job(bench: BoneMarrowProtocol) -> None:
    stream = random_stream(load_task("bone-marrow").space(), 0)
    for _ in range(5):
        config = next(stream)
        job = bench.job(config, 1, 0)
        assert job.recipe.optimizer == config["optimizer"]
        assert architecture(config).depth == config["densenet_depth"]
        assert job.feed.how.rotation == 180  # fixed by the paper


def test_equal_seeds_give_equal_bits(make: Make) -> None:
    config = configuration(dropout=0.3, rotation=True, sampling="over", optimizer="radam")
    states = []
    for _ in range(2):
        training = make(config)
        training.run(2)
        states.append(training.job.network.state_dict())
    assert all(torch.equal(states[0][k], states[1][k]) for k in states[0])


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_resumed_training_equals_the_uninterrupted_one_bit_for_bit(
    make: Make, tmp_path: Path, optimizer: str
) -> None:
    config = configuration(dropout=0.3, rotation=True, optimizer=optimizer)
    whole = make(config, plateau=0, patience=3)
    whole.run(3)
    first = make(config, plateau=0, patience=3)
    first.run(1)
    store = Checkpoints(tmp_path)
    store.save("trial", 1, first.state())
    second = make(config, plateau=0, patience=3)
    state = store.load("trial", 1, CPU)
    assert state is not None
    second.load_state(state)
    second.run(3)
    assert second.progress.losses == whole.progress.losses
    assert second.progress.scores == whole.progress.scores
    for ours, theirs in zip(
        second.job.network.state_dict().values(), whole.job.network.state_dict().values(), strict=True
    ):
        assert torch.equal(ours, theirs)


def test_missing_and_damaged_checkpoints_are_none(make: Make, tmp_path: Path) -> None:
    store = Checkpoints(tmp_path)
    assert store.load("trial", 1, CPU) is None
    store.save("trial", 1, make().state())
    path = next(tmp_path.iterdir())
    path.write_bytes(path.read_bytes()[:100])
    assert store.load("trial", 1, CPU) is None


def test_a_plateau_divides_the_learning_rate_by_ten_and_patience_stops(make: Make) -> None:
    """Against a loss that nothing beats: divided after the second and the fourth of the epochs without progress."""
    training = make(configuration(optimizer="sgd", learning_rate=1e-4), plateau=1, patience=4)
    training.progress.losses.append(-1.0)
    training.progress.best_epoch = 0
    training._scheduler.step(-1.0)
    progress = training.run(20)
    assert progress.stopped
    assert progress.epochs == 5
    assert training._optimizer.param_groups[0]["lr"] == pytest.approx(1e-6)


def test_the_best_epochs_weights_are_kept(make: Make) -> None:
    training = make(configuration(learning_rate=1e-3))
    progress = training.run(4)
    best = progress.best_epoch
    assert progress.losses[best] == min(progress.losses)
    training.use_best()
    logits = training.predict("validation")
    assert torch.equal(logits, progress.best_logits)
    labels = training.job.feed.labels("validation")
    assert float((logits.argmax(1) == labels).double().mean()) == progress.scores[best]


def test_a_huge_learning_rate_diverges(make: Make) -> None:
    training = make({**configuration(optimizer="sgd"), "learning_rate": 1e38})  # beyond the space
    with pytest.raises(TrialEnded) as ended:
        training.run(2)
    assert ended.value.status is Status.DIVERGED
    assert "loss" in ended.value.message


def test_repeated_epochs_are_not_charged(make: Make) -> None:
    watch = Timer(CPU)
    make(watch=watch).run(2, trained=1)
    assert watch.seconds["repeated"] > 0
    assert watch.seconds["training"] > 0
    fresh = Timer(CPU)
    make(watch=fresh).run(1, trained=1)
    assert fresh.charged == 0


@pytest.mark.parametrize("seed", range(4))
def test_a_last_batch_of_one_is_passed_over_whichever_image_it_holds(bench: BoneMarrowProtocol, seed: int) -> None:
    """Batch normalisation cannot train on one image; the views of the others do not change by it."""
    images = len(bench.job(configuration(), 0, 0).feed.labels("train"))
    size = next(size for size in range(5, images) if images % size == 1)
    rotated = configuration(batch_size=size, rotation=True)
    assert Training(bench.job(rotated, 0, seed), CPU, Timer(CPU)).run(1).epochs == 1


def test_two_places_with_one_image_have_two_views() -> None:
    labels = torch.tensor([0, 0, 0, 1])
    rows, slots = order(labels, "over", generator(0))
    assert sorted(rows.tolist()) == [0, 1, 2, 3, 3, 3]
    assert sorted(slots.tolist()) == list(range(6))
