"""The 1-D convolutional autoencoder that turns mel spectrograms into the latents of the diffusion model.

Modules carry the names of the published checkpoint, so that its weights load key for key: an encoder with
wide kernels, a decoder with narrow ones, frames halved once, and a diagonal Gaussian in between. Inside, channels are
last, as products want them.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from audiolcm.models.layers import TokenConv1d, TokenGroupNorm
from audiolcm.random_numbers import Generator, randn
from audiolcm.types import Latent, Mel

LOGVAR_MIN, LOGVAR_MAX = -30.0, 20.0


@dataclass(frozen=True)
class Posterior:
    """The diagonal Gaussian q(z | mel): ``mean`` and ``logvar`` of (batch, channels, latent_frames)."""

    mean: Tensor
    logvar: Tensor

    @property
    def std(self) -> Tensor:
        """Standard deviation of each latent element, of the shape of ``mean``."""
        return torch.exp(0.5 * self.logvar)

    def mode(self) -> Tensor:
        """Return the most likely latent."""
        return self.mean

    def sample(self, generator: Generator | None = None) -> Tensor:
        """Draw z = mean + std * noise; the noise comes from ``generator`` and is drawn on its device."""
        noise = randn(self.mean.shape, generator)
        return self.mean + self.std * noise.to(self.mean)

    def kl(self) -> Float[Tensor, " batch"]:
        """Return KL(q(z | mel) || N(0, 1)) in nats, summed over the elements of each example."""
        divergence = 0.5 * (self.mean.square() + self.logvar.exp() - 1.0 - self.logvar)
        return divergence.flatten(1).sum(dim=1)


def _norm(channels: int) -> TokenGroupNorm:
    return TokenGroupNorm(32, channels, eps=1e-6)


class ResBlock(nn.Module):
    """Two of (GroupNorm, swish, convolution) with a residual, over (batch, frames, channels)."""

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int) -> None:
        super().__init__()
        self.norm1 = _norm(in_channels)
        self.conv1 = TokenConv1d(in_channels, out_channels, kernel_size)
        self.norm2 = _norm(out_channels)
        self.conv2 = TokenConv1d(out_channels, out_channels, kernel_size)
        # The checkpoint holds this projection only where the width changes.
        self.nin_shortcut = TokenConv1d(in_channels, out_channels, 1) if in_channels != out_channels else None

    def forward(self, x: Tensor) -> Tensor:
        """Return x + convolutions of (batch, frames, out_channels)."""
        h = self.conv1(F.silu(self.norm1(x)))
        h = self.conv2(F.silu(self.norm2(h)))
        return (x if self.nin_shortcut is None else self.nin_shortcut(x)) + h


class AttentionBlock(nn.Module):
    """Self-attention over the frames with one head as wide as the block, and a residual."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = _norm(channels)
        self.q = TokenConv1d(channels, channels, 1)
        self.k = TokenConv1d(channels, channels, 1)
        self.v = TokenConv1d(channels, channels, 1)
        self.proj_out = TokenConv1d(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return x + attention over the frames, of the shape of ``x``."""
        h = self.norm(x)
        q, k, v = self.q(h), self.k(h), self.v(h)
        return x + self.proj_out(F.scaled_dot_product_attention(q, k, v))  # scaled by channels ** -0.5


class Downsample(nn.Module):
    """Halve the frames: one zero frame on the right, then a convolution of stride two."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = TokenConv1d(channels, channels, 3, padding=(0, 1), stride=2)

    def forward(self, x: Tensor) -> Tensor:
        """Return (batch, frames / 2, channels)."""
        return self.conv(x)


class Upsample(nn.Module):
    """Double the frames by repetition, then smooth them with a convolution."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = TokenConv1d(channels, channels, 3)

    def forward(self, x: Tensor) -> Tensor:
        """Return (batch, 2 * frames, channels)."""
        return self.conv(x.repeat_interleave(2, dim=1))


class Level(nn.Module):
    """The ResBlocks of one width; encoder and decoder hang their resampling on it."""

    def __init__(self, in_channels: int, out_channels: int, num_blocks: int, kernel_size: int) -> None:
        super().__init__()
        widths = [in_channels] + [out_channels] * num_blocks
        self.block = nn.ModuleList(ResBlock(a, b, kernel_size) for a, b in pairwise(widths))

    def forward(self, x: Tensor) -> Tensor:
        """Return (batch, frames, out_channels)."""
        for block in self.block:
            x = block(x)
        return x


class Middle(nn.Module):
    """ResBlock, attention, ResBlock at the widest level."""

    def __init__(self, channels: int, kernel_size: int) -> None:
        super().__init__()
        self.block_1 = ResBlock(channels, channels, kernel_size)
        self.attn_1 = AttentionBlock(channels)
        self.block_2 = ResBlock(channels, channels, kernel_size)

    def forward(self, x: Tensor) -> Tensor:
        """Return a tensor of the shape of ``x``."""
        return self.block_2(self.attn_1(self.block_1(x)))


class Encoder(nn.Module):
    """Mel (batch, mels, 2n frames) to moments (batch, 2 * latent_channels, n frames)."""

    def __init__(
        self, num_mels: int, widths: Sequence[int], num_res_blocks: int, latent_channels: int
    ) -> None:
        super().__init__()
        self.conv_in = TokenConv1d(num_mels, widths[0], 5)
        inputs = [widths[0], *widths[:-1]]
        self.down = nn.ModuleList(Level(a, b, num_res_blocks, 5) for a, b in zip(inputs, widths, strict=True))
        self.down[0].downsample = Downsample(widths[0])
        self.mid = Middle(widths[-1], kernel_size=5)
        self.norm_out = _norm(widths[-1])
        self.conv_out = TokenConv1d(widths[-1], 2 * latent_channels, 5)

    def forward(self, mel: Tensor) -> Tensor:
        """Return the moments, before the 1x1 convolution on them."""
        h = self.conv_in(mel.transpose(1, 2))
        for index, level in enumerate(self.down):
            h = level(h)
            if index == 0:
                # pyrefly: ignore[not-callable]  (torch types a module's attributes as Tensor | Module)
                h = level.downsample(h)
        return self.conv_out(F.silu(self.norm_out(self.mid(h)))).transpose(1, 2)


class Decoder(nn.Module):
    """Latent (batch, latent_channels, n frames) to mel (batch, mels, 2n frames)."""

    def __init__(
        self, num_mels: int, widths: Sequence[int], num_res_blocks: int, latent_channels: int
    ) -> None:
        super().__init__()
        self.conv_in = TokenConv1d(latent_channels, widths[-1], 5)
        self.mid = Middle(widths[-1], kernel_size=3)
        inputs = [*widths[1:], widths[-1]]
        self.up = nn.ModuleList(
            Level(a, b, num_res_blocks + 1, 3) for a, b in zip(inputs, widths, strict=True)
        )
        self.up[1].upsample = Upsample(widths[1])
        self.norm_out = _norm(widths[0])
        self.conv_out = TokenConv1d(widths[0], num_mels, 5)

    def forward(self, z: Tensor) -> Tensor:
        """Return the mel of a latent, after the 1x1 convolution on it."""
        h = self.mid(self.conv_in(z.transpose(1, 2)))
        for index in reversed(range(len(self.up))):
            h = self.up[index](h)
            if index == 1:
                # pyrefly: ignore[not-callable]  (torch types a module's attributes as Tensor | Module)
                h = self.up[1].upsample(h)
        return self.conv_out(F.silu(self.norm_out(h))).transpose(1, 2)


class Autoencoder(nn.Module):
    """Variational autoencoder of log10-mel spectrograms with half as many latent frames as mel frames.

    The defaults are the published one: 213 million parameters, mel (80, 624) <-> latent (20, 312).

    Args:
        channels: width of the first level; a multiple of 32, the number of normalization groups.
        multipliers: width of every level as a multiple of ``channels``; frames are halved between the first
            and the second, so there are at least two.
        num_res_blocks: ResBlocks in each encoder level; the decoder levels have one more.
        latent_channels: channels of a latent.
        num_mels: bands of the mel spectrogram.

    The buffer ``scale_factor`` is 1 / std of the training latents (1 until it is measured). ``encode`` and
    ``decode`` leave it alone: the diffusion model sees ``z * scale_factor``, and its samples are divided by
    it before they are decoded.
    """

    scale_factor: Tensor

    def __init__(
        self,
        channels: int = 384,
        multipliers: Sequence[int] = (1, 2, 4),
        num_res_blocks: int = 2,
        latent_channels: int = 20,
        num_mels: int = 80,
    ) -> None:
        super().__init__()
        if len(multipliers) < 2:
            raise ValueError(f"multipliers needs two levels or more, got {list(multipliers)}")
        widths = [channels * multiplier for multiplier in multipliers]
        self.num_mels = num_mels
        self.latent_channels = latent_channels
        self.encoder = Encoder(num_mels, widths, num_res_blocks, latent_channels)
        self.decoder = Decoder(num_mels, widths, num_res_blocks, latent_channels)
        self.quant_conv = nn.Conv1d(2 * latent_channels, 2 * latent_channels, 1)
        self.post_quant_conv = nn.Conv1d(latent_channels, latent_channels, 1)
        self.register_buffer("scale_factor", torch.ones(()))

    @property
    def last_layer(self) -> nn.Parameter:
        """Weight at which the adaptive adversarial weight compares gradients."""
        # pyrefly: ignore[bad-return]  (torch types a module's attributes as Tensor | Module)
        return self.decoder.conv_out.weight

    @staticmethod
    def num_latent_frames(num_frames: int) -> int:
        """Return the latent frames of a mel of ``num_frames`` frames."""
        return math.ceil(num_frames / 2)

    @staticmethod
    def even(mel: Mel) -> Float[Tensor, "batch mels even_frames"]:
        """Return the mel with an odd last frame repeated once."""
        return F.pad(mel, (0, 1), mode="replicate") if mel.shape[-1] % 2 else mel

    def start_from(self, mel: Mel) -> None:
        """Set what a kind of autoencoder starts from before its training; nothing here, weights stay random."""

    def encode(self, mel: Mel) -> Posterior:
        """Return the posterior of unscaled latents of (batch, latent_channels, ceil(frames / 2)).

        An odd last frame is repeated once, so that every frame has its half of a latent frame.
        """
        mean, logvar = self.quant_conv(self.encoder(self.even(mel))).float().chunk(2, dim=1)
        return Posterior(mean, logvar.clamp(LOGVAR_MIN, LOGVAR_MAX))

    def decode(self, z: Latent, num_frames: int | None = None) -> Mel:
        """Return the mel of an unscaled latent, cropped to ``num_frames`` (default: two a latent frame)."""
        mel = self.decoder(self.post_quant_conv(z)).float()
        return mel if num_frames is None else mel[..., :num_frames]

    def forward(self, mel: Mel) -> Mel:
        """Reconstruct a mel of any number of frames through the mean of its posterior."""
        return self.decode(self.encode(mel).mode(), num_frames=mel.shape[-1])
