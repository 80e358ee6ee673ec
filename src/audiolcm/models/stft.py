"""The short-time Fourier transform whose frames tile a waveform exactly, and its inverse, for the vocoders."""

import torch
from jaxtyping import Complex
from torch import Tensor, nn
from torch.nn import functional as F

from audiolcm.audio.mel import N_FFT
from audiolcm.types import Waveform

Spectrum = Complex[Tensor, "batch bins frames"]

OVERLAP = 4


class Stft(nn.Module):
    """Analysis and synthesis with a Hann window of ``n_fft`` samples at hops of a quarter of it.

    At the default of 1024 these are the frames of the mel spectrogram: n frames stand for n * 256 samples. Both
    directions run in float32, also under autocast, and are differentiable.
    """

    window: Tensor

    def __init__(self, n_fft: int = N_FFT) -> None:
        super().__init__()
        self.n_fft, self.hop = n_fft, n_fft // OVERLAP
        self.padding = (n_fft - self.hop) // 2
        self.register_buffer("window", torch.hann_window(n_fft, periodic=True), persistent=False)

    def analyze(self, waveform: Waveform) -> Spectrum:
        """Waveform (batch, frames * hop) -> spectrum (batch, n_fft / 2 + 1, frames), zeros beyond the ends."""
        with torch.autocast(waveform.device.type, enabled=False):
            padded = F.pad(waveform.float(), (self.padding, self.padding))
            return torch.stft(
                padded, self.n_fft, self.hop, window=self.window, center=False, return_complex=True
            )

    def synthesize(self, spectrum: Spectrum) -> Waveform:
        """Spectrum (batch, n_fft / 2 + 1, frames) -> the waveform (batch, frames * hop) nearest to it.

        Nearest in the least-squares sense: windowed overlap-add over the sum of the squared windows (Griffin and
        Lim, 1984, Eq. 6).
        """
        with torch.autocast(spectrum.device.type, enabled=False):
            frames = torch.fft.irfft(spectrum.transpose(1, 2), n=self.n_fft) * self.window
            envelope = self.window.square().expand(1, frames.shape[1], self.n_fft)
            return self._overlap_add(frames) / self._overlap_add(envelope)

    def _overlap_add(self, frames: Tensor) -> Tensor:
        """Add frames (batch, n, n_fft) at their hops and cut the padding: (batch, n * hop)."""
        batch, count, _ = frames.shape
        blocks = frames.reshape(batch, count, OVERLAP, self.hop)
        total = sum(F.pad(blocks[:, :, i], (0, 0, i, OVERLAP - 1 - i)) for i in range(OVERLAP))
        # pyrefly: ignore[missing-attribute]  (a sum of tensors, never empty)
        return total.flatten(1)[:, self.padding : self.padding + count * self.hop]
