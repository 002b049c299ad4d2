"""Layers of K equal networks that work side by side.

Between layers, the activations of all of them are one tensor of shape (K * channels, images, ...): what stands
beside the channels of one network are the channels of the next. A module that treats elements alike (an activation,
a sum, a pooling) takes it as it is; convolutions, normalisations, linear layers and dropout are replaced by those
below. Depthwise convolutions and normalisations do not even see that there are several networks, and the others are
one batched matrix product.
"""

from __future__ import annotations

from importlib.util import find_spec

import torch
from torch import Tensor, nn
from torch.nn import functional

from hemobench.benchmarks.training.networks.convolutions import pads_itself

TRITON = find_spec("triton") is not None


class ManyLinear(nn.Module):
    """K linear layers: (K * inputs, images) to (K * outputs, images)."""

    weight: Tensor
    bias: Tensor

    def __init__(self, many: int, like: nn.Linear) -> None:
        super().__init__()
        self._many = many
        self._inputs = like.in_features

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        each = x.view(self._many, self._inputs, -1)
        return torch.baddbmm(self.bias.unsqueeze(2), self.weight, each).flatten(0, 1)


class ManyDropout(nn.Module):
    """K dropouts, each with a probability of its own.

    Args:
        rates: Probabilities of a zero, shape (K,).
    """

    def __init__(self, rates: Tensor) -> None:
        super().__init__()
        self.register_buffer("rates", rates)

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        if not self.training:
            return x
        each = x.view(len(self.rates), -1)
        rates = self.rates.unsqueeze(1)
        kept = torch.rand_like(each) >= rates
        return (each * kept / (1 - rates)).view(x.shape)


class ManyNorm(nn.Module):
    """K batch normalisations with the activation that follows them: a wider one, since channels are independent."""

    weight: Tensor
    bias: Tensor
    running_mean: Tensor
    running_var: Tensor

    def __init__(self, many: int, like: nn.BatchNorm2d) -> None:
        super().__init__()
        self._momentum, self._eps = like.momentum or 0.0, like.eps
        self._act: nn.Module = getattr(like, "act", nn.Identity())

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        weight, bias = self.weight.reshape(-1), self.bias.reshape(-1)
        mean, variance = self.running_mean.view(-1), self.running_var.view(-1)
        if has_kernels(x) and isinstance(self._act, nn.ReLU6 | nn.Identity):
            return self._by_kernel(x, weight, bias, mean, variance)
        each = x.reshape(1, len(x), -1)
        normal = functional.batch_norm(each, mean, variance, weight, bias, self.training, self._momentum, self._eps)
        activated: Tensor = self._act(normal)
        return activated.view(x.shape)

    def _by_kernel(self, x: Tensor, weight: Tensor, bias: Tensor, mean: Tensor, variance: Tensor) -> Tensor:
        from hemobench.benchmarks.training.together.kernels import NormRelu6, normalised

        bends = isinstance(self._act, nn.ReLU6)
        if not self.training:
            return normalised(x, weight, bias, mean, variance, self._eps, bends)
        result: Tensor = NormRelu6.apply(x, weight, bias, mean, variance, self._momentum, self._eps, bends)
        return result


class ManyConv(nn.Module):
    """K convolutions: pointwise, depthwise, or of all channels with all; see `can_widen`.

    Args:
        many: K.
        like: One of them; a padding of zero means TensorFlow's "same" where its class says so.
    """

    weight: Tensor

    def __init__(self, many: int, like: nn.Conv2d) -> None:
        super().__init__()
        self._many = many
        self._inputs, self._outputs = like.in_channels, like.out_channels
        self._side, self._stride = like.kernel_size[0], like.stride[0]
        self._padding = None if pads_itself(like) else int(like.padding[0])
        self._depthwise = _is_depthwise(like)

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        if self._side == self._stride == 1:
            return self._product(x, x)
        before, after = self._zeros(x.shape[-1])
        if self._depthwise and has_kernels(x):
            return self._by_kernel(x, before, after)
        padded = functional.pad(x, [before, after, before, after])
        if self._depthwise:
            return self._each_channel(padded)
        return self._product(*self._patches(padded))

    def _zeros(self, side: int) -> tuple[int, int]:
        """Rows of zeros above and below, of images with so many rows."""
        if self._padding is not None:
            return self._padding, self._padding
        # As many as the last window lacks, the odd one below.
        windows = -(-side // self._stride)
        lacking = max((windows - 1) * self._stride + self._side - side, 0)
        return lacking // 2, lacking - lacking // 2

    def _by_kernel(self, x: Tensor, before: int, after: int) -> Tensor:
        from hemobench.benchmarks.training.together.kernels import Depthwise

        weight = self.weight.reshape(len(x), self._side, self._side)
        side = (x.shape[-1] + before + after - self._side) // self._stride + 1
        result: Tensor = Depthwise.apply(x.contiguous(), weight, self._stride, before, side)
        return result

    def _each_channel(self, x: Tensor) -> Tensor:
        weight = self.weight.reshape(len(x), 1, self._side, self._side)
        images_first = x.transpose(0, 1).contiguous()
        result = functional.conv2d(images_first, weight, stride=self._stride, groups=len(x))
        return result.transpose(0, 1).contiguous()

    def _patches(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The windows' pixels as channels, and a tensor of the result's shape but for its channels."""
        windows = x.unfold(2, self._side, self._stride).unfold(3, self._side, self._stride)
        many, channels = self._many, self._inputs
        each = windows.view(many, channels, *windows.shape[1:])
        pixels = each.permute(0, 1, 5, 6, 2, 3, 4)
        return pixels.reshape(many, channels * self._side**2, -1), windows[..., 0, 0]

    def _product(self, x: Tensor, shape_of: Tensor) -> Tensor:
        weight = self.weight.reshape(self._many, self._outputs, -1)
        each = x.reshape(self._many, weight.shape[2], -1)
        return torch.bmm(weight, each).view(-1, *shape_of.shape[1:])


def has_kernels(x: Tensor) -> bool:
    """Whether `kernels` can be used: on a GPU, where PyTorch brings Triton."""
    return x.is_cuda and TRITON


def can_widen(layer: nn.Conv2d) -> bool:
    """Whether `ManyConv` computes what K convolutions like this do: square, without bias, of one group or depthwise."""
    square = len(set(layer.kernel_size)) == len(set(layer.stride)) == 1 and set(layer.dilation) == {1}
    numbers = all(isinstance(value, int) for value in layer.padding) and len(set(layer.padding)) == 1
    grouped = layer.groups == 1 or _is_depthwise(layer)
    return square and numbers and grouped and layer.bias is None and layer.padding_mode == "zeros"


def _is_depthwise(layer: nn.Conv2d) -> bool:
    return layer.groups == layer.in_channels == layer.out_channels > 1
