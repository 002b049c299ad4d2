"""Convolutions as a processor computes them quickly, against PyTorch's own in double precision."""

from __future__ import annotations

import copy

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from torch import Tensor, nn  # noqa: E402

from hemobench.benchmarks.training.networks.convolutions import (  # noqa: E402
    Depthwise,
    Pointwise,
    gradient_by_taps,
    quicken,
)

SHAPES = st.tuples(st.integers(1, 3), st.integers(2, 5), st.integers(1, 7), st.integers(1, 7))


def random(shape: tuple[int, ...], seed: int = 0) -> Tensor:
    values: Tensor = torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return values


@settings(max_examples=80, deadline=None)
@given(
    shape=SHAPES,
    size=st.tuples(st.integers(1, 5), st.integers(1, 5)),
    stride=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    padding=st.tuples(st.integers(0, 3), st.integers(0, 3)),
)
def test_sum_over_taps_is_the_gradient_of_the_weights(
    shape: tuple[int, int, int, int], size: tuple[int, int], stride: tuple[int, int], padding: tuple[int, int]
) -> None:
    padded = [side + 2 * more for side, more in zip(shape[2:], padding, strict=True)]
    if padded[0] < size[0] or padded[1] < size[1]:
        return
    maps, weight = random(shape), random((shape[1], 1, *size), 1).requires_grad_()
    output = nn.functional.conv2d(maps, weight, None, stride, padding, 1, shape[1])
    gradient = random(tuple(output.shape), 2)
    output.backward(gradient)
    found = gradient_by_taps(maps, gradient, size, stride, padding)
    torch.testing.assert_close(found, weight.grad, rtol=1e-12, atol=1e-12)


def gradients(network: nn.Module, maps: Tensor) -> list[Tensor]:
    """Of the input and of every parameter, by a loss that no two pixels enter alike."""
    maps = maps.clone().requires_grad_()
    output = network(maps)
    (output * random(tuple(output.shape), 3)).sum().backward()
    return [output.detach(), *(leaf.grad for leaf in (maps, *network.parameters()) if leaf.grad is not None)]


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (lambda: nn.Conv2d(6, 6, 5, padding=2, groups=6, bias=False), Depthwise),
        (lambda: nn.Conv2d(6, 6, 3, stride=2, padding=1, groups=6, bias=False), Depthwise),
        (lambda: nn.Conv2d(6, 4, 1, bias=False), Pointwise),
    ],
    ids=["5 x 5", "3 x 3, every other", "pointwise"],
)
@pytest.mark.parametrize("side", [1, 2, 4, 9])
def test_stands_for_the_convolution_that_it_is_made_of(make: object, kind: type, side: int) -> None:
    one = make().double()  # type: ignore[operator]
    network = nn.Sequential(copy.deepcopy(one))
    quicken(network)
    assert type(network[0]) is kind
    maps = random((3, 6, side, side))
    torch.testing.assert_close(gradients(network, maps), gradients(one, maps), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize(
    "kept",
    [
        nn.Conv2d(4, 8, 3, groups=4, bias=False),
        nn.Conv2d(4, 4, 3, groups=2, bias=False),
        nn.Conv2d(4, 4, 3, groups=4, bias=True),
        nn.Conv2d(4, 4, 3, groups=4, bias=False, dilation=2),
        nn.Conv2d(4, 4, 3, groups=4, bias=False, padding=1, padding_mode="reflect"),
        nn.Conv2d(4, 4, 3, groups=4, bias=False, padding="same"),
        nn.Conv2d(4, 8, 1, bias=True),
        nn.Conv2d(4, 8, 1, bias=False, stride=2),
        nn.Conv2d(4, 8, 1, bias=False, padding=1),
        nn.Conv2d(4, 8, 1, bias=False, groups=2),
        nn.Conv2d(4, 8, 3, bias=False),
    ],
    ids=str,
)
def test_other_convolutions_stay(kept: nn.Conv2d) -> None:
    network = nn.Sequential(kept)
    quicken(network)
    assert network[0] is kept


class Standardised(nn.Conv2d):
    """Its forward is its own."""

    def forward(self, maps: Tensor) -> Tensor:
        weight = self.weight - self.weight.mean()
        return nn.functional.conv2d(maps, weight)


def hooked(convolution: nn.Conv2d) -> nn.Conv2d:
    convolution.register_forward_hook(lambda module, inputs, output: 2 * output)
    return convolution


@pytest.mark.parametrize(
    "kept",
    [
        Standardised(4, 8, 1, bias=False),
        hooked(nn.Conv2d(4, 8, 1, bias=False)),
        nn.utils.parametrizations.weight_norm(nn.Conv2d(4, 8, 1, bias=False)),
        nn.utils.parametrizations.weight_norm(nn.Conv2d(4, 4, 3, groups=4, bias=False)),
    ],
    ids=["class of its own", "hook", "pointwise with normalised weights", "depthwise with normalised weights"],
)
def test_convolutions_that_do_more_stay(kept: nn.Conv2d) -> None:
    network = nn.Sequential(kept)
    quicken(network)
    assert network[0] is kept


def test_a_network_that_is_one_convolution_stays() -> None:
    network = nn.Conv2d(4, 8, 1, bias=False)
    quicken(network)
    assert type(network) is nn.Conv2d


@pytest.mark.parametrize("size", [64, 90])
def test_whole_network_has_the_same_gradients_names_and_weights(size: int) -> None:
    timm = pytest.importorskip("timm")
    torch.manual_seed(0)
    usual = timm.create_model("tf_efficientnet_lite0", pretrained=False, num_classes=3).double().eval()
    quick = copy.deepcopy(usual)
    quicken(quick)
    assert list(quick.state_dict()) == list(usual.state_dict())
    kinds = [type(module) for module in quick.modules()]
    assert kinds.count(Depthwise) == 16
    assert kinds.count(Pointwise) == 32
    images = random((2, 3, size, size))
    torch.testing.assert_close(gradients(quick, images), gradients(usual, images), rtol=1e-7, atol=1e-9)


def test_weights_that_are_kept_get_no_gradient() -> None:
    network = nn.Sequential(nn.Conv2d(4, 4, 5, padding=2, groups=4, bias=False), nn.Conv2d(4, 2, 1, bias=False))
    network[0].requires_grad_(False)
    quicken(network)
    network(torch.randn(2, 4, 3, 3)).sum().backward()
    assert network[0].weight.grad is None
    assert network[1].weight.grad is not None


def test_low_precision_goes_pytorchs_way() -> None:
    network = nn.Sequential(nn.Conv2d(4, 4, 5, padding=2, groups=4, bias=False), nn.Conv2d(4, 2, 1, bias=False))
    quicken(network)
    with torch.autocast("cpu", torch.bfloat16):
        output = network(torch.randn(2, 4, 3, 3))
    assert output.dtype == torch.bfloat16
    output.float().sum().backward()
    assert network[0].weight.grad.dtype == torch.float32
