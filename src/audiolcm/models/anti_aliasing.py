"""The activation of BigVGAN: a snake at twice the sampling rate, over tokens (batch, samples, channels).

The modules carry the names of the published checkpoint. Both resampling filters of its code are matrix products here:
of each block of samples, with some beyond it, to the block at the other rate. On a CPU that is done for as many blocks
at a time as the cache holds, in place.
"""

import math
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from audiolcm.models.block_filter import banded, filter_blocks

Tokens = Float[Tensor, "batch samples channels"]
Sound = Float[Tensor, "samples channels"]
Up = Float[Tensor, "twice_block seen"]
Down = Float[Tensor, "block twice_seen"]
Channels = Float[Tensor, " channels"]

FILTER_TAPS = 12
_BLOCK = (
    8  # of more samples, more products are with the zeros of a matrix; of fewer, the products are too small
)
_CACHED = 2**16  # numbers that the cache of one core holds together with what is made of them
_UP, _DOWN = 3, 5  # samples before and after a block that are seen on the way up, and down

SAMPLES_SEEN = 6
"""Samples before and after it that a sample of the result depends on."""


def kaiser_sinc_filter() -> Tensor:
    """Return the low-pass filter of the 2x resamplers: (1, 1, 12), cutoff at half the band, unit gain at 0 Hz."""
    attenuation = 2.285 * (FILTER_TAPS // 2 - 1) * math.pi * 1.2 + 7.95
    window = torch.kaiser_window(FILTER_TAPS, beta=0.1102 * (attenuation - 8.7), periodic=False)
    time = torch.arange(FILTER_TAPS) - (FILTER_TAPS - 1) / 2
    taps = window * torch.sinc(0.5 * time)
    return (taps / taps.sum()).reshape(1, 1, -1)


class SnakeBeta(nn.Module):
    """What x + sin^2(exp(alpha) x) / exp(beta) learns for each channel."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.alpha = nn.Parameter(torch.zeros(channels))
        self.beta = nn.Parameter(torch.zeros(channels))


class Filter(nn.Module):
    """The filter of a resampler, under the name that the checkpoint gives it."""

    filter: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("filter", kaiser_sinc_filter())


class Downsample(nn.Module):
    """The same for the way down."""

    def __init__(self) -> None:
        super().__init__()
        self.lowpass = Filter()


class AntiAliasedSnake(nn.Module):
    """SnakeBeta at twice the sampling rate, where the harmonics that it makes do not yet alias."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.act = SnakeBeta(channels)
        self.upsample = Filter()
        self.downsample = Downsample()

    def forward(self, tokens: Tokens) -> Tokens:
        """(batch, samples, channels) -> the same shape, in float32 also under autocast."""
        with torch.autocast(tokens.device.type, enabled=False):
            frequency, size = self.act.alpha.exp(), 1.0 / (self.act.beta.exp() + 1e-9)
            up, down = doubling(self.upsample.filter), halving(self.downsample.lowpass.filter)
            return _Recomputed.apply(tokens.float(), frequency, size, up, down)


def doubling(taps: Tensor) -> Up:
    """Return what makes twice as many samples of a block: zeros between them, and a filter of gain 2 (1, 1, 12)."""
    return banded(2.0 * taps.flatten(), 2 * _BLOCK, _BLOCK + 2 * _UP, FILTER_TAPS - 1, 1, -2)


def halving(taps: Tensor) -> Down:
    """Return what makes half as many samples of a block: a filter (1, 1, 12), at every second of them."""
    return banded(taps.flatten(), _BLOCK, 2 * _BLOCK + 2 * _DOWN, 0, -2, 1)


def anti_aliased_snake(tokens: Tokens, frequency: Channels, size: Channels, up: Up, down: Down) -> Tokens:
    """Return u + size sin^2(frequency u), u being the tokens at twice their sampling rate, at that of the tokens."""
    samples = tokens.shape[1]
    doubled = filter_blocks(_continued(tokens, _UP, _BLOCK), up, _BLOCK)[:, : 2 * samples]
    bent = doubled + size * torch.sin(frequency * doubled).square()
    return filter_blocks(_continued(bent, _DOWN, 2 * _BLOCK), down, 2 * _BLOCK)[:, :samples]


def _continued(tokens: Tokens, beyond: int, block: int) -> Tensor:
    """Return tokens that go on before and after the ends as the outermost ones, the last block whole."""
    before, after = tokens[:, :1], tokens[:, -1:]
    whole = -tokens.shape[1] % block
    return torch.cat([before.expand(-1, beyond, -1), tokens, after.expand(-1, beyond + whole, -1)], dim=1)


class _Recomputed(torch.autograd.Function):
    """``anti_aliased_snake``, of which only the tokens are held for its gradients; on a CPU a few blocks at a time."""

    @staticmethod
    def forward(ctx: Any, tokens: Tokens, *constants: Tensor) -> Tokens:
        ctx.save_for_backward(tokens, *constants)
        if tokens.device.type != "cpu":
            return anti_aliased_snake(tokens, *constants)
        result = torch.empty_like(tokens, memory_format=torch.contiguous_format)
        for sound, of_sound in zip(tokens, result, strict=True):
            _write_snake(of_sound, sound, *constants)
        return result

    @staticmethod
    def backward(ctx: Any, *gradients: Tokens) -> tuple[Tensor | None, ...]:
        tokens, frequency, size, *matrices = (tensor.detach() for tensor in ctx.saved_tensors)
        batch, samples, channels = tokens.shape
        channelwise = frequency.requires_grad_(), size.requires_grad_()
        totals = [torch.zeros_like(tensor) for tensor in (tokens, *channelwise)]
        whole = tokens.device.type != "cpu"
        step = samples if whole else max(_CACHED // (batch * channels), 4 * SAMPLES_SEEN)
        for start in range(0, samples, step):
            first, stop = max(start - SAMPLES_SEEN, 0), min(start + step, samples)
            read = slice(first, stop + SAMPLES_SEEN)
            tile = tokens[:, read].requires_grad_()
            with torch.enable_grad():
                made = anti_aliased_snake(tile, *channelwise, *matrices)[:, start - first : stop - first]
            found = torch.autograd.grad(made, (tile, *channelwise), gradients[0][:, start:stop])
            totals[0][:, read] += found[0]
            totals[1] += found[1]
            totals[2] += found[2]
        return *totals, None, None


def _write_snake(
    result: Sound, sound: Sound, frequency: Channels, size: Channels, up: Up, down: Down
) -> None:
    """Write the anti-aliased snake of one sound into ``result``, all else into the same memory again and again."""
    samples, channels = sound.shape
    blocks = min(max(_CACHED // (_BLOCK * channels), 1), -(-samples // _BLOCK))
    doubled = sound.new_empty(blocks + 1, 2 * _BLOCK, channels)
    wave, halved = torch.empty_like(doubled), sound.new_empty(blocks, _BLOCK, channels)
    rows, frequency, size = doubled.flatten(0, 1), frequency.repeat(2 * _BLOCK), size.repeat(2 * _BLOCK)
    for start in range(0, samples, blocks * _BLOCK):
        first = start - _UP  # of the 5 doubled samples before it that the way down sees
        last = first + (blocks + 1) * _BLOCK
        seen = _windows(_rows(sound, first - _UP, last + _UP), up, _BLOCK)
        torch.bmm(up.expand(blocks + 1, -1, -1), seen, out=doubled)
        torch.mul(doubled.flatten(1), frequency, out=wave.flatten(1)).sin_().square_()
        doubled.flatten(1).addcmul_(wave.flatten(1), size)
        if first < 0:
            rows[: -2 * first] = rows[-2 * first]
        if last > samples:
            rows[2 * (samples - first) :] = rows[2 * (samples - first) - 1]
        seen = _windows(rows[1:], down, 2 * _BLOCK)[:blocks]
        torch.bmm(down.expand(blocks, -1, -1), seen, out=halved)
        part = result[start : start + blocks * _BLOCK]
        part.copy_(halved.flatten(0, 1)[: len(part)])


def _rows(sound: Sound, first: int, last: int) -> Tensor:
    """Return samples of a sound that goes on beyond its ends as the outermost ones."""
    if first >= 0 and last <= len(sound):
        return sound[first:last]
    return sound[torch.arange(first, last).clamp(0, len(sound) - 1)]


def _windows(rows: Sound, matrix: Tensor, block: int) -> Float[Tensor, "blocks inputs channels"]:
    return rows.unfold(0, matrix.shape[1], block).mT
