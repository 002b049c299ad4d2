"""The automated space on frozen networks: the levels, what folds share, and the training of a linear classifier."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
timm = pytest.importorskip("timm")

from torch import nn  # noqa: E402

from hemobench.benchmarks.training.hardware.devices import keep_memory  # noqa: E402
from hemobench.benchmarks.training.networks.backbones import FIRST_LEVEL, backbone, levels_of  # noqa: E402
from hemobench.benchmarks.training.networks.head import FrozenBackbone  # noqa: E402
from hemobench.benchmarks.training.networks.weights import Weights  # noqa: E402
from hemobench.benchmarks.training.options import Options  # noqa: E402
from hemobench.benchmarks.training.protocols.bone_marrow_head import BoneMarrowHeadProtocol  # noqa: E402
from hemobench.benchmarks.training.timer import Timer  # noqa: E402
from hemobench.benchmarks.training.together.train import require_stackable  # noqa: E402
from hemobench.errors import BenchmarkError  # noqa: E402

CPU = torch.device("cpu")
OPTIONS = Options(image_size=64, folds=4, weights="none", precision="fp32")
CONFIG = {
    "network": "efficientnet_lite0",
    "learning_rate": 1e-3,
    "batch_size": 4,
    "optimizer": "adam",
    "loss": "focal",
    "loss_weighting": 1.0,
    "dropout": 0.25,
}


@pytest.fixture(scope="module")
def protocol(cells: Callable, tmp_path_factory: pytest.TempPathFactory) -> BoneMarrowHeadProtocol:
    made = cells("bone-marrow", ("a", "b", "c"), (16, 12, 8), 64)
    return BoneMarrowHeadProtocol(*made, OPTIONS, CPU, tmp_path_factory.mktemp("features"), "efficientnet_lite0")


@pytest.mark.parametrize("version", [0, 1, 2])
def test_levels_are_what_timm_takes_out_between_the_stages(version: int) -> None:
    which = levels_of(f"efficientnet_lite{version}")
    frozen = FrozenBackbone(which, Weights(None, "random"), seed=3)
    images = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    found = frozen(images)
    whole = backbone(f"efficientnet_lite{version}").build(10).eval()
    whole.load_state_dict(under_timms_names(frozen), strict=False)
    seen: list[torch.Tensor] = []
    for stage in whole.blocks[FIRST_LEVEL:]:
        stage.register_forward_hook(lambda stage, inputs, output: seen.append(output.detach().flatten(2)))
    whole(images)
    expected = [figure for level in seen for figure in (level.mean(2), level.std(2))]
    assert found.shape == (2, which.features)
    torch.testing.assert_close(found, torch.cat(expected, 1))


def under_timms_names(frozen: FrozenBackbone) -> dict[str, torch.Tensor]:
    names = {"stem.0.": "conv_stem.", "stem.1.": "bn1.", "stages.": "blocks."}
    state = {}
    for name, tensor in frozen.pooled.state_dict().items():
        (part,) = (part for part in names if name.startswith(part))
        state[names[part] + name.removeprefix(part)] = tensor
    return state


def test_there_are_no_levels_of_other_networks() -> None:
    with pytest.raises(BenchmarkError, match="no levels are known of 'efficientnet_b2'"):
        levels_of("efficientnet_b2")


def test_folds_share_what_is_computed(protocol: BoneMarrowHeadProtocol) -> None:
    folder = Path(protocol._cache)
    feeds = [protocol.job(CONFIG, fold, 0).feed for fold in protocol.folds]
    for feed in feeds:
        feed.prepare(0, Timer(CPU))
    assert len(list(folder.glob("features-*.npy"))) == 2  # all images as they are, and one epoch's views
    feeds[0].prepare(1, Timer(CPU))
    assert len(list(folder.glob("features-*.npy"))) == 3
    # An image that two folds train on has one view in an epoch, whichever fold shows it.
    first, second = (feed.sides.positions["train"] for feed in feeds[:2])
    both = sorted(set(first.tolist()) & set(second.tolist()))
    raw = [feed._raw("train", 0) for feed in feeds[:2]]
    rows = [[int((side == image).nonzero()) for image in both] for side in (first, second)]
    assert both
    assert torch.equal(raw[0][rows[0]], raw[1][rows[1]])


def test_features_are_standardised_by_the_training_images_alone(protocol: BoneMarrowHeadProtocol) -> None:
    feed = protocol.job(CONFIG, 1, 0).feed
    feed.prepare(0, Timer(CPU))
    plain = feed.cache.get(feed.shared, None)
    mine = plain[feed.sides.positions["train"]]
    (validation,) = feed.held_out("validation")
    expected = (plain[feed.sides.positions["validation"]] - mine.mean(0)) / mine.std(0).clamp(min=1e-6)
    torch.testing.assert_close(validation, expected)
    views = next(feed.batches(0, torch.arange(len(mine)), torch.zeros(len(mine)), len(mine)))
    alike = (feed.cache.get(feed.shared, 0)[feed.sides.positions["train"]] - mine.mean(0)) / mine.std(0).clamp(min=1e-6)
    torch.testing.assert_close(views, alike)


def test_the_job_is_what_the_configuration_says(protocol: BoneMarrowHeadProtocol) -> None:
    job = protocol.job(CONFIG, 0, 5)
    dropout, linear = job.network
    assert (type(dropout), type(linear)) == (nn.Dropout, nn.Linear)
    assert (dropout.p, linear.in_features, linear.out_features) == (0.25, 1488, 3)
    assert job.loss.focal
    assert (job.recipe.optimizer, job.recipe.learning_rate, job.recipe.batch_size) == ("adam", 1e-3, 4)
    require_stackable(job, 8)
    again, other = protocol.job(CONFIG, 0, 5).network[1].weight, protocol.job(CONFIG, 0, 6).network[1].weight
    assert torch.equal(linear.weight, again)
    assert not torch.equal(linear.weight, other)


def test_images_that_are_too_small_are_refused(marrow: tuple, tmp_path: Path) -> None:
    with pytest.raises(BenchmarkError, match="pixels"):
        BoneMarrowHeadProtocol(*marrow, Options(image_size=32), CPU, tmp_path, "efficientnet_lite0")


def test_memory_that_is_kept_is_not_asked_for_again() -> None:
    import resource

    keep_memory()

    def faults() -> int:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        for _ in range(10):
            torch.ones(16_000_000)  # 64 MB, given back at once
        return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

    faults()
    pages = 64_000_000 // resource.getpagesize()
    assert faults() < pages  # without, ten times as many
