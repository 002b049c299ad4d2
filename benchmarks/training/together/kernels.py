"""GPU kernels for layers side by side: a depthwise convolution, and a batch normalisation with its ReLU6.

PyTorch's own are made for some hundred channels of many images. Side by side there are tens of thousands of channels
of few images: here a program of the GPU takes one channel, or a piece of one, in the order in which it lies in memory.
All tensors are float32, contiguous, of shape (channels, images, height, width).
"""
# Triton reads the functions below as programs, in which a loop over `tl.static_range` is written out.

from __future__ import annotations

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

PIECE = 1024
"""Numbers that a program holds at a time."""


@triton.jit
def _convolve(x, w, out, images, height, width, out_height, out_width, before, SIDE: tl.constexpr,
              STRIDE: tl.constexpr, PIECE: tl.constexpr):  # fmt: skip
    channel = tl.program_id(0).to(tl.int64)
    place = tl.program_id(1) * PIECE + tl.arange(0, PIECE)
    count = images * out_height * out_width
    image, within = place // (out_height * out_width), place % (out_height * out_width)
    row, column = within // out_width, within % out_width
    total = tl.zeros((PIECE,), tl.float32)
    for i in tl.static_range(SIDE):
        for j in tl.static_range(SIDE):
            r, c = row * STRIDE + i - before, column * STRIDE + j - before
            there = (place < count) & (r >= 0) & (r < height) & (c >= 0) & (c < width)
            value = tl.load(x + channel * images * height * width + (image * height + r) * width + c, there, 0.0)
            total += value * tl.load(w + channel * SIDE * SIDE + i * SIDE + j)
    tl.store(out + channel * count + place, total, place < count)


@triton.jit
def _to_inputs(g, w, out, images, height, width, out_height, out_width, before, SIDE: tl.constexpr,
               STRIDE: tl.constexpr, PIECE: tl.constexpr):  # fmt: skip
    channel = tl.program_id(0).to(tl.int64)
    place = tl.program_id(1) * PIECE + tl.arange(0, PIECE)
    count = images * height * width
    image, within = place // (height * width), place % (height * width)
    row, column = within // width, within % width
    total = tl.zeros((PIECE,), tl.float32)
    for i in tl.static_range(SIDE):
        for j in tl.static_range(SIDE):
            above, left = row + before - i, column + before - j
            r, c = above // STRIDE, left // STRIDE
            there = (place < count) & (above >= 0) & (left >= 0) & (r < out_height) & (c < out_width)
            there &= (above % STRIDE == 0) & (left % STRIDE == 0)
            at = channel * images * out_height * out_width + (image * out_height + r) * out_width + c
            total += tl.load(g + at, there, 0.0) * tl.load(w + channel * SIDE * SIDE + i * SIDE + j)
    tl.store(out + channel * count + place, total, place < count)


@triton.jit
def _to_weights(x, g, out, images, height, width, out_height, out_width, before, SIDE: tl.constexpr,
                STRIDE: tl.constexpr, PIECE: tl.constexpr):  # fmt: skip
    channel = tl.program_id(0).to(tl.int64)
    count = images * out_height * out_width
    for i in tl.static_range(SIDE):
        for j in tl.static_range(SIDE):
            total = tl.zeros((PIECE,), tl.float32)
            for start in range(0, count, PIECE):
                place = start + tl.arange(0, PIECE)
                image, within = place // (out_height * out_width), place % (out_height * out_width)
                r = within // out_width * STRIDE + i - before
                c = within % out_width * STRIDE + j - before
                there = (place < count) & (r >= 0) & (r < height) & (c >= 0) & (c < width)
                value = tl.load(x + channel * images * height * width + (image * height + r) * width + c, there, 0.0)
                total += value * tl.load(g + channel * count + place, place < count, 0.0)
            tl.store(out + channel * SIDE * SIDE + i * SIDE + j, tl.sum(total))


@triton.jit
def _normalise(x, weight, bias, mean_of, var_of, out, means, scales, count, momentum, eps, TRAINS: tl.constexpr,
               BENDS: tl.constexpr, PIECE: tl.constexpr):  # fmt: skip
    channel = tl.program_id(0).to(tl.int64)
    if TRAINS:
        total = tl.zeros((PIECE,), tl.float32)
        for start in range(0, count, PIECE):
            place = start + tl.arange(0, PIECE)
            total += tl.load(x + channel * count + place, place < count, 0.0)
        mean = tl.sum(total) / count
        squares = tl.zeros((PIECE,), tl.float32)
        for start in range(0, count, PIECE):
            place = start + tl.arange(0, PIECE)
            off = tl.load(x + channel * count + place, place < count, 0.0) - mean
            squares += tl.where(place < count, off * off, 0.0)
        spread = tl.sum(squares)
        scale = 1 / tl.sqrt(spread / count + eps)
        # Running variance is the unbiased one, as PyTorch's.
        tl.store(mean_of + channel, (1 - momentum) * tl.load(mean_of + channel) + momentum * mean)
        unbiased = spread / (count - 1)
        tl.store(var_of + channel, (1 - momentum) * tl.load(var_of + channel) + momentum * unbiased)
        tl.store(means + channel, mean)
        tl.store(scales + channel, scale)
    else:
        mean = tl.load(mean_of + channel)
        scale = 1 / tl.sqrt(tl.load(var_of + channel) + eps)
    slope, shift = tl.load(weight + channel) * scale, tl.load(bias + channel)
    for start in range(0, count, PIECE):
        place = start + tl.arange(0, PIECE)
        value = (tl.load(x + channel * count + place, place < count, 0.0) - mean) * slope + shift
        if BENDS:
            value = tl.minimum(tl.maximum(value, 0.0), 6.0)
        tl.store(out + channel * count + place, value, place < count)


@triton.jit
def _unnormalise(x, out, g, weight, means, scales, to_x, to_weight, to_bias, count, BENDS: tl.constexpr,
                 PIECE: tl.constexpr):  # fmt: skip
    channel = tl.program_id(0).to(tl.int64)
    mean, scale = tl.load(means + channel), tl.load(scales + channel)
    shifts, slopes = tl.zeros((PIECE,), tl.float32), tl.zeros((PIECE,), tl.float32)
    for start in range(0, count, PIECE):
        place = start + tl.arange(0, PIECE)
        gradient = tl.load(g + channel * count + place, place < count, 0.0)
        if BENDS:
            value = tl.load(out + channel * count + place, place < count, 0.0)
            gradient = tl.where((value > 0.0) & (value < 6.0), gradient, 0.0)
        normal = (tl.load(x + channel * count + place, place < count, 0.0) - mean) * scale
        shifts += gradient
        slopes += gradient * normal
    shift, slope = tl.sum(shifts), tl.sum(slopes)
    tl.store(to_bias + channel, shift)
    tl.store(to_weight + channel, slope)
    factor = tl.load(weight + channel) * scale
    for start in range(0, count, PIECE):
        place = start + tl.arange(0, PIECE)
        gradient = tl.load(g + channel * count + place, place < count, 0.0)
        if BENDS:
            value = tl.load(out + channel * count + place, place < count, 0.0)
            gradient = tl.where((value > 0.0) & (value < 6.0), gradient, 0.0)
        normal = (tl.load(x + channel * count + place, place < count, 0.0) - mean) * scale
        result = factor * (gradient - (shift + normal * slope) / count)
        tl.store(to_x + channel * count + place, result, place < count)


class Depthwise(torch.autograd.Function):
    """Convolve every channel with a window of its own.

    `apply(x, weight, stride, before, side)`: x (channels, images, height, width), weight (channels, k, k), `before`
    rows and columns of zeros above and to the left; `side` is the result's height and width.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, stride: int, before: int, side: int) -> Tensor:
        """See the class."""
        out = x.new_empty(*x.shape[:2], side, side)
        ctx.save_for_backward(x, weight)
        ctx.how = _geometry(x, side, before), {"SIDE": weight.shape[-1], "STRIDE": stride}
        numbers, fixed = ctx.how
        _convolve[_grid(out)](x, weight, out, *numbers, **fixed, PIECE=_piece(out))
        return out

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, None, None, None]:  # type: ignore[override]
        """See the class."""
        x, weight = ctx.saved_tensors
        numbers, fixed = ctx.how
        gradient = gradient.contiguous()
        to_x, to_weight = torch.empty_like(x), torch.empty_like(weight)
        _to_inputs[_grid(x)](gradient, weight, to_x, *numbers, **fixed, PIECE=_piece(x))
        _to_weights[(len(x),)](x, gradient, to_weight, *numbers, **fixed, PIECE=_piece(gradient))
        return to_x, to_weight, None, None, None


class NormRelu6(torch.autograd.Function):
    """Normalise every channel over its images, as when training, and perhaps cut it to 0 ... 6.

    `apply(x, weight, bias, running_mean, running_var, momentum, eps, bends)`; the running statistics change in place.
    """

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor,
        bias: Tensor,
        running_mean: Tensor,
        running_var: Tensor,
        momentum: float,
        eps: float,
        bends: bool,
    ) -> Tensor:
        """See the class."""
        out, means, scales = torch.empty_like(x), torch.empty_like(weight), torch.empty_like(weight)
        count = x[0].numel()
        _normalise[(len(x),)](x, weight, bias, running_mean, running_var, out, means, scales, count, momentum, eps,
                              TRAINS=True, BENDS=bends, PIECE=_piece(x))  # fmt: skip
        ctx.save_for_backward(x, out, weight, means, scales)
        ctx.bends = bends
        return out

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        """See the class."""
        x, out, weight, means, scales = ctx.saved_tensors
        to_x, to_weight, to_bias = torch.empty_like(x), torch.empty_like(weight), torch.empty_like(weight)
        _unnormalise[(len(x),)](x, out, gradient.contiguous(), weight, means, scales, to_x, to_weight, to_bias,
                                x[0].numel(), BENDS=ctx.bends, PIECE=_piece(x))  # fmt: skip
        return to_x, to_weight, to_bias, None, None, None, None, None


def normalised(
    x: Tensor, weight: Tensor, bias: Tensor, running_mean: Tensor, running_var: Tensor, eps: float, bends: bool
) -> Tensor:
    """As `NormRelu6`, by the running statistics, and without a gradient."""
    out = torch.empty_like(x)
    _normalise[(len(x),)](x, weight, bias, running_mean, running_var, out, out, out, x[0].numel(), 0.0, eps,
                          TRAINS=False, BENDS=bends, PIECE=_piece(x))  # fmt: skip
    return out


def _geometry(x: Tensor, side: int, before: int) -> tuple[int, ...]:
    images, height, width = x.shape[1:]
    return images, height, width, side, side, before


def _piece(x: Tensor) -> int:
    """A power of two, no longer than a channel needs."""
    return min(PIECE, triton.next_power_of_2(x[0].numel()))


def _grid(x: Tensor) -> tuple[int, int]:
    return len(x), triton.cdiv(x[0].numel(), _piece(x))
