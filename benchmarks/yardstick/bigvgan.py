"""BigVGAN as its authors publish it: activations resampled by grouped convolutions, one operation after another."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

TAPS = 12


def low_pass() -> Tensor:
    """Return a windowed sinc that keeps the lower half of the band, (1, 1, 12)."""
    attenuation = 2.285 * (TAPS // 2 - 1) * math.pi * 1.2 + 7.95
    window = torch.kaiser_window(TAPS, beta=0.1102 * (attenuation - 8.7), periodic=False)
    taps = window * torch.sinc(0.5 * (torch.arange(TAPS) - (TAPS - 1) / 2))
    return (taps / taps.sum())[None, None]


class Resampler(nn.Module):
    """Holds the low-pass filter under the name of the checkpoint."""

    filter: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("filter", low_pass())


class Upsample(Resampler):
    """Twice the sampling rate."""

    def forward(self, x: Tensor) -> Tensor:
        """Return (batch, channels, 2 samples)."""
        channels, pad = x.shape[1], TAPS // 2 - 1
        x = F.pad(x, (pad, pad), mode="replicate")
        x = 2 * F.conv_transpose1d(x, self.filter.expand(channels, -1, -1), stride=2, groups=channels)
        cut = 2 * pad + TAPS // 2 - 1
        return x[..., cut:-cut]


class LowPass(Resampler):
    """Half the sampling rate."""

    def forward(self, x: Tensor) -> Tensor:
        """Return (batch, channels, samples / 2)."""
        channels = x.shape[1]
        x = F.pad(x, (TAPS // 2 - 1, TAPS // 2), mode="replicate")
        return F.conv1d(x, self.filter.expand(channels, -1, -1), stride=2, groups=channels)


class Downsample(nn.Module):
    """The low-pass filter under its name."""

    def __init__(self) -> None:
        super().__init__()
        self.lowpass = LowPass()

    def forward(self, x: Tensor) -> Tensor:
        """Return (batch, channels, samples / 2)."""
        return self.lowpass(x)


class SnakeBeta(nn.Module):
    """x + sin^2(a x) / b, with a and b of each channel."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.alpha = nn.Parameter(torch.zeros(channels))
        self.beta = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        """Return a tensor of the shape of ``x``."""
        alpha = torch.exp(self.alpha)[None, :, None]
        beta = torch.exp(self.beta)[None, :, None]
        return x + (1.0 / (beta + 1e-9)) * torch.pow(torch.sin(x * alpha), 2)


class Activation(nn.Module):
    """Snake at twice the sampling rate."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.act, self.upsample, self.downsample = SnakeBeta(channels), Upsample(), Downsample()

    def forward(self, x: Tensor) -> Tensor:
        """Return a tensor of the shape of ``x``."""
        return self.downsample(self.act(self.upsample(x)))


class AmpBlock(nn.Module):
    """For each dilation: activation, dilated convolution, activation, convolution, residual."""

    def __init__(self, channels: int, kernel: int, dilations: Sequence[int]) -> None:
        super().__init__()
        self.convs1 = nn.ModuleList(
            nn.Conv1d(channels, channels, kernel, dilation=d, padding=d * (kernel - 1) // 2)
            for d in dilations
        )
        self.convs2 = nn.ModuleList(
            nn.Conv1d(channels, channels, kernel, padding=(kernel - 1) // 2) for _ in dilations
        )
        self.activations = nn.ModuleList(Activation(channels) for _ in range(2 * len(dilations)))

    def forward(self, x: Tensor) -> Tensor:
        """Return a tensor of the shape of ``x``."""
        for index, (dilated, plain) in enumerate(zip(self.convs1, self.convs2, strict=True)):
            h = dilated(self.activations[2 * index](x))
            x = plain(self.activations[2 * index + 1](h)) + x
        return x


class BigVGAN(nn.Module):
    """Log10 mel to waveform; sizes as in ``audiolcm.models.bigvgan.BigVGAN``."""

    def __init__(
        self,
        num_mels: int = 80,
        channels: int = 1536,
        upsample_rates: Sequence[int] = (4, 4, 2, 2, 2, 2),
        upsample_kernels: Sequence[int] = (8, 8, 4, 4, 4, 4),
        block_kernels: Sequence[int] = (3, 7, 11),
        block_dilations: Sequence[Sequence[int]] = ((1, 3, 5), (1, 3, 5), (1, 3, 5)),
    ) -> None:
        super().__init__()
        self.num_blocks = len(block_kernels)
        self.conv_pre = nn.Conv1d(num_mels, channels, 7, padding=3)
        self.ups, self.resblocks = nn.ModuleList(), nn.ModuleList()
        for rate, kernel in zip(upsample_rates, upsample_kernels, strict=True):
            up = nn.ConvTranspose1d(channels, channels // 2, kernel, rate, padding=(kernel - rate) // 2)
            self.ups.append(nn.ModuleList([up]))
            channels //= 2
            for block_kernel, dilations in zip(block_kernels, block_dilations, strict=True):
                self.resblocks.append(AmpBlock(channels, block_kernel, dilations))
        self.activation_post = Activation(channels)
        self.conv_post = nn.Conv1d(channels, 1, 7, padding=3)

    def forward(self, mel: Tensor) -> Tensor:
        """Return (batch, samples) in [-1, 1]."""
        x = self.conv_pre(mel)
        for level, (up,) in enumerate(self.ups):  # pyrefly: ignore[not-iterable]  (each is a ModuleList of one)
            x = up(x)
            total = torch.zeros_like(x)
            for block in self.resblocks[level * self.num_blocks : (level + 1) * self.num_blocks]:
                total = total + block(x)
            x = total / self.num_blocks
        return torch.tanh(self.conv_post(self.activation_post(x)))[:, 0]
