"""Convolution over the tokens of (batch, tokens, channels) as one matrix product.

A window of ``kernel_size`` tokens is one row of the product. Where the output is the wider side, windows are copied out
of the tokens first; where the input is, the product of every token with every tap comes first and is added up after.
So only the narrower side is ever held ``kernel_size`` times. Both ways are each other's gradient.

In bfloat16 on a CPU this is 3 (training) to 8 times (inference) as fast as the library's convolutions, which do not use
the matrix units well; in float32 1.3 times.
"""

from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float, Shaped
from torch import Tensor

Tokens = Float[Tensor, "batch tokens channels"]
Taps = Float[Tensor, "batch tokens taps channels"]
Weight = Float[Tensor, "out_channels in_channels kernel_size"]
Flat = Float[Tensor, "rows columns"]

_LARGE = 2**21


def convolve(
    tokens: Tokens,
    weight: Weight,
    bias: Tensor | None = None,
    padding: tuple[int, int] = (0, 0),
    dilation: int = 1,
    stride: int = 1,
) -> Tensor:
    """Return what ``conv1d`` gives: (batch, tokens, in_channels) -> (batch, fewer tokens, out_channels).

    Args:
        tokens: (batch, tokens, in_channels).
        weight: (out_channels, in_channels, kernel_size); fastest in the ``product_layout``.
        bias: (out_channels,) or None.
        padding: zeros before and after the tokens.
        dilation: distance in tokens between taps.
        stride: distance in tokens between windows.
    """
    return convolve_flat(tokens, flat(weight), bias, weight.shape[2], padding, dilation, stride)


def convolve_flat(
    tokens: Tokens,
    weight: Flat,
    bias: Tensor | None,
    kernel_size: int,
    padding: tuple[int, int] = (0, 0),
    dilation: int = 1,
    stride: int = 1,
) -> Tensor:
    """Return the same of a weight that is ``flat`` already."""
    if kernel_size == 1:
        return F.linear(tokens[:, ::stride] if stride > 1 else tokens, weight, bias)
    # Two dimensions: of three, torch makes one product an example, with the weight laid out anew for each.
    padded = F.pad(tokens, (0, 0, *padding))
    if weight.shape[1] > tokens.shape[2]:
        return _WindowProduct.apply(padded, weight, bias, kernel_size, dilation, stride)
    taps = F.linear(padded.flatten(0, 1), weight).unflatten(0, padded.shape[:2])
    summed = _Scatter.apply(taps.unflatten(2, (kernel_size, -1)), dilation)
    summed = summed[:, ::stride] if stride > 1 else summed
    return summed if bias is None else summed + bias.to(summed.dtype)


def flat(weight: Weight) -> Flat:
    """Return the matrix of the product: (out, kernel x in) for windows, (kernel x out, in) where the input is wider.

    A weight in the ``product_layout`` is not copied.
    """
    if gathers(weight):
        return weight.permute(0, 2, 1).flatten(1)
    return weight.permute(2, 0, 1).flatten(0, 1)


def product_layout(weight: Weight) -> Weight:
    """Return the same weight with its memory in the order of ``flat``."""
    out_channels, in_channels, taps = weight.shape
    if gathers(weight):
        return flat(weight).contiguous().unflatten(1, (taps, in_channels)).permute(0, 2, 1)
    return flat(weight).contiguous().unflatten(0, (taps, out_channels)).permute(1, 2, 0)


def gathers(weight: Weight) -> bool:
    """Return whether windows are copied out of the tokens, rather than products added up."""
    return weight.shape[1] <= weight.shape[0]


def gather(tokens: Shaped[Tensor, "batch tokens channels"], kernel_size: int, dilation: int) -> Tensor:
    """Return windows (batch, fewer tokens, kernel_size, channels): tap k of window t is token t + k dilation."""
    batch, length, width = tokens.shape
    shape = batch, length - (kernel_size - 1) * dilation, kernel_size, width
    return tokens.contiguous().as_strided(shape, (length * width, width, dilation * width, 1)).contiguous()


def scatter(taps: Taps, dilation: int) -> Tensor:
    """Return sums (batch, fewer tokens, channels): token t is the sum over k of tap k of t + k dilation."""
    batch, length, kernel_size, width = taps.shape
    row = kernel_size * width
    shape = batch, length - (kernel_size - 1) * dilation, kernel_size, width
    return taps.contiguous().as_strided(shape, (length * row, row, dilation * row + width, 1)).sum(2)


class _WindowProduct(torch.autograd.Function):
    """The product of windows, which are copied again for the weight's gradient instead of kept for it."""

    @staticmethod
    def forward(
        ctx: Any,
        tokens: Tokens,
        weight: Flat,
        bias: Tensor | None,
        kernel_size: int,
        dilation: int,
        stride: int,
    ) -> Tensor:
        ctx.save_for_backward(tokens, weight)
        ctx.sizes = kernel_size, dilation, stride
        ctx.bias_dtype = None if bias is None else bias.dtype
        windows = gather(tokens, kernel_size, dilation)[:, ::stride]
        return F.linear(windows.reshape(-1, weight.shape[1]), weight, bias).unflatten(0, windows.shape[:2])

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (tokens, weight), (kernel_size, dilation, stride) = ctx.saved_tensors, ctx.sizes
        rows = gradients[0].flatten(0, 1)
        of_tokens = of_weight = of_bias = None
        if ctx.needs_input_grad[0]:
            taps = (rows @ weight).unflatten(0, gradients[0].shape[:2]).unflatten(2, (kernel_size, -1))
            if stride > 1:
                skipped = tokens.shape[1] - (kernel_size - 1) * dilation
                taps = taps.new_zeros(len(taps), skipped, *taps.shape[2:]).index_copy(
                    1, torch.arange(0, skipped, stride, device=taps.device), taps
                )
            of_tokens = _of_windows(taps, dilation)
        if ctx.needs_input_grad[1]:
            windows = _Gather.apply(tokens, kernel_size, dilation)[:, ::stride]
            of_weight = _transposed(rows) @ windows.reshape(-1, weight.shape[1])
        if ctx.bias_dtype is not None and ctx.needs_input_grad[2]:
            of_bias = rows.sum(0).to(ctx.bias_dtype)  # summed in float32
        return of_tokens, of_weight, of_bias, None, None, None


def _transposed(rows: Flat) -> Float[Tensor, "columns rows"]:
    """Return the transpose; on a CPU large ones in bfloat16 are copied, with which products are up to twice as fast."""
    large = rows.device.type == "cpu" and rows.dtype == torch.bfloat16 and rows.numel() > _LARGE
    return rows.t().contiguous() if large else rows.t()


def _of_windows(taps: Taps, dilation: int) -> Tensor:
    """Return the gradient of tokens from that of their windows."""
    beyond = (taps.shape[2] - 1) * dilation
    return _Scatter.apply(F.pad(taps.flip(2), (0, 0, 0, 0, beyond, beyond)), dilation)


class _Gather(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, tokens: Tokens, kernel_size: int, dilation: int) -> Tensor:
        ctx.dilation = dilation
        return gather(tokens, kernel_size, dilation)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        return _of_windows(gradients[0], ctx.dilation), None, None


class _Scatter(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, taps: Taps, dilation: int) -> Tensor:
        ctx.kernel_size, ctx.dilation = taps.shape[2], dilation
        return scatter(taps, dilation)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        beyond = (ctx.kernel_size - 1) * ctx.dilation
        padded = F.pad(gradients[0], (0, 0, beyond, beyond))
        return _Gather.apply(padded, ctx.kernel_size, ctx.dilation).flip(2), None
