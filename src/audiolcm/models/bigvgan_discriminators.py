"""What BigVGAN trains against: HiFi-GAN's multi-period and UnivNet's multi-resolution discriminator.

Kong et al., 2020; Jang et al., 2021. Every convolution has weight norm.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from audiolcm.errors import UserError
from audiolcm.models.weight_norm import add_weight_norm
from audiolcm.types import Waveform

Scored = tuple[Tensor, list[Tensor]]
"""Scores, and the feature maps of all layers, of which the scores are the last."""


class PatchScores(nn.Module):
    """Convolutions over something with two dimensions, each with a leaky ReLU behind it, and one that scores."""

    def __init__(self, layers: Sequence[nn.Conv2d], score: nn.Conv2d) -> None:
        super().__init__()
        self.layers, self.score = nn.ModuleList(layers), score
        add_weight_norm(self)

    def forward(self, x: Tensor) -> Scored:
        """(batch, 1, height, width) -> scores (batch, 1, ...) and feature maps."""
        maps = []
        for layer in self.layers:
            x = F.leaky_relu(layer(x), 0.1)
            maps.append(x)
        scores = self.score(x)
        return scores, [*maps, scores]


class PeriodDiscriminator(nn.Module):
    """Sees every ``period``-th sample beside each other: the waveform as rows of one period, convolved along columns.

    Args:
        period: in samples.
        channels: of the first layer; the next ones have 4, 16, 32 and 32 times as many.
    """

    def __init__(self, period: int, channels: int = 32) -> None:
        super().__init__()
        self.period = period
        widths = [1, *(factor * channels for factor in (1, 4, 16, 32, 32))]
        layers = [
            nn.Conv2d(a, b, (5, 1), (stride, 1), padding=(2, 0))
            for a, b, stride in zip(widths[:-1], widths[1:], (3, 3, 3, 3, 1), strict=True)
        ]
        self.patches = PatchScores(layers, nn.Conv2d(widths[-1], 1, (3, 1), padding=(1, 0)))

    def forward(self, waveform: Waveform) -> Scored:
        """Return scores and feature maps (batch, channels, rows, period); the last row is filled by reflection."""
        rows = F.pad(waveform.unsqueeze(1), (0, -waveform.shape[1] % self.period), mode="reflect")
        return self.patches(rows.unflatten(2, (-1, self.period)))


class ResolutionDiscriminator(nn.Module):
    """Sees the magnitude of one short-time Fourier transform, with a rectangular window.

    Args:
        n_fft, hop_length, win_length: of the transform.
        channels: of every layer.

    Raises:
        UserError: the window is longer than the transform, or the hop longer than the window.
    """

    window: Tensor

    def __init__(self, n_fft: int, hop_length: int, win_length: int, channels: int = 32) -> None:
        super().__init__()
        if not 1 <= hop_length <= win_length <= n_fft:
            raise UserError(
                f"vocoder.objective.mrd.resolutions: {[n_fft, hop_length, win_length]} is no [n_fft, hop, window], of "
                "which each is at most the one before, the window that is, then the hop: such as [1024,120,600]."
            )
        self.n_fft, self.hop_length, self.win_length = n_fft, hop_length, win_length
        self.register_buffer("window", torch.ones(win_length), persistent=False)
        layers = [nn.Conv2d(1, channels, (3, 9), padding=(1, 4))]
        layers += [nn.Conv2d(channels, channels, (3, 9), (1, 2), padding=(1, 4)) for _ in range(3)]
        layers += [nn.Conv2d(channels, channels, 3, padding=1)]
        self.patches = PatchScores(layers, nn.Conv2d(channels, 1, 3, padding=1))

    def forward(self, waveform: Waveform) -> Scored:
        """Return scores and feature maps (batch, channels, bins, frames).

        Raises:
            UserError: the waveform is shorter than what is reflected at its ends.
        """
        reflected = (self.n_fft - self.hop_length) // 2
        if waveform.shape[1] <= reflected:
            raise UserError(
                f"A segment of {waveform.shape[1]} samples is too short for n_fft={self.n_fft}, which reflects "
                f"{reflected} at each end: give trainer.vocoder.crop_seconds more, or smaller "
                "vocoder.objective.mrd.resolutions."
            )
        with torch.autocast(waveform.device.type, enabled=False):
            padded = F.pad(waveform.float(), (reflected, reflected), mode="reflect")
            spectrum = torch.stft(
                padded, self.n_fft, self.hop_length, self.win_length, self.window,
                center=False, return_complex=True,
            )  # fmt: skip
            magnitude = spectrum.abs()
        return self.patches(magnitude.unsqueeze(1))


class MultiPeriodDiscriminator(nn.Module):
    """One ``PeriodDiscriminator`` for each period. With the default ones 41.1 M parameters."""

    def __init__(self, periods: Sequence[int] = (2, 3, 5, 7, 11), channels: int = 32) -> None:
        super().__init__()
        if not periods or min(periods) < 1:
            raise UserError(
                f"vocoder.objective.mpd.periods={list(periods)}: give lengths of 1 sample or more."
            )
        self.members = nn.ModuleList(PeriodDiscriminator(period, channels) for period in periods)

    def forward(self, waveform: Waveform) -> list[Scored]:
        """Return (scores, feature maps) of every member."""
        return [member(waveform) for member in self.members]


class MultiResolutionDiscriminator(nn.Module):
    """One ``ResolutionDiscriminator`` for each (n_fft, hop, window). With the default ones 0.28 M parameters."""

    def __init__(
        self,
        resolutions: Sequence[Sequence[int]] = ((1024, 120, 600), (2048, 240, 1200), (512, 50, 240)),
        channels: int = 32,
    ) -> None:
        super().__init__()
        if not resolutions or any(len(resolution) != 3 for resolution in resolutions):
            raise UserError(
                f"vocoder.objective.mrd.resolutions={resolutions}: each is three numbers, [n_fft, hop, window]."
            )
        self.members = nn.ModuleList(
            ResolutionDiscriminator(*resolution, channels=channels) for resolution in resolutions
        )

    def forward(self, waveform: Waveform) -> list[Scored]:
        """Return (scores, feature maps) of every member."""
        return [member(waveform) for member in self.members]
