"""Convolutions of many taps by short Fourier transforms (overlap-save): a third to a fifth of the multiplications.

A window of ``size`` tokens has ``size // 2 + 1`` frequencies. A convolution multiplies there: the first and the last
frequency once, each between them as complex numbers, in three real products (Gauss). Three small matrices make the
factors of all products, of windows and of taps, and the convolution of their results; between them lies one product of
matrices for each of ``3 size / 2 - 1``, of what the channels of windows and weight have there.

In float32 the result is as exact as that of a direct convolution; in bfloat16, where factors and products are rounded
and partly cancel, its error is twice as large: 0.6 % instead of 0.3 %.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

from audiolcm.models.convolution import Tokens, Weight

Factors = Float[Tensor, "products windows out_channels"]
Spectra = Float[Tensor, "products out_channels in_channels"]

_FEWEST_TAPS, _FEWEST_TOKENS = 7, 128
# The fewest channels, and tokens where spectra are made for these alone
_PAYS = {torch.float32: (96, 1024), torch.bfloat16: (128, 1536)}
_LARGEST = 2**27  # bytes of a weight in its precision of which spectra, 4 times as large, are kept
_CACHED = 2**20  # numbers of a part whose factors stay in the cache that cores share
_PART = 64  # output channels whose spectra are made at a time
_FEWEST_ROWS = 128  # of a part, since each reads all of the weight
_DIRECT: ContextVar[bool] = ContextVar("direct", default=False)


class Transforms(NamedTuple):
    """What makes the products' factors of windows and of taps, and the convolution of the products."""

    of_windows: Float[Tensor, "products size"]
    of_taps: Float[Tensor, "products taps"]
    back: Float[Tensor, "outputs products"]


@contextmanager
def direct_convolutions() -> Iterator[None]:
    """Inside, convolutions are computed as they are written, and layers keep nothing of their weights."""
    token = _DIRECT.set(True)
    try:
        yield
    finally:
        _DIRECT.reset(token)


def are_direct() -> bool:
    """Return whether convolutions are to be computed as they are written."""
    return _DIRECT.get()


def pays(weight: Weight, dtype: torch.dtype, num_tokens: int, makes_spectra: bool = False) -> bool:
    """Return whether a convolution over so many tokens is faster this way, in this precision, on this CPU.

    That was measured on an AMD EPYC with AVX512. Products in bfloat16 on a CPU with AMX are several times as fast, what
    goes before and after them is not: there convolutions stay direct. Of the largest weights (some of L's, all of XL's)
    no spectra are kept: the memory of a laptop would not hold them.

    Args:
        weight: of the convolution.
        dtype: in which products are.
        num_tokens: of all examples together.
        makes_spectra: whether those of the weight are made for these tokens alone, as in training.
    """
    if weight.device.type != "cpu" or dtype not in _PAYS or are_direct():
        return False
    channels, fewest = _PAYS[dtype]
    wide = min(weight.shape[:2]) >= channels and weight.shape[2] >= _FEWEST_TAPS
    long = num_tokens >= (fewest if makes_spectra else _FEWEST_TOKENS)
    fits = makes_spectra or weight.numel() * dtype.itemsize <= _LARGEST
    return wide and long and fits and (dtype == torch.float32 or not torch.cpu._is_amx_tile_supported())


def window_size(taps: int) -> int:
    """Return the length of windows that takes the fewest multiplications at little memory: 3 to 5 times the weight."""
    return 8 * math.ceil(2.4 * taps / 8)


@cache
def transforms(size: int, taps: int, dtype: torch.dtype = torch.float32) -> Transforms:
    """Return the matrices for windows of ``size``, an even number."""
    with torch.inference_mode(False):
        time = torch.arange(size, dtype=torch.float64)
        angles = 2 * math.pi / size * torch.outer(time[1 : size // 2], time)
        cos, sin = angles.cos(), angles.sin()
        ends = torch.stack([torch.ones_like(time), 1 - 2 * (time % 2)])  # frequency 0, and the highest
        of_taps = torch.cat([ends, cos, sin - cos, cos + sin])[:, :taps]
        back = torch.cat([ends, 2 * (cos - sin), -2 * sin, -2 * cos])[:, : size - taps + 1].T / size
        of_windows = torch.cat([ends, cos - sin, cos, -sin])
        return Transforms(of_windows.to(dtype), of_taps.to(dtype), back.to(dtype))


def spectra(weight: Weight, size: int, dtype: torch.dtype) -> Spectra:
    """Return the weight's factors of the products, for windows of ``size``."""
    of_taps = transforms(size, weight.shape[2]).of_taps
    made = weight.new_empty(len(of_taps), *weight.shape[:2], dtype=dtype)
    for part, of_part in zip(weight.split(_PART), made.split(_PART, dim=1), strict=True):
        of_part.copy_(torch.mm(of_taps, part.float().permute(2, 0, 1).flatten(1)).view_as(of_part))
    return made


def convolve_spectral(
    tokens: Tokens,
    weight: Spectra,
    bias: Tensor | None,
    taps: int,
    padding: tuple[int, int],
    dilation: int = 1,
) -> Tensor:
    """Return what ``convolution.convolve`` does, of the ``spectra`` of a weight, in their precision."""
    size = 2 * (len(weight) + 1) // 3
    of_windows, _, back = transforms(size, taps)
    batch, outputs = len(tokens), len(back)
    length = tokens.shape[1] + sum(padding) - (taps - 1) * dilation
    windows = _windows(tokens, size, outputs, length, padding[0], dilation)
    result = tokens.new_empty(*windows.shape[:2], outputs, dilation, weight.shape[1], dtype=weight.dtype)
    at_once = max(_CACHED // (len(weight) * weight.shape[2]), _FEWEST_ROWS) // (batch * dilation) + 1
    for part, of_part in zip(windows.split(at_once, 1), result.split(at_once, 1), strict=True):
        factors = _through(of_windows, part.reshape(-1, *windows.shape[3:]), weight.dtype)
        products = torch.bmm(factors.transpose(0, 1), weight.mT)
        made = _through(back, products.transpose(0, 1))
        made = made if bias is None else made.add_(bias)
        of_part.copy_(made.unflatten(0, (batch, -1, dilation)).transpose(2, 3))
    return result.flatten(1, 3)[:, :length]


def _windows(
    tokens: Tokens, size: int, outputs: int, length: int, before: int, dilation: int = 1
) -> Float[Tensor, "batch tiles dilation size channels"]:
    """Return the windows that ``outputs`` of the result each depend on: a view of the padded tokens."""
    channels, span = tokens.shape[2], outputs * dilation
    tiles = math.ceil(length / span)
    whole = tiles * span + (size - outputs) * dilation
    padded = F.pad(tokens, (0, 0, before, whole - before - tokens.shape[1])).contiguous()
    shape = len(tokens), tiles, dilation, size, channels
    apart = span * channels, channels, dilation * channels, 1
    return padded.as_strided(shape, (padded.stride(0), *apart))


def _through(matrix: Tensor, rows: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
    """Return the product of one matrix with each of many, in float32."""
    return torch.bmm(matrix.expand(len(rows), -1, -1), rows.float()).to(dtype)


def convolve_in_training(
    tokens: Tokens, weight: Weight, bias: Tensor | None, padding: tuple[int, int], dtype: torch.dtype
) -> Tensor:
    """Return the same of a weight that changes, with gradients; products are in ``dtype``."""
    return _Convolution.apply(tokens.to(dtype), weight, bias, padding)


class _Convolution(torch.autograd.Function):
    """A convolution whose gradients are products of the same factors, which are made again for them."""

    @staticmethod
    def forward(
        ctx: Any, tokens: Tokens, weight: Weight, bias: Tensor | None, padding: tuple[int, int]
    ) -> Tensor:
        ctx.save_for_backward(tokens, weight)
        ctx.padding, taps = padding, weight.shape[2]
        made = spectra(weight, window_size(taps), tokens.dtype)
        return convolve_spectral(tokens, made, bias, taps, padding)

    @staticmethod
    @once_differentiable
    # pyrefly: ignore[bad-override]  (the decorator hides the names)
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (tokens, weight), (gradient,) = ctx.saved_tensors, gradients
        back = transforms(window_size(weight.shape[2]), weight.shape[2]).back
        given = F.pad(gradient, (0, 0, 0, -gradient.shape[1] % len(back)))
        given = _through(back.T, given.reshape(-1, len(back), given.shape[2]), tokens.dtype).transpose(0, 1)
        needs_tokens, needs_weight, needs_bias, _ = ctx.needs_input_grad
        return (
            _of_tokens(tokens, weight, given, ctx.padding[0]) if needs_tokens else None,
            _of_weight(tokens, weight, given, ctx.padding[0], gradient.shape[1]) if needs_weight else None,
            gradient.sum((0, 1)).float() if needs_bias else None,
            None,
        )


def _of_tokens(tokens: Tokens, weight: Weight, given: Factors, before: int) -> Tokens:
    """Return the gradient of the tokens from that of the products: the sum of what their windows have of it."""
    of_windows, _, back = transforms(window_size(weight.shape[2]), weight.shape[2])
    outputs, size = len(back), of_windows.shape[1]
    products = torch.bmm(given, spectra(weight, size, tokens.dtype))
    windows = _through(of_windows.T, products.transpose(0, 1)).unflatten(0, (len(tokens), -1))
    summed = F.pad(windows[:, :, :outputs], (0, 0, 0, 0, 0, 1))
    summed[:, 1:, : size - outputs] += windows[:, :, outputs:]  # each reaches into the next alone
    return summed.flatten(1, 2)[:, before : before + tokens.shape[1]].to(tokens.dtype)


def _of_weight(tokens: Tokens, weight: Weight, given: Factors, before: int, length: int) -> Weight:
    """Return the gradient of the weight, in the order of the products' memory."""
    of_windows, of_taps, back = transforms(window_size(weight.shape[2]), weight.shape[2])
    windows = _windows(tokens, of_windows.shape[1], len(back), length, before).flatten(0, 2)
    factors = _through(of_windows, windows, tokens.dtype).transpose(0, 1)
    products = torch.bmm(given.mT, factors)
    result = weight.new_empty(weight.shape[2], *weight.shape[:2])
    for part, of_part in zip(products.split(_PART, 1), result.split(_PART, 1), strict=True):
        of_part.copy_(torch.mm(of_taps.T, part.float().flatten(1)).view_as(of_part))
    return result.permute(1, 2, 0)
