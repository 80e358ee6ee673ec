"""Convolutions in whole numbers: weights and activations of 8 bits on CPUs, for networks that are only read.

A weight is w = s_out q with one scale s_out for each output channel; the activations of one token, or of one example
where windows join tokens, have one scale too, that of their largest value, and are held as x / s + 128: what VNNI
multiplies is unsigned. Products are summed exactly in 32 bits, so that the rounding to 8 bits is the only error: about
1 % of a convolution's output, three times that of bfloat16.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from audiolcm.models.convolution import Flat, Tokens, gather, scatter

LARGEST = 127.0
ZERO = 128
_WANTED: ContextVar[bool] = ContextVar("int8", default=False)


@contextmanager
def int8_products(wanted: bool = True) -> Iterator[None]:
    """Inside, convolutions of networks that keep their products compute in 8 bits."""
    token = _WANTED.set(wanted)
    try:
        yield
    finally:
        _WANTED.reset(token)


def wanted() -> bool:
    """Return whether products are to be in 8 bits."""
    return _WANTED.get()


class Quantized(NamedTuple):
    """A flat weight in 8 bits, as oneDNN takes it: laid out for the product, and a scale for each row."""

    packed: Tensor
    scales: Tensor
    zeros: Tensor
    num_columns: int


def quantized(weight: Flat) -> Quantized:
    """Return a weight of (rows, columns) in 8 bits."""
    scales = weight.float().abs().amax(dim=1).clamp_min(1e-12) / LARGEST
    rounded = (weight.float() / scales[:, None]).round().to(torch.int8)
    packed = torch.ops.onednn.qlinear_prepack(rounded, None)
    return Quantized(packed, scales, torch.zeros_like(scales, dtype=torch.int32), weight.shape[1])


def convolve_int8(
    tokens: Tokens,
    weight: Quantized,
    bias: Tensor | None,
    kernel_size: int,
    padding: tuple[int, int],
    dilation: int = 1,
    stride: int = 1,
) -> Tensor:
    """Return what ``convolution.convolve_flat`` does, in bfloat16 but for rounding to 8 bits."""
    if weight.num_columns > tokens.shape[2]:  # one example at a time: each has a scale of its own
        windows = [
            _gathered(example, weight, bias, kernel_size, padding, dilation, stride) for example in tokens
        ]
        return torch.stack(windows)
    rounded, scales = _rounded(F.pad(tokens, (0, 0, *padding)), dim=2)
    taps = _product(rounded.flatten(0, 1), weight).unflatten(0, rounded.shape[:2]).mul_(scales)
    summed = scatter(taps.unflatten(2, (kernel_size, -1)), dilation)[:, ::stride]
    return summed if bias is None else summed + bias.to(summed.dtype)


def _gathered(
    tokens: Tensor,
    weight: Quantized,
    bias: Tensor | None,
    kernel_size: int,
    padding: tuple[int, int],
    dilation: int,
    stride: int,
) -> Tensor:
    """Return the convolution of one example, (tokens, channels), by windows of it."""
    rounded, scale = _rounded(tokens, dim=(0, 1))
    windows = gather(F.pad(rounded, (0, 0, *padding), value=ZERO)[None], kernel_size, dilation)[0, ::stride]
    return _product(windows.flatten(1), weight, float(scale), bias)


def _rounded(tokens: Tensor, dim: int | tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """Return tokens in 8 bits and their scales, one for all values along ``dim``."""
    scale = (tokens.abs().amax(dim=dim, keepdim=True) / LARGEST).clamp_min(1e-12)
    return (tokens / scale).round_().add_(ZERO).clamp_(ZERO - LARGEST, ZERO + LARGEST).to(torch.uint8), scale


def _product(rows: Tensor, weight: Quantized, scale: float = 1.0, bias: Tensor | None = None) -> Tensor:
    """Return rows of 8 bits times their scale and the weight, plus the bias, in bfloat16."""
    packed, scales, zeros, _ = weight
    return torch.ops.onednn.qlinear_pointwise(
        rows, scale, ZERO, packed, scales, zeros, bias, 1.0, 0, torch.bfloat16, "none", [], ""
    )
