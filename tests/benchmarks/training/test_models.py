"""The networks: shapes, dropout, first weights, frozen blocks."""

from __future__ import annotations

from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from hemobench.benchmarks.training.networks.models import (  # noqa: E402
    DEPTHS,
    LITE,
    SMALLEST,
    Architecture,
    auxiliary_fits,
    blocks,
    build,
    check_size,
    first_weights,
)
from hemobench.benchmarks.training.networks.weights import fingerprint  # noqa: E402
from hemobench.errors import BenchmarkError  # noqa: E402

EVERY = [(family, depth) for family, depths in DEPTHS.items() for depth in depths]
PARAMETERS = {  # of torchvision's documentation, for 1000 classes
    ("densenet", 121): 7978856,
    ("densenet", 161): 28681000,
    ("densenet", 169): 14149480,
    ("densenet", 201): 20013928,
    ("resnet", 18): 11689512,
    ("resnet", 152): 60192808,
    ("vgg_bn", 11): 132868840,
    ("vgg_bn", 19): 143678248,
    ("inception_v3", 0): 27161264,
    (LITE, 0): 4652008,  # of timm's results tables
    (LITE, 1): 5416680,
    (LITE, 2): 6092072,
}


def micro(family: str = "densenet", depth: int = 121, **settings: object) -> nn.Module:
    return build(Architecture(family, depth, **settings), 10, "none", 0, scale="micro")  # type: ignore[arg-type]


@pytest.mark.parametrize(("family", "depth"), EVERY)
def test_the_papers_networks_have_torchvisions_size_and_ten_classes(family: str, depth: int) -> None:
    size = SMALLEST[family]
    with torch.device("meta"):  # shapes without numbers: the largest of them costs nothing
        whole = build(Architecture(family, depth), 1000, "none", 0)
        network = build(Architecture(family, depth), 10, "none", 0).eval()
        logits = network(torch.empty(2, 3, size, size))
    assert sum(p.numel() for p in whole.parameters()) == PARAMETERS[family, depth]
    assert logits.shape == (2, 10)


@pytest.mark.parametrize("family", ["densenet", "resnet", "vgg_bn"])
def test_micro_networks_train_on_one_image(family: str) -> None:
    for depth in DEPTHS[family]:
        network = micro(family, depth)
        logits = network(torch.rand(1, 3, 64, 64))
        logits.sum().backward()
        assert logits.shape == (1, 10)
        assert all(p.grad is not None for p in network.parameters())


def test_micro_depths_differ_and_stay_small() -> None:
    sizes = [sum(p.numel() for p in micro(depth=depth).parameters()) for depth in DEPTHS["densenet"]]
    assert len(set(sizes)) == 4
    assert max(sizes) < 100_000


def test_inceptions_auxiliary_classifier_trains_beside() -> None:
    which = Architecture("inception_v3", 0, dropout=0.2)
    with torch.device("meta"):
        network = build(which, 10, "none", 0)
        logits, auxiliary = network(torch.empty(2, 3, 299, 299))
        alone = build(which, 10, "none", 0, auxiliary=False)
        single = alone(torch.empty(1, 3, 107, 107))
    assert logits.shape == auxiliary.shape == (2, 10)
    assert single.shape == (1, 10)
    assert auxiliary_fits(299, 2)
    assert not auxiliary_fits(298, 2)
    assert not auxiliary_fits(299, 1)


def dropouts(network: nn.Module) -> list[float]:
    return [module.p for module in network.modules() if isinstance(module, nn.Dropout)]


def test_dropout_is_where_the_family_has_it() -> None:
    with torch.device("meta"):
        assert dropouts(build(Architecture("vgg_bn", 11, dropout=0.3), 10, "none", 0)) == [0.3, 0.3]
        inception = build(Architecture("inception_v3", 0, dropout=0.3), 10, "none", 0)
        densenet = build(Architecture("densenet", 121, dropout=0.3), 10, "none", 0)
    assert 0.3 in dropouts(inception)
    layers = [m for m in densenet.modules() if type(m).__name__ == "_DenseLayer"]
    assert {layer.drop_rate for layer in layers} == {0.3}


@pytest.mark.parametrize("family", ["densenet", "resnet", "vgg_bn"])
def test_dropout_acts_in_training_only(family: str) -> None:
    network = micro(family, DEPTHS[family][0], dropout=0.5)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 0.0
    images = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert not torch.equal(network(images), network(images))
        network.eval()
        assert torch.equal(network(images), network(images))


@pytest.mark.parametrize(("family", "depth"), [("densenet", 161), ("resnet", 18), ("vgg_bn", 19), ("inception_v3", 0)])
@pytest.mark.parametrize("frozen", [1, 2, 3, 4])
def test_frozen_blocks_are_the_first_ones(family: str, depth: int, frozen: int) -> None:
    which = Architecture(family, depth, initialization="feature_extraction", frozen_blocks=frozen)
    with torch.device("meta"):
        network = build(which, 10, "none", 0)
    parts = blocks(family, network.body)
    assert len(parts) == 4
    for i, block in enumerate(parts):
        parameters = [p for part in block for p in part.parameters()]
        assert parameters
        assert all(p.requires_grad == (i >= frozen) for p in parameters)
    network.train()
    norms = [m for block in parts[:frozen] for part in block for m in part.modules() if isinstance(m, nn.BatchNorm2d)]
    assert norms
    assert not any(norm.training for norm in norms)
    assert network.training
    in_blocks = {id(p) for block in parts for part in block for p in part.parameters()}
    head = [p for p in network.parameters() if id(p) not in in_blocks]
    assert head
    assert all(p.requires_grad for p in head)


def test_fine_tuning_trains_everything_whatever_frozen_blocks_says() -> None:
    network = micro(frozen_blocks=4)
    assert all(p.requires_grad for p in network.parameters())


def test_equal_seeds_give_equal_weights_and_leave_the_global_generator_alone() -> None:
    state = torch.get_rng_state()
    prints = [fingerprint(build(Architecture("densenet", 121), 10, "none", s, scale="micro")) for s in (1, 1, 2)]
    assert prints[0] == prints[1] != prints[2]
    assert torch.equal(torch.get_rng_state(), state)


def test_fine_tuning_starts_from_a_files_weights_and_random_does_not(tmp_path: Path) -> None:
    trained = build(Architecture("densenet", 121), 1000, "none", 5, scale="micro")
    torch.save(trained.body.state_dict(), tmp_path / "densenet121.pth")
    for how, same in [("fine_tuning", True), ("random", False)]:
        which = Architecture("densenet", 121, initialization=how)
        network = build(which, 10, str(tmp_path / "densenet121.pth"), 0, scale="micro")
        stem = network.body.features.conv0.weight
        assert torch.equal(stem, trained.body.features.conv0.weight) is same
        assert network.body.classifier.out_features == 10


def test_micro_networks_have_no_imagenet_weights() -> None:
    which = Architecture("densenet", 121)
    assert "random" in first_weights(which, "auto", "micro").origin
    with pytest.raises(BenchmarkError, match="micro"):
        first_weights(which, "imagenet", "micro")


def test_too_small_images_are_refused() -> None:
    check_size("inception_v3", 107)
    with pytest.raises(BenchmarkError, match="at least 107"):
        check_size("inception_v3", 106)


def test_an_unknown_depth_is_named() -> None:
    with pytest.raises(BenchmarkError, match="depth 50"):
        build(Architecture("resnet", 50), 10, "none", 0)
