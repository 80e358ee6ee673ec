"""Convolutions of few channels over very many samples, of (batch, samples, channels).

There windows of samples, as ``models.convolution`` copies them, would be many times the sound. In float32 on a CPU each
tap is one product instead, added in place; where rounded sums would not do (bfloat16), windows of a part at a time.
"""

from collections.abc import Iterator
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from audiolcm.models.convolution import Tokens, convolve
from audiolcm.models.layers import Keeping, KeepingConv1d

TapWeight = Float[Tensor, "taps in_channels out_channels"]

_NARROW = 64  # channels below which float32 is as fast as bfloat16
_CACHED = 2**18  # numbers of a part that stays in the cache of one core while its taps are added


class SampleConv(KeepingConv1d):
    """``torch.nn.Conv1d`` of an odd kernel that keeps the number of samples, over (batch, samples, channels)."""

    bias: nn.Parameter  # pyrefly: ignore[bad-override-mutable-attribute]  (made with one)

    def __init__(self, in_channels: int, out_channels: int, kernel: int, dilation: int = 1) -> None:
        zeros = dilation * (kernel - 1) // 2
        super().__init__(in_channels, out_channels, kernel, dilation=dilation, padding=zeros)
        self.zeros = zeros, zeros
        self.weight.data = self.matrix().permute(2, 1, 0)  # its memory in the order of the products

    # pyrefly: ignore[bad-override-param-name]  (called by position only)
    def forward(self, tokens: Tokens) -> Tensor:
        """(batch, samples, in_channels) -> (batch, samples, out_channels)."""
        made = self.convolve_kept(tokens, packs=True)
        if made is not None:
            return made
        return convolve_long(tokens, self.product_weight(), self.bias, self.zeros[0], self.dilation[0])

    def product_dtype(self) -> torch.dtype:
        """Return float32 also under autocast where channels are few."""
        return torch.float32 if self.in_channels < _NARROW else super().product_dtype()

    def matrix(self) -> TapWeight:
        """Return the weight tap by tap."""
        return self.weight.permute(2, 1, 0).contiguous()


class SampleUpsampling(Keeping, nn.ConvTranspose1d):
    """``torch.nn.ConvTranspose1d`` that makes ``rate`` samples of each, over (batch, samples, channels).

    Of a kernel of n times the rate, the samples made of one are a convolution of n taps; another is filled up.
    """

    bias: nn.Parameter  # pyrefly: ignore[bad-override-mutable-attribute]  (made with one)

    def __init__(self, in_channels: int, out_channels: int, kernel: int, rate: int) -> None:
        super().__init__(in_channels, out_channels, kernel, rate, padding=(kernel - rate) // 2)

    # pyrefly: ignore[bad-override]  (no output size is chosen)
    def forward(self, tokens: Tokens) -> Tensor:
        """(batch, samples, in_channels) -> (batch, rate samples, out_channels)."""
        kernel, rate = self.kernel_size[0], self.stride[0]
        padding = (kernel - rate) // 2
        weight = self.product_weight()
        runs = convolve_long(tokens, weight, self.bias.repeat(rate), len(weight) - 1)
        samples = runs.unflatten(2, (rate, -1)).flatten(1, 2)
        return samples[:, padding : (tokens.shape[1] - 1) * rate + kernel - padding]

    def matrix(self) -> TapWeight:
        """Return the weight of that convolution, (n, in, rate x out)."""
        kernel, rate = self.kernel_size[0], self.stride[0]
        taps = F.pad(self.weight, (0, -kernel % rate)).unflatten(2, (-1, rate)).flip(2)
        return taps.permute(2, 0, 3, 1).flatten(2).contiguous()


def convolve_long(tokens: Tokens, weight: TapWeight, bias: Tensor, padding: int, dilation: int = 1) -> Tensor:
    """Return what ``conv1d`` gives of (batch, samples, in_channels), with ``padding`` zeros before and after."""
    if tokens.device.type != "cpu":
        return F.conv1d(tokens.mT, weight.permute(2, 1, 0), bias, padding=padding, dilation=dilation).mT
    if weight.dtype == torch.float32 or weight.shape[1] < _NARROW:
        return _TapProducts.apply(tokens.float(), weight.float(), bias, padding, dilation)
    return _by_parts(tokens, weight, bias.to(weight.dtype), padding, dilation)


def _by_parts(tokens: Tokens, weight: TapWeight, bias: Tensor, padding: int, dilation: int) -> Tensor:
    """Return the same from windows of samples."""
    length, seen, made = tokens.shape[1], (len(weight) - 1) * dilation, []
    for start in range(-padding, length + padding - seen, _part(tokens)):
        stop = min(start + _part(tokens) + seen, length + padding)
        part = tokens[:, max(start, 0) : stop].to(weight.dtype)
        zeros = max(-start, 0), max(stop - length, 0)
        made.append(convolve(part, weight.permute(2, 1, 0), bias, zeros, dilation))
    return torch.cat(made, dim=1)


def _part(tokens: Tokens) -> int:
    return max(_CACHED // tokens.shape[2], 256)


class _TapProducts(torch.autograd.Function):
    """The sum over taps of the samples from ``tap dilation - padding`` later, times the weight of the tap."""

    @staticmethod
    def forward(
        ctx: Any, tokens: Tokens, weight: TapWeight, bias: Tensor, padding: int, dilation: int
    ) -> Tensor:
        ctx.save_for_backward(tokens, weight)
        ctx.padding, ctx.dilation = padding, dilation
        length = tokens.shape[1] + 2 * padding - (len(weight) - 1) * dilation
        result = tokens.new_empty(tokens.shape[0], length, weight.shape[2])
        for sound, of_sound in zip(tokens, result, strict=True):
            for start in range(0, length, _part(tokens)):
                of_sound[start : start + _part(tokens)] = bias
                for tap, there, here in _meetings(sound, of_sound, weight, start, padding, dilation):
                    of_sound[here].addmm_(sound[there], weight[tap])
        return result

    @staticmethod
    def backward(ctx: Any, *gradients: Tokens) -> tuple[Tensor | None, ...]:
        tokens, weight = ctx.saved_tensors
        of_tokens, of_weight = torch.zeros_like(tokens), torch.zeros_like(weight)
        given = gradients[0].contiguous()
        for sound, of_sound, gradient in zip(tokens, of_tokens, given, strict=True):
            for start in range(0, len(gradient), _part(tokens)):
                for tap, there, here in _meetings(sound, gradient, weight, start, ctx.padding, ctx.dilation):
                    of_sound[there].addmm_(gradient[here], weight[tap].T)
                    of_weight[tap].addmm_(sound[there].T, gradient[here])
        return of_tokens, of_weight, given.sum((0, 1)), None, None


def _meetings(
    sound: Tensor, result: Tensor, weight: Tensor, start: int, padding: int, dilation: int
) -> Iterator[tuple[int, slice, slice]]:
    """Yield each tap with the samples that it sees of the part of the result from ``start``, and where it adds."""
    stop = min(start + _part(sound[None]), len(result))
    for tap in range(len(weight)):
        shift = tap * dilation - padding
        first, last = max(start, -shift), min(stop, len(sound) - shift)
        if first < last:
            yield tap, slice(first + shift, last + shift), slice(first, last)
