"""Small discriminators on log-magnitude spectrograms, for the adversarial training of the vocoder."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from audiolcm.types import Waveform

_LOG_FLOOR = 1e-4


class StftDiscriminator(nn.Module):
    """Convolutions over the log-magnitude of one resolution; one score for each patch.

    Args:
        n_fft: length of the Hann window; the hop is a quarter of it.
        channels: of the first layer; the next ones have two and three times as many.
    """

    window: Tensor

    def __init__(self, n_fft: int, channels: int) -> None:
        super().__init__()
        self.n_fft = n_fft
        self.register_buffer("window", torch.hann_window(n_fft), persistent=False)
        widths = [1, channels, 2 * channels, 3 * channels]
        shapes = [((7, 5), (4, 2)), ((5, 3), (2, 2)), ((5, 3), (2, 1))]
        self.layers = nn.ModuleList(
            nn.utils.parametrizations.weight_norm(
                nn.Conv2d(a, b, kernel, stride, padding=(kernel[0] // 2, kernel[1] // 2))
            )
            for a, b, (kernel, stride) in zip(widths[:-1], widths[1:], shapes, strict=True)
        )
        self.score = nn.Conv2d(widths[-1], 1, 3, padding=1)

    def forward(self, waveform: Waveform) -> tuple[Tensor, list[Tensor]]:
        """Return the scores (batch, 1, bands, frames) and the feature maps of the layers."""
        with torch.autocast(waveform.device.type, enabled=False):
            spectrum = torch.stft(
                waveform.float(), self.n_fft, self.n_fft // 4, window=self.window, return_complex=True
            )
            # Squared with a floor: the gradient of an absolute value is not finite at silence.
            power = spectrum.real.square() + spectrum.imag.square()
            x = 0.25 * torch.log(power + _LOG_FLOOR**2).unsqueeze(1) + 1.0
        x = x.to(memory_format=torch.channels_last)
        maps = []
        for layer in self.layers:
            x = F.leaky_relu(layer(x), 0.1)
            maps.append(x)
        return self.score(x), maps


class MultiResolutionDiscriminator(nn.Module):
    """One ``StftDiscriminator`` for each window: short ones hear clicks, long ones hear harmonics."""

    def __init__(self, windows: Sequence[int] = (256, 512, 1024), channels: int = 24) -> None:
        super().__init__()
        self.members = nn.ModuleList(StftDiscriminator(n_fft, channels) for n_fft in windows)

    def forward(self, waveform: Waveform) -> list[tuple[Tensor, list[Tensor]]]:
        """Return (scores, feature maps) of every member."""
        return [member(waveform) for member in self.members]
