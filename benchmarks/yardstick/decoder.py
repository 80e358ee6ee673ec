"""The released autoencoder's decoder: channels first, GroupNorm, swish, and attention with its products written out."""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def _norm(channels: int) -> nn.GroupNorm:
    return nn.GroupNorm(32, channels, eps=1e-6)


class ResBlock(nn.Module):
    """Norm, swish and convolution, twice, beside a shortcut."""

    def __init__(self, channels_in: int, channels: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = _norm(channels_in), _norm(channels)
        self.conv1 = nn.Conv1d(channels_in, channels, 3, padding=1)
        self.conv2 = nn.Conv1d(channels, channels, 3, padding=1)
        if channels_in != channels:
            self.nin_shortcut = nn.Conv1d(channels_in, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return (batch, channels, frames)."""
        h = self.norm1(x)
        h = self.conv1(h * torch.sigmoid(h))
        h = self.norm2(h)
        h = self.conv2(h * torch.sigmoid(h))
        return h + (self.nin_shortcut(x) if hasattr(self, "nin_shortcut") else x)


class AttentionBlock(nn.Module):
    """Attention over the frames, one head."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = _norm(channels)
        self.q, self.k, self.v, self.proj_out = (nn.Conv1d(channels, channels, 1) for _ in range(4))

    def forward(self, x: Tensor) -> Tensor:
        """Return a tensor of the shape of ``x``."""
        h = self.norm(x)
        query, key, value = self.q(h), self.k(h), self.v(h)
        weights = torch.bmm(query.transpose(1, 2), key) * x.shape[1] ** -0.5
        return x + self.proj_out(torch.bmm(value, weights.softmax(dim=2).transpose(1, 2)))


class Middle(nn.Module):
    """ResBlock, attention, ResBlock."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.block_1 = ResBlock(channels, channels)
        self.attn_1 = AttentionBlock(channels)
        self.block_2 = ResBlock(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        """Return a tensor of the shape of ``x``."""
        return self.block_2(self.attn_1(self.block_1(x)))


class Upsample(nn.Module):
    """Every frame twice, then a convolution."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv1d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Return (batch, channels, 2 frames)."""
        return self.conv(F.interpolate(x, scale_factor=2.0, mode="nearest"))


class Level(nn.Module):
    """The blocks of one width, and the upsampling where it has one."""

    def __init__(self, channels_in: int, channels: int, count: int, doubles: bool) -> None:
        super().__init__()
        widths = [channels_in] + [channels] * count
        self.block = nn.ModuleList(ResBlock(a, b) for a, b in pairwise(widths))
        if doubles:
            self.upsample = Upsample(channels)

    def forward(self, x: Tensor) -> Tensor:
        """Return (batch, channels, frames), twice as many frames where it doubles."""
        for block in self.block:
            x = block(x)
        return self.upsample(x) if hasattr(self, "upsample") else x


class Levels(nn.Module):
    """From latents to mel, the widest level first."""

    def __init__(
        self, num_mels: int, widths: Sequence[int], num_res_blocks: int, latent_channels: int
    ) -> None:
        super().__init__()
        self.conv_in = nn.Conv1d(latent_channels, widths[-1], 5, padding=2)
        self.mid = Middle(widths[-1])
        inputs = [*widths[1:], widths[-1]]
        self.up = nn.ModuleList(
            Level(a, b, num_res_blocks + 1, index == 1)
            for index, (a, b) in enumerate(zip(inputs, widths, strict=True))
        )
        self.norm_out = _norm(widths[0])
        self.conv_out = nn.Conv1d(widths[0], num_mels, 5, padding=2)

    def forward(self, z: Tensor) -> Tensor:
        """Return (batch, num_mels, 2 frames)."""
        h = self.mid(self.conv_in(z))
        for level in reversed(self.up):
            h = level(h)
        h = self.norm_out(h)
        return self.conv_out(h * torch.sigmoid(h))


class Decoder(nn.Module):
    """Latent to mel; sizes as in ``audiolcm.models.autoencoder.Autoencoder``."""

    def __init__(
        self,
        channels: int = 384,
        multipliers: Sequence[int] = (1, 2, 4),
        num_res_blocks: int = 2,
        latent_channels: int = 20,
        num_mels: int = 80,
    ) -> None:
        super().__init__()
        self.post_quant_conv = nn.Conv1d(latent_channels, latent_channels, 1)
        widths = [channels * factor for factor in multipliers]
        self.decoder = Levels(num_mels, widths, num_res_blocks, latent_channels)

    def take(self, autoencoder: nn.Module) -> "Decoder":
        """Take the weights of one of our autoencoders."""
        names = self.state_dict()
        self.load_state_dict(
            {name: value for name, value in autoencoder.state_dict().items() if name in names}
        )
        return self

    def forward(self, z: Tensor) -> Tensor:
        """Return the mel of an unscaled latent."""
        return self.decoder(self.post_quant_conv(z))
