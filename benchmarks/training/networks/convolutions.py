"""Convolutions of EfficientNets as a processor computes them quickly: same weights, same results but for rounding.

Where a feature map is narrower than the kernel, oneDNN has no fast gradient of a depthwise convolution's weights: of a
fine-tuned EfficientNet-Lite at 64 pixels, that alone was half of the time. Here it is a sum of products, tap by tap.
And a pointwise convolution, of one pixel, is a matrix product; of few images PyTorch does not compute it as one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.autograd.function import once_differentiable


class Depthwise(nn.Conv2d):
    """As the convolution of one filter a channel that it is made of, whose weights become its own.

    Args:
        convolution: Without bias and dilation; timm's that pads on the fly is one too.
    """

    def __init__(self, convolution: nn.Conv2d) -> None:
        channels, size = convolution.in_channels, cast(tuple[int, int], convolution.kernel_size)
        stride, padding = cast(tuple[int, int], convolution.stride), cast(tuple[int, int], convolution.padding)
        super().__init__(channels, channels, size, stride, padding, groups=channels, bias=False, device="meta")
        self.weight = convolution.weight
        self._pads_itself = pads_itself(convolution)

    def forward(self, maps: Tensor) -> Tensor:
        """Maps (n, channels, h, w) to maps."""
        if self._pads_itself:
            from timm.layers import pad_same

            maps = pad_same(maps, list(self.kernel_size), list(self.stride))
        if torch.is_autocast_enabled("cpu"):
            return self._conv_forward(maps, self.weight, None)
        result: Tensor = _Convolution.apply(maps, self.weight, self.stride, self.padding)  # type: ignore[no-untyped-call]
        return result


class Pointwise(nn.Conv2d):
    """As the convolution of single pixels that it is made of, whose weights become its own.

    Args:
        convolution: Of one pixel, without bias, stride, padding and groups.
    """

    def __init__(self, convolution: nn.Conv2d) -> None:
        super().__init__(convolution.in_channels, convolution.out_channels, 1, bias=False, device="meta")
        self.weight = convolution.weight

    def forward(self, maps: Tensor) -> Tensor:
        """Maps (n, channels, h, w) to maps (n, channels, h, w), channels last."""
        pixels = maps.permute(0, 2, 3, 1)
        return nn.functional.linear(pixels, self.weight.flatten(1)).permute(0, 3, 1, 2)


def pads_itself(convolution: nn.Conv2d) -> bool:
    """Whether it is timm's that pads its input as TensorFlow does."""
    return type(convolution).__name__ == "Conv2dSame"


def quicken(network: nn.Module) -> None:
    """Put a `Depthwise` or a `Pointwise` in the place of each convolution of a network that it can stand for."""
    for name, module in list(network.named_modules())[1:]:
        kind = _quicker(module) if isinstance(module, nn.Conv2d) else None
        if kind is not None:
            network.set_submodule(name, kind(module))


def _quicker(convolution: nn.Conv2d) -> Callable[[nn.Conv2d], nn.Module] | None:
    """What can stand for a convolution, if anything: whose class or hooks do more is left alone."""
    known = type(convolution) is nn.Conv2d or pads_itself(convolution)
    hooked = convolution._forward_pre_hooks or convolution._forward_hooks or convolution._backward_hooks
    plain = convolution.bias is None and convolution.dilation == (1, 1) and convolution.padding_mode == "zeros"
    if not known or hooked or not plain or isinstance(convolution.padding, str):
        return None
    if convolution.groups == convolution.in_channels == convolution.out_channels > 1:
        return Depthwise
    single = convolution.kernel_size == convolution.stride == (1, 1) and convolution.padding == (0, 0)
    return Pointwise if single and convolution.groups == 1 else None


class _Convolution(Function):
    """A depthwise convolution on the CPU, with a gradient of its own."""

    @staticmethod
    def forward(ctx: Any, maps: Tensor, weight: Tensor, stride: tuple[int, int], padding: tuple[int, int]) -> Tensor:
        ctx.save_for_backward(maps, weight)
        ctx.stride, ctx.padding = stride, padding
        return nn.functional.conv2d(maps, weight, None, stride, padding, 1, len(weight))

    @staticmethod
    @once_differentiable  # type: ignore[untyped-decorator]
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, None, None]:
        maps, weight = ctx.saved_tensors
        of_maps, of_weight = ctx.needs_input_grad[:2]
        narrow = gradient.shape[-1] < weight.shape[-1]
        wanted = [of_maps, of_weight and not narrow, False]
        found = torch.ops.aten.convolution_backward(
            gradient, maps, weight, None, ctx.stride, ctx.padding, (1, 1), False, (0, 0), len(weight), wanted
        )
        if of_weight and narrow:
            by_taps = gradient_by_taps(maps, gradient, weight.shape[-2:], ctx.stride, ctx.padding)
            return found[0], by_taps, None, None
        return found[0], found[1], None, None


def gradient_by_taps(
    maps: Tensor, gradient: Tensor, size: tuple[int, int], stride: tuple[int, int], padding: tuple[int, int]
) -> Tensor:
    """The gradient of a depthwise convolution's weights.

    A tap of the kernel meets, at every place of the output, one place of the input or of its padding. The gradient of
    its weight is the sum, over images and places, of the input there times the gradient of the output.

    Args:
        maps: The input, shape (n, channels, h, w).
        gradient: Of the loss, by the output.
        size: Of the kernel.
        stride: Of the convolution.
        padding: On each side.

    Returns:
        Shape (channels, 1, *size).
    """
    result = maps.new_zeros(maps.shape[1], 1, *size)
    for row in range(size[0]):
        inputs_y, outputs_y = _meeting(row - padding[0], stride[0], maps.shape[2], gradient.shape[2])
        for column in range(size[1]):
            inputs_x, outputs_x = _meeting(column - padding[1], stride[1], maps.shape[3], gradient.shape[3])
            products = maps[:, :, inputs_y, inputs_x] * gradient[:, :, outputs_y, outputs_x]
            result[:, 0, row, column] = products.sum((0, 2, 3))
    return result


def _meeting(offset: int, stride: int, inputs: int, outputs: int) -> tuple[slice, slice]:
    """Along one axis, where output i meets input i * stride + offset: those inputs, and those outputs."""
    first = max(0, -(offset // stride))
    last = min(outputs - 1, (inputs - 1 - offset) // stride)
    if last < first:
        return slice(0, 0), slice(0, 0)
    start = first * stride + offset
    return slice(start, last * stride + offset + 1, stride), slice(first, last + 1)
